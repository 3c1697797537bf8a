"""Where the time of a question goes that nobody asked before: by stage, one question at a time."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator

import httpx

from benchmarks.procfs import processor_seconds
from benchmarks.report import Row
from benchmarks.service.contenders import Ours
from benchmarks.service.wrk import Questions

_QUESTIONS = 200

_WHAT = {
    "cache": "looked for in the cache, and kept there",
    "embed": "the question becomes a vector",
    "retrieve": "the vector store is searched",
    "generate": "the language model writes",
}


def account(service: Ours, questions: Questions) -> Iterator[Row]:
    """Ask questions one by one; medians in milliseconds, and the processor time of each."""
    stages: dict[str, list[float]] = defaultdict(list)
    texts = questions.file.read_text("utf-8").splitlines()
    with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as http:
        used = 0.0
        for number in range(-20, _QUESTIONS):  # the first ones warm it up
            if number == 0:
                stages.clear()
                used = processor_seconds(service.pid)
            question = f"{texts[number % len(texts)]} ({time.time_ns() % 10**9})"
            started = time.perf_counter()
            answer = http.post("/query", json={"question": question}).raise_for_status().json()
            stages["client"].append((time.perf_counter() - started) * 1000)
            stages["total"].append(answer["latency_ms"])
            for stage, milliseconds in answer["timings"].items():
                stages[stage].append(milliseconds)
        used = (processor_seconds(service.pid) - used) / _QUESTIONS * 1000
    medians = {stage: statistics.median(values) for stage, values in stages.items()}
    for stage, what in _WHAT.items():
        yield Row(f"{stage}: {what}", f"{medians[stage]:.2f} ms")
    rest = medians["total"] - sum(medians[stage] for stage in _WHAT)
    yield Row("the rest of the route: leases, prompt, citations, JSON", f"{rest:.2f} ms")
    outside = medians["client"] - medians["total"]
    yield Row("around it: HTTP on both sides, key, limits, log", f"{outside:.2f} ms")
    yield Row("the client waits", f"{medians['client']:.2f} ms")
    yield Row("processor time of the service, all threads", f"{used:.2f} ms")
