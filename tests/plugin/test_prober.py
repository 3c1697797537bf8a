"""What the pod that asks has told, summed up."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import pytest

from ragdeploy_kubectl.drill import Finding
from ragdeploy_kubectl.prober import Prober
from ragdeploy_service.cli.console import Failure


def line(**counts):
    none = {"answered": 0, "degraded": 0, "limited": 0, "failed": 0, "max_ms": None, "errors": []}
    return {**none, **counts}


def told(*lines):
    prober = Prober()
    prober.follow(SimpleNamespace(stdout=io.StringIO("".join(json.dumps(x) + "\n" for x in lines))))
    return prober


def test_seconds_are_summed_up_and_errors_are_told_once():
    gone = "503: The vector store does not answer."
    prober = told(
        line(answered=2, max_ms=20.0),
        line(answered=1, degraded=1, max_ms=90.0),
        line(failed=2, errors=[gone]),
        line(failed=1, limited=4, errors=[gone, "429: too many"]),
    )
    whole = prober.seen()
    assert (whole.answered, whole.degraded, whole.limited, whole.failed) == (3, 1, 4, 3)
    assert whole.slowest == 90.0
    assert whole.errors == ("429: too many", gone)
    assert prober.seen(2, 3).slowest is None
    assert prober.seen(0, 2).failed == 0


def test_who_waits_for_a_pod_that_has_ended_is_told():
    with pytest.raises(Failure, match="has ended"):
        told(line()).wait(1)


@pytest.mark.parametrize(
    ("recovered", "failed", "passed"), [(3.0, 0, True), (None, 0, False), (3.0, 1, False)]
)
def test_a_fault_has_passed_if_nobody_noticed_and_the_pod_is_back(recovered, failed, passed):
    seen = told(line(answered=5, failed=failed)).seen()
    finding = Finding(part="api", pod="docs-api-x", recovered=recovered, seen=seen)
    assert finding.passed is passed
    assert finding.as_json()["passed"] is passed
    assert finding.as_json()["failed"] == failed
