"""Each permission that the operator needs, taken away alone."""

from __future__ import annotations

import logging

import pytest

from ragdeploy_operator import rbac
from ragdeploy_operator.engine.access import review

EVERY = [
    (rule, permission)
    for rules in (rbac.NAMESPACED, rbac.CLUSTER, rbac.LEASE)
    for rule in rules
    for permission in rule.permissions()
]


class Allowing:
    """Allows everything but one permission."""

    def __init__(self, *denied: tuple[str, str, str]) -> None:
        self.denied = denied

    async def may(self, verb: str, resource: str, *, group: str, namespace: str | None) -> bool:
        return (group, resource, verb) not in self.denied


@pytest.mark.behaviour(44)
@pytest.mark.parametrize(("rule", "permission"), EVERY, ids=lambda value: str(value)[:60])
async def test_a_verb_that_is_missing_is_named_with_what_it_is_for(
    rule: rbac.Rule, permission: tuple[str, str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    group, resource, verb = permission
    missing = await review(Allowing(permission), watched=(), own_namespace="system")
    words = f"may not {verb} {resource}{'.' if group else ''}{group} in "
    (said,) = [record for record in caplog.records if words in record.getMessage()]
    assert rule.why in said.getMessage()
    if rule.optional:
        assert missing == []
        assert "it does without" in said.getMessage()
    else:
        assert [one.partition(words)[0] for one in missing] == [""]
        assert said.levelno == logging.ERROR


async def test_nothing_is_said_while_nothing_is_missing(caplog: pytest.LogCaptureFixture) -> None:
    assert await review(Allowing(), watched=("a", "b"), own_namespace="system") == []
    assert caplog.records == []
