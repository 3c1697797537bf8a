"""Words that BM25 counts, in English, Chinese and between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from milvus_lite.analyzer import StandardAnalyzer

from ragdeploy_service.rag.indexing.analysis import asked, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The API scales.", ["the", "api", "scales"]),
        ("os.path.join(snake_case)", ["os", "path", "join", "snake", "case"]),
        ("HTTP/2, IPv6 and 3.11", ["http", "2", "ipv6", "and", "3", "11"]),
        ("ＡＰＩ　１２", ["api", "12"]),  # noqa: RUF001
        ("Zürich, naïve", ["zürich", "naïve"]),
        ("香蕉树", ["香蕉", "蕉树"]),
        ("成熟的香蕉是黄色的。", ["成熟", "熟的", "的香", "香蕉", "蕉是", "是黄", "黄色", "色的"]),
        ("我用 Kubernetes部署API", ["我用", "kubernetes", "部署", "api"]),
        ("第3章", ["第", "3", "章"]),
        ("カタカナ", ["カタ", "タカ", "カナ"]),
        ("한국어", ["한국", "국어"]),
        ("?! …", []),
        ("", []),
    ],
)
def test_text_is_cut_into_words(text, expected):
    assert words(text) == expected


def test_a_chinese_question_shares_words_with_the_passage_that_answers_it():
    asked = set(words("香蕉是什么颜色的？"))
    assert asked & set(words("成熟的香蕉是黄色的。"))
    assert not asked & set(words("潮汐跟随月亮。"))


@given(st.text())
def test_no_word_is_cut_again_by_the_store(text):
    found = words(text)
    assert StandardAnalyzer().tokenize(" ".join(found)) == found
    assert " ".join(found).split() == found


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How do I read a JSON file?", ["read", "json", "file"]),
        ("What's up?", ["what", "s", "up"]),
        ("香蕉是什么颜色的？", words("香蕉是什么颜色的？")),
    ],
)
def test_words_that_every_text_has_are_looked_for_only_if_nothing_else_is_asked(question, expected):
    assert asked(question) == expected
