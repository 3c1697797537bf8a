"""Each alert by Prometheus's own evaluation: when it fires, and when it does not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ragdeploy_operator.build import alerts
from tests.operator.monitoring.promtool import check, counter, expect_firing, expect_true
from tests.operator.unit.resources import children

ROOT = Path(__file__).parents[3]
TARGET = 'job="docs-api", namespace="shop", pod="docs-api-1"'
GROUPS = alerts.groups(namespace="shop", job="docs-api", indexer="docs-indexer")
ALERTS = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]

RECORDS, ALERTING = GROUPS


@dataclass(frozen=True, kw_only=True)
class Case:
    """What was scraped, and which alerts fire at the end of it."""

    words: str
    series: dict[str, str]
    minutes: int
    firing: tuple[tuple[str, dict[str, str]], ...] = ()

    def __str__(self) -> str:
        return self.words


def burn(words: str, record: str, ratios: dict[str, float], firing: dict[str, str]) -> Case:
    """Recorded shares by window, 0 where none is given; ``firing``: severity by window."""
    name = {alerts.ERRORS: "RagErrorBudgetBurn", alerts.SLOWNESS: "RagLatencyBudgetBurn"}[record]
    series = {
        f"{record}_rate{window}{{{TARGET}}}": f"{ratios.get(window, 0)}x40"
        for window in alerts.WINDOWS
    }
    return Case(
        words=words,
        series=series | {f"up{{{TARGET}}}": "1x40"},
        minutes=30,
        firing=tuple(
            (name, {"severity": severity, "window": window}) for window, severity in firing.items()
        ),
    )


def failing(words: str, firing: dict[str, str], **ratios: float) -> Case:
    return burn(words, alerts.ERRORS, {k.strip("_"): v for k, v in ratios.items()}, firing)


def slow(words: str, firing: dict[str, str], **ratios: float) -> Case:
    return burn(words, alerts.SLOWNESS, {k.strip("_"): v for k, v in ratios.items()}, firing)


def symptom(
    words: str, series: dict[str, str], *, minutes: int, firing: str = "", **labels: str
) -> Case:
    up = {f"up{{{TARGET}}}": f"1x{minutes}"}
    return Case(
        words=words,
        series=up | {name.replace("TARGET", TARGET): values for name, values in series.items()},
        minutes=minutes,
        firing=((firing, labels),) if firing else (),
    )


INDEXER = 'job="docs-indexer", namespace="shop", pod="docs-indexer-1"'
ENDED = f'rag_jobs_total{{{INDEXER}, state="succeeded"}}'
FAILED = f'rag_jobs_total{{{INDEXER}, state="failed"}}'
ASKED = 'rag_requests_total{TARGET, status="success"}'
DEGRADED = 'rag_degraded_total{TARGET, part="llm"}'
CASES = [
    failing("2 % fail for an hour", {"1h": "critical"}, _1h=0.02, _5m=0.02),
    failing("2 % failed for an hour, and none now", {}, _1h=0.02, _5m=0),
    failing("everything fails for a moment", {}, _1h=0.01, _5m=1),
    failing("0.8 % fail for six hours", {"6h": "critical"}, _6h=0.008, _30m=0.008, _1h=0.008),
    failing("0.5 % fail for six hours", {}, _6h=0.005, _30m=0.005, _1h=0.005),
    failing("0.4 % fail for a day", {"1d": "warning"}, _1d=0.004, _2h=0.004),
    failing("0.2 % fail for three days", {"3d": "warning"}, _3d=0.002, _6h=0.002),
    failing("0.05 % fail for three days", {}, _3d=0.0005, _6h=0.0005),
    slow("80 % are slow for an hour", {"1h": "critical"}, _1h=0.8, _5m=0.8),
    slow("80 % were slow for an hour, and none is now", {}, _1h=0.8, _5m=0),
    slow("40 % are slow for six hours", {"6h": "critical"}, _6h=0.4, _30m=0.4),
    slow("20 % are slow for a day", {"1d": "warning"}, _1d=0.2, _2h=0.2),
    slow("8 % are slow for three days", {"3d": "warning"}, _3d=0.08, _6h=0.08),
    slow("4 % are slow for three days", {}, _3d=0.04, _6h=0.04),
    symptom(
        "no pod answers",
        {f"up{{{TARGET}}}": "1x10 0x10"},
        minutes=19,
        firing="RagDown",
        severity="critical",
    ),
    symptom(
        "one of two pods does not answer",
        {f"up{{{TARGET}}}": "0x20", 'up{job="docs-api", namespace="shop", pod="two"}': "1x20"},
        minutes=19,
    ),
    Case(
        words="there is no pod at all",
        series={'up{job="other", namespace="shop"}': "1x20"},
        minutes=19,
        firing=(("RagDown", {"severity": "critical"}),),
    ),
    symptom(
        "a fifth of the answers is made without the language model",
        {ASKED: counter((100, 40)), DEGRADED: counter((20, 40))},
        minutes=39,
        firing="RagDegraded",
        severity="warning",
        part="llm",
    ),
    symptom(
        "a twentieth is",
        {ASKED: counter((100, 40)), DEGRADED: counter((5, 40))},
        minutes=39,
    ),
    symptom(
        "jobs wait and none ends",
        {"rag_jobs_pending{TARGET}": "5x90", ENDED: "7x90"},
        minutes=89,
        firing="RagIndexingStuck",
        severity="warning",
    ),
    symptom(
        "jobs wait and some end",
        {"rag_jobs_pending{TARGET}": "5x90", ENDED: counter((0.1, 90))},
        minutes=89,
    ),
    symptom(
        "nobody knows how many wait",
        {"rag_jobs_pending{TARGET}": "_x90", ENDED: "7x90"},
        minutes=89,
    ),
    symptom(
        "half of the jobs fails",
        {FAILED: counter((1, 90)), ENDED: counter((1, 90))},
        minutes=89,
        firing="RagIndexingFails",
        severity="warning",
    ),
    symptom(
        "one job in a hundred fails",
        {FAILED: counter((1, 90)), ENDED: counter((99, 90))},
        minutes=89,
    ),
]


def test_promtool_finds_nothing_wrong(tmp_path: Path) -> None:
    check(tmp_path, GROUPS)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_fires_when(case: Case, tmp_path: Path) -> None:
    expect_firing(tmp_path, [ALERTING], series=case.series, at=case.minutes, firing=case.firing)


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    shown = {(name, labels.get("window")) for case in CASES for name, labels in case.firing}
    assert shown == {(rule["alert"], rule["labels"].get("window")) for rule in ALERTS}


def test_the_shares_are_those_of_each_window(tmp_path: Path) -> None:
    """All is well for four days, and for the last hour 2 % fail and 30 % are slow."""
    calm, per_minute = 4 * 24 * 60, 1000
    status, bucket = "rag_requests_total{%s, status=%s}", "rag_request_latency_seconds_bucket{%s}"
    series = {
        status % (TARGET, '"success"'): counter((per_minute, calm), (per_minute * 0.98, 61)),
        status % (TARGET, '"error"'): counter((0, calm), (per_minute * 0.02, 61)),
        # callers' own faults are none of ours, however many
        status % (TARGET, '"rejected"'): counter((per_minute, calm + 61)),
        bucket % f'{TARGET}, le="10.0"': counter((per_minute, calm), (per_minute * 0.7, 61)),
        f"rag_request_latency_seconds_count{{{TARGET}}}": counter((per_minute, calm + 61)),
    }
    minutes = {"5m": 5, "30m": 30, "1h": 60, "2h": 120, "6h": 360, "1d": 1440, "3d": 4320}
    comparisons = [
        f"abs({record}_rate{window} - {share * min(1, 60 / length)}) < bool 0.001"
        for record, share in ((alerts.ERRORS, 0.02), (alerts.SLOWNESS, 0.3))
        for window, length in minutes.items()
    ]
    assert len(comparisons) == len(RECORDS["rules"])
    expect_true(tmp_path, [RECORDS], series=series, at=calm + 60, expressions=comparisons)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_to_do_next(rule: dict[str, dict[str, str]]) -> None:
    url = rule["annotations"]["runbook_url"]
    folder, _, file = url.rpartition("/")
    assert folder.endswith("/docs/runbooks")
    page = (ROOT / "docs/runbooks" / file).read_text()
    assert page.startswith(f"# {rule['alert']}\n")
    for title in ("## What it means", "## What to do"):
        assert title in page


def test_there_is_no_runbook_without_its_alert() -> None:
    pages = {file.stem for file in (ROOT / "docs/runbooks").glob("Rag*.md")}
    assert pages == {rule["alert"] for rule in ALERTS}


def test_the_rule_is_about_the_targets_of_the_service_monitor() -> None:
    """Prometheus calls the job of such a target by the name of its Service."""
    built = children({"monitoring": {"prometheusRule": {"labels": {"release": "prometheus"}}}})
    rule = built["PrometheusRule", "docs-api"]
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    assert rule["spec"]["groups"] == GROUPS
    assert "docs-api" in {m["metadata"]["name"] for m in built.manifests if m["kind"] == "Service"}


def test_no_rule_is_made_where_the_kind_is_missing_or_nobody_wants_it() -> None:
    ref = ("PrometheusRule", "docs-api")
    assert ref not in children(kinds=frozenset({"ServiceMonitor"}))
    assert ref not in children({"monitoring": {"prometheusRule": {"enabled": False}}})
    assert ref not in children({"suspend": True})  # nobody is woken because nothing runs
