"""Folders for the files of a control plane, gone after it, at the latest before the next."""

from __future__ import annotations

import shutil
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import IO

_PREFIX = "ragdeploy-controlplane-"
_SHARED_MEMORY = Path("/dev/shm")


class Scratch:
    """One folder on disk, and one in memory where the system has such a place.

    etcd alone takes 64 MB of it. A run that is killed cannot remove its folders, so the
    next one does: a folder belongs to somebody as long as the file in it is locked.
    """

    def __init__(self) -> None:
        sweep()
        self.disk = Path(mkdtemp(prefix=_PREFIX))
        self.memory = self.disk
        if _SHARED_MEMORY.is_dir():
            with suppress(OSError):  # there, but not for us
                self.memory = Path(mkdtemp(prefix=_PREFIX, dir=_SHARED_MEMORY))
        self._locks = [_lock(folder) for folder in {self.disk, self.memory}]

    def remove(self) -> None:
        """Remove both with all that is in them."""
        for folder in (self.disk, self.memory):
            shutil.rmtree(folder, ignore_errors=True)
        for lock in self._locks:
            lock.close()


def _lock(folder: Path) -> IO[str]:
    """Take possession; under its final name the file is never seen unlocked."""
    file = (folder / "unlocked").open("w")
    flock(file, LOCK_EX)
    (folder / "unlocked").rename(folder / "lock")
    return file


def sweep() -> None:
    """Remove the folders that killed runs have left behind."""
    for place in (Path(gettempdir()), _SHARED_MEMORY):
        for folder in place.glob(f"{_PREFIX}*"):
            with suppress(OSError), (folder / "lock").open("r+") as lock:  # in use: not ours
                flock(lock, LOCK_EX | LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
