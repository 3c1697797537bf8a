"""What Prometheus is told of a bundle, and what the bundle says of that."""

import pytest

from tests.controlplane.kinds import (
    CONFIG_MAP,
    PROMETHEUS_RULE,
    SERVICE_MONITOR,
)
from tests.operator.definitions import PROMETHEUS_RULES, SERVICE_MONITORS


@pytest.mark.behaviour(7)
def test_each_kind_of_the_prometheus_operator_is_used_once_it_is_there(cluster, operator, bundle):
    docs = bundle().wait_children()
    picky = bundle(name="picky", monitoring={"prometheusRule": {"enabled": True}})
    told = picky.wait_condition("MonitoringReady", "False", reason="KindMissing")["message"]
    assert "spec.monitoring.prometheusRule.enabled is true" in told
    assert "serves no PrometheusRule" in told
    assert docs.condition("MonitoringReady") is None  # nobody asked for it
    cluster.api.define(PROMETHEUS_RULES)
    try:
        for one in (docs, picky):
            one.wait_child(PROMETHEUS_RULE, "api")
            told = one.wait_condition("MonitoringReady", "True")["message"]
            assert "when to alert" in told
            assert "where to scrape" not in told
        cluster.api.define(SERVICE_MONITORS)
        docs.wait_child(SERVICE_MONITOR, "api")
        cluster.api.delete(PROMETHEUS_RULE, "docs-api", namespace=docs.namespace)
        docs.wait_child(PROMETHEUS_RULE, "api")
        docs.apply(monitoring={"prometheusRule": {"enabled": False}})
        docs.wait_gone(PROMETHEUS_RULE, "api")
        docs.wait_child(CONFIG_MAP, "dashboard")
        told = docs.wait_condition("MonitoringReady", "True")["message"]
        assert told == (
            "Prometheus is told where to scrape (ServiceMonitor docs-api). "
            "ConfigMap docs-dashboard has the dashboard for Grafana."
        )
    finally:
        for definition in (PROMETHEUS_RULES, SERVICE_MONITORS):
            cluster.api.undefine(definition)
    picky.wait_condition("MonitoringReady", "False", reason="KindMissing", timeout=60)


def test_a_dashboard_needs_nothing_but_to_be_asked_for(bundle):
    docs = bundle(monitoring={"dashboard": {"enabled": True, "labels": {"team": "search"}}})
    found = docs.wait_child(CONFIG_MAP, "dashboard")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert found["metadata"]["labels"]["team"] == "search"
    docs.wait_condition("MonitoringReady", "True")
    docs.apply()
    docs.run()  # what is left over goes when all is rolled out
    docs.wait_gone(CONFIG_MAP, "dashboard")
    assert docs.condition("MonitoringReady") is None
