"""Calls to Milvus: each with a deadline, and with errors in the words of the domain.

Each call has a deadline around pymilvus's own, because its reconnecting knows
none and stands under one lock for all callers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
import structlog

from ragdeploy_service.adapters.milvus.library import (
    AsyncMilvusClient,
    DataNotMatchException,
    DataTypeNotMatchException,
    MilvusClient,
    MilvusException,
    ParamError,
)
from ragdeploy_service.rag.errors import VectorStoreRefused, VectorStoreUnavailable

# Deadlines in seconds.
READ, WRITE, OPEN, COMMIT = 3.0, 20.0, 30.0, 60.0
_CONNECT_SECONDS = 3.0

# gRPC waits twice as long after each refused connection, up to two minutes, and all channels of a
# process to one address share that wait: a Milvus that was away for 45 s was found 34 s after its
# return. Who asks here has a breaker and pauses of its own.
# https://grpc.github.io/grpc/core/group__grpc__arg__keys.html
_CHANNEL = {
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 3_000,  # despite its name: how long one attempt may take
    "grpc.max_reconnect_backoff_ms": 1_000,
}

# What pymilvus will not send: an integer of more than 64 bits in the metadata, for one.
_NEVER_SENT = (ParamError, DataNotMatchException, DataTypeNotMatchException)
# Codes of a call that can never succeed: our data or our filter is at fault (6 is Milvus Lite).
_INVALID = frozenset({6, *range(1100, 1200)})
# The collection, its index, or its copy in memory is gone: make or load it again.
_NOT_THERE = frozenset({100, 101, 102, 103, 700})
_NO_DATABASE = 800

_log = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where Milvus is and who asks."""

    uri: str
    token: str
    database: str

    def blocking(self) -> MilvusClient:
        """Connect with the client for threads."""
        return MilvusClient(**self._arguments)

    def asynchronous(self) -> AsyncMilvusClient:
        """Make the client for asyncio; it connects at its first call."""
        return AsyncMilvusClient(**self._arguments)

    @property
    def _arguments(self) -> dict[str, Any]:
        return {
            "uri": self.uri,
            "token": self.token,
            "db_name": self.database,
            "timeout": _CONNECT_SECONDS,
            "dedicated": True,
            "grpc_options": _CHANNEL,
        }


class CollectionGone(VectorStoreUnavailable):
    """The collection is not there or not loaded, and must be opened again."""


async def within(seconds: float, name: str, call: Callable[[], Awaitable[T]]) -> T:
    """Make the call ``name`` and wait for it at most ``seconds``.

    Raises:
        VectorStoreUnavailable: no answer in time, or one that may change.
        VectorStoreRefused: Milvus will never take this.

    """
    try:
        async with asyncio.timeout(seconds):
            return await call()
    except TimeoutError as error:
        raise VectorStoreUnavailable(
            f"The vector store did not answer within {seconds:g} s ({name})."
        ) from error
    except asyncio.CancelledError as error:
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise
        # Nobody cancelled us: gRPC raises this too, in calls whose channel pymilvus replaced.
        raise VectorStoreUnavailable(f"The call to the vector store broke off ({name}).") from error
    except (MilvusException, grpc.RpcError) as error:
        raise _in_our_words(error, name) from error


def _in_our_words(error: Exception, name: str) -> Exception:
    code: Any = error.code() if isinstance(error, grpc.RpcError) else getattr(error, "code", None)
    # Milvus's own words may name addresses and data, so they go to the log alone.
    _log.warning("milvus call failed", call=name, code=str(code), error=str(error)[:500])
    if isinstance(error, _NEVER_SENT) or (isinstance(code, int) and code in _INVALID):
        return VectorStoreRefused(f"The vector store does not take this ({name}).")
    if isinstance(code, int) and code in _NOT_THERE:
        return CollectionGone("The collection is not loaded yet; try again in a moment.")
    if code == _NO_DATABASE:
        return VectorStoreUnavailable("Milvus has no database of the name in RAG_MILVUS_DATABASE.")
    if code in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}:
        return VectorStoreUnavailable("The vector store refuses the token in RAG_MILVUS_TOKEN.")
    return VectorStoreUnavailable(
        f"The vector store does not answer ({name}); try again in a moment."
    )
