"""Reads the files that are handed to the service, some at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ragdeploy_service.documents.isolated import IsolatedReader, Limits
from ragdeploy_service.documents.page import Page, Unreadable
from ragdeploy_service.rag.errors import Unavailable


class TooManyFiles(Unavailable):
    """As many uploads wait to be read as may; the same one may be taken later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file as it was handed in; ``kind`` is one of `documents.KINDS`."""

    kind: str
    data: bytes


class FileReader:
    """Reads uploads in processes of their own, ``at_once`` of them; at most ``waiting`` wait."""

    def __init__(self, limits: Limits, *, seconds: float, at_once: int, waiting: int) -> None:
        """Make a reader that takes ``seconds`` for one upload at most."""
        self._limits = limits
        self._seconds = seconds
        self._turn = asyncio.Semaphore(at_once)
        self._present = 0
        self._most = at_once + waiting

    async def read(self, files: Sequence[Upload]) -> list[Page | Unreadable]:
        """Read the files of one upload: what each holds, or why it cannot be read.

        Raises:
            TooManyFiles: too many uploads wait already.
        """
        if self._present >= self._most:
            raise TooManyFiles("Too many files are being read now; send them again in a moment.")
        self._present += 1
        try:
            async with self._turn:
                # Its process ends too when the caller goes away.
                with IsolatedReader(self._limits) as reader:
                    return await asyncio.to_thread(self._read, reader, files)
        finally:
            self._present -= 1

    def _read(self, reader: IsolatedReader, files: Sequence[Upload]) -> list[Page | Unreadable]:
        found: list[Page | Unreadable] = []
        end = time.monotonic() + self._seconds
        for file in files:
            if (left := end - time.monotonic()) <= 0:
                found.append(Unreadable(f"was not reached in {self._seconds:g} s"))
                continue
            try:
                found.append(reader.read(file.data, kind=file.kind, seconds=left))
            except Unreadable as error:
                found.append(error)
        return found
