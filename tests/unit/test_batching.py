"""The batcher: nothing waits beside a free encoder, nobody is forgotten."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragdeploy_service.rag.concurrency.batching import Batcher, Lane, Limits
from ragdeploy_service.rag.errors import EmbedderUnavailable

WIDE = Limits(max_texts=8, max_tokens=10_000, max_queued=1000)


class Encoder:
    """Encodes a text as its length and its first letter, when ``release`` lets it."""

    def __init__(self, *, held: bool = False) -> None:
        self.batches: list[list[str]] = []
        self._free = asyncio.Event()
        if not held:
            self._free.set()

    def release(self) -> None:
        self._free.set()

    async def __call__(self, texts: list[str]) -> np.ndarray:
        self.batches.append(texts)
        await self._free.wait()
        if "bad" in texts:
            raise ValueError("bad text")
        return np.array([vector(text) for text in texts], dtype=np.float32)


def vector(text: str) -> list[float]:
    return [len(text), ord(text[0]) if text else 0]


def batcher(encoder: Encoder, **options) -> Batcher:
    defaults = {
        "concurrency": 1,
        "queries": WIDE,
        "documents": WIDE,
        "cost": len,
        "max_wait": 1000.0,
    }
    return Batcher(encoder, **(defaults | options))


async def turn() -> None:
    """Let all that can run now run."""
    for _ in range(5):
        await asyncio.sleep(0)


def in_background(batcher: Batcher, texts: list[str], lane: Lane = Lane.QUERY) -> asyncio.Task:
    return asyncio.create_task(batcher.submit(texts, lane))


async def test_a_lone_text_goes_to_a_free_encoder_at_once():
    encoder = Encoder(held=True)
    in_background(batcher(encoder), ["a"])
    await turn()
    assert encoder.batches == [["a"]]
    encoder.release()


async def test_texts_that_come_while_the_encoder_works_share_the_next_batch():
    encoder = Encoder(held=True)
    embed = batcher(encoder)
    calls = [in_background(embed, ["first"])]
    await turn()
    calls += [in_background(embed, [text]) for text in ("a", "bb", "ccc")]
    await turn()
    encoder.release()
    await asyncio.gather(*calls)
    assert encoder.batches == [["first"], ["a", "bb", "ccc"]]


async def test_a_burst_is_shared_among_all_free_encoders():
    encoder = Encoder(held=True)
    embed = batcher(encoder, concurrency=2)
    calls = [in_background(embed, [text]) for text in "abcdef"]
    await turn()
    assert [len(batch) for batch in encoder.batches] == [3, 3]
    encoder.release()
    await asyncio.gather(*calls)


async def test_questions_overtake_documents():
    encoder = Encoder(held=True)
    embed = batcher(encoder)
    calls = [in_background(embed, ["running"])]
    await turn()
    calls += [in_background(embed, ["document"], Lane.DOCUMENT), in_background(embed, ["question"])]
    await turn()
    encoder.release()
    await asyncio.gather(*calls)
    assert encoder.batches == [["running"], ["question"], ["document"]]


async def test_documents_get_their_turn_under_a_steady_load_of_questions():
    encoder = Encoder()
    embed = batcher(encoder, max_wait=0.0)
    document = in_background(embed, ["document"], Lane.DOCUMENT)
    questions = [in_background(embed, ["question"]) for _ in range(20)]
    await asyncio.gather(document, *questions)
    assert encoder.batches[0] == ["document"]


async def test_a_batch_stays_within_its_tokens_counted_with_padding():
    encoder = Encoder(held=True)
    embed = batcher(encoder, documents=Limits(max_texts=8, max_tokens=12, max_queued=100))
    call = in_background(embed, ["a" * 3, "b" * 3, "c" * 3, "d" * 6, "e" * 40], Lane.DOCUMENT)
    encoder.release()
    await call
    assert encoder.batches == [["aaa", "bbb", "ccc"], ["d" * 6], ["e" * 40]]


async def test_a_cancelled_text_is_not_encoded():
    encoder = Encoder(held=True)
    embed = batcher(encoder)
    running = in_background(embed, ["running"])
    await turn()
    given_up, kept = in_background(embed, ["given up"]), in_background(embed, ["kept"])
    await turn()
    given_up.cancel()
    encoder.release()
    await asyncio.gather(running, kept)
    assert encoder.batches == [["running"], ["kept"]]


async def test_a_failed_batch_fails_everyone_in_it_and_nobody_else():
    encoder = Encoder(held=True)
    embed = batcher(encoder)
    running = in_background(embed, ["running"])
    await turn()
    calls = [in_background(embed, [text]) for text in ("good", "bad")]
    await turn()
    encoder.release()
    assert await running is not None
    for call in calls:
        with pytest.raises(ValueError, match="bad text"):
            await call
    assert (await embed.submit(["later"], Lane.QUERY)).shape == (1, 2)


async def test_a_full_queue_refuses_and_recovers():
    encoder = Encoder(held=True)
    embed = batcher(encoder, queries=Limits(max_texts=1, max_tokens=100, max_queued=2))
    calls = [in_background(embed, ["running"])]
    await turn()
    calls += [in_background(embed, [text]) for text in "ab"]
    await turn()
    with pytest.raises(EmbedderUnavailable, match="2 questions wait"):
        await embed.submit(["too much"], Lane.QUERY)
    encoder.release()
    await asyncio.gather(*calls)
    await embed.submit(["again"], Lane.QUERY)


async def test_cancelled_texts_make_room_in_a_full_queue():
    encoder = Encoder(held=True)
    embed = batcher(encoder, queries=Limits(max_texts=1, max_tokens=100, max_queued=1))
    running = in_background(embed, ["running"])
    await turn()
    given_up = in_background(embed, ["given up"])
    await turn()
    given_up.cancel()
    await turn()
    kept = in_background(embed, ["kept"])
    await turn()
    encoder.release()
    assert (await kept).tolist() == [vector("kept")]
    await running


async def test_closing_ends_all_waits():
    encoder = Encoder(held=True)
    embed = batcher(encoder)
    running, waiting = in_background(embed, ["running"]), None
    await turn()
    waiting = in_background(embed, ["waiting"])
    await turn()
    closing = asyncio.create_task(embed.close())
    with pytest.raises(EmbedderUnavailable):
        await waiting
    encoder.release()
    await closing
    assert (await running).tolist() == [vector("running")]
    with pytest.raises(EmbedderUnavailable):
        await embed.submit(["too late"], Lane.QUERY)


calls = st.lists(
    st.tuples(
        st.lists(st.text(max_size=12), min_size=1, max_size=6),
        st.sampled_from(Lane),
        st.booleans(),  # cancelled while it waits
    ),
    max_size=12,
)


@given(
    calls=calls,
    concurrency=st.integers(1, 3),
    max_texts=st.integers(1, 5),
    max_tokens=st.integers(1, 30),
)
@settings(max_examples=200, deadline=None)
def test_everyone_gets_the_vectors_of_their_own_texts_in_their_order(
    calls, concurrency, max_texts, max_tokens
):
    async def scenario() -> None:
        encoder = Encoder(held=True)
        limits = Limits(max_texts=max_texts, max_tokens=max_tokens, max_queued=1000)
        embed = batcher(encoder, concurrency=concurrency, queries=limits, documents=limits)
        tasks = []
        for texts, lane, cancelled in calls:
            task = in_background(embed, texts, lane)
            await turn()
            if cancelled:
                task.cancel()
            tasks.append((task, texts, cancelled))
        encoder.release()
        for task, texts, cancelled in tasks:
            if cancelled:
                with pytest.raises(asyncio.CancelledError):
                    await task
            else:
                assert (await task).tolist() == [vector(text) for text in texts]
        for batch in encoder.batches:
            assert len(batch) <= max_texts
            assert len(batch) == 1 or len(batch) * max(map(len, batch)) <= max_tokens

    asyncio.run(scenario())
