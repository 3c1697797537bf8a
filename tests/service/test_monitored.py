"""What alerts and dashboard ask Prometheus for is what the service tells it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ragdeploy_operator.build import alerts
from ragdeploy_operator.build.dashboard import dashboard
from tests.service.api import SCALING, ask, index

RULES = [
    rule
    for group in alerts.groups(namespace="shop", job="docs-api", indexer="docs-indexer")
    for rule in group["rules"]
]
PANELS = dashboard(name="docs", namespace="shop", job="docs-api", indexer="docs-indexer")["panels"]
TARGETS = [target for panel in PANELS for target in panel.get("targets", ())]
EXPRESSIONS = {one["expr"] for one in (*RULES, *TARGETS)}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}

ADDED = {"job", "namespace", "pod"}
"""Labels that Prometheus adds to what it scrapes."""

_METRIC = re.compile(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')


@pytest.fixture(scope="module")
def scraped(keyed_service) -> dict[str, list[dict[str, str]]]:
    """Labels of each sample by the metric's name, after a question and a document."""
    index(keyed_service.http, SCALING)
    ask(keyed_service.http, "How do I scale the API?")
    text = keyed_service.http.get("/metrics").text
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(text):
        # a counter with labels shows no sample before something is counted
        found.setdefault(f"{family.name}_total" if family.type == "counter" else family.name, [])
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


def metrics_in(expression: str) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    for name, matchers in _METRIC.findall(expression):
        yield name, _MATCHER.findall(matchers)


def test_every_metric_has_a_selector_so_that_it_is_looked_at_here() -> None:
    """And the functions of PromQL are not taken for metrics."""
    for expression in EXPRESSIONS:
        outside = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", _METRIC.sub("", expression))
        words = set(re.findall(r"[a-z_]{3,}", outside))
        assert not {word for word in words if word.startswith(("rag", "process", "python"))}


@pytest.mark.parametrize("expression", sorted(EXPRESSIONS), ids=lambda e: e[:60])
def test_every_metric_and_label_is_one_that_the_service_has(expression, scraped) -> None:
    used = list(metrics_in(expression))
    assert used
    for name, matchers in used:
        if name == "up" or name in RECORDED:
            continue  # Prometheus's own
        assert name in scraped
        for label, operator, value in matchers:
            if label in ADDED:
                continue
            values = {labels.get(label) for labels in scraped[name]} - {None}
            assert values, f"{name} has no label {label}"
            fits = {v for v in values if re.fullmatch(value, v)} if operator == "=~" else {value}
            assert fits & values or operator == "!=", f"no {name} has {label}={value}"


def test_every_legend_and_grouping_is_a_label_of_its_metric(scraped) -> None:
    for target in TARGETS:
        wanted = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        wanted |= {
            label
            for group in re.findall(r"by \(([^)]*)\)", target["expr"])
            for label in group.split(", ")
        }
        for name, _ in metrics_in(target["expr"]):
            if scraped.get(name):
                assert wanted - ADDED <= set().union(*scraped[name]), name
