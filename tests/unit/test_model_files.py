"""The model comes from here, the hub or Maven Central, and is never another one."""

from __future__ import annotations

import asyncio
import hashlib
import io
import socket
import ssl
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from ragdeploy_service.adapters.models import cross_encoder, embedding
from ragdeploy_service.adapters.models.cross_encoder import ensure_reranker
from ragdeploy_service.adapters.models.download import PinnedFile
from ragdeploy_service.adapters.models.embedding import HUB_REVISION, MAVEN_JAR, ensure_model
from ragdeploy_service.rag.errors import ModelUnavailable
from ragdeploy_service.settings import ServiceSettings

HUB = {"model.onnx": b"hub model" * 1000, "tokenizer.json": b"hub tokenizer"}
MAVEN = {"model.onnx": b"maven model" * 1000, "tokenizer.json": b"maven tokenizer"}
HUB_PATH = f"/sentence-transformers/all-MiniLM-L6-v2/resolve/{HUB_REVISION}"


class Shelf:
    """A web server that has what it is given, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.delay = 0.0
        shelf = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shelf.asked.append(self.path)
                time.sleep(shelf.delay)
                data = shelf.files.get(self.path)
                self.send_response(200 if data is not None else 404)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def has_the_hub(self) -> None:
        self.files[f"{HUB_PATH}/onnx/model.onnx"] = HUB["model.onnx"]
        self.files[f"{HUB_PATH}/tokenizer.json"] = HUB["tokenizer.json"]

    def has_maven(self) -> None:
        jar = io.BytesIO()
        with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("all-minilm-l6-v2.onnx", MAVEN["model.onnx"])
            archive.writestr("all-minilm-l6-v2-tokenizer.json", MAVEN["tokenizer.json"])
        self.files[f"/{MAVEN_JAR}"] = jar.getvalue()


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    shelf = Shelf()
    thread = threading.Thread(target=shelf.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield shelf
    shelf.server.shutdown()
    thread.join()


@pytest.fixture(autouse=True)
def small_model(monkeypatch, tmp_path) -> None:
    """Pin small files in place of the real ones, away from the clone's own models folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(embedding, "HUB_FILES", pinned(embedding.HUB_FILES, HUB))
    monkeypatch.setattr(embedding, "MAVEN_FILES", pinned(embedding.MAVEN_FILES, MAVEN))
    monkeypatch.setattr(cross_encoder, "HUB_FILES", pinned(cross_encoder.HUB_FILES, HUB))


def pinned(files: tuple[PinnedFile, ...], contents: dict[str, bytes]) -> tuple[PinnedFile, ...]:
    return tuple(
        PinnedFile(
            name=file.name,
            origin=file.origin,
            sha256=hashlib.sha256(contents[file.name]).hexdigest(),
            size=len(contents[file.name]),
        )
        for file in files
    )


def settings(shelf: Shelf, **changes) -> ServiceSettings:
    given = {"model_hub_url": shelf.url, "model_maven_url": shelf.url, "data_dir": Path("data")}
    return ServiceSettings(**(given | changes))


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(".")}


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


async def test_the_hub_is_asked_first(shelf):
    shelf.has_the_hub()
    shelf.has_maven()
    found = await ensure_model(settings(shelf))
    assert contents(found.folder) == HUB
    assert all(path.startswith(HUB_PATH) for path in shelf.asked)


async def test_maven_is_asked_when_the_hub_has_nothing(shelf):
    shelf.has_maven()
    found = await ensure_model(settings(shelf))
    assert contents(found.folder) == MAVEN


async def test_both_places_give_the_same_fingerprint(shelf):
    shelf.has_the_hub()
    from_hub = await ensure_model(settings(shelf, data_dir=Path("one")))
    shelf.files.clear()
    shelf.has_maven()
    from_maven = await ensure_model(settings(shelf, data_dir=Path("two")))
    assert from_hub.weights == from_maven.weights


async def test_a_model_that_was_fetched_is_not_fetched_again(shelf):
    shelf.has_the_hub()
    await ensure_model(settings(shelf))
    shelf.asked.clear()
    await ensure_model(settings(shelf))
    assert shelf.asked == []


async def test_a_models_folder_beside_the_program_needs_no_network(shelf):
    folder = fill(Path("models/all-MiniLM-L6-v2"), MAVEN)
    assert (await ensure_model(settings(shelf))).folder == folder
    assert shelf.asked == []


async def test_a_damaged_file_is_fetched_again(shelf):
    shelf.has_the_hub()
    found = await ensure_model(settings(shelf))
    found.model.write_bytes(HUB["model.onnx"][:-1])
    assert contents((await ensure_model(settings(shelf))).folder) == HUB


async def test_a_wrong_file_from_the_hub_is_named_and_never_kept(shelf):
    shelf.has_the_hub()
    shelf.files[f"{HUB_PATH}/tokenizer.json"] = b"not the tokenizer"
    with pytest.raises(ModelUnavailable, match=r"tokenizer\.json is damaged or another version"):
        await ensure_model(settings(shelf))
    assert contents(Path("data/models/all-MiniLM-L6-v2")) == {}


async def test_a_damaged_archive_is_named(shelf):
    shelf.files[f"/{MAVEN_JAR}"] = b"not a zip archive"
    with pytest.raises(ModelUnavailable, match="the archive is damaged"):
        await ensure_model(settings(shelf))


async def test_when_no_place_answers_all_are_listed_with_the_remedy(shelf):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(ModelUnavailable) as caught:
            await ensure_model(settings(shelf, model_hub_url=nowhere))
    message = str(caught.value)
    assert f"{nowhere}: " in message
    assert f"{shelf.url}/{MAVEN_JAR} answers 404" in message
    assert "HF_ENDPOINT" in message
    assert "ragdeploy model fetch --to" in message


async def test_a_certificate_authority_of_ones_own_is_trusted(shelf, monkeypatch, tmp_path):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    shelf.server.socket = context.wrap_socket(shelf.server.socket, server_side=True)
    shelf.url = shelf.url.replace("http:", "https:")
    shelf.has_the_hub()
    with pytest.raises(ModelUnavailable, match="certificate verify failed"):
        await ensure_model(settings(shelf))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert contents((await ensure_model(settings(shelf))).folder) == HUB
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    with pytest.raises(ModelUnavailable, match="SSL_CERT_FILE or SSL_CERT_DIR cannot be read"):
        await ensure_model(settings(shelf, data_dir=Path("other")))


async def test_two_starts_at_once_fetch_once(shelf):
    shelf.has_the_hub()
    shelf.delay = 0.2
    await asyncio.gather(*(ensure_model(settings(shelf)) for _ in range(3)))
    assert len(shelf.asked) == 2


async def test_the_cross_encoder_is_fetched_once_too(shelf):
    path = f"/cross-encoder/ms-marco-MiniLM-L6-v2/resolve/{cross_encoder.HUB_REVISION}"
    shelf.files[f"{path}/onnx/model.onnx"] = HUB["model.onnx"]
    shelf.files[f"{path}/tokenizer.json"] = HUB["tokenizer.json"]
    found = await ensure_reranker(settings(shelf))
    assert contents(found.folder) == HUB
    shelf.asked.clear()
    assert await ensure_reranker(settings(shelf)) == found
    assert shelf.asked == []


async def test_progress_ends_at_the_size_of_the_files(shelf):
    shelf.has_the_hub()
    seen: list[tuple[str, int, int]] = []
    await ensure_model(settings(shelf), on_progress=lambda *step: seen.append(step))
    size = sum(map(len, HUB.values()))
    assert seen[-1] == (shelf.url, size, size)


async def test_a_given_folder_is_used_and_nothing_else(shelf):
    shelf.has_the_hub()
    folder = fill(Path("mine"), HUB)
    assert (await ensure_model(settings(shelf, embedding_model_dir=folder))).folder == folder
    assert shelf.asked == []


async def test_a_given_folder_that_lacks_a_file_is_named_with_the_remedy(shelf):
    folder = fill(Path("mine"), {"model.onnx": HUB["model.onnx"]})
    with pytest.raises(ModelUnavailable, match=r"no tokenizer\.json.*model fetch --to mine"):
        await ensure_model(settings(shelf, embedding_model_dir=folder))


async def test_a_given_folder_with_another_model_under_the_default_name_is_refused(shelf):
    folder = fill(Path("mine"), HUB | {"model.onnx": b"my own"})
    with pytest.raises(ModelUnavailable, match="RAG_EMBEDDING_MODEL"):
        await ensure_model(settings(shelf, embedding_model_dir=folder))
    own = await ensure_model(settings(shelf, embedding_model_dir=folder, embedding_model="my/own"))
    assert own.weights == hashlib.sha256(b"my own").hexdigest()


async def test_another_model_without_a_folder_is_refused_with_the_choices(shelf):
    with pytest.raises(ModelUnavailable, match=r"RAG_EMBEDDING_MODEL_DIR.*RAG_EMBEDDING_BACKEND"):
        await ensure_model(settings(shelf, embedding_model="BAAI/bge-m3"))


async def test_a_folder_that_cannot_be_written_is_named(shelf, tmp_path):
    shelf.has_the_hub()
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(ModelUnavailable, match=r"cannot be written to .*file.*RAG_DATA_DIR"):
        await ensure_model(settings(shelf, data_dir=in_the_way))
