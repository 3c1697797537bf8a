"""Rerankers: the same scores in any company, in time or not at all, clear when they fail."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from ragdeploy_service.adapters.reranking import load_reranker
from ragdeploy_service.rag.answering.reranking import Reranking
from ragdeploy_service.rag.clock import Clock
from ragdeploy_service.rag.concurrency.breaker import Breaker
from ragdeploy_service.rag.errors import ModelUnavailable, RerankerUnavailable
from ragdeploy_service.rag.models import Chunk, Passage, Stage
from ragdeploy_service.settings import ServiceSettings
from tests.support.domain import QUESTION
from tests.support.llm import Failure
from tests.support.reranker import NAME, RerankServer, write_cross_encoder

ASKED = "Which moon moves the tides?"
PASSAGES = ["Bananas are yellow.", "The moon moves the tides.", "The weather is fine."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model):
    return write_cross_encoder(
        tmp_path_factory.mktemp("models") / "cross-encoder", tokenizer=model.tokenizer
    )


def settings_for(folder, **more):
    return ServiceSettings(
        rerank_backend="onnx", rerank_model=NAME, rerank_model_dir=folder, **more
    )


@pytest.fixture
async def onnx(folder):
    reranker = await load_reranker(settings_for(folder))
    yield reranker
    await reranker.close()


# ---- a cross-encoder in the process ----
async def test_the_passage_that_answers_is_scored_highest(onnx):
    scores = await onnx.scores(ASKED, PASSAGES)
    assert int(np.argmax(scores)) == 1
    assert all(0 <= score <= 1 for score in scores)


async def test_a_score_does_not_depend_on_its_company(onnx):
    passages = [*PASSAGES, "", "long " * 2000, "月亮", "\ud800", "moon"]
    together = await onnx.scores(ASKED, passages)
    alone = [(await onnx.scores(ASKED, [passage]))[0] for passage in passages]
    assert together == pytest.approx(alone, abs=1e-5)


async def test_the_loop_goes_on_while_it_works(onnx):
    work = asyncio.create_task(onnx.scores(ASKED, ["long words " * 400] * 40))
    turns = 0
    while not work.done():
        turns += 1
        await asyncio.sleep(0.001)
    assert turns > 5


async def test_a_model_of_several_labels_is_refused(model, tmp_path):
    folder = write_cross_encoder(tmp_path / "nli", tokenizer=model.tokenizer, labels=3)
    with pytest.raises(ModelUnavailable, match="one score for each pair"):
        await load_reranker(settings_for(folder))


async def test_what_a_folder_lacks_is_named(tmp_path):
    with pytest.raises(ModelUnavailable, match=r"RAG_RERANK_MODEL_DIR.*no model\.onnx and no tok"):
        await load_reranker(settings_for(tmp_path))


async def test_another_model_is_not_taken_for_the_published_one(folder):
    published = ServiceSettings(rerank_backend="onnx", rerank_model_dir=folder)
    with pytest.raises(ModelUnavailable, match="not cross-encoder/ms-marco-MiniLM-L6-v2"):
        await load_reranker(published)


async def test_a_hub_that_cannot_be_reached_is_said_with_the_remedies(tmp_path):
    alone = ServiceSettings(
        rerank_backend="onnx", data_dir=tmp_path, model_hub_url="http://127.0.0.1:9"
    )
    with pytest.raises(ModelUnavailable, match=r"HF_ENDPOINT.*RAG_RERANK_MODEL_DIR"):
        await load_reranker(alone)


# ---- a server ----
@pytest.fixture(scope="module")
def _server():
    server = RerankServer().start()
    yield server
    server.stop()


@pytest.fixture
def server(_server):
    _server.reset()
    return _server


@pytest.fixture(params=["http", "tei"])
async def remote(request, server):
    url = {"http": server.url, "tei": server.tei_url}[request.param]
    reranker = await load_reranker(
        ServiceSettings(
            rerank_backend=request.param,
            rerank_base_url=url,
            rerank_api_key="secret",
            rerank_timeout_seconds=1,
        )
    )
    yield reranker
    await reranker.close()


async def test_scores_of_a_server_come_in_the_order_of_the_passages(remote, server):
    scores = await remote.scores("the moon", PASSAGES)
    assert scores == [0, 1, 0.5]
    assert server.calls[0].authorization == "Bearer secret"


@pytest.mark.parametrize(
    "failure", [one for one in Failure if one not in {Failure.SILENCE, Failure.STALLS}]
)
async def test_whatever_the_server_does_it_is_the_reranker_that_is_unavailable(
    remote, server, failure
):
    server.fail(failure)
    with pytest.raises(RerankerUnavailable):
        await remote.scores(ASKED, PASSAGES)


async def test_a_server_that_leaves_passages_out_is_not_believed(remote, server):
    server._scores = lambda question, passages: [(0, 1.0), (0, 0.5), (1, 0.1)]
    try:
        with pytest.raises(RerankerUnavailable, match="every passage"):
            await remote.scores(ASKED, PASSAGES)
    finally:
        del server._scores


# ---- in the time there is ----
class Slow:
    fingerprint = "slow"

    def __init__(self, seconds):
        self.seconds = seconds

    async def scores(self, question, passages):
        await asyncio.sleep(self.seconds)
        return [float(index) for index, _ in enumerate(passages)]


class Quiet:
    """Telemetry that is not looked at."""

    def stage(self, *_):
        pass

    def span(self, _):
        return nullcontext()


def passage(number):
    chunk = Chunk(id=str(number), document_id="d", position=0, start=0, text=f"text {number}")
    return Passage(chunk=chunk, score=1 / (number + 1))


FOUND = tuple(passage(number) for number in range(4))


def reranking(seconds_it_takes, **limits):
    breaker = Breaker("reranker", failure=RerankerUnavailable, failures=5, seconds=5)
    options = {"candidates": 32, "seconds": 3.0} | limits
    return Reranking(Slow(seconds_it_takes), breaker=breaker, **options)


@pytest.mark.looptime
async def test_passages_come_in_the_order_of_their_scores():
    clock = Clock(Quiet())
    best = await reranking(1).rerank(QUESTION, FOUND, clock)
    assert [each.chunk.id for each in best] == ["3", "2", "1", "0"]
    assert [each.rerank_score for each in best] == [3, 2, 1, 0] == [each.score for each in best]
    assert Stage.RERANK in clock.timings


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("seconds", "takes"), [(60.0, 3.5), (2.0, 1.5)], ids=["its own limit", "half of what is left"]
)
async def test_one_that_takes_too_long_is_given_up(seconds, takes):
    question = replace(QUESTION, timeout=seconds)
    with pytest.raises(RerankerUnavailable, match="within"):
        await reranking(takes).rerank(question, FOUND, Clock(Quiet()))


@pytest.mark.parametrize(("top_k", "depth"), [(1, 4), (3, 12), (8, 32), (10, 32), (50, 50)])
def test_more_are_found_than_are_asked_for(top_k, depth):
    assert reranking(0).depth(top_k) == depth


# ---- settings that do not fit together ----
@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"rerank": True}, "RAG_RERANK_BACKEND"),
        ({"rerank_backend": "http"}, "RAG_RERANK_BASE_URL"),
        ({"rerank_backend": "tei"}, "RAG_RERANK_BASE_URL"),
    ],
)
def test_settings_without_a_reranker_say_which_to_set(wrong, remedy):
    with pytest.raises(ValueError, match=remedy):
        ServiceSettings(**wrong)
