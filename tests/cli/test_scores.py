"""The measures of ``ragdeploy eval``, against values that were computed by hand and by others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragdeploy_service.cli.scores import score


def scores(*rankings, k):
    found = score([(list(ranking), grades) for ranking, grades in rankings], k=k)
    return found.hits, found.recall, found.mrr, found.ndcg


def test_one_relevant_document_at_rank_2():
    assert scores(("xa", {"a": 1}), k=3) == pytest.approx((1, 1, 1 / 2, 0.6309), abs=1e-4)


def test_what_stands_below_k_does_not_count():
    assert scores(("xya", {"a": 1}), k=2) == (0, 0, 0, 0)


def test_of_two_relevant_documents_one_is_found():
    assert scores(("axy", {"a": 1, "b": 1}), k=3) == pytest.approx((1, 1 / 2, 1, 0.6131), abs=1e-4)


def test_grades_count_in_the_gain():
    # The example of en.wikipedia.org/wiki/Discounted_cumulative_gain: DCG 6.861, ideal 8.740.
    grades = {"1": 3, "2": 2, "3": 3, "5": 1, "6": 2, "7": 3, "8": 2}
    assert scores(("123456", grades), k=6)[3] == pytest.approx(0.785, abs=1e-3)


def test_passages_of_one_document_count_once():
    assert scores(("aab", {"a": 1, "b": 1}), k=2) == pytest.approx((1, 1 / 2, 1, 0.6131), abs=1e-4)


def test_scores_are_means_over_the_questions():
    assert scores(("a", {"a": 1}), ("x", {"a": 1}), k=1) == (0.5, 0.5, 0.5, 0.5)


def test_no_sources_at_all_score_nothing():
    assert scores(("", {"a": 1}), k=5) == (0, 0, 0, 0)


GRADES = st.dictionaries(st.sampled_from("abcde"), st.integers(1, 4), min_size=1)


@given(st.text("abcdefg", max_size=12), GRADES, st.integers(1, 12))
def test_no_score_leaves_0_to_1_and_more_sources_find_no_less(ranking, grades, k):
    at_k, deeper = scores((ranking, grades), k=k), scores((ranking, grades), k=k + 1)
    assert all(0 <= value <= 1 + 1e-9 for value in at_k)
    assert all(a <= b for a, b in zip(at_k[:3], deeper[:3], strict=True))


@given(GRADES, st.integers(1, 6))
def test_the_best_ranking_gains_all_there_is(grades, k):
    best = sorted(grades, key=grades.__getitem__, reverse=True)
    assert scores((best, grades), k=k)[3] == pytest.approx(1)
