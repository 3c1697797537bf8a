"""An API server of the size of a dictionary, with the client's own methods.

Only for what a real one cannot be brought to do at the right moment: a list that is
interrupted, a version that is too old, a lease that is taken in the very same instant.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any

from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.objects import Json, Kind, Selection

TOO_OLD = ApiError(410, "Expired", "too old resource version")
DOWN = ApiError.unreachable(ConnectionRefusedError("refused"))


class FakeApi:
    """Holds objects by name; answers lists from them and watches from a script."""

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.version = 100
        self.down: ApiError | None = None
        self.requests: list[str] = []
        self.events: deque[Json | ApiError] = deque()
        self.page_size = 500
        self._more = asyncio.Event()

    # ---- what a test does to it ----
    def put(self, name: str, *, namespace: str = "demo", **more: Any) -> Json:
        """Store an object, new or changed, without an event."""
        self.version += 1
        known = self.objects.get(name, {}).get("metadata", {})
        metadata = {
            "name": name,
            "namespace": namespace,
            "uid": known.get("uid") or f"uid-{self.version}",
            "resourceVersion": str(self.version),
        }
        self.objects[name] = {**more, "metadata": {**metadata, **more.get("metadata", {})}}
        return self.objects[name]

    def send(self, event: str, obj: Json) -> None:
        """Let watches see an event."""
        self.events.append({"type": event, "object": obj})
        self._more.set()

    def break_watch(self, error: ApiError) -> None:
        """Let the watch fail."""
        self.events.append(error)
        self._more.set()

    # ---- what the client offers ----
    async def pages(self, wanted: Selection) -> AsyncGenerator[tuple[list[Json], str], None]:
        self._ask("list")
        version = str(self.version)
        items = list(self.objects.values())
        for start in range(0, max(len(items), 1), self.page_size):
            yield items[start : start + self.page_size], version
            await asyncio.sleep(0)
            self._ask("list")

    async def watch(
        self, wanted: Selection, *, version: str, on_open: Callable[[], None]
    ) -> AsyncGenerator[Json, None]:
        self._ask(f"watch {version}")
        on_open()
        while True:
            while not self.events:
                self._more.clear()
                await self._more.wait()
            event = self.events.popleft()
            if isinstance(event, ApiError):
                raise event
            yield event

    async def get(self, kind: Kind, *, namespace: str, name: str) -> Json | None:
        self._ask(f"get {name}")
        return self.objects.get(name)

    async def create(self, kind: Kind, body: Json) -> Json:
        name = body["metadata"]["name"]
        self._ask(f"create {name}")
        if name in self.objects:
            raise ApiError(409, "AlreadyExists", "it is there")
        return self.put(name, **{k: v for k, v in body.items() if k != "metadata"})

    async def replace(self, kind: Kind, body: Json) -> Json:
        metadata = body["metadata"]
        self._ask(f"replace {metadata['name']}")
        there = self.objects.get(metadata["name"])
        if there is None:
            raise ApiError(404, "NotFound", "gone")
        if there["metadata"]["resourceVersion"] != metadata.get("resourceVersion"):
            raise ApiError(409, "Conflict", "changed")
        return self.put(metadata["name"], **{k: v for k, v in body.items() if k != "metadata"})

    async def merge(self, kind: Kind, body: Json, *, namespace: str, name: str) -> Json:
        self._ask(f"merge {name}")
        if name not in self.objects:
            raise ApiError(404, "NotFound", "gone")
        there = {k: v for k, v in self.objects[name].items() if k != "metadata"}
        return self.put(name, **{**there, **body})

    def _ask(self, what: str) -> None:
        self.requests.append(what)
        if self.down:
            raise self.down
