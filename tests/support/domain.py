"""Values of the service's domain that many tests need and none cares about."""

from __future__ import annotations

from ragdeploy_service.rag.models import CollectionId, SearchMode
from ragdeploy_service.rag.question import Question

HERE = CollectionId(tenant="default", name="documents")
ELSEWHERE = CollectionId(tenant="other", name="documents")

QUESTION = Question(
    text="Why?", collection=HERE, top_k=3, mode=SearchMode.DENSE, min_score=0.0, where=None
)
