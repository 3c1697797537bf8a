"""Counts what callers use, over all replicas."""

from __future__ import annotations

import time
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ragdeploy_service.rag import quota
from ragdeploy_service.rag.access import Principal
from ragdeploy_service.rag.accounts.ledger import Ledger
from ragdeploy_service.rag.ports import Reading
from ragdeploy_service.rag.quota import Counters

# After a failure Redis is left alone for so long: one that hangs would otherwise add its
# timeout to every request.
_COOL_DOWN_SECONDS = 2.0

# Keys: requests, tokens, spent. First arguments: what this replica knows of each. The counters
# only grow, so the greatest of what anybody knows is the truth: a Redis that comes back empty
# is told again what it has lost, and what was counted without it.
_READ = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local function known(n)
  return math.max(tonumber(redis.call('GET', KEYS[n]) or 0), tonumber(ARGV[n]))
end
local requests, tokens, spent = known(1), known(2), known(3)
local function exact(number) return string.format('%.17g', number) end
local function keep_until(n, back)
  redis.call('SET', KEYS[n], exact(back), 'EX', math.ceil(math.max(back - now, 0)) + 1)
end
"""

# In: ..., seconds a request costs (0: none), the longest time until the quota is whole again.
# Out: whether the request is admitted, the time, and the counters. See `rag.quota`.
_ADMIT = (
    _READ
    + """
local admitted = 1
if tonumber(ARGV[4]) > 0 then
  local back = math.max(requests, now) + ARGV[4]
  if back <= now + ARGV[5] then
    requests = back
    keep_until(1, back)
  else
    admitted = 0
  end
end
return {admitted, exact(now), exact(requests), exact(tokens), exact(spent)}
"""
)

# In: ..., seconds that the tokens cost (0: none), tokens, seconds to remember what was spent
# (0: there is no budget). Out: as above.
_CHARGE = (
    _READ
    + """
if tonumber(ARGV[4]) > 0 then
  tokens = math.max(tokens, now) + ARGV[4]
  keep_until(2, tokens)
end
if tonumber(ARGV[6]) > 0 then
  spent = spent + ARGV[5]
  redis.call('SET', KEYS[3], exact(spent), 'EX', ARGV[6])
end
return {1, exact(now), exact(requests), exact(tokens), exact(spent)}
"""
)

_log = structlog.get_logger(__name__)


class RedisMeter:
    """Implements `rag.ports.Meter`: one script, and so one step, for each request.

    While Redis does not answer, each replica goes on from what it knows by itself.
    """

    def __init__(self, redis: Redis, *, namespace: str) -> None:
        self._redis = redis
        self._admit: Any = redis.register_script(_ADMIT)
        self._charge: Any = redis.register_script(_CHARGE)
        self._namespace = namespace
        self._ledger = Ledger()
        self._closed_until = 0.0

    async def admit(self, caller: Principal) -> Reading:
        limit = caller.limits.requests_per_minute
        each = quota.MINUTE / limit if limit is not None else 0
        reading = await self._run(self._admit, caller, each, quota.MINUTE + quota.TOLERANCE)
        return reading or self._ledger.admit(caller, now=time.time())

    async def charge(self, caller: Principal, *, tokens: int) -> Reading:
        limit, budget = caller.limits.tokens_per_minute, caller.limits.budget
        seconds = tokens * (quota.MINUTE / limit) if limit is not None else 0
        remembered = 0
        if budget is not None:
            begin, end = quota.bounds(budget.period, time.time())
            remembered = round(end - begin)
        reading = await self._run(self._charge, caller, seconds, tokens, remembered)
        return reading or self._ledger.charge(caller, tokens=tokens, now=time.time())

    async def close(self) -> None:
        await self._redis.aclose()

    async def _run(self, script: Any, caller: Principal, *arguments: float) -> Reading | None:
        """Take a step in Redis; None if it does not answer."""
        if time.monotonic() < self._closed_until:
            return None
        budget = caller.limits.budget
        period = quota.period_at(budget.period, time.time()) if budget else ""
        known = self._ledger.counters(caller)
        try:
            admitted, now, requests, tokens, spent = await script(
                keys=self._keys(caller, period),
                args=[known.requests, known.tokens, known.spent_in(period), *arguments],
            )
        except (RedisError, OSError, TimeoutError) as error:
            if time.monotonic() >= self._closed_until:  # said once, not by every call under way
                _log.warning("limits are counted by each replica alone", error=str(error))
            self._closed_until = time.monotonic() + _COOL_DOWN_SECONDS
            return None
        counters = Counters(
            requests=float(requests), tokens=float(tokens), spent=int(float(spent)), period=period
        )
        self._ledger.learn(caller, counters)
        return Reading(counters=counters, now=float(now), admitted=bool(admitted))

    def _keys(self, caller: Principal, period: str) -> list[str]:
        name = f"{caller.tenant}/{caller.key_id}"
        return [
            f"{self._namespace}:requests:{name}",
            f"{self._namespace}:tokens:{name}",
            f"{self._namespace}:spent:{name}:{period}",
        ]
