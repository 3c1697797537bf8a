"""A model that was published: its files are known by their hashes, wherever they come from."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path

import structlog
from filelock import AsyncFileLock, Timeout

from ragdeploy_service.adapters.models.download import (
    DownloadError,
    OnProgress,
    Source,
    download,
)
from ragdeploy_service.rag.errors import ModelUnavailable
from ragdeploy_service.settings import ServiceSettings, variable

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedModel:
    """A model in ONNX, and the places that have its files.

    Attributes:
        kind: What it is, such as ``embedding model``.
        name: What it was published as, such as ``sentence-transformers/all-MiniLM-L6-v2``.
        weights: The sha256 that names its weights, whatever place they come from.
        sources: Where to ask, in this order; each has all files, with hashes of its own.
        fetch_command: What fills a folder, which is named behind it.
        name_setting: The setting that names the model.
        folder_setting: The setting that names a folder.
        for_others: What else can be done for a model of another name, as the end of a sentence.
        without: How to do without any, as the end of a sentence.
    """

    kind: str
    name: str
    weights: str
    sources: tuple[Source, ...]
    fetch_command: str
    name_setting: str
    folder_setting: str
    for_others: str = ""
    without: str = ""

    async def ensure(
        self, settings: ServiceSettings, *, on_progress: OnProgress | None = None
    ) -> ModelFiles:
        """Find the model that the settings name, and fetch this one when this machine has none.

        One of the user's own lies in the folder that the settings name; this one is looked for
        there too, or else where the service keeps its models, which is where it is fetched to.
        ``on_progress(source, done, total)`` is called with bytes as they arrive.

        Raises:
            ModelUnavailable: no place has them; the message lists what was tried.
        """
        named: str = getattr(settings, self.name_setting)
        given: Path | None = getattr(settings, self.folder_setting)
        if given is not None:
            return await asyncio.to_thread(self._in_given, given, named)
        if named != self.name:
            raise ModelUnavailable(
                f"The service knows where to fetch {self.name} and no other {self.kind}. "
                f"For {named}, put {MODEL_FILE} and {TOKENIZER_FILE} into a folder and name it in "
                f"{variable(self.folder_setting)}{self.for_others}."
            )
        for folder in (Path("models") / self._folder, self.kept_in(settings)):
            if found := await asyncio.to_thread(self._verified, folder):
                return found
        return await self.fetch(self.kept_in(settings), on_progress=on_progress)

    def kept_in(self, settings: ServiceSettings) -> Path:
        """Where the service keeps it once it was fetched."""
        return settings.data_dir / "models" / self._folder

    async def fetch(self, to: Path, *, on_progress: OnProgress | None = None) -> ModelFiles:
        """Fetch it into the folder ``to``, unless it is there already.

        ``on_progress(source, done, total)`` is called with bytes as they arrive.

        Raises:
            ModelUnavailable: no source could be reached, or the folder cannot be written.
        """
        try:
            await asyncio.to_thread(to.mkdir, parents=True, exist_ok=True)
            async with AsyncFileLock(to / ".lock", timeout=_LOCK_SECONDS):
                # Another process may have fetched it while this one waited.
                if found := await asyncio.to_thread(self._verified, to):
                    return found
                return await self._fetch_from_any(to, on_progress)
        except Timeout as error:
            raise ModelUnavailable(
                f"Another process has been fetching the {self.kind} into {to} for "
                f"{_LOCK_SECONDS / 60:.0f} minutes. Stop it, or delete {to / '.lock'}."
            ) from error
        except OSError as error:
            raise ModelUnavailable(
                f"The {self.kind} cannot be written to {to}: {error.strerror or error}. "
                f"Set {variable('data_dir')} to a folder that can be written."
            ) from error

    @property
    def _folder(self) -> str:
        return self.name.rpartition("/")[2]

    async def _fetch_from_any(self, folder: Path, on_progress: OnProgress | None) -> ModelFiles:
        tried: list[str] = []
        for source in self.sources:
            _log.info(f"fetching the {self.kind}", source=source.label, folder=str(folder))
            try:
                await download(source, folder, on_progress=on_progress)
            except DownloadError as error:
                _log.warning(f"the {self.kind} cannot be had here", reason=str(error))
                tried.append(f"  - {error}")
                continue
            if found := await asyncio.to_thread(self._verified, folder):
                return found
            tried.append(f"  - {source.label}: the files changed on disk while they were checked")
        raise ModelUnavailable(
            f"The {self.kind} {self.name} is not in {folder} and could not be "
            "fetched. Tried:\n" + "\n".join(tried) + "\n"
            "Check the network and proxy of this machine (HTTPS_PROXY, SSL_CERT_FILE), name a "
            "mirror in HF_ENDPOINT, or copy the folder from a machine that has it "
            f"(`{self.fetch_command} DIR` there) and set {variable(self.folder_setting)}"
            f"{self.without}."
        )

    def _in_given(self, folder: Path, named: str) -> ModelFiles:
        """Check a folder that the user names: under this model's name it must hold this model."""
        model, tokenizer = folder / MODEL_FILE, folder / TOKENIZER_FILE
        missing = [path.name for path in (model, tokenizer) if not path.is_file()]
        if missing:
            raise ModelUnavailable(
                f"{variable(self.folder_setting)} is {folder}, which has no "
                f"{' and no '.join(missing)}. Fill it with `{self.fetch_command} {folder}`, or "
                "unset the variable."
            )
        if named != self.name:
            return ModelFiles(model=model, tokenizer=tokenizer, weights=sha256_of(model))
        if found := self._verified(folder):
            return found
        raise ModelUnavailable(
            f"The files in {folder} are not {self.name} as it was published. Fetch them "
            f"again with `{self.fetch_command} {folder}`; if they are a model of your own, give "
            f"it a name in {variable(self.name_setting)}."
        )

    def _verified(self, folder: Path) -> ModelFiles | None:
        """Return it if the folder holds it whole; say which file is damaged."""
        files = {name: folder / name for name in (MODEL_FILE, TOKENIZER_FILE)}
        if not all(path.is_file() for path in files.values()):
            return None
        for name, path in files.items():
            digest = sha256_of(path)
            if digest not in self._pins(name):
                _log.warning(f"a file of the {self.kind} is damaged", file=str(path), sha256=digest)
                return None
        return ModelFiles(
            model=files[MODEL_FILE], tokenizer=files[TOKENIZER_FILE], weights=self.weights
        )

    def _pins(self, name: str) -> frozenset[str]:
        files = (file for source in self.sources for file in source.files)
        return frozenset(file.sha256 for file in files if file.name == name)


def sha256_of(path: Path) -> str:
    """Hex digest of a file; 0.1 s for 90 MB."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
