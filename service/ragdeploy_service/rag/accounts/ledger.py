"""Counts in this process what callers use."""

from __future__ import annotations

from ragdeploy_service.rag import quota
from ragdeploy_service.rag.access import Principal
from ragdeploy_service.rag.ports import Reading
from ragdeploy_service.rag.quota import Counters


class Ledger:
    """One entry for each caller; there are as many as there are keys."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, str], Counters] = {}

    def counters(self, caller: Principal) -> Counters:
        """What is known of a caller's use."""
        return self._counters.get(_name(caller), Counters())

    def admit(self, caller: Principal, *, now: float) -> Reading:
        """Count a request if the caller has one left."""
        before = self.counters(caller)
        after = quota.admitted(before, caller.limits, now=now)
        if after is None:
            return Reading(counters=before, now=now, admitted=False)
        self._counters[_name(caller)] = after
        return Reading(counters=after, now=now)

    def charge(self, caller: Principal, *, tokens: int, now: float) -> Reading:
        """Count tokens of a language model."""
        after = quota.charged(self.counters(caller), caller.limits, tokens=tokens, now=now)
        self._counters[_name(caller)] = after
        return Reading(counters=after, now=now)

    def learn(self, caller: Principal, seen: Counters) -> None:
        """Take over what others have counted; whatever is greater is the truth."""
        ours = self.counters(caller)
        self._counters[_name(caller)] = Counters(
            requests=max(ours.requests, seen.requests),
            tokens=max(ours.tokens, seen.tokens),
            spent=max(ours.spent_in(seen.period), seen.spent),
            period=seen.period,
        )


def _name(caller: Principal) -> tuple[str, str]:
    return caller.tenant, caller.key_id
