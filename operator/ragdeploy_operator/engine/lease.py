"""One writer among several replicas: a Lease that one of them holds.

The rules are client-go's: the holder renews every 2 s and stops writing by itself
when it could not renew for 10 s; the others take over when they have seen no
renewal for 15 s. Times are measured on each one's own clock, never compared
between machines.

The official client's own election is not used: its ``run()`` does not look
after the task that leads, so a dead operator would keep the lease.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

from ragdeploy_operator.engine.client import Client
from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.engine.kinds import LEASE
from ragdeploy_operator.objects import Json

logger = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another one may write from now on; this process must not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Times in seconds."""

    duration: float = 15.0
    """Others take the lease this long after the last renewal they saw."""
    deadline: float = 10.0
    """The holder gives up this long after its last renewal."""
    retry: float = 2.0
    """Between two tries."""


_TERMS = Terms()


class Lease:
    """A Lease object and our part in it.

    >>> await lease.acquire()   # waits for our turn
    >>> ...                     # work, and in another task:
    >>> await lease.keep()      # raises LeaseLost
    >>> await lease.release()   # so that nobody has to wait for 15 s
    """

    def __init__(
        self, client: Client, *, namespace: str, name: str, identity: str, terms: Terms = _TERMS
    ) -> None:
        self.held = False
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._terms = terms
        self._seen: Json | None = None  # the object as we last saw or wrote it
        self._seen_at = 0.0  # when it last changed before our eyes
        self._renewed_at = 0.0

    async def acquire(self) -> None:
        """Wait until the lease is ours."""
        logger.info("waiting for the lease %s/%s", self._namespace, self._name)
        trouble = False
        while not self.held:
            try:
                self.held = await self._try_to_take()
            except ApiError as error:
                logger.log(logging.DEBUG if trouble else logging.WARNING, "no lease: %s", error)
                trouble = True
            if not self.held:
                # not all at the same moment
                await asyncio.sleep(self._terms.retry * random.uniform(1.0, 1.2))  # noqa: S311
        logger.info("holding the lease as %s: this process writes", self._identity)

    async def keep(self) -> NoReturn:
        """Renew the lease for as long as that works.

        Raises:
            LeaseLost: it is somebody else's, or could not be renewed in time.
        """
        while True:
            await asyncio.sleep(self._terms.retry)
            latest = self._renewed_at + self._terms.deadline
            try:
                async with asyncio.timeout_at(latest):
                    self.held = await self._renew()
            except ApiError as error:
                logger.warning("the lease could not be renewed: %s", error)
            except TimeoutError:
                pass
            if not self.held:
                raise LeaseLost(f"the lease {self._name} was taken by {self._holder()}")
            if self._now() >= latest:
                self.held = False
                raise LeaseLost(
                    f"the lease {self._name} could not be renewed for {self._terms.deadline:g} s"
                )

    async def release(self) -> None:
        """Let the next one have it at once."""
        if not self.held or self._seen is None:
            return
        self.held = False
        try:
            await self._write({**self._seen["spec"], "holderIdentity": ""})
        except ApiError as error:
            logger.warning("the lease could not be released, it will expire: %s", error)

    # ---- one try each ----
    async def _try_to_take(self) -> bool:
        found = await self._client.get(LEASE, namespace=self._namespace, name=self._name)
        if found is None:
            return await self._won({"leaseTransitions": 0}, create=True)
        self._look(found)
        spec = found.get("spec", {})
        transitions = spec.get("leaseTransitions", 0)
        if self._holder() == self._identity:  # lost from sight during an outage, and still ours
            return await self._won({"leaseTransitions": transitions})
        expired = self._now() >= self._seen_at + self._terms.duration
        if self._holder() and not expired:
            return False
        return await self._won({"leaseTransitions": transitions + 1})

    async def _won(self, more: Json, *, create: bool = False) -> bool:
        """Write ourselves as the holder; false when somebody was faster."""
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": round(self._terms.duration),
            "acquireTime": _timestamp(),
            "renewTime": _timestamp(),
            **more,
        }
        try:
            await self._write(spec, create=create)
        except ApiError as error:
            if error.status == 409:
                return False
            raise
        return True

    async def _renew(self) -> bool:
        spec = (self._seen or {}).get("spec", {})
        try:
            await self._write({**spec, "renewTime": _timestamp()})
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            # changed or deleted under our hands: is it still ours?
            found = await self._client.get(LEASE, namespace=self._namespace, name=self._name)
            if found is None:
                return False
            self._look(found)
            return self._holder() == self._identity
        return True

    async def _write(self, spec: Json, *, create: bool = False) -> None:
        metadata = {"namespace": self._namespace, "name": self._name}
        if not create and self._seen is not None:
            metadata = self._seen["metadata"]
        body = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": metadata,
            "spec": spec,
        }
        began = self._now()  # not when it was answered: that may be long after it took effect
        self._look(await (self._client.create if create else self._client.replace)(LEASE, body))
        self._renewed_at = began

    def _look(self, lease: Json) -> None:
        version = lease["metadata"]["resourceVersion"]
        if self._seen is None or self._seen["metadata"]["resourceVersion"] != version:
            self._seen_at = self._now()
        self._seen = lease

    def _holder(self) -> str:
        return str((self._seen or {}).get("spec", {}).get("holderIdentity") or "")

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _timestamp() -> str:
    """Now, as a MicroTime."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
