"""Where the files of a cross-encoder come from: a folder on this machine, or the model hub."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog
from filelock import AsyncFileLock, Timeout

from ragdeploy_service.adapters.model_download import (
    DownloadError,
    HubSource,
    PinnedFile,
    download,
)
from ragdeploy_service.adapters.model_files import (
    MODEL_FILE,
    TOKENIZER_FILE,
    ModelFiles,
    sha256_of,
)
from ragdeploy_service.rag.errors import ModelUnavailable
from ragdeploy_service.settings import DEFAULT_RERANK_MODEL, ServiceSettings, variable

HUB_FILES = (
    PinnedFile(
        name=MODEL_FILE,
        origin="onnx/model.onnx",
        sha256="5d3e70fd0c9ff14b9b5169a51e957b7a9c74897afd0a35ce4bd318150c1d4d4a",
        size=91_011_230,
    ),
    PinnedFile(
        name=TOKENIZER_FILE,
        origin="tokenizer.json",
        sha256="d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
        size=711_396,
    ),
)
HUB_REVISION = "c5ee24cb16019beea0893ab7796b1df96625c6b8"

_FOLDER = DEFAULT_RERANK_MODEL.rpartition("/")[2]
_LOCK_SECONDS = 900.0

_log = structlog.get_logger(__name__)


async def ensure_reranker(settings: ServiceSettings) -> ModelFiles:
    """Find the cross-encoder's files, and fetch them into ``data_dir`` if it is the default one.

    Raises:
        ModelUnavailable: no place has them; the message says what to do.
    """
    if settings.rerank_model_dir is not None:
        return await asyncio.to_thread(_given_folder, settings.rerank_model_dir, settings)
    if settings.rerank_model != DEFAULT_RERANK_MODEL:
        raise ModelUnavailable(
            f"The service knows where to fetch {DEFAULT_RERANK_MODEL} and no other cross-encoder. "
            f"For {settings.rerank_model}, put {MODEL_FILE} and {TOKENIZER_FILE} into a folder and "
            f"name it in {variable('rerank_model_dir')}."
        )
    for folder in (Path("models") / _FOLDER, settings.data_dir / "models" / _FOLDER):
        if found := await asyncio.to_thread(_verified, folder):
            return found
    return await _fetch(settings, folder)


async def _fetch(settings: ServiceSettings, folder: Path) -> ModelFiles:
    source = HubSource(
        base_url=settings.model_hub_url,
        repository=DEFAULT_RERANK_MODEL,
        revision=HUB_REVISION,
        files=HUB_FILES,
    )
    try:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        async with AsyncFileLock(folder / ".lock", timeout=_LOCK_SECONDS):
            # Another process may have fetched it while this one waited.
            if found := await asyncio.to_thread(_verified, folder):
                return found
            _log.info("fetching the cross-encoder", source=source.label, folder=str(folder))
            await download(source, folder, on_progress=None)
    except (DownloadError, OSError, Timeout) as error:
        raise ModelUnavailable(
            f"The cross-encoder {DEFAULT_RERANK_MODEL} is not in {folder} and could not be "
            f"fetched: {error}. Name a mirror in HF_ENDPOINT, copy the folder from a machine that "
            f"has it and set {variable('rerank_model_dir')}, or do without: unset "
            f"{variable('rerank_backend')}."
        ) from error
    if found := await asyncio.to_thread(_verified, folder):
        return found
    raise ModelUnavailable(
        f"The cross-encoder's files in {folder} changed while they were checked."
    )


def _given_folder(folder: Path, settings: ServiceSettings) -> ModelFiles:
    """Check a folder that the user names: the default model must be the pinned one."""
    missing = [name for name in (MODEL_FILE, TOKENIZER_FILE) if not (folder / name).is_file()]
    if missing:
        raise ModelUnavailable(
            f"{variable('rerank_model_dir')} is {folder}, which has no {' and no '.join(missing)}. "
            "Export a cross-encoder to ONNX there, or unset the variable."
        )
    if settings.rerank_model != DEFAULT_RERANK_MODEL:
        model = folder / MODEL_FILE
        return ModelFiles(model=model, tokenizer=folder / TOKENIZER_FILE, weights=sha256_of(model))
    if found := _verified(folder):
        return found
    raise ModelUnavailable(
        f"The files in {folder} are not {DEFAULT_RERANK_MODEL} as it was published. If they are "
        f"another model, give its name in {variable('rerank_model')}."
    )


def _verified(folder: Path) -> ModelFiles | None:
    """Return the default cross-encoder if the folder holds it whole."""
    for file in HUB_FILES:
        path = folder / file.name
        if not path.is_file():
            return None
        if sha256_of(path) != file.sha256:
            _log.warning("a file of the cross-encoder is damaged", file=str(path))
            return None
    return ModelFiles(
        model=folder / MODEL_FILE, tokenizer=folder / TOKENIZER_FILE, weights=HUB_FILES[0].sha256
    )
