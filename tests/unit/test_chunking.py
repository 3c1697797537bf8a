"""Chunks fit the model, lose nothing, and have the same names on every run."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from semantic_text_splitter import TextSplitter
from tokenizers import Tokenizer

from ragdeploy_service.rag.chunking import Chunker
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
    assert [chunk.text for chunk in chunker.split(document(text))] == splitter.chunks(text)


def test_chinese_is_cut_after_its_sentences(chunker):
    chunks = Chunker(lambda text: len(text), size=60, overlap=0).split(document(CHINESE))
    assert all(chunk.text[-1] in "。！？" for chunk in chunks)


def test_passages_end_at_headings_where_they_can(tokenizer):
    text = "One sentence here.\n\n\n\nHeading\n\nAnother sentence here."
    chunks = Chunker(tokenizer, size=7, overlap=0).split(document(text))
    assert [chunk.text for chunk in chunks] == [
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


@given(text=st.text(st.characters(codec=None), max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_text_is_cut_without_loss(text):
    chunker = Chunker(len, size=20, overlap=0)
    kept = "".join("".join(chunk.text.split()) for chunk in chunker.split(document(text)))
    assert kept == "".join(normalise(text).split())


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
