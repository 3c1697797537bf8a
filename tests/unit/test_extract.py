"""Extractive answers: the right sentences, cited, in the question's language, and honest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragdeploy_service.rag.extract import extract
from ragdeploy_service.rag.models import Chunk, Passage


def passages(*texts):
    return [
        Passage(
            chunk=Chunk(id=str(n), document_id="d", position=n, start=0, text=text),
            score=0.5 - n / 10,
        )
        for n, text in enumerate(texts)
    ]


def test_the_sentence_that_shares_most_with_the_question_is_quoted():
    found = extract(
        "What sets the number of replicas?",
        passages("Pods are cheap. The number of replicas is set in the spec. Nodes are not."),
    )
    assert "- The number of replicas is set in the spec. [1]" in found
    assert "Nodes are not" not in found


def test_a_sentence_is_cited_with_the_number_of_its_passage():
    found = extract("When is high tide?", passages("Nothing here.", "High tide is at noon."))
    assert "- High tide is at noon. [2]" in found


def test_words_that_every_question_has_do_not_count():
    found = extract("How do I do what the tide does?", passages("I do what I do. The tide rises."))
    assert "I do what I do" not in found
    assert "The tide rises. [1]" in found


def test_the_plural_finds_the_singular():
    assert "- One replica is enough. [1]" in extract(
        "How many replicas?", passages("Bananas are sweet. One replica is enough.")
    )


def test_neighbours_that_overlap_are_quoted_once():
    shared = "The moon moves the tides."
    found = extract("What moves the tides?", passages(f"First. {shared}", f"{shared} Last."))
    assert found.count(shared) == 1


def test_at_most_three_sentences_are_quoted_in_reading_order():
    found = extract("tide?", passages("Tide a. Tide b. Tide c. Tide d. Tide e."))
    assert found.splitlines()[1:] == ["- Tide a. [1]", "- Tide b. [1]", "- Tide c. [1]"]


def test_without_a_sentence_that_fits_the_nearest_passage_is_shown_as_such():
    found = extract("Wie hoch ist der Berg?", passages("It is 8848 metres high.", "Other text."))
    assert found.startswith("No sentence answers this directly")
    assert "It is 8848 metres high. [1]" in found
    assert "Other text" not in found


def test_without_passages_it_says_that_nothing_was_found():
    assert "Nothing in the indexed documents" in extract("What is it?", [])
    assert "没有" in extract("这是什么？", [])


def test_chinese_sentences_end_without_a_blank():
    found = extract("香蕉是什么颜色的？", passages("苹果是红色的。香蕉是黄色的！天空很蓝。"))
    assert found.startswith("文档摘录")
    assert "- 香蕉是黄色的！ [1]" in found
    assert "天空" not in found


def test_a_line_of_code_does_not_fill_the_answer():
    found = extract("tide?", passages("tide " * 1000))
    assert len(found) < 600
    assert "… [1]" in found


@pytest.mark.parametrize("question", ["?!", "...", "🤔🤔🤔"])
def test_a_question_without_words_still_gets_the_nearest_passage(question):
    assert "The tide rises. [1]" in extract(question, passages("The tide rises."))


@given(st.text(min_size=1), st.lists(st.text(min_size=1), max_size=4))
def test_any_text_gives_an_answer(question, texts):
    assert extract(question, passages(*texts))
