"""Ten minutes at saturation: does it grow, and what does it answer?"""

from __future__ import annotations

import statistics
import time
from threading import Event, Thread

from benchmarks.procfs import resident_megabytes
from benchmarks.service.contenders import Ours
from benchmarks.service.measures import say
from benchmarks.service.wrk import Questions

_EVERY = 5.0  # seconds between two looks at the memory
_BUSY = {"429", "503"}


def soak(service: Ours, questions: Questions, *, seconds: float) -> None:
    """Let 64 clients ask new questions all the time, and print what came of it.

    Raises:
        SystemExit: an answer was neither 200 nor 429 nor 503, or the memory grew by a tenth.
    """
    memory: list[float] = []
    done = Event()

    def watch() -> None:
        while not done.wait(_EVERY):
            memory.append(resident_megabytes(service.pid))
            if len(memory) % 12 == 0:
                say(f"{len(memory) * _EVERY:.0f} s: {memory[-1]:.0f} MB")

    watching = Thread(target=watch)
    watching.start()
    started = time.perf_counter()
    try:
        load = questions.ask(service.url, clients=64, seconds=seconds)
    finally:
        done.set()
        watching.join()
    quarter = max(1, len(memory) // 4)
    # The first quarter fills the caches, so growth is what happens after it.
    early = statistics.median(memory[quarter : 2 * quarter])
    late = statistics.median(memory[-quarter:])
    print(
        f"{service.name}: {load.requests:,} answers in {time.perf_counter() - started:.0f} s "
        f"({load.rate:.0f}/s), p99 {load.p99_ms:.0f} ms, other than 200: "
        f"{load.statuses or 'none'}, without an answer: {load.broken}; memory {early:.0f} MB in "
        f"the second quarter, {late:.0f} MB in the last"
    )
    wrong = set(load.statuses) - _BUSY
    if wrong or load.broken or late > early * 1.1:
        raise SystemExit("The soak failed.")
