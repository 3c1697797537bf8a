"""Alerting rules for one bundle: errors, slowness, outage, degradation, indexing.

Errors and slowness are judged by how fast they use up the error budget of 30 days, each over a long
and a short window: the long one so that a moment does not wake anybody, the short one so that the
alert ends soon after the trouble does. Windows and factors are those of the SRE Workbook, chapter
"Alerting on SLOs", table 5-8: https://sre.google/workbook/alerting-on-slos/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ragdeploy_operator.build.pods import Json

RUNBOOKS = "https://github.com/ragdeploy/ragdeploy/blob/main/docs/runbooks"

AVAILABILITY = 0.999
"""Share of the questions that shall be answered; those refused for the caller's fault aside."""
PUNCTUALITY = 0.95
"""Share of the questions that shall be answered within ``DEADLINE_SECONDS``."""
DEADLINE_SECONDS = 10
"""One of the bounds of the histogram's buckets."""

ERRORS, SLOWNESS = "rag:requests_failed:ratio", "rag:requests_slow:ratio"
"""Recorded for each window, as ``<name>_rate5m`` and so on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """The budget is used up ``factor`` times as fast as it may, over both windows."""

    factor: float
    long: str
    short: str
    severity: str


BURNS = (
    Burn(factor=14.4, long="1h", short="5m", severity="critical"),
    Burn(factor=6, long="6h", short="30m", severity="critical"),
    Burn(factor=3, long="1d", short="2h", severity="warning"),
    Burn(factor=1, long="3d", short="6h", severity="warning"),
)
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


def groups(*, namespace: str, job: str, indexer: str) -> list[Json]:
    """Make the rule groups for the targets that Prometheus knows by ``namespace`` and ``job``.

    ``indexer`` is the job of the pods that index.
    """
    both = f'job=~"{job}|{indexer}", namespace="{namespace}"'
    target = f'job="{job}", namespace="{namespace}"'
    name = f"{namespace}/{job}"
    return [
        {"name": f"{name}/records", "rules": list(_records(target))},
        {
            "name": f"{name}/alerts",
            "rules": [*_burns(target), *_symptoms(target), *_indexing(both)],
        },
    ]


def _records(target: str) -> Iterator[Json]:
    for window in WINDOWS:
        failed = _rate("rag_requests_total", f'{target}, status="error"', window)
        judged = _rate("rag_requests_total", f'{target}, status!="rejected"', window)
        yield {"record": f"{ERRORS}_rate{window}", "expr": f"{failed} / {judged}"}
        in_time = f'{target}, le=~"{DEADLINE_SECONDS}([.]0)?"'  # Prometheus 2 keeps it as it was
        punctual = _rate("rag_request_latency_seconds_bucket", in_time, window)
        all_of_them = _rate("rag_request_latency_seconds_count", target, window)
        yield {"record": f"{SLOWNESS}_rate{window}", "expr": f"1 - {punctual} / {all_of_them}"}


def _rate(metric: str, selector: str, window: str) -> str:
    return f"sum by (namespace, job) (rate({metric}{{{selector}}}[{window}]))"


def _burns(target: str) -> Iterator[Json]:
    for burn in BURNS:
        yield _burn(
            burn,
            target,
            name="RagErrorBudgetBurn",
            record=ERRORS,
            budget=1 - AVAILABILITY,
            summary="Too many questions fail.",
            told=f"{{{{ $value | humanizePercentage }}}} of the questions to {{{{ $labels.job }}}} "
            f"in {{{{ $labels.namespace }}}} failed within {burn.long}. At this pace the "
            f"error budget of 30 days ({1 - AVAILABILITY:.1%}) is gone in {_left(burn)}.",
        )
    for burn in BURNS:
        yield _burn(
            burn,
            target,
            name="RagLatencyBudgetBurn",
            record=SLOWNESS,
            budget=1 - PUNCTUALITY,
            summary="Answers are too slow.",
            told=f"{{{{ $value | humanizePercentage }}}} of the answers of {{{{ $labels.job }}}} "
            f"in {{{{ $labels.namespace }}}} took more than {DEADLINE_SECONDS} s within "
            f"{burn.long}. At this pace the budget of 30 days ({1 - PUNCTUALITY:.0%}) is gone in "
            f"{_left(burn)}.",
        )


def _left(burn: Burn) -> str:
    days = 30 / burn.factor
    return f"{days:.0f} days" if days >= 2 else f"{days * 24:.0f} hours"


def _burn(
    burn: Burn, target: str, *, name: str, record: str, budget: float, summary: str, told: str
) -> Json:
    threshold = f"{burn.factor * budget:.4g}"
    windows = [f"{record}_rate{window}{{{target}}}" for window in (burn.long, burn.short)]
    return _alert(
        name,
        " and ".join(f"{one} > {threshold}" for one in windows),
        severity=burn.severity,
        wait="2m" if burn.severity == "critical" else "15m",
        summary=summary,
        description=told,
        window=burn.long,
    )


def _symptoms(target: str) -> Iterator[Json]:
    yield _alert(
        "RagDown",
        f"absent(up{{{target}}}) or sum by (namespace, job) (up{{{target}}}) == 0",
        severity="critical",
        wait="5m",
        summary="No pod of the API can be scraped.",
        description="Prometheus has reached no pod of {{ $labels.job }} in "
        "{{ $labels.namespace }} for five minutes.",
    )
    degraded = f"sum by (namespace, job, part) (rate(rag_degraded_total{{{target}}}[15m]))"
    asked = _rate("rag_requests_total", target, "15m")
    yield _alert(
        "RagDegraded",
        f"{degraded} / on (namespace, job) group_left () {asked} > 0.1",
        severity="warning",
        wait="10m",
        summary="Questions are answered without a part that does not answer.",
        description="{{ $value | humanizePercentage }} of the questions to {{ $labels.job }} in "
        "{{ $labels.namespace }} are answered without {{ $labels.part }}: callers get answers, "
        "but worse ones.",
    )


def _indexing(target: str) -> Iterator[Json]:
    """Alerts on jobs: the API takes them in, and the indexer brings them to their end."""
    ended = f'sum by (namespace) (increase(rag_jobs_total{{{target}, state!="queued"}}'
    failed = f'sum by (namespace) (increase(rag_jobs_total{{{target}, state="failed"}}[1h]))'
    pending = f"max by (namespace) (min_over_time(rag_jobs_pending{{{target}}}[30m]))"
    yield _alert(
        "RagIndexingStuck",
        f"{pending} > 0 unless {ended}[30m])) > 0",
        severity="warning",
        wait="15m",
        summary="Documents wait to be indexed, and none are.",
        description="{{ $value }} index jobs wait in {{ $labels.namespace }}, and none has ended "
        "for half an hour.",
    )
    yield _alert(
        "RagIndexingFails",
        f"{failed} / {ended}[1h])) > 0.1 and {failed} > 3",
        severity="warning",
        wait="5m",
        summary="Index jobs fail.",
        description="{{ $value | humanizePercentage }} of the index jobs in "
        "{{ $labels.namespace }} failed within the last hour.",
    )


def _alert(
    name: str,
    expression: str,
    *,
    severity: str,
    wait: str,
    summary: str,
    description: str,
    window: str | None = None,
) -> Json:
    return {
        "alert": name,
        "expr": expression,
        "for": wait,
        "labels": {"severity": severity, **({"window": window} if window else {})},
        "annotations": {
            "summary": summary,
            "description": description,
            "runbook_url": f"{RUNBOOKS}/{name}.md",
        },
    }
