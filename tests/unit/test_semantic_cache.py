"""Answers for questions that mean the same, by the real embedding model."""

from __future__ import annotations

import asyncio

import pytest

from ragdeploy_service.adapters.embedding import load_embedder
from ragdeploy_service.rag.caching.semantic import SemanticCache, Topic
from ragdeploy_service.rag.models import Answer, AnswerMode
from ragdeploy_service.settings import ServiceSettings
from tests.unit.test_likeness import APART

ANSWER = Answer(text="So.", mode=AnswerMode.GENERATED, passages=())
TOPIC = Topic(key="k", epoch="e", chunks=frozenset({"one", "two"}))


@pytest.fixture(scope="module")
def embedder(model):
    return asyncio.run(load_embedder(ServiceSettings(embedding_model_dir=model.folder)))


@pytest.fixture
def cache(embedder):
    return SemanticCache(embedder, min_similarity=0.9)


SAME = [
    ("How do I scale the API?", "How can I scale the API?"),
    ("How do I scale the API?", "how do i scale the API ?"),
    ("What is the capital of France?", "What's the capital of France"),
]


@pytest.mark.parametrize(("asked", "again"), SAME)
async def test_another_wording_has_the_same_answer(cache, asked, again):
    await cache.keep(asked, TOPIC, ANSWER)
    assert await cache.find(again, TOPIC) == ANSWER


@pytest.mark.parametrize(("asked", "again"), APART)
async def test_a_question_that_only_looks_alike_has_not(cache, asked, again):
    await cache.keep(asked, TOPIC, ANSWER)
    assert await cache.find(again, TOPIC) is None


async def test_a_question_of_another_meaning_has_not(cache):
    await cache.keep("How do I scale the API?", TOPIC, ANSWER)
    assert await cache.find("How do I peel the banana?", TOPIC) is None


@pytest.mark.parametrize(
    "other",
    [
        Topic(key="k", epoch="e", chunks=frozenset({"one", "three"})),
        Topic(key="k", epoch="f", chunks=TOPIC.chunks),
        Topic(key="l", epoch="e", chunks=TOPIC.chunks),
    ],
)
async def test_other_passages_another_epoch_or_other_options_have_not(cache, other):
    await cache.keep("How do I scale the API?", TOPIC, ANSWER)
    assert await cache.find("How do I scale the API?", other) is None


async def test_a_topic_remembers_a_few_questions(cache):
    for number in range(20):
        await cache.keep(f"What is number {number}?", TOPIC, ANSWER)
    assert await cache.find("What is number 0?", TOPIC) is None
    assert await cache.find("What is number 19?", TOPIC) == ANSWER
