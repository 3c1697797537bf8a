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


def test_a_store_that_is_away_leaves_the_count_from_before() -> None:
    told = rendered(Index(documents=3, generation="a1"), {})
    assert rendered(Index(trouble="It is away."), told) == told


def test_an_external_store_that_the_service_does_not_reach_is_no_ready_store() -> None:
    resource = parsed({"vectorStore": {"external": {"uri": "http://milvus.test:19530"}}})

    def found(index: Index | None) -> status.Finding:
        facts = Facts(resource=resource, index=index)
        [store] = [one for one in status.find(facts) if one.type == "VectorStoreReady"]
        return store

    assert found(None).reason == found(Index(documents=1)).reason == "External"
    away = found(Index(documents=1, trouble="The vector store does not answer (size)."))
    assert (away.reason, away.holds) == ("Unreachable", False)
    assert "http://milvus.test:19530" in away.message
    assert "The vector store does not answer (size)." in away.message


def test_a_refusal_of_pods_is_the_reason_before_a_part_that_has_none_for_want_of_it() -> None:
    """A StatefulSet does not say that a quota is full; the Deployment beside it does."""
    waiting = status.finding.bad("VectorStoreReady", "Starting", "It has no pods yet.")
    refused = status.finding.bad("ApiReady", "PodsRefused", "The quota is full.")
    fine = [
        status.finding.good(kind, "Available", "Fine.") for kind in ("CacheReady", "IndexerReady")
    ]
    found = status.overall.findings(Facts(resource=parsed()), [waiting, refused, *fine])
    ready = next(one for one in found if one.type == "Ready")
    assert (ready.reason, ready.message) == ("PodsRefused", "The quota is full.")
