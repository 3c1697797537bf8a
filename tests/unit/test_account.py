"""Accounts: who may ask the language model, who pays, and what a refusal says."""

from __future__ import annotations

import pytest

from ragdeploy_service.access.authentication import rate_limit
from ragdeploy_service.adapters.memory_meter import MemoryMeter
from ragdeploy_service.observability.metrics import Metrics
from ragdeploy_service.rag.access import ANONYMOUS, Budget, Limits, Period, Principal
from ragdeploy_service.rag.accounts.account import Account, estimated_usage
from ragdeploy_service.rag.errors import LimitExceeded
from ragdeploy_service.rag.models import Usage

BILL = Usage(prompt_tokens=90, completion_tokens=30)


class Bank:
    """Opens accounts on one meter."""

    def __init__(self) -> None:
        self.meter, self.metrics = MemoryMeter(), Metrics()

    async def account(self, holder: Principal = ANONYMOUS, **limits) -> Account:
        if limits:
            holder = Principal(
                key_id="k", tenant="acme", scopes=frozenset(), limits=Limits(**limits)
            )
        account = Account(holder, meter=self.meter, telemetry=self.metrics)
        await account.admit()
        return account


@pytest.fixture
def bank():
    return Bank()


async def test_whoever_has_no_limit_may_always_ask(bank):
    for _ in range(50):
        account = await bank.account()
        account.require_tokens()
        await account.charge(BILL, model="m")
    assert account.quotas == ()


async def test_one_request_too_many_says_when_to_come_back(bank):
    await bank.account(requests_per_minute=1)
    with pytest.raises(LimitExceeded, match="1 requests a minute") as refused:
        await bank.account(requests_per_minute=1)
    assert refused.value.policy == "requests"
    assert refused.value.retry_after == 60


async def test_tokens_are_asked_for_before_and_counted_after(bank):
    first = await bank.account(tokens_per_minute=100)
    first.require_tokens()
    await first.charge(BILL, model="m")
    second = await bank.account(tokens_per_minute=100)
    with pytest.raises(LimitExceeded, match="100 tokens") as refused:
        second.require_tokens()
    assert refused.value.policy == "tokens"


@pytest.mark.parametrize(("period", "end"), [(Period.DAY, "T00:00Z"), (Period.MONTH, "-01T00:00Z")])
async def test_a_spent_budget_says_what_is_left_and_when_it_begins_anew(bank, period, end):
    budget = Budget(tokens=100, period=period)
    await (await bank.account(budget=budget)).charge(BILL, model="m")
    account = await bank.account(budget=budget)
    with pytest.raises(LimitExceeded, match=f"100 tokens a {period} 0 are left.*{end}") as refused:
        account.require_tokens()
    assert refused.value.policy == "budget"
    assert refused.value.retry_after > 0


async def test_what_is_left_is_seen_as_soon_as_it_is_spent(bank):
    account = await bank.account(requests_per_minute=10, budget=Budget(tokens=500, period="day"))
    await account.charge(BILL, model="m")
    policies, states = rate_limit(account.quotas)
    assert policies == '"requests";q=10;w=60, "budget";q=500;qu="tokens";w=86400'
    assert states.startswith('"requests";r=9;t=')
    assert '"budget";r=380;t=' in states


async def test_calls_and_tokens_are_counted_by_who_pays(bank):
    await (await bank.account(requests_per_minute=5)).charge(BILL, model="gpt")
    await (await bank.account()).charge(BILL, model="gpt")
    shown = bank.metrics.render().decode()
    assert 'rag_llm_calls_total{key="k",model="gpt",tenant="acme"} 1.0' in shown
    assert 'rag_llm_tokens_total{key="k",kind="prompt",model="gpt",tenant="acme"} 90.0' in shown
    assert 'key="anonymous",kind="completion",model="gpt",tenant="default"} 30.0' in shown


def test_usage_that_nobody_counted_is_estimated_in_every_language():
    english = estimated_usage(prompt="a" * 400, completion="")
    assert english == Usage(prompt_tokens=100, completion_tokens=0)
    assert estimated_usage(prompt="", completion="香蕉生长在热带地区").completion_tokens == 7
