"""A cross-encoder on ONNX Runtime, in threads of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime

from ragdeploy_service.adapters.models.published import ModelFiles
from ragdeploy_service.adapters.onnx_session import load_session, load_tokenizer, padded
from ragdeploy_service.rag.errors import ModelUnavailable, RerankerUnavailable
from ragdeploy_service.rag.text import normalise

# What cross-encoders of BERT's family read at most, question and passage together.
_MAX_TOKENS = 512
# Passages in one run. Whoever gives up waits for no more than this, and more would gain nothing:
# pairs of 200 tokens keep a processor busy one by one.
_BATCH = 4


class OnnxReranker:
    """Implements `rag.ports.Reranker`.

    A score is the sigmoid of the model's one logit, 0 to 1, as sentence-transformers' CrossEncoder
    computes it for models with one label.
    """

    def __init__(self, files: ModelFiles, *, name: str, workers: int) -> None:
        """Load the model.

        Raises:
            ModelUnavailable: the files are not a cross-encoder that can be run here.
        """
        try:
            self._session = load_session(files.model)
            self._tokenizer = load_tokenizer(files.tokenizer)
        except Exception as error:  # both libraries raise bare Exception
            raise ModelUnavailable(
                f"The cross-encoder in {files.folder} cannot be loaded: {error}"
            ) from error
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._inputs = {node.name for node in self._session.get_inputs()}
        self._output = _logit(self._session, files.model)
        self.fingerprint = f"{name}|{files.weights[:16]}|{_MAX_TOKENS}"
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix="rerank")

    async def scores(self, question: str, passages: Sequence[str]) -> list[float]:
        loop = asyncio.get_running_loop()
        pairs = [(normalise(question), normalise(passage)) for passage in passages]
        # Rows of like length stand together, so that little of a batch is padding.
        order = sorted(range(len(pairs)), key=lambda index: len(pairs[index][1]))
        batches = [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]
        scored = await asyncio.gather(
            *(
                loop.run_in_executor(self._workers, self._score, [pairs[i] for i in batch])
                for batch in batches
            )
        )
        found = dict(zip(order, (score for batch in scored for score in batch), strict=True))
        return [found[index] for index in range(len(pairs))]

    async def close(self) -> None:
        await asyncio.to_thread(self._workers.shutdown)

    def _score(self, pairs: list[tuple[str, str]]) -> list[float]:
        feed = padded([self._tokenizer.encode(*pair) for pair in pairs])
        try:
            (logits,) = self._session.run(
                [self._output], {name: feed[name] for name in self._inputs}
            )
        except Exception as error:  # onnxruntime's own exceptions have no public base
            raise RerankerUnavailable("The cross-encoder failed on a passage.") from error
        scores: list[float] = (1 / (1 + np.exp(-logits.astype(np.float64)))).ravel().tolist()
        return scores


def _logit(session: onnxruntime.InferenceSession, path: Path) -> str:
    """Find the output of shape (n, 1)."""
    for node in session.get_outputs():
        if len(node.shape) == 2 and node.shape[1] == 1:
            return str(node.name)
    raise ModelUnavailable(
        f"{path} has no output of one score for each pair (pairs, 1). Export the model for the "
        "task text-classification; models with several labels do not rerank."
    )
