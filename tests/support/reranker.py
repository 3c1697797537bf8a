"""Rerankers for tests: a stand-in over real HTTP, and a small cross-encoder for ONNX Runtime.

The real cross-encoders lie on model hubs only. This one has the shape of theirs (three inputs,
one logit for each pair) and random vectors for words, so it tells passages that share words with
the question from those that do not.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.llm import LanguageModelServer

NAME = "tests/shared-words"
_WORDS, _DIMENSION = 30_522, 64  # of BERT's vocabulary
_SPECIAL = [0, 101, 102]  # [PAD], [CLS], [SEP]


def shared_words(question: str, passage: str) -> float:
    """Share of a question's words that stand in a passage."""
    asked, there = (set(re.findall(r"\w+", text.lower())) for text in (question, passage))
    return len(asked & there) / max(1, len(asked))


class RerankServer(LanguageModelServer):
    """``/rerank`` of Cohere, Jina and vLLM under `url`, and that of TEI under `tei_url`.

    >>> reranker.relevance = lambda question, passage: float("moon" in passage)
    """

    @property
    def tei_url(self) -> str:
        """The base URL of the stand-in for text-embeddings-inference."""
        return f"http://127.0.0.1:{self.port}/tei"

    def reset(self) -> None:
        super().reset()
        self.relevance: Callable[[str, str], float] = shared_words

    def _more_routes(self) -> list[Route]:
        return [
            Route("/v1/rerank", self._rerank, methods=["POST"]),
            Route("/tei/rerank", self._tei, methods=["POST"]),
        ]

    async def _rerank(self, request: Request) -> Response:
        call = await self._received(request)
        scores = self._scores(call.body["query"], call.body["documents"])
        results = [{"index": index, "relevance_score": score} for index, score in scores]
        return await self._late(request, self._failing(call), {"id": "1", "results": results})

    async def _tei(self, request: Request) -> Response:
        call = await self._received(request)
        scores = self._scores(call.body["query"], call.body["texts"])
        rows: Any = [{"index": index, "score": score} for index, score in scores]
        return await self._late(request, self._failing(call), rows)

    def _scores(self, question: str, passages: list[str]) -> list[tuple[int, float]]:
        """The best first, as these servers answer."""
        scores = [self.relevance(question, passage) for passage in passages]
        return sorted(enumerate(scores), key=lambda each: -each[1])


def write_cross_encoder(folder: Path, *, tokenizer: Path, labels: int = 1) -> Path:
    """Put a cross-encoder into a new folder, with the tokenizer of a BERT."""
    folder.mkdir()
    shutil.copy(tokenizer, folder / "tokenizer.json")
    vectors = np.random.default_rng(1).normal(size=(_WORDS, _DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[_SPECIAL] = 0
    constants = [
        numpy_helper.from_array(vectors, "vectors"),
        numpy_helper.from_array(np.array([2]), "last"),
        numpy_helper.from_array(np.array([1]), "words"),
        numpy_helper.from_array(np.ones((1, labels), dtype=np.float32), "labels"),
    ]
    nodes = [
        helper.make_node("Gather", ["vectors", "input_ids"], ["each"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["token_type_ids"], ["types"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["mask", "types"], ["in_passage"]),
        helper.make_node("Sub", ["mask", "in_passage"], ["in_question"]),
        *_sum("in_passage", "passage"),
        *_sum("in_question", "question"),
        helper.make_node("Mul", ["passage", "question"], ["products"]),
        helper.make_node("ReduceSum", ["products", "words"], ["shared"], keepdims=1),
        helper.make_node("Mul", ["shared", "labels"], ["logits"]),
    ]
    shape = ["pairs", "tokens"]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, shape)
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["pairs", labels])
    graph = helper.make_graph(nodes, "shared-words", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")
    return folder


def _sum(mask: str, result: str) -> list[onnx.NodeProto]:
    """Add up the vectors of the words under a mask."""
    return [
        helper.make_node("Unsqueeze", [mask, "last"], [f"{mask}_column"]),
        helper.make_node("Mul", ["each", f"{mask}_column"], [f"{mask}_vectors"]),
        helper.make_node("ReduceSum", [f"{mask}_vectors", "words"], [result], keepdims=0),
    ]
