"""Reciprocal rank fusion: what both searches find comes first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragdeploy_service.rag.answering.retrieval import fuse
from ragdeploy_service.rag.models import Chunk, Passage


def dense(*names):
    return [found(name, dense_score=1 - n / 10, score=1 - n / 10) for n, name in enumerate(names)]


def sparse(*names):
    return [found(name, sparse_score=9.0 - n, score=9.0 - n) for n, name in enumerate(names)]


def found(name, **scores):
    chunk = Chunk(id=name, document_id="d", position=0, start=0, text=name)
    return Passage(chunk=chunk, **scores)


def names(passages):
    return [passage.chunk.id for passage in passages]


def test_what_both_searches_find_comes_before_what_one_finds():
    assert names(fuse(dense("a", "both"), sparse("b", "both")))[0] == "both"


def test_the_score_is_the_sum_of_reciprocal_ranks():
    [best, *_] = fuse(dense("a", "b"), sparse("b"))
    assert best.chunk.id == "b"
    assert best.score == pytest.approx(1 / 62 + 1 / 61)


def test_each_passage_keeps_the_scores_of_both_searches():
    a, b, c = sorted(fuse(dense("a", "b"), sparse("b", "c")), key=lambda p: p.chunk.id)
    assert (a.dense_score, a.sparse_score) == (1.0, None)
    assert (b.dense_score, b.sparse_score) == (0.9, 9.0)
    assert (c.dense_score, c.sparse_score) == (None, 8.0)


def test_of_passages_that_come_out_alike_the_nearer_in_meaning_comes_first():
    assert names(fuse(dense("a"), sparse("b"))) == ["a", "b"]


@given(st.permutations("abcdef"), st.permutations("cdefgh"))
def test_every_passage_comes_out_once_and_one_list_alone_keeps_its_order(one, two):
    assert sorted(names(fuse(dense(*one), sparse(*two)))) == list("abcdefgh")
    assert names(fuse(dense(*one), [])) == list(one)
    assert names(fuse([], sparse(*two))) == list(two)
