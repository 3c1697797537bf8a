"""How a Milvus is that the Milvus Operator runs for us."""

from __future__ import annotations

from ragdeploy_operator.build import milvus_cluster, names
from ragdeploy_operator.objects import Json
from ragdeploy_operator.status.facts import Facts
from ragdeploy_operator.status.finding import Finding, News, bad, good

_HEALTHY = "Healthy"


def finding(facts: Facts, kind: str) -> Finding:
    """Tell what the Milvus Operator tells, as a condition of type ``kind``."""
    name, namespace = names.milvus(facts.resource.name), facts.resource.namespace
    if milvus_cluster.KIND not in facts.kinds:
        return bad(
            kind,
            "KindMissing",
            "spec.vectorStore.managed.mode is cluster, but this cluster serves no Milvus resource "
            "that the operator may use. Install the Milvus Operator, which is noticed by itself, "
            "or make a new resource with mode standalone or with vectorStore.external.",
            news=News.BAD,
        )
    found = facts.child(milvus_cluster.KIND, name)
    if found is None and facts.refusal:
        return bad(kind, "HeldBack", f"Milvus {name} is not made until what Stalled tells is over.")
    if found is None:
        return bad(kind, "Creating", f"Milvus {name} is not there yet.")
    status = found["status"]
    state = status.get("status", "Pending")
    told = " ".join(map(_words, _failing(status)))
    look = f"To see more: kubectl describe milvus {name} -n {namespace}"
    if state == _HEALTHY:
        rest = f" {told}" if told else ""
        if facts.resource.spec.suspend:
            rest += " It goes on running: spec.suspend stops what this operator runs itself."
        return good(kind, "Available", f"Milvus {name} is healthy.{rest}", news=News.GOOD)
    if state == "Pending":
        return bad(kind, "Starting", f"Milvus {name} is starting. {told or look}")
    words = told or "The Milvus Operator does not say why."
    return bad(kind, state, f"Milvus {name} is {state.lower()}. {words} {look}", news=News.BAD)


def _failing(status: Json) -> list[Json]:
    return [one for one in status["conditions"] if one["status"] == "False"]


def _words(condition: Json) -> str:
    said = condition.get("message", "").strip().rstrip(".") or condition.get("reason", "")
    return f"{condition['type']} is False: {said}."
