"""Build each trap of docs/traps.md again, in a copy, and see that its tests fail.

python -m tools.rebuild_traps [WORD...]    only traps whose names hold one of the words
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SERVICE = "service/ragdeploy_service"
# A trap may well make a test wait for ever.
_LONGEST_SECONDS = 240


@dataclass(frozen=True)
class Trap:
    """A change that builds a trap again.

    Attributes:
        name: As docs/traps.md calls it.
        file: The file that is changed, below the service's package.
        old: What stands there, once.
        new: What takes its place.
        tests: Those of which at least one must fail.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


TRAPS = (
    Trap(
        "the question alone is the cache key",
        "rag/caching/records.py",
        "material = (*ours, question.canonical, *_asked(question))",
        "material = (*ours, question.canonical)",
        ("tests/unit/test_answer_caches.py",),
    ),
    Trap(
        "stampede",
        "rag/concurrency/single_flight.py",
        "flight = self._flights.get(key)",
        "flight = None",
        ("tests/service/test_cache.py", "tests/unit/test_single_flight.py"),
    ),
    Trap(
        "the semantic cache returns the opposite answer",
        "rag/caching/likeness.py",
        "    return _signature(one) == _signature(other)",
        "    return True",
        ("tests/unit/test_likeness.py",),
    ),
    Trap(
        "the batcher waits for a full batch and never flushes",
        "rag/concurrency/batching.py",
        "        return Lane.QUERY if queries else None",
        "        full = len(queries) >= self._limits[Lane.QUERY].max_texts\n"
        "        return Lane.QUERY if full else None",
        ("tests/unit/test_batching.py::test_a_lone_text_goes_to_a_free_encoder_at_once",),
    ),
    Trap(
        "encoding blocks the event loop",
        "adapters/embedding/onnx.py",
        "        return await loop.run_in_executor(self._workers, self._encode, texts)",
        "        return self._encode(texts) if loop else self._encode(texts)",
        ("tests/unit/test_embedding.py",),
    ),
    Trap(
        "index jobs die with the pod",
        "adapters/redis/jobs.py",
        "taken = await self._abandoned() or await self._next()",
        "taken = await self._next()",
        ("tests/service/test_jobs.py::test_a_killed_worker_leaves_its_job_to_another",),
    ),
    Trap(
        "a reader does not see what was written",
        "rag/jobs/worker.py",
        "        await self._cache.advance(lease.collection)\n        if await self._queue.finish",
        "        if await self._queue.finish",
        ("tests/service/test_jobs.py", "tests/unit/test_job_worker.py"),
    ),
    Trap(
        "who asks for the latest documents gets those from before",
        "rag/answering/pipeline.py",
        "        if question.min_epoch is not None:",
        "        if question.min_epoch == -1:",
        ("tests/service/test_job_control.py",),
    ),
    Trap(
        "a flush for each insert",
        "rag/indexing/indexer.py",
        "                await collection.upsert(part, vectors)",
        "                await collection.upsert(part, vectors)\n"
        "                await collection.commit()",
        ("tests/unit/test_job_worker.py",),
    ),
    Trap(
        "openai retries where nobody sees it",
        "adapters/llm.py",
        "            max_retries=0,",
        "            max_retries=2,",
        ("tests/service/test_language_model.py",),
    ),
    Trap(
        "pymilvus retries for minutes",
        "adapters/milvus/calls.py",
        "        async with asyncio.timeout(seconds):",
        "        async with asyncio.timeout(None):",
        ("tests/unit/test_milvus_calls.py::test_a_call_without_end_is_given_up",),
    ),
    Trap(
        "a cancelled call leaves a Redis connection one reply behind",
        "rag/caching/records.py",
        '    if data["key"] != key:',
        '    if "key" not in data:',
        ("tests/unit/test_answer_caches.py",),
    ),
    Trap(
        "a filter reaches other tenants",
        "adapters/milvus/filters.py",
        "        return f'\"{value.translate(_ESCAPES)}\"'",
        "        return f'\"{value}\"'",
        ("tests/service/test_vector_store.py", "tests/service/test_vector_store_filters.py"),
    ),
    Trap(
        "a filter is silently ignored",
        "adapters/milvus/collection.py",
        "found = await self._search(wanted, field=BM25, top_k=top_k, where=where)",
        "found = await self._search(wanted, field=BM25, top_k=top_k, where=None)",
        ("tests/service/test_tenants_and_filters.py",),
    ),
    Trap(
        "indexing again makes duplicates",
        "rag/indexing/indexer.py",
        "        if stale := old - {chunk.id for chunk in chunks}:",
        "        if stale := old & {chunk.id for chunk in ()}:",
        ("tests/unit/test_job_worker.py", "tests/service/test_jobs.py"),
    ),
    Trap(
        "another embedding model under the same index",
        "adapters/milvus/schema.py",
        "        if (found := _fingerprint(description)) != self.fingerprint:",
        '        if (found := _fingerprint(description)) == "":',
        ("tests/service/test_vector_store.py", "tests/service/test_reindex.py"),
    ),
    Trap(
        "requests share an object of the language model",
        "rag/answering/prompt.py",
        "        nonce = secrets.token_hex(8)",
        '        nonce = "shared" or secrets',
        ("tests/service/test_language_model.py", "tests/unit/test_prompt.py"),
    ),
    Trap(
        "BaseHTTPMiddleware",
        "app.py",
        "            Middleware(LastAnswers, drain=drain),",
        "            Middleware(LastAnswers, drain=drain),\n"
        '            Middleware(__import__("starlette.middleware.base").middleware.base'
        ".BaseHTTPMiddleware, dispatch=lambda request, call: call(request)),",
        ("tests/unit/test_traps.py",),
    ),
    Trap(
        "limiters that are not atomic",
        "adapters/redis/meter.py",
        "    keep_until(1, back)",
        "    -- written later, in a step of its own",
        ("tests/unit/test_meters.py",),
    ),
    Trap(
        "health asks the language model",
        "routes/health.py",
        "    if (reason := parts.monitor.not_ready) is not None:",
        '    if parts.llm:\n        await parts.llm.complete("Are you there?")\n'
        "    if (reason := parts.monitor.not_ready) is not None:",
        ("tests/service/test_language_model.py::test_the_service_is_ready_without_its_model",),
    ),
    Trap(
        "liveness equals readiness",
        "routes/health.py",
        "async def live() -> Alive:\n",
        "async def live(parts: Parts) -> Alive:\n    if parts.monitor.not_ready:\n"
        '        raise RuntimeError("not ready")\n',
        ("tests/service/test_vector_store_outage.py::test_the_service_starts_before_its_store",),
    ),
    Trap(
        "the client has left and the language model goes on",
        "rag/concurrency/single_flight.py",
        "                flight.task.cancel()",
        "                flight.task.done()",
        ("tests/service/test_streaming.py::test_who_leaves_takes_the_call_of_the_model_with_them",),
    ),
    Trap(
        "prompt injection",
        "rag/answering/prompt.py",
        'blocks.append(f"[{number}]\\n<passage-{nonce}>\\n{text}\\n</passage-{nonce}>")',
        'blocks.append(f"[{number}]\\n{text}")',
        ("tests/service/test_poisoned_documents.py", "tests/unit/test_prompt.py"),
    ),
    Trap(
        "the body of a request chooses addresses",
        "routes/questions.py",
        '    """A question to be answered."""\n',
        '    """A question to be answered."""\n\n    base_url: str | None = None\n',
        ("tests/unit/test_traps.py",),
    ),
)


def main() -> None:
    """Build the traps one after the other; ends with 1 if one of them goes unnoticed."""
    words = sys.argv[1:]
    chosen = [trap for trap in TRAPS if not words or any(word in trap.name for word in words)]
    unnoticed = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        _copy_to(copy)
        for trap in chosen:
            began = time.monotonic()
            seen = _is_noticed(trap, copy)
            took = time.monotonic() - began
            print(f"{'noticed' if seen else 'MISSED':8} {trap.name} ({took:.0f} s)", flush=True)
            if not seen:
                unnoticed.append(trap.name)
    print(f"{len(chosen) - len(unnoticed)} of {len(chosen)} traps are noticed")
    sys.exit(bool(unnoticed))


def _copy_to(copy: Path) -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)


def _is_noticed(trap: Trap, copy: Path) -> bool:
    file = copy / SERVICE / trap.file
    before = file.read_text()
    if before.count(trap.old) != 1:
        raise SystemExit(f"{trap.name}: {trap.file} does not hold once: {trap.old}")
    file.write_text(before.replace(trap.old, trap.new))
    packages = os.pathsep.join(str(copy / part) for part in ("service", "operator"))
    environment = {**os.environ, "PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *trap.tests]
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_LONGEST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return True
    finally:
        file.write_text(before)
    if done.returncode not in (0, 1):
        raise SystemExit(
            f"{trap.name}: the tests did not run\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return done.returncode == 1


if __name__ == "__main__":
    main()
