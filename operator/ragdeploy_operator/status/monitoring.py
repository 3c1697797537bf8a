"""Whether what watches the bundle is there."""

from __future__ import annotations

from collections.abc import Iterator

from ragdeploy_operator.build import names
from ragdeploy_operator.status.facts import Facts
from ragdeploy_operator.status.finding import Finding, News, bad, good

MONITORING = "MonitoringReady"


def findings(facts: Facts) -> Iterator[Finding]:
    """Tell of the objects for the Prometheus Operator that are asked for or that can be made."""
    wanted = facts.resource.spec.monitoring
    # nobody is woken because a suspended bundle does not answer
    on_call = False if facts.resource.spec.suspend else wanted.prometheus_rule.enabled
    asked = {
        "ServiceMonitor": ("serviceMonitor", wanted.service_monitor.enabled),
        "PrometheusRule": ("prometheusRule", on_call),
    }
    name, dashboard = names.api(facts.resource.name), names.dashboard(facts.resource.name)
    lacking = [kind for kind, (_, on) in asked.items() if on and kind not in facts.kinds]
    made = [kind for kind, (_, on) in asked.items() if on is not False and kind in facts.kinds]
    coming = [kind for kind in made if facts.child(kind, name) is None]
    if lacking:
        fields = " and ".join(f"spec.monitoring.{asked[kind][0]}.enabled" for kind in lacking)
        verb = "are" if len(lacking) > 1 else "is"
        yield bad(
            MONITORING,
            "KindMissing",
            f"{fields} {verb} true, but this cluster serves no {' and no '.join(lacking)} that "
            "the operator may use. Install the Prometheus Operator, or leave the field out; the "
            "operator notices by itself.",
            news=News.BAD,
        )
    elif coming:
        yield bad(MONITORING, "Creating", f"{coming[0]} {name} is not there yet.")
    elif made or (wanted.dashboard.enabled and facts.child("ConfigMap", dashboard)):
        does = {"ServiceMonitor": "where to scrape", "PrometheusRule": "when to alert"}
        told = " and ".join(f"{does[kind]} ({kind} {name})" for kind in made)
        words = [f"Prometheus is told {told}."] if told else []
        if facts.child("ConfigMap", dashboard):
            words.append(f"ConfigMap {dashboard} has the dashboard for Grafana.")
        yield good(MONITORING, "Available", " ".join(words))
