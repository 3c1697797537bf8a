"""The engine in the test's own process, on a real API server, with requests that fail at will."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from kubernetes.aio import config
from kubernetes.aio.client import Configuration

from ragdeploy_operator.engine.client import Client
from ragdeploy_operator.engine.engine import Engine
from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.engine.kinds import RAG_DEPLOYMENT
from ragdeploy_operator.engine.metrics import Metrics
from ragdeploy_operator.engine.reflector import Reflector
from ragdeploy_operator.objects import Json, Key, Selection, key_of
from ragdeploy_operator.settings import OperatorSettings
from tests.controlplane import ControlPlane
from tests.support.operator import ACCOUNT, NAMESPACE
from tests.support.waiting import PATIENCE, eventually

_NAME = re.compile(r"/namespaces/[^/]+/[^/]+/([a-z]+-\d+|[a-z]+)(?:-[a-z-]+)?(?:/status)?$")

Interference = Callable[[str, int], ApiError | None]
"""From the name of a resource and the number of the call for it, from 1, to what befalls it."""


class Interfered(Client):
    """Counts the calls about each resource and its children; some go wrong.

    Args:
        before: Says which calls do not reach the API server.
    """

    before: Interference = staticmethod(lambda _name, _number: None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.calls: Counter[str] = Counter()

    async def _ask(self, verb: str, method: str, path: str, **rest: Any) -> Json:
        found = _NAME.search(path)
        if found is None:
            return await super()._ask(verb, method, path, **rest)
        name = found[1]
        self.calls[name] += 1
        if error := self.before(name, self.calls[name]):
            raise error
        return await super()._ask(verb, method, path, **rest)


class Running:
    """An engine at work."""

    def __init__(self, client: Interfered, engine: Engine) -> None:
        self.client = client
        self._queue = engine._queue

    async def until(self, probe: Callable[[], object], *, what: str) -> None:
        """Let it work until something is true."""
        await asyncio.to_thread(eventually, probe, what=what)

    async def idle(self, *, seconds: float = 1.3) -> None:
        """Let it work until it has had nothing to do for a while."""
        clock = asyncio.get_running_loop().time
        async with asyncio.timeout(PATIENCE):
            since = clock()
            while clock() - since < seconds:
                await asyncio.sleep(0.05)
                if self._queue.stalled:  # something waits, or is worked on
                    since = clock()


@asynccontextmanager
async def running(
    cluster: ControlPlane, *, before: Interference | None = None
) -> AsyncGenerator[Running]:
    """Run an engine for the block, with the operator's rights; it ends as by a crash."""
    metrics = Metrics()
    token = cluster.service_account_token(NAMESPACE, ACCOUNT)
    configuration = Configuration()
    configuration.connection_pool_maxsize = 0
    await config.load_kube_config(
        config_file=str(cluster.kubeconfig_as(token)), client_configuration=configuration
    )
    async with Interfered(configuration, on_answer=metrics.answered) as client:
        client.before = before or client.before
        engine = Engine(client, OperatorSettings(), metrics)
        ready = asyncio.Event()

        async def work() -> None:
            async with asyncio.TaskGroup() as tasks:
                engine.follow(tasks)
                resources = Reflector(client, Selection(kind=RAG_DEPLOYMENT), _Heard(engine))
                tasks.create_task(resources.run())
                await resources.synced.wait()
                await engine.work(tasks)
                ready.set()

        task = asyncio.create_task(work())
        try:
            async with asyncio.timeout(PATIENCE):
                await ready.wait()
            yield Running(client, engine)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class _Heard:
    """Hands RagDeployments on to an engine, in kopf's place."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: set[Key] = set()

    def put(self, obj: Json) -> None:
        self._known.add(key_of(obj))
        self._engine.heard("MODIFIED", obj)

    def drop(self, where: Key, *, version: str) -> None:
        self._known.discard(where)
        metadata = {"namespace": where.namespace, "name": where.name, "resourceVersion": version}
        self._engine.heard("DELETED", {"metadata": metadata})

    def known(self, namespace: str | None) -> set[Key]:
        return {where for where in self._known if namespace in (None, where.namespace)}
