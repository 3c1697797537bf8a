"""Questions that may share an answer, and those that must not however near they are."""

from __future__ import annotations

import pytest

from ragdeploy_service.rag.caching.likeness import may_ask_the_same

ALIKE = [
    ("How do I scale the API?", "How can I scale the API?"),
    ("How do I scale the API?", "how do i scale the API"),
    ("What is the capital of France?", "what's the capital of France"),
    ("Why does the moon cause tides?", "Why are tides caused by the moon?"),
    ("Is Redis needed?", "is Redis required?"),
    ("How long do 3 replicas take?", "How long will 3 replicas take?"),
]

APART = [
    ("Is the API safe?", "Is the API not safe?"),
    ("Can I run it on Windows?", "Can't I run it on Windows?"),
    ("Which plans have support?", "Which plans have no support?"),
    ("How do I run it with Redis?", "How do I run it without Redis?"),
    ("How do I enable the cache?", "How do I disable the cache?"),
    ("How do I add a key?", "How do I remove a key?"),
    ("What happened in 2019?", "What happened in 2020?"),
    ("What does version 1.2 need?", "What does version 1.3 need?"),
    ("How do I run two replicas?", "How do I run three replicas?"),
    ("Who wrote the API of Milvus?", "Who wrote the API of Redis?"),
    ("What is the capital of France?", "What is the capital of Spain?"),
    ("What does RAG_TOP_K do?", "What does RAG_MIN_SCORE do?"),
    ("How do I learn C?", "How do I learn C++?"),
    ("Is C# fast?", "Is C fast?"),
    ("When was it built?", "Where was it built?"),
    ("Who pays whom?", "Whom pays who?"),
    ("Is flight from Rome to Oslo long?", "Is flight to Rome from Oslo short?"),
    ("什么是香蕉？", "香蕉是什么？"),
    ("香蕉安全吗？", "香蕉不安全吗？"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_another_wording_may_ask_the_same(one, other):
    assert may_ask_the_same(one, other)
    assert may_ask_the_same(other, one)


@pytest.mark.parametrize(("one", "other"), APART)
def test_what_changes_the_answer_is_seen(one, other):
    assert not may_ask_the_same(one, other)
    assert not may_ask_the_same(other, one)
