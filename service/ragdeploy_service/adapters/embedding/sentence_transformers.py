"""Embeds with sentence-transformers: any model it can load, at the price of torch."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from ragdeploy_service.adapters.models.embedding import DEFAULT_WEIGHTS
from ragdeploy_service.rag.errors import EmbedderUnavailable, ModelUnavailable
from ragdeploy_service.rag.ports import Vectors
from ragdeploy_service.settings import ServiceSettings, variable

# What `_digest` gives for all-MiniLM-L6-v2, whose fingerprint both backends share.
_DEFAULT_PARAMETERS = "7666a2a6e45c879850bcef6a869d266ff55ad16d8da6c6fd4638e9ef963b325a"


class TorchEncoder:
    """A model on torch.

    One worker, with torch's own threads inside: tokenizers of transformers
    are changed while they encode, so two threads may not share one.
    """

    concurrency = 1

    def __init__(self, settings: ServiceSettings, *, threads: int) -> None:
        """Load the model, from the hub if the library's own cache lacks it; takes seconds.

        Raises:
            ModelUnavailable: the extra is not installed, or the model cannot be loaded.
        """
        try:
            import sentence_transformers
            import torch
        except ImportError as error:
            raise ModelUnavailable(
                f"{variable('embedding_backend')}=torch needs the extra: "
                "pip install 'ragdeploy[service,torch]'."
            ) from error
        torch.set_num_threads(threads)
        source = str(settings.embedding_model_dir or settings.embedding_model)
        try:
            self._model: Any = sentence_transformers.SentenceTransformer(source, device="cpu")
        except Exception as error:  # the library raises whatever its parts raise
            raise ModelUnavailable(
                f"sentence-transformers cannot load {source}: {error}"
            ) from error
        self.dimension = int(self._model.get_embedding_dimension())
        self.tokenizer = _tokenizer(self._model)
        length = int(self._model.max_seq_length or 512)
        self.max_tokens = length - self._model.tokenizer.num_special_tokens_to_add(pair=False)
        weights, precision = _digest(self._model)
        self.fingerprint = f"{settings.embedding_model}|{weights[:16]}|{precision}|{length}"
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="embed")

    async def encode(self, texts: list[str]) -> Vectors:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self._encode, texts)

    async def close(self) -> None:
        await asyncio.to_thread(self._worker.shutdown)

    def _encode(self, texts: list[str]) -> Vectors:
        try:
            vectors = self._model.encode(
                texts,
                batch_size=len(texts),
                normalize_embeddings=True,
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        except RuntimeError as error:  # torch's, out of memory among them
            raise EmbedderUnavailable("The embedding model failed on a text.") from error
        return np.asarray(vectors, dtype=np.float32)


def _tokenizer(model: Any) -> Tokenizer | None:
    """Copy the fast tokenizer, so that counting tokens does not disturb encoding."""
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        return None
    tokenizer = Tokenizer.from_str(backend.to_str())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _digest(model: Any) -> tuple[str, str]:
    """Name the weights by sha256 over all parameters, and their precision.

    Names are left out, because releases of the library have changed them; they only give the order.
    """
    import torch

    digest = hashlib.sha256()
    precision = "fp32"
    for _, parameter in sorted(model.named_parameters()):
        dtype = str(parameter.dtype).removeprefix("torch.")
        if dtype != "float32":
            precision = dtype
        digest.update(f"{dtype}{tuple(parameter.shape)}".encode())
        digest.update(parameter.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    parameters = digest.hexdigest()
    return (DEFAULT_WEIGHTS if parameters == _DEFAULT_PARAMETERS else parameters), precision
