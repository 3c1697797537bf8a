"""What the service asks of the world outside. `adapters` implements these; tests may too."""

from ragdeploy_service.rag.ports.answer_cache import AnswerCache, Lookup
from ragdeploy_service.rag.ports.embedder import Embedder, Vectors
from ragdeploy_service.rag.ports.feedback import FeedbackStore
from ragdeploy_service.rag.ports.language_model import LanguageModel
from ragdeploy_service.rag.ports.leases import Leases
from ragdeploy_service.rag.ports.meter import Meter, Reading
from ragdeploy_service.rag.ports.reranker import Reranker
from ragdeploy_service.rag.ports.telemetry import Telemetry
from ragdeploy_service.rag.ports.vector_store import (
    Collection,
    DocumentEntry,
    DocumentPage,
    Rebuild,
    VectorStore,
)

__all__ = [
    "AnswerCache",
    "Collection",
    "DocumentEntry",
    "DocumentPage",
    "Embedder",
    "FeedbackStore",
    "LanguageModel",
    "Leases",
    "Lookup",
    "Meter",
    "Reading",
    "Rebuild",
    "Reranker",
    "Telemetry",
    "VectorStore",
    "Vectors",
]
