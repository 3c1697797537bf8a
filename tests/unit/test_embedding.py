"""Embedders: the same vectors in any company, at once for questions, clear when they fail."""

from __future__ import annotations

import asyncio
import json
import os
import shutil

import numpy as np
import pytest

from ragdeploy_service.adapters.embedding import load_chunker, load_embedder
from ragdeploy_service.adapters.embedding.cpus import available_cpus
from ragdeploy_service.rag.errors import EmbedderUnavailable, ModelUnavailable
from ragdeploy_service.rag.models import Document
from ragdeploy_service.settings import ServiceSettings
from tests.support.llm import Failure

SORTING = ["How do I sort a list?", "Sorting lists in Python", "The weather in Beijing"]


@pytest.fixture
async def onnx(model):
    embedder = await load_embedder(ServiceSettings(embedding_model_dir=model.folder))
    yield embedder
    await embedder.close()


async def test_texts_of_one_meaning_are_near(onnx):
    a, b, other = await onnx.embed_queries(SORTING)
    assert a @ b > 0.7
    assert a @ other < 0.3


async def test_a_vector_does_not_depend_on_its_company(onnx):
    texts = [*SORTING, "", "long " * 200, "你好，世界", "😀", "\ud800", "def f(x): return x"]
    together = await onnx.embed_documents(texts)
    alone = np.concatenate([await onnx.embed_queries([text]) for text in texts])
    assert together.shape == (len(texts), onnx.dimension)
    assert np.abs(together - alone).max() < 1e-5
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


async def test_what_follows_the_longest_input_is_cut_off(onnx):
    text = "word " * onnx.max_tokens
    longer, other = await onnx.embed_documents([text + "and more of it", text + "other end"])
    assert np.abs(longer - other).max() < 1e-6


async def test_no_texts_give_no_vectors(onnx):
    assert (await onnx.embed_documents([])).shape == (0, onnx.dimension)


async def test_the_loop_goes_on_while_the_model_works(onnx):
    work = asyncio.create_task(onnx.embed_documents(["long " * 200] * 8))
    turns = 0
    while not work.done():
        turns += 1
        await asyncio.sleep(0.001)
    assert turns > 10


async def test_a_chunk_and_its_title_are_never_longer_than_the_model_reads(onnx):
    chunker = load_chunker(ServiceSettings(chunk_size=1000, chunk_overlap=0), onnx)
    document = Document(id="a", text="word " * 1000, metadata={"title": "A Long Title " * 40})
    lengths = [len(onnx.tokenizer.encode(c.in_context).ids) for c in chunker.split(document)]
    assert 200 < max(lengths) <= onnx.max_tokens + 2


async def test_a_file_that_is_no_model_is_named(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"nonsense")
    (tmp_path / "tokenizer.json").write_text("{}")
    mine = ServiceSettings(embedding_model_dir=tmp_path, embedding_model="my/own")
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        await load_embedder(mine)


async def test_a_model_that_pools_otherwise_is_refused_not_embedded_wrongly(model, tmp_path):
    folder = shutil.copytree(model.folder, tmp_path / "mine")
    (folder / "1_Pooling").mkdir()
    pooling = {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    mine = ServiceSettings(embedding_model_dir=folder, embedding_model="my/own")
    with pytest.raises(ModelUnavailable, match="torch"):
        await load_embedder(mine)


async def test_another_length_is_another_fingerprint(onnx, model, tmp_path):
    folder = shutil.copytree(model.folder, tmp_path / "mine")
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 128}))
    other = await load_embedder(ServiceSettings(embedding_model_dir=folder))
    assert other.max_tokens == 126
    assert other.fingerprint != onnx.fingerprint
    await other.close()


# ---- a server ----
@pytest.fixture
def remote(llm) -> ServiceSettings:
    return ServiceSettings(
        embedding_provider="openai",
        embedding_base_url=llm.url,
        embedding_model="stand-in",
        embedding_api_key="secret",
    )


async def test_a_server_embeds_too(llm, remote):
    llm.api_key = "secret"
    embedder = await load_embedder(remote)
    same, again, other = await embedder.embed_documents(["red green", "green red", "blue"])
    assert same @ again == pytest.approx(1)
    assert same @ other < 0.9
    await embedder.close()


async def test_a_passing_failure_of_the_server_is_not_seen(llm, remote):
    embedder = await load_embedder(remote)
    llm.fail(Failure.OVERLOADED, times=1)
    assert (await embedder.embed_queries(["question"])).shape == (1, embedder.dimension)
    await embedder.close()


async def test_the_language_models_key_is_not_sent_to_another_server(llm):
    settings = ServiceSettings(
        embedding_provider="openai", embedding_base_url=llm.url, llm_api_key="for the llm only"
    )
    await (await load_embedder(settings)).close()
    assert "for the llm only" not in str(llm.calls[-1].authorization)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (Failure.UNAUTHORIZED, "RAG_EMBEDDING_API_KEY"),
        (Failure.REFUSED, "answers 400"),
        (Failure.NONSENSE, "without vectors"),
    ],
)
async def test_a_failing_server_is_told_in_a_sentence(llm, remote, failure, words):
    llm.fail(failure, times=10)
    with pytest.raises(EmbedderUnavailable, match=words):
        await load_embedder(remote)


async def test_a_server_that_is_not_there_is_told_in_a_sentence(remote):
    settings = remote.model_copy(update={"embedding_base_url": "http://127.0.0.1:9/v1"})
    with pytest.raises(EmbedderUnavailable, match="cannot be reached"):
        await load_embedder(settings)


# ---- processors ----
@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({"cpu.max": "150000 100000"}, 1),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
    ],
)
def test_the_limit_of_the_container_is_respected(tmp_path, files, most):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert available_cpus(tmp_path) == most


@pytest.mark.parametrize("text", ["max 100000", None])
def test_without_a_limit_all_processors_count(tmp_path, text):
    if text:
        (tmp_path / "cpu.max").write_text(text)
    assert available_cpus(tmp_path) == min(len(os.sched_getaffinity(0)), 16)
