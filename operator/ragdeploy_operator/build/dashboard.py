"""A dashboard for Grafana: rate, errors and duration of the questions, and what is behind them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import names
from ragdeploy_operator.build.context import BuildContext
from ragdeploy_operator.build.manifest import Manifest, manifest
from ragdeploy_operator.build.monitoring import SERVICE_MONITOR
from ragdeploy_operator.build.pods import Json

FOUND_BY = {"grafana_dashboard": "1"}
"""Label by which the sidecar of Grafana's chart finds dashboards, as it is set there."""

_SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
_FAILED, _JUDGED = ', status="error"', ', status!="rejected"'
_COLUMNS, _WIDTH, _HEIGHT = 24, 8, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A graph over time. ``TARGET`` in an expression stands for the selector of the bundle."""

    title: str
    told: str
    unit: str
    lines: Sequence[tuple[str, str]]
    """Expression and legend of each line or group of lines."""


def _rate(metric: str, by: str = "", more: str = "") -> str:
    grouped = f"by ({by}) " if by else ""
    return f"sum {grouped}(rate({metric}{{TARGET{more}}}[$__rate_interval]))"


def _quantile(share: float) -> str:
    return f"histogram_quantile({share}, {_rate('rag_request_latency_seconds_bucket', 'le')})"


ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "Questions",
        (
            Panel(
                title="Rate",
                told="Questions by outcome; rejected ones were the caller's fault.",
                unit="reqps",
                lines=((_rate("rag_requests_total", "status"), "{{status}}"),),
            ),
            Panel(
                title="Errors",
                told="Share of the questions that failed for a fault of ours.",
                unit="percentunit",
                lines=(
                    (
                        f"{_rate('rag_requests_total', more=_FAILED)} / "
                        f"{_rate('rag_requests_total', more=_JUDGED)}",
                        "failed",
                    ),
                ),
            ),
            Panel(
                title="Duration",
                told="Time to answer, to the end of a streamed answer.",
                unit="s",
                lines=tuple((_quantile(q), f"p{q * 100:.0f}") for q in (0.5, 0.95, 0.99)),
            ),
        ),
    ),
    (
        "Where the time goes, and what is done without",
        (
            Panel(
                title="Stages",
                told="Mean time of each stage of a question or an index job.",
                unit="s",
                lines=(
                    (
                        f"{_rate('rag_stage_seconds_sum', 'stage')} / "
                        f"{_rate('rag_stage_seconds_count', 'stage')}",
                        "{{stage}}",
                    ),
                ),
            ),
            Panel(
                title="Answer cache",
                told="Looks into the cache by what was found.",
                unit="reqps",
                lines=((_rate("rag_cache_lookups_total", "found"), "{{found}}"),),
            ),
            Panel(
                title="Degraded",
                told="Questions answered without a part that did not answer.",
                unit="reqps",
                lines=((_rate("rag_degraded_total", "part"), "without {{part}}"),),
            ),
        ),
    ),
    (
        "Language model and limits",
        (
            Panel(
                title="Tokens",
                told="Tokens that the language model read and wrote, each second.",
                unit="short",
                lines=((_rate("rag_llm_tokens_total", "kind"), "{{kind}}"),),
            ),
            Panel(
                title="Calls",
                told="Answers that the language model wrote, by model.",
                unit="reqps",
                lines=((_rate("rag_llm_calls_total", "model"), "{{model}}"),),
            ),
            Panel(
                title="Refused by a limit",
                told="Requests of keys that had used up a limit.",
                unit="reqps",
                lines=((_rate("rag_limited_total", "policy"), "{{policy}}"),),
            ),
        ),
    ),
    (
        "Indexing",
        (
            Panel(
                title="Jobs that wait or run",
                told="Every pod knows the same number.",
                unit="short",
                lines=(("max (rag_jobs_pending{TARGET})", "jobs"),),
            ),
            Panel(
                title="Jobs by the state they came into",
                told="Failed jobs are worth a look at GET /jobs/ID.",
                unit="ops",
                lines=((_rate("rag_jobs_total", "state"), "{{state}}"),),
            ),
            Panel(
                title="Documents",
                told="Documents indexed each second.",
                unit="ops",
                lines=((_rate("rag_documents_indexed_total"), "documents"),),
            ),
        ),
    ),
    (
        "Pods",
        (
            Panel(
                title="CPU",
                told="Cores that each process uses.",
                unit="short",
                lines=((_rate("process_cpu_seconds_total", "pod"), "{{pod}}"),),
            ),
            Panel(
                title="Memory",
                told="Resident memory of each process.",
                unit="bytes",
                lines=(("max by (pod) (process_resident_memory_bytes{TARGET})", "{{pod}}"),),
            ),
            Panel(
                title="Pods that can be scraped",
                told="As many as are ready, or Prometheus is kept out.",
                unit="short",
                lines=(("sum (up{TARGET})", "pods"),),
            ),
        ),
    ),
)


def config_map(resource: RagDeployment, context: BuildContext) -> list[Manifest]:
    """Make the ConfigMap with the dashboard, where it is asked for or Prometheus is told to scrape.

    Its key is a file of its own among those of all bundles, because Grafana's sidecar puts them
    into one folder.
    """
    wanted = resource.spec.monitoring.dashboard
    enabled = SERVICE_MONITOR in context.kinds if wanted.enabled is None else wanted.enabled
    if not enabled:
        return []
    text = json.dumps(
        dashboard(
            name=resource.name,
            namespace=resource.namespace,
            job=names.api(resource.name),
            indexer=names.indexer(resource.name),
        ),
        sort_keys=True,
        separators=(",", ":"),
    )
    return [
        manifest(
            resource,
            api_version="v1",
            kind="ConfigMap",
            name=names.dashboard(resource.name),
            component=names.Component.API,
            labels={**FOUND_BY, **(wanted.labels or {})},
            data={f"ragdeploy-{resource.namespace}-{resource.name}.json": text},
        )
    ]


def dashboard(*, name: str, namespace: str, job: str, indexer: str) -> Json:
    """Write the dashboard of one bundle in Grafana's JSON model."""
    target = f'job=~"{job}|{indexer}", namespace="{namespace}"'
    return {
        "uid": sha256(f"{namespace}/{name}".encode()).hexdigest()[:40],
        "title": f"RAG: {name} ({namespace})",
        "tags": ["ragdeploy"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Data source",
                    "type": "datasource",
                    "query": "prometheus",
                }
            ]
        },
        "panels": list(_panels(target)),
    }


def _panels(target: str) -> Iterator[Json]:
    number, top = 0, 0
    for title, panels in ROWS:
        number += 1
        place = {"x": 0, "y": top, "w": _COLUMNS, "h": 1}
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place}
        for column, panel in enumerate(panels):
            number += 1
            place = {"x": column * _WIDTH, "y": top + 1, "w": _WIDTH, "h": _HEIGHT}
            yield _graph(panel, target) | {"id": number, "gridPos": place}
        top += 1 + _HEIGHT


def _graph(panel: Panel, target: str) -> Json:
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": panel.told,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"tooltip": {"mode": "multi"}},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": expression.replace("TARGET", target),
                "legendFormat": legend,
            }
            for index, (expression, legend) in enumerate(panel.lines)
        ],
    }
