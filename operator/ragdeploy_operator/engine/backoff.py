"""How long to wait before the next try."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential backoff with full jitter, in seconds.

    The wait after failure number n is uniform between 0 and
    ``min(longest, first * 2**(n-1))``, so that many who fail together do not
    come back together (M. Brooker, "Exponential Backoff And Jitter", AWS 2015).
    """

    first: float
    longest: float
    draw: Callable[[float, float], float] = random.uniform

    def delay(self, failures: int, *, at_least: float = 0.0) -> float:
        """Seconds to wait after ``failures`` failures in a row (1 or more)."""
        # the exponent is bounded because a float is: 2.0**1024 overflows
        bound = min(self.longest, self.first * 2.0 ** min(failures - 1, 63))
        return at_least + self.draw(0.0, bound)
