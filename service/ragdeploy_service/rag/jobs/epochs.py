"""Read your writes: a question that waits for the documents it must know."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import Never

from ragdeploy_service.rag.concurrency.single_flight import SingleFlight
from ragdeploy_service.rag.errors import InvalidField
from ragdeploy_service.rag.models import CollectionId, Epochs
from ragdeploy_service.rag.ports.job_queue import JobQueue

_FIRST_PAUSE = 0.02  # seconds between two looks at the queue, doubled each time
_LONGEST_PAUSE = 0.5


class EpochGate:
    """Lets questions pass when the jobs that they must know have ended.

    However many wait for a collection, one of them asks the queue.
    """

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue
        self._looks: SingleFlight[CollectionId, Never, Epochs] = SingleFlight()

    async def wait(self, collection: CollectionId, epoch: int) -> None:
        """Return when every job of the collection up to ``epoch`` has ended.

        Raises:
            InvalidField: no such job was accepted.
            JobQueueUnavailable: nobody can say.

        """
        # Not shared: a look that began before this question may not know the latest job.
        epochs = await self._queue.epochs(collection)
        if epoch > epochs.last:
            raise InvalidField("min_epoch", f"The last job of this collection has {epochs.last}.")
        pause = _FIRST_PAUSE
        while epochs.reached < epoch:
            pause = min(pause * 2, _LONGEST_PAUSE)
            look = partial(self._look, collection=collection, pause=pause)
            epochs = await self._looks.run(collection, look)

    async def _look(self, _tell: object, *, collection: CollectionId, pause: float) -> Epochs:
        await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311
        return await self._queue.epochs(collection)
