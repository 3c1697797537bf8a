"""Cuts documents into passages that the embedding model reads whole, and puts them together again.

semantic-text-splitter does the cutting: it counts the model's own tokens,
prefers paragraph over sentence over word, and never cuts inside a character
(so Chinese is safe). It asks for the length of one piece of text again and
again; counting word by word makes that ten times as fast, with the same result.

It leaves out the white space between two passages. Each chunk takes what
follows it, so that the chunks hold the whole text: the store is the only
place where a document stands.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from semantic_text_splitter import TextSplitter
from tokenizers import Tokenizer

from ragdeploy_service.rag.errors import DocumentChanges
from ragdeploy_service.rag.models import Chunk, Document
from ragdeploy_service.rag.text import normalise

# A large vocabulary; what is longer is no word of a language, and would fill the memory.
_WORDS = 65_536
_LONGEST_WORD = 64

# Longest text of a chunk in bytes of UTF-8, but for white space around it (at most 3,000 on each
# side, see `normalise`). Milvus counts bytes, at most 65,535; a word without blanks (an encoded
# picture) is one token of the model, however long.
MAX_TEXT_BYTES = 58_000


class Chunker:
    """Splits documents into chunks of at most ``size`` tokens; neighbours share ``overlap``.

    Takes milliseconds of processor time for a page, so call it in a thread.
    """

    def __init__(
        self, counter: Tokenizer | Callable[[str], int], *, size: int, overlap: int
    ) -> None:
        """Count tokens with a tokenizer, or with a function where the model shows none."""
        count = _by_word(counter) if isinstance(counter, Tokenizer) else counter
        self._splitter = TextSplitter.from_callback(count, size, overlap)

    def split(self, document: Document) -> list[Chunk]:
        """Cut one document; none come out of a document without text.

        `text_of` makes its normalised text of them again.
        """
        text = normalise(document.text)
        return [
            Chunk(
                id=chunk_id(document, position, start, text[start:end]),
                document_id=document.id,
                position=position,
                start=start,
                text=text[start:end],
                metadata=document.metadata,
            )
            for position, (start, end) in enumerate(self._spans(text))
        ]

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Find where chunks begin and end, in characters; together they cover the text."""
        found = [
            (start + first, start + last)
            for start, piece in self._splitter.chunk_indices(text)
            for first, last in _within_bytes(piece)
        ]
        for number, (start, end) in enumerate(found):
            following = found[number + 1][0] if number + 1 < len(found) else len(text)
            yield start if number else 0, max(end, following)


def text_of(chunks: Iterable[Chunk]) -> str:
    """Make the normalised text of a document of all its chunks, in any order.

    A document of white space alone has no chunks, and so no text.

    Raises:
        DocumentChanges: these are not the chunks of one version of a document.

    """
    parts: list[str] = []
    done = 0
    ordered = sorted(chunks, key=lambda chunk: chunk.position)
    for position, chunk in enumerate(ordered):
        if chunk.position != position or chunk.start > done:
            raise DocumentChanges("This document is being replaced; ask again in a moment.")
        part = chunk.text[done - chunk.start :]  # less what the neighbour before holds too
        parts.append(part)
        done += len(part)
    return "".join(parts)


def _within_bytes(piece: str) -> Iterator[tuple[int, int]]:
    """Cut a piece that the store could not hold: where each part begins and ends."""
    start = 0
    while start < len(piece):
        head = (
            piece[start : start + MAX_TEXT_BYTES].encode()[:MAX_TEXT_BYTES].decode(errors="ignore")
        )
        yield start, start + len(head)
        start += len(head)


def _by_word(tokenizer: Tokenizer) -> Callable[[str], int]:
    """Count tokens word by word, and each word once: no token reaches over white space."""

    def tokens(word: str) -> int:
        return len(tokenizer.encode(word, add_special_tokens=False).ids)

    remembered = lru_cache(maxsize=_WORDS)(tokens)

    def count(text: str) -> int:
        return sum(
            remembered(word) if len(word) <= _LONGEST_WORD else tokens(word)
            for word in text.split()
        )

    return count


def chunk_id(document: Document, position: int, start: int, text: str) -> str:
    """Name a chunk by all that it holds: 48 hex digits, the same on every run and machine.

    So a chunk that is stored under this id already need not be stored again. The first 16 say
    which document it is of: in the order of their ids the chunks of a document stand together,
    and documents keep their places whatever is written into them.
    """
    metadata = json.dumps(document.metadata, sort_keys=True, default=str)
    whole = _digest(document.id, str(position), str(start), text, metadata, size=16)
    return document_tag(document.id) + whole


def document_tag(document_id: str) -> str:
    """How the ids of all chunks of a document begin."""
    return _digest(document_id, size=8)


def tag_of(chunk_id: str) -> str:
    """The `document_tag` of the document that a chunk is of."""
    return chunk_id[:16]


def _digest(*parts: str, size: int) -> str:
    digest = hashlib.blake2b(digest_size=size)
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        # The length in front keeps ("ab", "c") and ("a", "bc") apart.
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()
