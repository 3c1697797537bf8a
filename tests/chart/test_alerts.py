"""The alerts on the operator itself."""

from pathlib import Path

import pytest

from tests.chart.conftest import Chart
from tests.operator.monitoring.promtool import check, expect_firing

ROOT = Path(__file__).parents[2]
ON = ("--set", "metrics.prometheusRule.enabled=true")
HERE = 'namespace="ragdeploy-system"'


@pytest.fixture(scope="module")
def groups(chart: Chart):
    return chart.one("PrometheusRule", *ON)["spec"]["groups"]


def leading(value, **other):
    series = {f"ragdeploy_operator_leading{{{HERE}}}": value}
    return series | {f"ragdeploy_operator_{name}": values for name, values in other.items()}


CASES = {
    "all is well": (leading("1x60"), []),
    "nobody leads": (leading("1x10 0x50"), [("OperatorAbsent", {"severity": "critical"})]),
    "nobody is there": ({"up": "1x60"}, [("OperatorAbsent", {"severity": "critical"})]),
    "changes wait": (
        leading("1x60", **{f"queue_oldest_age_seconds{{{HERE}}}": "0+60x60"}),
        [("OperatorStuck", {"severity": "warning"})],
    ),
    "a right is missing": (
        leading("1x60", **{f'reconcile_errors_total{{{HERE},reason="Forbidden"}}': "0+1x60"}),
        [("OperatorFails", {"severity": "warning"})],
    ),
    "users make mistakes": (
        leading("1x60", **{f'reconcile_errors_total{{{HERE},reason="Refused"}}': "0+1x60"}),
        [],
    ),
    "another operator's": (
        leading("1x60", **{'queue_oldest_age_seconds{namespace="elsewhere"}': "0+60x60"}),
        [],
    ),
}


def test_the_rules_are_sound(groups, tmp_path):
    check(tmp_path, groups)


@pytest.mark.parametrize(("series", "firing"), CASES.values(), ids=CASES)
def test_what_fires(groups, tmp_path, series, firing):
    expect_firing(tmp_path, groups, series=series, at=40, firing=firing)


def test_each_alert_has_a_runbook_and_each_runbook_its_alert(groups):
    names = {rule["alert"] for group in groups for rule in group["rules"]}
    assert names == {page.stem for page in (ROOT / "docs/runbooks").glob("Operator*.md")}
    for group in groups:
        for rule in group["rules"]:
            assert rule["annotations"]["runbook_url"].endswith(f"docs/runbooks/{rule['alert']}.md")


def test_there_are_none_unless_asked_for(chart: Chart):
    assert "PrometheusRule" not in {found["kind"] for found in chart.objects()}
