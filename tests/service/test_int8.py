"""The int8 model: as good as another small model, and never mixed with the fp32 one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx
import numpy as np
import pytest

from ragdeploy_service.adapters.embedding import load_embedder
from ragdeploy_service.adapters.models.int8 import INT8_FILE
from ragdeploy_service.rag.errors import ModelUnavailable
from ragdeploy_service.settings import ServiceSettings
from tests.service.api import BANANAS, SCALING, TIDES, ask, index
from tests.support.service import ServiceProcess
from tests.support.waiting import eventually

QUESTIONS = Path(__file__).parents[2] / "examples" / "python-docs" / "questions.jsonl"


def settings(model, folder: Path, **changes: object) -> ServiceSettings:
    return ServiceSettings(embedding_model_dir=model.folder, data_dir=folder, **changes)


async def vectors(settings: ServiceSettings, texts: list[str]) -> np.ndarray:
    embedder = await load_embedder(settings)
    try:
        return np.concatenate([await embedder.embed_queries([text]) for text in texts])
    finally:
        await embedder.close()


async def test_int8_means_what_fp32_means(model, tmp_path) -> None:
    texts = [json.loads(line)["question"] for line in QUESTIONS.read_text().splitlines()]
    exact = await vectors(settings(model, tmp_path), texts)
    rounded = await vectors(settings(model, tmp_path, embedding_precision="int8"), texts)
    cosines = (exact * rounded).sum(axis=1)
    assert cosines.min() > 0.97
    assert cosines.max() < 0.99999, "this is the fp32 model"


def test_a_service_on_int8_answers(run_service) -> None:
    service = run_service(RAG_EMBEDDING_PRECISION="int8")
    index(service.http, SCALING, BANANAS, TIDES)
    answer = ask(service.http, "How do I scale the API under high load?", top_k=1)
    assert answer["sources"][0]["text"] == SCALING


def test_vectors_of_fp32_are_not_searched_with_int8(run_service, model, tmp_path) -> None:
    folder = tmp_path / "data"
    service = run_service(folder=folder)
    index(service.http, SCALING)
    service.stop()
    settings = {
        "RAG_EMBEDDING_MODEL_DIR": str(model.folder),
        "RAG_EMBEDDING_PRECISION": "int8",
    }
    rounded = ServiceProcess(settings, folder=folder)

    def refused() -> str:
        try:
            answer = rounded.http.get("/health/ready")
        except httpx.TransportError:
            return ""
        assert answer.status_code == 503
        return str(answer.json()["detail"])

    with rounded.process:
        told = eventually(refused, what="it says why it is not ready")
        assert "their vectors cannot be compared" in told


async def test_an_int8_file_of_another_model_is_refused(model, tmp_path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(model.folder, mine)
    await vectors(settings(model, tmp_path, embedding_precision="int8"), ["x"])
    shutil.copy(tmp_path / "models" / "all-MiniLM-L6-v2" / INT8_FILE, mine)
    other = ServiceSettings(
        embedding_model_dir=mine, embedding_model="mine", embedding_precision="int8"
    )
    with pytest.raises(ModelUnavailable, match="was not made of the model beside it"):
        await load_embedder(other)


def test_int8_goes_with_the_onnx_backend_only() -> None:
    with pytest.raises(ValueError, match="onnx backend"):
        ServiceSettings(embedding_backend="torch", embedding_precision="int8")
