"""What can go wrong, in words that tell a person what to do about it.

An adapter turns the exceptions of its library into these, and a route turns
these into problem details. A message may reach a client, so it holds no
address, path or secret; those go to the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if (
    TYPE_CHECKING
):  # so that fetching a model, a layer of its own in the image, needs this file alone
    from ragdeploy_service.rag.models import Stage


class RagError(Exception):
    """Base of every error the service raises on purpose."""


class Unavailable(RagError):
    """A part the service rests on does not answer now; the same call may succeed later."""


class VectorStoreUnavailable(Unavailable):
    """Milvus does not answer in time, or refuses the connection."""


class VectorStoreRefused(RagError):
    """Milvus will not take what it is given, however often it is asked."""


class LanguageModelUnavailable(Unavailable):
    """The language model gave no answer in time, after all retries."""


class EmbedderUnavailable(Unavailable):
    """Texts cannot be turned into vectors now."""


class RerankerUnavailable(Unavailable):
    """Passages cannot be put in a better order now; they stay as they were found."""


class CacheUnavailable(Unavailable):
    """The answer cache does not answer; the pipeline goes on without it."""


class FeedbackUnavailable(Unavailable):
    """Nobody can say now which answers were given."""


class JobQueueUnavailable(Unavailable):
    """Jobs can be neither taken in nor asked for now."""


class DocumentChanges(Unavailable):
    """A document is being replaced, and parts of two versions stand in the store."""


class Overloaded(Unavailable):
    """As many questions are being answered as the service is set up for."""


class TooManyStreams(Unavailable):
    """As many answers are being streamed as the service may stream at once."""


class DeadlineExceeded(RagError):
    """A question could not be answered in the time it had; ``stage`` is where that ended."""

    def __init__(self, message: str, *, stage: Stage) -> None:
        super().__init__(message)
        self.stage = stage


class ConfigurationError(RagError):
    """The settings do not fit together; the message says which to change. Starting again fails."""


class JobQueueFull(RagError):
    """As many jobs wait as the queue may hold; ``retry_after`` is in seconds."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LimitExceeded(RagError):
    """A caller has used all that ``policy`` grants; ``retry_after`` is in seconds."""

    def __init__(self, message: str, *, policy: str, retry_after: int) -> None:
        super().__init__(message)
        self.policy = policy
        self.retry_after = retry_after


class IdempotencyConflict(RagError):
    """The idempotency key was used for another request."""


class JobNotFailed(RagError):
    """Only a job that failed can be tried again."""


class JobEnded(RagError):
    """The job has ended, so there is nothing to cancel."""


class ModelUnavailable(RagError):
    """The files of the embedding model cannot be had from any place."""


class EmbeddingMismatch(RagError):
    """The collection holds vectors of another embedding model, which ours cannot search."""


class CollectionBusy(Unavailable):
    """The collection is made anew, and takes nothing in until that is done."""


class RebuildElsewhere(Unavailable):
    """A new version of the collection is made by services with another embedding model."""


class CollectionNotFound(RagError):
    """The tenant has no collection of this name."""


class InvalidField(RagError):
    """A field of the request is well-formed, and not taken here."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class AnswerUnknown(RagError):
    """The tenant was given no answer with this request id, or too long ago."""

    def __init__(self) -> None:
        super().__init__(
            "No answer with this request_id is known. It may have been given too long ago."
        )


class DocumentNotFound(RagError):
    """The collection has no document of this id."""


class Unsupported(RagError):
    """The request is well-formed, but what it asks for cannot be had here; says why."""


class SearchModeUnsupported(Unsupported):
    """The vector store cannot search this collection in this way."""


class InvalidPage(RagError):
    """The page token was not given out for this list."""
