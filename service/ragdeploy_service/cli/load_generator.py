"""Questions at a given rate, from many clients, and what became of each.

The clients form an open system: a question has a time at which it is due, and its latency counts
from then, also where no client was free to send it. Measured from the sending on, a service that
stalls would look well, because nothing is sent while it stalls ("coordinated omission", Gil Tene,
"How NOT to Measure Latency"). Without a rate each client asks again as soon as it has its answer.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import httpx

# Connections are renewed, or pods that are started meanwhile would never be asked: behind a
# Service it is connections that are spread over pods, not requests.
_QUESTIONS_PER_CONNECTION = 20
# Different errors that are kept; more of them say nothing new.
_ERRORS_KEPT = 5


class Outcome(StrEnum):
    """What became of a question."""

    ANSWERED = "answered"
    DEGRADED = "degraded"  # answered, without a part that did not work
    LIMITED = "limited"  # 429: the rate limit or a budget
    FAILED = "failed"


@dataclass(slots=True)
class Tally:
    """What became of the questions of a stretch of time.

    Attributes:
        at: When it began, in seconds since the epoch.
        outcomes: Number of questions by outcome; each was due or answered in this stretch.
        latencies: Of those that were answered, in seconds.
        errors: The first few different ones.
    """

    at: float
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome, seconds: float, error: str | None) -> None:
        """Count one question."""
        self.outcomes[outcome] += 1
        if error is None:
            self.latencies.append(seconds)
        elif error not in self.errors and len(self.errors) < _ERRORS_KEPT:
            self.errors.append(error)

    def merge(self, other: Tally) -> None:
        """Add another stretch to this one."""
        self.outcomes.update(other.outcomes)
        self.latencies.extend(other.latencies)
        new = [error for error in other.errors if error not in self.errors]
        self.errors.extend(new[: _ERRORS_KEPT - len(self.errors)])

    def percentile(self, rank: float) -> float | None:
        """Latency in seconds that ``rank`` (0 to 1) of the answers do not exceed, or None."""
        if not self.latencies:
            return None
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(rank * len(ordered)))]

    def as_json(self) -> dict[str, Any]:
        """Counts, and latencies in milliseconds."""
        quantiles = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
        return {
            "at": round(self.at, 3),
            **{str(outcome): self.outcomes[outcome] for outcome in Outcome},
            **{name: _milliseconds(self.percentile(rank)) for name, rank in quantiles.items()},
            "errors": self.errors,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What is asked, of whom, and how often.

    Attributes:
        url: Address of the service.
        questions: Asked in turns.
        rate: Questions a second in all; None: as many as are answered.
        seconds: For how long.
        clients: Questions under way at once, at the most.
        timeout: Seconds after which a question has failed.
        fields: More fields of the request, such as ``use_cache``.
    """

    url: str
    api_key: str | None
    questions: Sequence[str]
    rate: float | None
    seconds: float
    clients: int
    timeout: float
    fields: dict[str, Any]

    async def tallies(self, *, every: float = 1.0) -> AsyncIterator[Tally]:
        """Ask, and give a tally for each ``every`` seconds until all questions are answered."""
        turns = itertools.cycle(self.questions)
        verify = ssl.create_default_context()  # once: it takes tens of milliseconds
        current = Tally(time.time())
        due = self._due(time.monotonic())

        async def client() -> None:
            while True:
                transport = httpx.AsyncHTTPTransport(verify=verify)
                async with httpx.AsyncClient(transport=transport, timeout=self.timeout) as http:
                    for _ in range(_QUESTIONS_PER_CONNECTION):
                        moment = next(due, None)
                        if moment is None:
                            return
                        await asyncio.sleep(max(0.0, moment - time.monotonic()))
                        outcome, error = await self._ask(http, next(turns))
                        current.add(outcome, time.monotonic() - moment, error)

        async with asyncio.TaskGroup() as tasks:
            running = {tasks.create_task(client()) for _ in range(self.clients)}
            while running:
                _, running = await asyncio.wait(running, timeout=every)
                done, current = current, Tally(time.time())
                yield done

    def _due(self, began: float) -> Iterator[float]:
        for number in itertools.count():
            moment = time.monotonic() if self.rate is None else began + number / self.rate
            if moment >= began + self.seconds:
                return
            yield moment

    async def _ask(self, http: httpx.AsyncClient, question: str) -> tuple[Outcome, str | None]:
        body = {"question": question, **self.fields}
        headers = {"X-API-Key": self.api_key} if self.api_key else {}
        try:
            response = await http.post(f"{self.url}/query", json=body, headers=headers)
            if response.status_code == 429:
                return Outcome.LIMITED, "429: the limit of requests is reached"
            if response.status_code != 200:
                return Outcome.FAILED, f"{response.status_code}: {_detail(response)}"
            answer = response.json()
        except (httpx.HTTPError, ValueError) as error:
            return Outcome.FAILED, repr(error)
        return (Outcome.DEGRADED if answer.get("degraded") else Outcome.ANSWERED), None


def _detail(response: httpx.Response) -> str:
    """What the service says of it, without what differs from one request to the next."""
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200]


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
