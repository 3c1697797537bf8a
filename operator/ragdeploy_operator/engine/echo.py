"""Whether we still hear of what happens to RagDeployments.

kopf watches them, and does not say how its watch is doing. But every status that
we write must come back to us through it.
"""

from __future__ import annotations

import asyncio

from ragdeploy_operator.objects import Key


class Echo:
    """Our writes to RagDeployments that kopf has not told of yet."""

    def __init__(self) -> None:
        self._expected: dict[Key, tuple[int, float]] = {}

    def expect(self, key: Key, version: str) -> None:
        """Wait for word of this version of a resource."""
        self._expected[key] = (int(version), self._now())

    def heard(self, key: Key, version: str) -> None:
        """Take in that kopf told of a version of a resource."""
        waiting = self._expected.get(key)
        if waiting and int(version) >= waiting[0]:
            del self._expected[key]

    def forget(self, key: Key) -> None:
        """Expect nothing more of a resource that is gone."""
        self._expected.pop(key, None)

    def deaf(self, *, in_touch: bool) -> float:
        """Seconds since the oldest write that was not heard of; 0 if there is none.

        While the API server cannot be reached (not ``in_touch``), the clock does not run.
        """
        if not in_touch:
            now = self._now()
            self._expected = {key: (version, now) for key, (version, _) in self._expected.items()}
        oldest = min((since for _, since in self._expected.values()), default=None)
        return 0.0 if oldest is None else self._now() - oldest

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
