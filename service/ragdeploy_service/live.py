"""The settings as they are now: some of them may change while the service runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import structlog
from pydantic import ValidationError

from ragdeploy_service.settings import RELOADABLE, Role, ServiceSettings, variable

_LOOK_SECONDS = 1.0
_LONGEST_FILE = 64 * 1024

_log = structlog.get_logger(__name__)

Listener = Callable[[ServiceSettings], None]


class LiveSettings:
    """The settings of the environment, with those of a folder laid over them.

    The folder is one that Kubernetes mounts a ConfigMap into: a file for each setting, under
    the name of its variable, and all files change at once. Only `RELOADABLE` settings are
    taken from there. New settings count together or not at all: if one of them cannot be
    used, all stay as they were, and the log says which one it is.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.now = settings
        """What counts at this moment. Take it once for each request."""
        self.failing = False
        """Whether the folder holds settings that cannot be used."""
        self.reloads = 0
        """How often other settings began to count."""
        self._first = settings
        self._folder = None if settings.role is Role.INDEXER else settings.config_dir
        self._seen: dict[str, str] | None = {}
        self._listeners: list[Listener] = []
        self.look()

    def subscribe(self, listener: Listener) -> None:
        """Tell ``listener`` of new settings, beginning with the next."""
        self._listeners.append(listener)

    async def run(self) -> NoReturn:
        """Look every second, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Take in what the folder holds now; about 50 microseconds if that is nothing new."""
        if self._folder is None:
            return
        try:
            found = _read(self._folder)
        except (OSError, UnicodeDecodeError) as error:
            if not self.failing:  # said once, not every second
                _log.error("the folder of settings cannot be read", error=type(error).__name__)
            self.failing = True
            self._seen = None
            return
        if found == self._seen:
            return
        self._seen = found
        try:
            settings = self._with(found)
        except ValidationError as error:
            wrong = sorted({_name(entry["loc"]) for entry in error.errors()})
            _log.error("settings that cannot be used; all stay as they were", wrong=wrong)
            self.failing = True
            return
        self.failing = False
        if settings == self.now:
            return
        changed = [
            variable(field)
            for field in RELOADABLE
            if getattr(settings, field) != getattr(self.now, field)
        ]
        self.now = settings
        self.reloads += 1
        for listener in self._listeners:
            listener(settings)
        _log.info("settings read anew", changed=changed)

    def _with(self, found: dict[str, str]) -> ServiceSettings:
        first = {name: getattr(self._first, name) for name in self._first.model_fields_set}
        return ServiceSettings(**(first | found))


def _read(folder: Path) -> dict[str, str]:
    """The settings in a folder, by field. An empty file is none, as an empty variable.

    Raises:
        OSError: there is no such folder, or a file in it cannot be read.
        UnicodeDecodeError: a file is no text.
    """
    folder.stat()
    found = {}
    for field in RELOADABLE:
        file = folder / variable(field)
        if file.is_file():
            with file.open(encoding="utf-8") as opened:
                text = opened.read(_LONGEST_FILE)
            # A prompt may end in a line break; a number that an editor has written does too.
            text = text if field == "llm_prompt_template" else text.strip()
            if text:
                found[field] = text
    return found


def _name(location: tuple[int | str, ...]) -> str:
    """The variable that is at fault; a rule about several names none."""
    field = str(location[0]) if location else ""
    return variable(field) if field in ServiceSettings.model_fields else field or "together"
