"""What a status says that no cluster is needed for."""

from __future__ import annotations

from datetime import UTC, datetime

from ragdeploy_operator import status
from ragdeploy_operator.status import Facts
from ragdeploy_operator.status.facts import Index
from tests.operator.unit.resources import Json, parsed

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def rendered(index: Index | None, previous: Json) -> Json:
    return status.render(Facts(resource=parsed(), index=index), [], previous=previous, now=NOW)


def test_what_the_service_has_indexed_is_told_and_kept_while_it_cannot_be_asked() -> None:
    assert "documents" not in rendered(None, {})
    told = rendered(Index(documents=3, generation="a1"), {})
    assert (told["documents"], told["indexGeneration"]) == (3, "a1")
    assert rendered(None, told) == told
    assert rendered(Index(documents=0, generation=None), told)["documents"] == 0
