"""The measures, each on one contender."""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier, Thread

import httpx

from benchmarks.procfs import forget_peak, peak_megabytes, processor_seconds, resident_megabytes
from benchmarks.service.contenders import Contender, Ours
from benchmarks.service.llm import StandIn
from benchmarks.service.wrk import Load, Questions
from tests.support.waiting import eventually


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how often."""

    seconds: float
    rounds: int
    texts: int
    starts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured: the number that is compared, and a word on it."""

    value: float
    text: str


class Bench:
    """Measures contenders that run, one at a time."""

    def __init__(
        self, *, plan: Plan, questions: Questions, further: Sequence[str], llm: StandIn
    ) -> None:
        self._plan = plan
        self._questions = questions
        self._further = list(further)
        self._llm = llm

    def alternate(
        self,
        contenders: Sequence[Contender],
        measure: Callable[[Contender], Figure],
        *,
        once: bool = False,
    ) -> dict[str, Figure]:
        """Measure each in turn, the order reversed from round to round; the median counts."""
        found: dict[str, list[Figure]] = {contender.name: [] for contender in contenders}
        for number in range(1 if once else self._plan.rounds):
            for contender in contenders if number % 2 == 0 else reversed(contenders):
                figure = _attempt(measure, contender)
                say(f"{contender.name}: {figure.text}")
                found[contender.name].append(figure)
        return {name: _median(figures) for name, figures in found.items()}

    # ---- under load ----
    def warm(self, contender: Contender) -> None:
        self._load(contender, clients=8, seconds=3)
        self._load(contender, clients=8, seconds=1, same=True)

    def unique(self, contender: Contender) -> Figure:
        used = processor_seconds(contender.pid)
        load = self._load(contender, clients=64)
        used = (processor_seconds(contender.pid) - used) / max(1, load.requests)
        return Figure(
            value=load.rate,
            text=f"{load.rate:,.0f}/s, p99 {load.p99_ms:,.0f} ms, "
            f"{used * 1000:.1f} ms of processor each" + _failures(load),
        )

    def repeated(self, contender: Contender) -> Figure:
        load = self._load(contender, clients=64, same=True)
        return Figure(
            value=load.rate, text=f"{load.rate:,.0f}/s, p99 {load.p99_ms:.0f} ms" + _failures(load)
        )

    def retrieve(self, contender: Contender) -> Figure:
        load = self._load(contender, clients=32, path="/retrieve")
        return Figure(
            value=load.rate, text=f"{load.rate:,.0f}/s, p99 {load.p99_ms:.0f} ms" + _failures(load)
        )

    def retrieve_alone(self, contender: Contender) -> Figure:
        load = self._load(contender, clients=1, path="/retrieve")
        return Figure(value=load.p50_ms, text=f"{load.p50_ms:.1f} ms" + _failures(load))

    def added(self, contender: Contender) -> Figure:
        """Time of one question at a time, less the time that the model's stand-in takes itself."""
        model = self._questions.ask(
            f"http://127.0.0.1:{self._llm.port}", clients=1, seconds=2, path="/v1/chat/completions"
        )
        load = self._load(contender, clients=1)
        milliseconds = load.p50_ms - model.p50_ms
        return Figure(value=milliseconds, text=f"{milliseconds:.1f} ms" + _failures(load))

    # ---- together ----
    def identical(self, contender: Contender) -> Figure:
        """Ask a question that was never asked a hundred times at the same moment."""
        clients = 100
        together = Barrier(clients)
        question = f"What did nobody ask before {time.time_ns()}?"
        self._llm.count(question)  # and not what is left of the last load

        def ask(_: int) -> int:
            with httpx.Client(base_url=contender.url, timeout=90) as http:
                http.get("/health")  # a connection is there
                together.wait()
                return http.post("/query", json={"question": question}).status_code

        with ThreadPoolExecutor(clients) as threads:
            statuses = list(threads.map(ask, range(clients)))
        calls = self._llm.counted
        failed = sum(status != 200 for status in statuses)
        return Figure(value=calls, text=f"{calls}" + (f", {failed} failed" if failed else ""))

    def indexing(self, contender: Contender) -> Figure:
        texts = self._take(self._plan.texts)
        rate = len(texts) / contender.index(texts)
        return Figure(value=rate, text=f"{rate:.0f}/s")

    def during_load(self, contender: Contender) -> Figure:
        """The 99th percentile of four clients' questions during a bulk load, over that at idle."""
        idle = self._load(contender, clients=4)
        texts = self._take(self._plan.texts)
        loading = Thread(target=contender.index, args=(texts,))
        loading.start()
        time.sleep(1)  # the first batch is on its way
        busy = self._questions.ask(contender.url, clients=4, seconds=self._plan.seconds)
        loading.join()
        if not busy.requests:
            return Figure(value=math.inf, text="no answer during the load")
        times = busy.p99_ms / idle.p99_ms
        return Figure(
            value=times,
            text=f"{times:.1f} ({idle.p99_ms:.0f} -> {busy.p99_ms:.0f} ms)" + _failures(busy),
        )

    def memory(self, contender: Contender) -> Figure:
        """Memory of its process at rest, and at most while 64 clients ask."""
        idle = resident_megabytes(contender.pid)
        forget_peak(contender.pid)
        self._load(contender, clients=64)
        peak = peak_megabytes(contender.pid)
        return Figure(value=peak, text=f"{idle:.0f} -> {peak:.0f} MB")

    def start(self, contender: Contender) -> Figure:
        """Stop and start it again, a few times."""
        seconds = []
        for _ in range(self._plan.starts):
            contender.stop()
            seconds.append(contender.start())
        median = statistics.median(seconds)
        return Figure(value=median, text=f"{median:.1f} s")

    def replicas(self, service: Ours, count: int) -> Figure:
        """Ask ``count`` processes that share their stores, 64 clients in all."""
        others = [service.replica(number) for number in range(2, count + 1)]
        try:
            for other in others:
                other.start()
            urls = [service.url, *(other.url for other in others)]
            ask = self._questions.ask_all
            ask(urls, clients=16, seconds=2, path="/query")
            loads = ask(urls, clients=64, seconds=self._plan.seconds, path="/query")
        finally:
            for other in others:
                other.stop()
        rate = sum(load.rate for load in loads)
        failed = sum(load.failures for load in loads)
        return Figure(value=rate, text=f"{rate:,.0f}/s" + (f", {failed} failed" if failed else ""))

    def _take(self, count: int) -> list[str]:
        """Texts that were not indexed before; a mark makes more of them when they run out."""
        taken, self._further = self._further[:count], self._further[count:]
        self._further += [f"{text} ." for text in taken]
        return taken

    def _load(
        self,
        contender: Contender,
        *,
        clients: int,
        seconds: float | None = None,
        path: str = "/query",
        same: bool = False,
    ) -> Load:
        load = self._questions.ask(
            contender.url,
            clients=clients,
            seconds=self._plan.seconds if seconds is None else seconds,
            path=path,
            same=same,
        )
        _settle(contender)
        return load


def _attempt(measure: Callable[[Contender], Figure], contender: Contender) -> Figure:
    """Measure a contender; what fails is said in its place and leaves the rest of the table."""
    try:
        return measure(contender)
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if not contender.running:
            contender.start()
        return Figure(value=math.nan, text=f"failed: {reason[:80]}")


def _settle(contender: Contender) -> None:
    """Wait until a contender has done with the questions that wrk left unanswered when it ended."""

    def rests() -> bool:
        before = processor_seconds(contender.pid)
        time.sleep(0.5)
        return processor_seconds(contender.pid) - before < 0.05

    eventually(rests, what=f"{contender.name} comes to rest", timeout=300)


def say(what: str) -> None:
    """Tell what goes on, apart from the report."""
    print(f"  {what}", file=sys.stderr, flush=True)


def _median(figures: list[Figure]) -> Figure:
    good = [figure for figure in figures if not math.isnan(figure.value)] or figures
    return sorted(good, key=lambda figure: figure.value)[len(good) // 2]


def _failures(load: Load) -> str:
    parts = [f"{count} answered {status}" for status, count in sorted(load.statuses.items())]
    if load.broken:
        parts.append(f"{load.broken} without an answer")
    return "; " + ", ".join(parts) if parts else ""
