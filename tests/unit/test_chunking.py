"""Chunks fit the model, lose nothing, and have the same names on every run."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from semantic_text_splitter import TextSplitter
from tokenizers import Tokenizer

from ragdeploy_service.rag.errors import DocumentChanges
from ragdeploy_service.rag.indexing.chunking import MAX_TEXT_BYTES, Chunker, text_of
from ragdeploy_service.rag.models import Document
from ragdeploy_service.rag.text import normalise

SIZE = 24
ENGLISH = "The staging cluster is rebuilt every Monday. Nobody may deploy before noon!\n\n" * 12
CHINESE = "北京是中华人民共和国的首都。它有三千多年的建城历史，八百多年的建都史！你知道吗？" * 12
WORD = "x" * 900


@pytest.fixture(scope="module")
def tokenizer(model) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(model.tokenizer))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@pytest.fixture(scope="module")
def chunker(tokenizer) -> Chunker:
    return Chunker(tokenizer, size=SIZE, overlap=6)


def document(text: str, **changes) -> Document:
    return Document(**({"id": "a", "text": text, "metadata": {"title": "t"}} | changes))


@pytest.mark.parametrize("text", [ENGLISH, CHINESE, ENGLISH + CHINESE, "emoji 👩‍👩‍👧‍👦 " * 60])
def test_no_chunk_is_longer_than_the_model_reads(chunker, tokenizer, text):
    chunks = chunker.split(document(text))
    assert len(chunks) > 1
    lengths = [len(tokenizer.encode(chunk.text, add_special_tokens=False).ids) for chunk in chunks]
    assert max(lengths) <= SIZE


@pytest.mark.parametrize(
    "text", [ENGLISH, CHINESE, WORD, "x=1;y = [a,b]\t# comment\u3000全角\n" * 20]
)
def test_the_chunks_are_those_of_the_tokenizer_itself(chunker, tokenizer, text):
    splitter = TextSplitter.from_huggingface_tokenizer(tokenizer, SIZE, 6)
    assert [chunk.shown for chunk in chunker.split(document(text))] == splitter.chunks(text)


def test_chinese_is_cut_after_its_sentences(chunker):
    chunks = Chunker(lambda text: len(text), size=60, overlap=0).split(document(CHINESE))
    assert all(chunk.shown[-1] in "。！？" for chunk in chunks)


def test_a_chinese_quotation_ends_before_the_cut():
    text = "他说：“北京有三千多年的历史！”大家都知道。她问：“真的吗？”是真的。" * 6
    chunks = Chunker(len, size=40, overlap=0).split(document(text))
    assert len(chunks) > 3
    assert all(chunk.shown[-1] in "。”" for chunk in chunks)


def test_chinese_words_are_not_cut_in_two():
    text = "中华人民共和国国家发展和改革委员会北京市海淀区人民政府" * 3
    chunks = Chunker(len, size=17, overlap=0).split(document(text))
    borders = {text[chunk.start - 1 : chunk.start + 1] for chunk in chunks[1:]}
    assert len(borders) > 2
    assert borders.isdisjoint({"发展", "改革", "北京", "海淀", "政府", "人民", "国家"})


def test_passages_end_at_headings_where_they_can(tokenizer):
    text = "One sentence here.\n\n\n\nHeading\n\nAnother sentence here."
    chunks = Chunker(tokenizer, size=7, overlap=0).split(document(text))
    assert [chunk.shown for chunk in chunks] == [
        "One sentence here.",
        "Heading\n\nAnother sentence here.",
    ]


def test_neighbours_share_words(chunker):
    first, second, *_ = chunker.split(document(" ".join(map(str, range(100, 200)))))
    shared = [word for word in first.text.split() if word in second.text.split()]
    assert shared == first.text.split()[-len(shared) :] != []


def test_a_document_without_text_gives_no_chunks(chunker):
    assert chunker.split(document(" \n\t ")) == []


def test_the_same_document_gives_the_same_ids_again(chunker):
    assert chunker.split(document(ENGLISH)) == chunker.split(document(ENGLISH))


@pytest.mark.parametrize(
    "changes", [{"id": "b"}, {"metadata": {"title": "other"}}, {"text": ENGLISH.upper()}]
)
def test_whatever_changes_in_a_document_changes_the_ids(chunker, changes):
    before = chunker.split(document(ENGLISH))
    after = chunker.split(document(**({"text": ENGLISH} | changes)))
    assert {chunk.id for chunk in before}.isdisjoint(chunk.id for chunk in after)


def test_equal_passages_of_one_document_have_different_ids(chunker):
    chunks = chunker.split(document("The same sentence, again and again. " * 40))
    assert len({chunk.id for chunk in chunks}) == len(chunks)


# Words, blanks of all kinds, Chinese, code, pictures of several characters, line ends.
PIECES = st.sampled_from(
    [
        *"ab .,;\n\t\u3000\xa0",
        "\r\n",
        "word ",
        "北京。",
        "👩‍👩‍👧",
        "e\u0301",
        "    return x\n",
        "\n\n\n",
    ]
)
TEXTS = st.text(st.characters(codec=None), max_size=300) | st.lists(PIECES, max_size=200).map(
    "".join
)


@given(text=TEXTS, size=st.integers(1, 40), overlap=st.integers(0, 20))
@settings(max_examples=500, deadline=None)
def test_a_document_is_made_of_its_chunks_again_to_the_last_character(text, size, overlap):
    chunks = Chunker(len, size=size, overlap=min(overlap, size // 2)).split(document(text))
    whole = normalise(text)
    assert text_of(reversed(chunks)) == (whole if whole.strip() else "")
    assert all(chunk.shown for chunk in chunks)
    assert all(whole.startswith(chunk.text, chunk.start) for chunk in chunks)


@pytest.mark.parametrize(
    "text", [ENGLISH, CHINESE, "    def f():\n\n        pass\n" * 30, ENGLISH + CHINESE]
)
def test_tokens_that_neighbours_share_stand_once_in_the_document(chunker, text):
    assert text_of(chunker.split(document(text))) == text


def test_of_a_document_that_is_being_replaced_no_text_is_made(chunker):
    old, new = chunker.split(document(ENGLISH)), chunker.split(document(CHINESE))
    for mixture in ([*old, *new], old[1:], [*old[:3], *old[4:]], [*new[:2], *old[2:]]):
        with pytest.raises(DocumentChanges):
            text_of(mixture)


@pytest.mark.parametrize(
    "text", ["界" * 90_000, "x" * 200_000, " " * 70_000 + "y" * 70_000 + "\n" * 70_000]
)
def test_a_word_without_end_is_cut_to_what_the_store_holds(text):
    chunks = Chunker(lambda text: 1, size=24, overlap=0).split(document(text))
    assert len(chunks) > 1
    assert max(len(chunk.text.encode()) for chunk in chunks) <= MAX_TEXT_BYTES + 6_000 <= 65_535
    assert all(chunk.shown for chunk in chunks)
    assert len({chunk.id for chunk in chunks}) == len(chunks)
    assert text_of(chunks) == normalise(text)


@pytest.mark.parametrize(
    ("metadata", "embedded"),
    [
        ({"title": " Rebuilding "}, "Rebuilding\n\nOn Mondays."),
        ({}, "On Mondays."),
        ({"title": None}, "On Mondays."),
        ({"title": " "}, "On Mondays."),
        ({"title": "题" * 100}, "题" * 42 + "\n\nOn Mondays."),
    ],
)
def test_a_chunk_is_embedded_under_its_documents_title(chunker, metadata, embedded):
    (chunk,) = chunker.split(document("On Mondays.", metadata=metadata))
    assert chunk.in_context == embedded
    assert chunk.text == "On Mondays."


def test_a_text_has_one_form_however_it_is_written():
    assert normalise("\ufeffcafe\u0301\r\nb\rc\x00d\x0ce \ud800") == "café\nb\nc d e \ufffd"


@given(TEXTS)
@settings(deadline=None)
def test_a_text_that_has_its_form_keeps_it(text):
    assert normalise(normalise(text)) == normalise(text)


def test_a_file_of_blanks_is_cut_short():
    assert (
        normalise("a" + " " * 5000 + "b" + "\n\t" * 400 + "c")
        == "a" + " " * 1000 + "b" + "\n\t" * 400 + "c"
    )
