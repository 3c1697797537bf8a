"""``make bench-service``: our service and the tutorial's, side by side on one machine.

Both have the same 10,000 passages of the Python documentation, the same
questions and the same stand-in for a language model, and are asked in turn.
Ours runs as on a laptop (Milvus Lite, nothing else) and as in a cluster
(Milvus server, Redis).
"""

from __future__ import annotations

import argparse
import asyncio
import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import print_report, print_table
from benchmarks.service import passages
from benchmarks.service.account import account
from benchmarks.service.contenders import Contender, demand_baseline
from benchmarks.service.flame import flame
from benchmarks.service.llm import language_model
from benchmarks.service.measures import Bench, Figure, Plan, say
from benchmarks.service.scene import Scene
from benchmarks.service.soak import soak
from benchmarks.service.wrk import Questions, demand_wrk
from ragdeploy_service.adapters.models.embedding import ensure_model
from ragdeploy_service.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
LLM_MS = 50
STORED = 10_000

HEADINGS = ("measure", "target", "ours, Milvus Lite", "ours, Milvus", "tutorial", "ratio")

FULL = Plan(seconds=8, rounds=3, texts=480, starts=3)
QUICK = Plan(seconds=3, rounds=1, texts=96, starts=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One line of the table. Of a rate more is better, of a time less.

    What takes long, or does not vary, is measured ``once``.
    """

    name: str
    target: str
    of: Callable[[Bench], Callable[[Contender], Figure]]
    theirs: bool = True
    more_is_better: bool = True
    once: bool = False


MEASURES = (
    Measure(name="unique questions, 64 clients", target=">= 20 x", of=lambda b: b.unique),
    Measure(
        name="repeated question, 64 clients", target=">= 2 x, p99 < 10 ms", of=lambda b: b.repeated
    ),
    Measure(
        name="retrieve only, 32 clients", target=">= 250/s", of=lambda b: b.retrieve, theirs=False
    ),
    Measure(
        name="retrieve only, p50 alone",
        target="<= 12 ms",
        of=lambda b: b.retrieve_alone,
        theirs=False,
        more_is_better=False,
    ),
    Measure(
        name="added to the LLM's time",
        target="<= 15 ms",
        of=lambda b: b.added,
        more_is_better=False,
    ),
    Measure(
        name="LLM calls for 100 identical questions",
        target="1",
        of=lambda b: b.identical,
        more_is_better=False,
        once=True,
    ),
    Measure(
        name="indexing, passages of 128 tokens",
        target=">= 60/s",
        of=lambda b: b.indexing,
        once=True,
    ),
    Measure(
        name="p99 during a bulk load, over idle",
        target="<= 2 x",
        of=lambda b: b.during_load,
        more_is_better=False,
    ),
    Measure(
        name="memory, idle -> 64 clients",
        target="",
        of=lambda b: b.memory,
        more_is_better=False,
        once=True,
    ),
    Measure(
        name="start to ready",
        target="< 3 s",
        of=lambda b: b.start,
        more_is_better=False,
        once=True,
    ),
)

INT8 = Measure(
    name="retrieve only, 32 clients, int8",
    target=">= 450/s",
    of=lambda bench: bench.retrieve,
    theirs=False,
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-service ARGS=...", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few minutes, rough figures")
    parser.add_argument("--only", default="", help="measures whose names contain this")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="this alone, for so long")
    parser.add_argument("--account", action="store_true", help="this alone: one question by stage")
    parser.add_argument(
        "--flame", type=Path, metavar="FOLDER", help="this alone: flame graphs under load, in there"
    )
    options = parser.parse_args()
    demand_wrk()
    demand_baseline()
    settings = ServiceSettings(data_dir=ROOT / ".ragdeploy", embedding_model_dir=None)
    model = asyncio.run(ensure_model(settings))
    texts = passages.load(model, stored=STORED)
    questions = Questions(file=texts.questions)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        llm = stack.enter_context(language_model(delay_ms=LLM_MS))
        scene = Scene(stack, folder=folder, model=model, passages=texts, llm=llm)
        if options.soak:
            soak(scene.cluster(), questions, seconds=options.soak * 60)
            return
        if options.account:
            for make in (scene.laptop, scene.cluster):
                service = make()
                setting = f"{service.name}, {STORED:,} passages, LLM {LLM_MS} ms"
                print_report(account(service, questions), setting=setting)
            return
        if options.flame:
            for make in (scene.laptop, scene.cluster):
                service = make()
                hot = list(flame(service, questions, folder=options.flame))
                print_report(hot, setting=f"{service.name}, {STORED:,} passages, LLM {LLM_MS} ms")
            return
        plan = QUICK if options.quick else FULL
        bench = Bench(plan=plan, questions=questions, further=texts.further, llm=llm)
        rows = list(_compare(scene, bench, only=options.only))
    setting = f"{STORED:,} passages, LLM {LLM_MS} ms; all share the machine"
    print_table(HEADINGS, rows, setting=setting)


def _compare(scene: Scene, bench: Bench, *, only: str) -> Iterator[tuple[str, ...]]:
    laptop, cluster = scene.laptop(), scene.cluster()
    tutorial = scene.tutorial(laptop.vectors)
    for contender in (laptop, cluster, tutorial):
        bench.warm(contender)
    for measure in MEASURES:
        if only in measure.name:
            say(measure.name)
            ours = [laptop, cluster]
            contenders = [*ours, tutorial] if measure.theirs else ours
            figures = bench.alternate(contenders, measure.of(bench), once=measure.once)
            lite, server = (figures[each.name] for each in ours)
            yield _row(measure, lite, server, figures.get(tutorial.name))
    if only in INT8.name:
        say(INT8.name)
        # In stores of their own, which take no other model's. How fast they are searched does not
        # depend on the vectors, and to make ten thousand more would take minutes.
        rounded = [
            make(vectors=laptop.vectors, RAG_EMBEDDING_PRECISION="int8")
            for make in (scene.laptop, scene.cluster)
        ]
        for contender in rounded:
            bench.warm(contender)
        figures = bench.alternate(rounded, bench.retrieve)
        lite, server = (figures[each.name] for each in rounded)
        yield _row(INT8, lite, server, None)
    for count in (1, 2, 4):
        if only in (name := f"unique questions, {count} processes"):
            say(name)
            yield name, "", "", bench.replicas(cluster, count).text, "", ""


def _row(measure: Measure, lite: Figure, server: Figure, theirs: Figure | None) -> tuple[str, ...]:
    ratio = ""
    if theirs is not None:
        ratio = " / ".join(_ratio(measure, figure, theirs) for figure in (lite, server))
    told = theirs.text if theirs else "-"
    return measure.name, measure.target, lite.text, server.text, told, ratio


def _ratio(measure: Measure, ours: Figure, theirs: Figure) -> str:
    """How many times better ours is."""
    better, worse = (
        (ours.value, theirs.value) if measure.more_is_better else (theirs.value, ours.value)
    )
    ratio = better / worse if worse > 0 else math.nan
    return f"{ratio:.1f}" if math.isfinite(ratio) else "-"


if __name__ == "__main__":
    main()
