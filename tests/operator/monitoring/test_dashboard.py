"""The dashboard for Grafana; that its metrics exist is shown by a running service."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ragdeploy_operator.build.dashboard import dashboard
from tests.operator.monitoring.promtool import check
from tests.operator.unit.resources import Children, Json, children

CONFIG_MAP = ("ConfigMap", "docs-dashboard")


def read(built: Children) -> Json:
    ((file, text),) = built[CONFIG_MAP]["data"].items()
    assert file == "ragdeploy-shop-docs.json"
    found: Json = json.loads(text)
    return found


def test_it_is_made_where_prometheus_is_told_to_scrape_or_on_request() -> None:
    bare: frozenset[str] = frozenset()
    assert CONFIG_MAP in children()
    assert CONFIG_MAP not in children(kinds=bare)
    assert CONFIG_MAP in children({"monitoring": {"dashboard": {"enabled": True}}}, kinds=bare)
    assert CONFIG_MAP not in children({"monitoring": {"dashboard": {"enabled": False}}})


def test_grafana_finds_it_by_a_label_that_can_be_another() -> None:
    assert children()[CONFIG_MAP]["metadata"]["labels"]["grafana_dashboard"] == "1"
    other = {"monitoring": {"dashboard": {"labels": {"grafana_dashboard": "team-a"}}}}
    assert children(other)[CONFIG_MAP]["metadata"]["labels"]["grafana_dashboard"] == "team-a"


def test_two_bundles_have_two_dashboards() -> None:
    one = dashboard(name="docs", namespace="a", job="docs-api", indexer="docs-indexer")
    other = dashboard(name="docs", namespace="b", job="docs-api", indexer="docs-indexer")
    assert one["uid"] != other["uid"]
    assert one["title"] != other["title"]
    assert len(one["uid"]) <= 40  # Grafana takes no longer one


def test_every_panel_can_be_told_from_the_others_and_covers_none() -> None:
    panels = read(children())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize(
    "panel", [p for p in read(children())["panels"] if p["type"] != "row"], ids=lambda p: p["title"]
)
def test_a_panel_is_about_this_bundle_and_says_what_it_shows(panel: Json) -> None:
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    for target in panel["targets"]:
        selectors = re.findall(r"\{([^{}]*=[^{}]*)\}", target["expr"])
        assert selectors
        assert all(
            'job=~"docs-api|docs-indexer", namespace="shop"' in selector for selector in selectors
        )


def test_every_expression_is_promql(tmp_path: Path) -> None:
    targets = [t for p in read(children())["panels"] for t in p.get("targets", ())]
    rules = [
        {"record": f"panel:{number}", "expr": t["expr"].replace("$__rate_interval", "1m")}
        for number, t in enumerate(targets)
    ]
    check(tmp_path, [{"name": "panels", "rules": rules}])
