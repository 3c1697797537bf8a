"""Embeds on ONNX Runtime and tokenizers alone: no torch, 0.3 s from start to first vector."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ragdeploy_service.adapters.models.int8 import WEIGHTS
from ragdeploy_service.adapters.models.published import ModelFiles
from ragdeploy_service.adapters.onnx_session import load_session, load_tokenizer, padded
from ragdeploy_service.rag.errors import EmbedderUnavailable, ModelUnavailable
from ragdeploy_service.rag.ports import Vectors
from ragdeploy_service.settings import EmbeddingPrecision

# max_seq_length of all-MiniLM-L6-v2 in sentence-transformers; its tokenizer.json says 128.
DEFAULT_MAX_TOKENS = 256

_SPECIAL_TOKENS = 2  # [CLS] and [SEP]


class OnnxEncoder:
    """A BERT-like model exported to ONNX, with mean pooling.

    One session is shared by all workers: a session may run in many threads at
    once, and with one thread per run it is as fast as a session each, without
    a copy of the weights for each. N runs of one thread beat one run of N.
    """

    def __init__(self, files: ModelFiles, *, name: str, workers: int) -> None:
        """Load the model; takes 0.2 s.

        Raises:
            ModelUnavailable: the files are not a model that this encoder can run.
        """
        self._max_length = _max_length(files.folder)
        _demand_mean_pooling(files.folder)
        try:
            self._session = load_session(files.model)
            self.tokenizer = load_tokenizer(files.tokenizer)
            self._truncating = load_tokenizer(files.tokenizer)
        except Exception as error:  # both libraries raise bare Exception
            raise ModelUnavailable(
                f"The model in {files.folder} cannot be loaded: {error}"
            ) from error
        self._truncating.enable_truncation(self._max_length)
        self._inputs = {node.name for node in self._session.get_inputs()}
        self._output, self.dimension = _token_embeddings(self._session, files.model)
        self.max_tokens = self._max_length - _SPECIAL_TOKENS
        precision = _precision(self._session, files)
        self.fingerprint = f"{name}|{files.weights[:16]}|{precision}|{self._max_length}"
        self.concurrency = workers
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix="embed")

    async def encode(self, texts: list[str]) -> Vectors:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._workers, self._encode, texts)

    async def close(self) -> None:
        await asyncio.to_thread(self._workers.shutdown)

    def _encode(self, texts: list[str]) -> Vectors:
        feed = padded([self._truncating.encode(text) for text in texts])
        try:
            (tokens,) = self._session.run(
                [self._output], {name: feed[name] for name in self._inputs}
            )
        except Exception as error:  # onnxruntime's own exceptions have no public base
            raise EmbedderUnavailable("The embedding model failed on a text.") from error
        return mean_of_tokens(tokens, feed["attention_mask"])


def mean_of_tokens(tokens: NDArray[np.float32], mask: NDArray[np.int64]) -> Vectors:
    """Pool token vectors of shape (n, length, d) to unit vectors of shape (n, d).

    The mean over tokens whose mask is 1, divided by its length, as the modules
    Pooling and Normalize of sentence-transformers compute it.
    """
    weights = mask[:, :, np.newaxis].astype(np.float32)
    mean = (tokens * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
    unit: Vectors = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
    return unit


def _precision(session: onnxruntime.InferenceSession, files: ModelFiles) -> EmbeddingPrecision:
    """Tell which model was loaded: an int8 one says which weights it was made of."""
    made_of = session.get_modelmeta().custom_metadata_map.get(WEIGHTS)
    if made_of is None:
        return EmbeddingPrecision.FP32
    if made_of != files.weights:
        raise ModelUnavailable(
            f"{files.model} was not made of the model beside it. Delete it; it is made again."
        )
    return EmbeddingPrecision.INT8


def _token_embeddings(session: onnxruntime.InferenceSession, path: Path) -> tuple[str, int]:
    """Find the output of shape (n, length, d); exports name it differently."""
    for node in session.get_outputs():
        if len(node.shape) == 3 and isinstance(node.shape[2], int):
            return node.name, node.shape[2]
    raise ModelUnavailable(
        f"{path} has no output of token embeddings (texts, tokens, dimension). "
        "Export the model for the task feature-extraction."
    )


def _max_length(folder: Path) -> int:
    config = _json(folder / "sentence_bert_config.json")
    return int(config.get("max_seq_length") or DEFAULT_MAX_TOKENS)


def _demand_mean_pooling(folder: Path) -> None:
    if not _json(folder / "1_Pooling" / "config.json").get("pooling_mode_mean_tokens", True):
        raise ModelUnavailable(
            f"The model in {folder} does not pool by the mean of its tokens, which the onnx "
            "backend does. Install the extra ragdeploy[torch] and use the torch backend."
        )


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    parsed = json.loads(path.read_text("utf-8"))
    return parsed if isinstance(parsed, dict) else {}
