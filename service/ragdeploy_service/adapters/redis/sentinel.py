"""A client that follows the master of a Redis that Sentinels watch over.

redis-py's own Sentinel client asks the Sentinels whenever it connects. It sends
nothing again, though, and a connection that broke goes back to the address it
had. Here a command that was lost with its master waits until there is a master
again, and is sent once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ragdeploy_service.adapters.redis.sentinel_url import SentinelUrl

_PAUSE = 0.1
_LOST = (RedisConnectionError, RedisTimeoutError, ReadOnlyError, OSError)

# What a master says that has not enough replicas (min-replicas-to-write): nothing was written.
_ALONE = "NOREPLICAS"
# What whoever waits for it is told by a master that becomes a replica.
_DEMOTED = "UNBLOCKED"

_log = structlog.get_logger(__name__)

T = TypeVar("T")


class _NotSent(RedisConnectionError):
    """There was no connection, so nothing can have been done."""


class Patience:
    """Sends what was lost once more, to whoever is the master then, all within ``seconds``."""

    def __init__(self, pool: _Pool, *, seconds: float) -> None:
        self._pool = pool
        self._seconds = seconds
        self._probe = Redis(connection_pool=pool)

    async def send(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make an attempt, and once more if its master was lost.

        Raises:
            TimeoutError: ``seconds`` have passed.
            RedisError: what the attempt raised.

        """
        async with asyncio.timeout(self._seconds):
            again = False
            while True:
                try:
                    return await attempt()
                except (*_LOST, ResponseError) as error:
                    if _said(error).startswith(_ALONE):
                        await asyncio.sleep(_PAUSE)
                        continue
                    if not _is_lost(error):
                        raise
                    if not isinstance(error, _NotSent):
                        if again:
                            raise
                        again = True
                    await self._master_is_back(error)

    async def _master_is_back(self, error: Exception) -> None:
        """Return once a master answers."""
        _log.warning("the master of Redis is lost, looking for the next", error=str(error))
        await self._pool.disconnect(inuse_connections=False)
        while True:
            try:
                role, *_ = await self._probe.execute_command("ROLE")
            except (RedisError, OSError):
                pass
            else:
                if role == b"master":
                    return
            await asyncio.sleep(_PAUSE)


def _is_lost(error: Exception) -> bool:
    return isinstance(error, _LOST) or _said(error).startswith(_DEMOTED)


def _said(error: Exception) -> str:
    """What Redis said, without what redis-py puts around it in a pipeline.

    That is the command, before it, and the brackets of the tuple of an exception's arguments.
    """
    return str(error).rpartition("caused error: ")[2].lstrip("('\"")


class MasterClient(Redis):
    """A client of whichever Redis is the master.

    ``replicas`` is the number of replicas that must have a write before it is
    confirmed, see `confirmed`.
    """

    replicas = 0

    @classmethod
    def connect(
        cls,
        url: SentinelUrl,
        *,
        timeout: float,
        patience: float,
        connections: int,
        replicas: int,
    ) -> MasterClient:
        """Make a client that waits ``timeout`` seconds for a reply, and ``patience`` in all."""
        # Nothing is tried again below `Patience`, or tries would multiply.
        shared: dict[str, Any] = {
            "socket_timeout": timeout,
            "socket_connect_timeout": min(timeout, 1.0),
            "retry": Retry(NoBackoff(), 0),
            "client_name": "ragdeploy",
        }
        sentinel = Sentinel(url.sentinels, sentinel_kwargs=shared | url.sentinel)
        pool = _Pool(  # type: ignore[no-untyped-call]
            url.master,
            sentinel,
            max_connections=connections,
            timeout=timeout,
            **(shared | url.redis),
        )
        client = cls(connection_pool=pool)
        client.auto_close_connection_pool = True
        client.replicas = replicas
        client._sentinel = sentinel
        client._patience = Patience(pool, seconds=patience)
        return client

    _sentinel: Sentinel
    _patience: Patience

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        send: Any = super().execute_command
        return await self._patience.send(lambda: send(*args, **options))

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        pipeline = _Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipeline.patience = self._patience
        return pipeline

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await super().aclose(close_connection_pool)
        await self._sentinel.aclose()


class _Pool(SentinelConnectionPool, BlockingConnectionPool):
    """Asks the Sentinels for the address, and waits for a connection when all are in use."""

    async def get_connection(self, *args: Any, **options: Any) -> Any:
        try:
            connect: Any = super().get_connection
            return await connect(*args, **options)
        except _LOST as error:
            raise _NotSent(str(error)) from error


class _Pipeline(Pipeline):
    """Commands that are sent together, and together once more."""

    patience: Patience

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands, scripts = list(self.command_stack), set(self.scripts)
        send, reset = super().execute, cast(Any, self.reset)

        async def attempt() -> list[Any]:
            await reset()  # or it would keep the connection that failed, and its address
            self.command_stack, self.scripts = list(commands), set(scripts)
            return await send(raise_on_error)

        return await self.patience.send(attempt)
