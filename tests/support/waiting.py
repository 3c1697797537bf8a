"""Waiting for a condition instead of sleeping for a guess."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds until a wait has failed. A busy machine takes long; what works ends the wait at once."""


def eventually(
    probe: Callable[[], T | None], *, what: str, timeout: float = PATIENCE, interval: float = 0.05
) -> T:
    """Call ``probe`` until it returns something true, and return that.

    Args:
        probe: What to look at. An ``AssertionError`` from it means "not yet".
        what: What is waited for, as words for the failure message.
        timeout: Seconds until the wait has failed.
        interval: Seconds between two looks.

    Raises:
        AssertionError: It did not come true; says what was seen last.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            value = probe()
            seen = f"last seen: {value!r}"
        except AssertionError as error:
            value, seen = None, f"last failure: {error}"
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what}: not within {timeout:g} s; {seen}")
        time.sleep(interval)
