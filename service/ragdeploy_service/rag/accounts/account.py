"""What one request may use, and the bill for it."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from ragdeploy_service.rag.access import Principal
from ragdeploy_service.rag.errors import LimitExceeded
from ragdeploy_service.rag.models import Usage
from ragdeploy_service.rag.ports import Meter, Reading, Telemetry
from ragdeploy_service.rag.quota import Policy, Quota, quotas

# What a token is on average: four letters of English, a little more than one Chinese character.
_BYTES_PER_TOKEN = 4


class Account:
    """A caller's account, for one request.

    ``quotas`` is what was left of the caller's limits when they were looked at last; a caller
    without limits has none, and no meter is asked.
    """

    def __init__(self, holder: Principal, *, meter: Meter, telemetry: Telemetry) -> None:
        self.holder = holder
        self.quotas: tuple[Quota, ...] = ()
        self._meter = meter
        self._telemetry = telemetry
        self._read_at = 0.0

    async def admit(self) -> None:
        """Count the request.

        Raises:
            LimitExceeded: there were too many in the last minute.

        """
        if not self.holder.limits.any:
            return
        reading = await self._meter.admit(self.holder)
        self._note(reading)
        if not reading.admitted:
            raise self._exceeded(Policy.REQUESTS)

    def require_tokens(self) -> None:
        """Return if a language model may be asked. To be called before it is, by whoever waits.

        Raises:
            LimitExceeded: the tokens of this minute, or the budget, are used up.

        """
        for quota in self.quotas:
            if quota.policy is not Policy.REQUESTS and quota.remaining == 0:
                raise self._exceeded(quota.policy)

    async def charge(self, usage: Usage, *, model: str) -> None:
        """Count what a language model has used, even if it is more than was left."""
        self._telemetry.llm_call(self.holder, model=model, usage=usage)
        if self.holder.limits.tokens_per_minute is None and self.holder.limits.budget is None:
            return
        tokens = usage.prompt_tokens + usage.completion_tokens
        self._note(await self._meter.charge(self.holder, tokens=tokens))

    def _note(self, reading: Reading) -> None:
        self._read_at = reading.now
        self.quotas = quotas(reading.counters, self.holder.limits, now=reading.now)

    def _exceeded(self, policy: Policy) -> LimitExceeded:
        quota = next(quota for quota in self.quotas if quota.policy is policy)
        self._telemetry.limited(policy)
        if policy is Policy.BUDGET and (budget := self.holder.limits.budget) is not None:
            anew = datetime.fromtimestamp(round(self._read_at + quota.more_in), UTC)
            detail = (
                f"The budget of this key is spent: of {budget.tokens} tokens a {budget.period} "
                f"{quota.remaining} are left. It begins anew at {anew:%Y-%m-%dT%H:%MZ}."
            )
        else:
            unit = "tokens of the language model" if policy is Policy.TOKENS else "requests"
            detail = (
                f"This key is good for {quota.limit} {unit} a minute, and {quota.remaining} are "
                f"left. Ask again in {quota.more_in} s."
            )
        return LimitExceeded(detail, policy=policy, retry_after=quota.more_in)


def estimated_usage(*, prompt: str, completion: str) -> Usage:
    """Guess what an answer used, where the model's server does not say or was not waited for."""
    return Usage(prompt_tokens=_tokens(prompt), completion_tokens=_tokens(completion))


def _tokens(text: str) -> int:
    return math.ceil(len(text.encode(errors="replace")) / _BYTES_PER_TOKEN)
