"""``docs/rolling.md`` says which field replaces which pods, as the builders have it.

``python -m tests.operator.unit.test_rolling`` writes its table anew.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

from ragdeploy_operator.api import Spec
from ragdeploy_operator.api.structural import models
from ragdeploy_operator.build.config import environment
from ragdeploy_service.settings import RELOADABLE, variable
from tests.operator.unit.resources import merged, parsed, rolls
from tests.operator.unit.test_every_field_has_an_effect import (
    LEAVES,
    candidates,
    nested,
    surroundings,
)

PAGE = Path(__file__).parents[3] / "docs" / "rolling.md"
_BEGIN, _END = "<!-- table -->\n", "<!-- end of table -->\n"
_PODS = {
    "docs-api": "API",
    "docs-indexer": "indexer",
    "docs-cache": "Redis",
    "docs-vector-store": "Milvus",
}
_LIVE = {variable(name) for name in RELOADABLE}


def effect(path: str) -> str:
    """What an edit of one field does to the pods that run."""
    around = surroundings(path)
    specs = [merged(around, nested(path, value)) for value in candidates(path, LEAVES[path])]
    pairs = list(combinations(specs, 2))
    replaced = set().union(*(rolls(one, other) for one, other in pairs))
    if replaced:
        return ", ".join(word for name, word in _PODS.items() if name in replaced)
    read = any(
        dict(set(environment(parsed(one)).items()) ^ set(environment(parsed(other)).items()))
        for one, other in pairs
    )
    return "none; running pods read it anew" if read else "none"


def table() -> str:
    """The table as the page should have it."""
    rows = [f"| `{path}` | {effect(path)} |" for path in LEAVES]
    return (
        "\n".join(["| field of `spec` | pods that an edit replaces |", "|---|---|", *rows]) + "\n"
    )


def test_the_page_is_what_the_builders_do(monkeypatch):
    for model in models(Spec):
        monkeypatch.setattr(model, "rules", ())  # here one field changes and nothing else
    text = PAGE.read_text("utf-8")
    found = text.partition(_BEGIN)[2].partition(_END)[0]
    assert found == table(), f"run python -m {__name__}"


def test_what_running_pods_read_anew_replaces_none():
    live = {"retrieval": {"topK": 9, "mode": "hybrid", "minScore": 0.2}}
    live |= {"cache": {"ttlSeconds": 60}, "auth": {"rateLimit": {"requestsPerMinute": 99}}}
    assert rolls({}, live) == set()
    assert {
        name
        for name, value in environment(parsed(live)).items()
        if environment(parsed({})).get(name) != value
    } <= _LIVE


def _write() -> None:
    for model in models(Spec):
        model.rules = ()
    before, _, rest = PAGE.read_text("utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    PAGE.write_text(before + _BEGIN + table() + _END + after, "utf-8")


if __name__ == "__main__":
    _write()
