"""What a question looks like on the wire, and what a route makes of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ragdeploy_service.rag.errors import InvalidField
from ragdeploy_service.rag.models import CollectionId, SearchMode
from ragdeploy_service.rag.question import Question
from ragdeploy_service.routes.filters import FilterField, to_domain
from ragdeploy_service.settings import NAME_PATTERN, ServiceSettings, variable

# Room for a thousand characters and a long filter. Documents may be larger, but parsing eight
# megabytes of brackets keeps everybody else waiting for a second.
QUESTION_BYTES = 64 * 2**10

_MARKUP = frozenset("<>{}")

CollectionName = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]


class RetrieveRequest(BaseModel):
    """A question, and which passages may answer it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=3, max_length=1000)
    ] = Field(
        description="3 to 1000 characters, none of them < > { or } unless the service is set up "
        "otherwise.",
        examples=["How do I scale the API?"],
    )
    top_k: int | None = Field(
        None,
        ge=1,
        le=50,
        description="Passages to answer from; 3, unless the service is set up otherwise.",
    )
    collection: CollectionName | None = Field(
        None, description="Collection to search; the service's default one if absent."
    )
    filters: FilterField | None = Field(
        None, description="Which documents to search, by their metadata; all if absent."
    )
    search_mode: SearchMode | None = Field(
        None,
        strict=False,
        description="`dense` searches by meaning, `sparse` by words (BM25), `hybrid` by both.",
    )
    min_score: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="Passages with a lower cosine similarity are left out. It bounds what is "
        "found by meaning, not what is found by words.",
    )
    rerank: bool | None = Field(
        None,
        description="Whether a reranker chooses among more passages than are asked for; as the "
        "service is set up if absent. 422 where it has no reranker.",
    )
    min_epoch: int | None = Field(
        None,
        ge=0,
        description="Wait until every job of the collection up to this `epoch` (as `/index` gave "
        "it) has ended; then the answer knows their documents.",
    )
    timeout_ms: int | None = Field(
        None,
        ge=1,
        le=600_000,
        description="Longest time to the answer, in milliseconds; the service's own if absent.",
    )

    def to_domain(
        self, settings: ServiceSettings, *, tenant: str, use_cache: bool = False
    ) -> Question:
        """The question with the service's defaults, asked by a tenant.

        Raises:
            InvalidField: it holds markup, and the service is set up to refuse that; or it is to
                be reranked where there is no reranker.

        """
        if settings.refuse_markup and _MARKUP & set(self.question):
            raise InvalidField("question", "The characters < > { } are not taken; leave them out.")
        return Question(
            text=self.question,
            collection=CollectionId(tenant=tenant, name=self.collection or settings.collection),
            top_k=settings.top_k if self.top_k is None else self.top_k,
            mode=self.search_mode or SearchMode(settings.search_mode),
            min_score=settings.min_score if self.min_score is None else self.min_score,
            rerank=reranked(self.rerank, settings),
            where=to_domain(self.filters) if self.filters else None,
            use_cache=use_cache,
            timeout=(
                settings.query_timeout_seconds
                if self.timeout_ms is None
                else self.timeout_ms / 1000
            ),
            min_epoch=self.min_epoch,
        )


def reranked(asked: bool | None, settings: ServiceSettings) -> bool:
    """Whether passages are reranked, as the request says or else the settings.

    Raises:
        InvalidField: they are to be, and there is no reranker.

    """
    if asked and settings.rerank_backend is None:
        raise InvalidField(
            "rerank",
            "This service has no reranker. Leave it out, or set the service up with one "
            f"({variable('rerank_backend')}).",
        )
    return settings.rerank if asked is None else asked


class QueryRequest(RetrieveRequest):
    """A question to be answered."""

    use_cache: bool = Field(True, description="Whether an answer given before will do.")
    stream: bool = Field(False, description="Send the answer as server-sent events.")
