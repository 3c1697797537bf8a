"""Extractive answers: the right sentences, cited, in the question's language, and honest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragdeploy_service.rag.answering.extract import extract
from ragdeploy_service.rag.answering.sentences import sentences
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


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("他说：“明天见！”然后走了。雨停了", ["他说：“明天见！”", "然后走了。", "雨停了"]),
        ("《说明》（第一版。）之后……第二节", ["《说明》（第一版。）", "之后……", "第二节"]),
        (
            "版本 2.5 支持混合检索。See chapter 3. 完",
            ["版本 2.5 支持混合检索。", "See chapter 3.", "完"],
        ),
        (
            'He said "Go!" Then he went. (Really.) It',
            ['He said "Go!"', "Then he went.", "(Really.)", "It"],
        ),
        (
            "Set a.b.c to 1.\n\n- one\n- two\nand more",
            ["Set a.b.c to 1.", "- one", "- two and more"],
        ),
        ("Wer? Ich!\t Ja", ["Wer?", "Ich!", "Ja"]),
        (" \n ", []),
    ],
)
def test_a_text_is_cut_into_its_sentences(text, cut):
    assert list(sentences(text)) == cut


@pytest.mark.parametrize(
    ("question", "chinese"),
    [
        ("成熟的香蕉是什么颜色？", True),
        ("什么是 Kubernetes operator？", True),
        ("What colour is a banana?", False),
        ("What does 北京 mean in English?", False),
        ("バナナは何色ですか？", False),
        ("42?", False),
    ],
)
def test_the_wording_is_that_of_the_question(question, chinese):
    assert extract(question, passages("The tide rises."))[0] == ("没" if chinese else "N")


def test_words_that_every_chinese_question_has_do_not_count():
    found = extract("请问怎么扩展服务？", passages("请问怎么走？扩展服务要增加副本。"))
    assert "扩展服务要增加副本" in found
    assert "怎么走" not in found


def test_an_english_question_finds_the_english_word_in_a_chinese_text():
    found = extract("What is Kubernetes?", passages("天空很蓝。使用Kubernetes部署服务。"))
    assert "- 使用Kubernetes部署服务。 [1]" in found


def test_a_language_with_accents_has_words_too():
    found = extract(
        "Wo steht die Straßenbahn?", passages("Hier ist Süßes. Die Straßenbahn steht dort.")
    )
    assert "- Die Straßenbahn steht dort. [1]" in found
    assert "Süßes" not in found


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
