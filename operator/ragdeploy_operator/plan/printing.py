"""A plan as text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ragdeploy_operator.plan.steps import Action, FieldChange, Plan, Step

_SIGNS = {
    Action.CREATE: "+",
    Action.CHANGE: "~",
    Action.RECREATE: "!",
    Action.DELETE: "-",
    Action.WAIT: "?",
}
_WORDS = {
    Action.CREATE: "created",
    Action.CHANGE: "changed",
    Action.RECREATE: "made anew",
    Action.DELETE: "deleted",
    Action.WAIT: "waiting",
}


def lines(plan: Plan) -> Iterator[tuple[Action | None, str]]:
    """Yield the lines of a plan, each with the action that gives it its colour."""
    new = " (new)" if plan.is_new else ""
    yield None, f"RagDeployment {plan.namespace}/{plan.name}{new}"
    for step in plan.steps:
        yield step.action, f"  {_SIGNS[step.action]} {step.kind} {step.name}{_what(step)}"
        for field in step.fields:
            yield None, f"      {_change(field)}"
    for refusal in plan.refusals:
        yield Action.DELETE, f"  ! {refusal}"
    for note in plan.notes:
        yield None, f"  Note: {note}"
    yield None, f"  {_summary(plan)}"


def _what(step: Step) -> str:
    if step.action is Action.RECREATE:
        return "   made anew around its pods, which go on running until they are replaced"
    if step.rolls:
        pods = f"its {step.pods} pods are" if step.pods != 1 else "its pod is"
        return f"   {pods} replaced: {', '.join(dict.fromkeys(step.because))}"
    if step.because:
        words = "waits for: " if step.action is Action.WAIT else ""
        return f"   {words}{', '.join(step.because)}"
    return ""


def _change(field: FieldChange) -> str:
    if field.hidden:
        return f"{field.path}: (not shown)"
    if field.before is None:
        return f"{field.path}: {field.after}"
    if field.after is None:
        return f"{field.path}: {field.before} -> (gone)"
    return f"{field.path}: {field.before} -> {field.after}"


def _summary(plan: Plan) -> str:
    if plan.refusals:
        return "It would be refused, and nothing would change."
    if not plan.steps:
        return f"Nothing would change; {plan.unchanged} objects are as they should be."
    counts = Counter(step.action for step in plan.steps)
    told = [f"{counts[action]} {word}" for action, word in _WORDS.items() if counts[action]]
    told.append(f"{plan.unchanged} unchanged")
    rolled = [step.name for step in plan.steps if step.rolls]
    pods = f" Pods replaced: {', '.join(rolled)}." if rolled else " No pod is replaced."
    return ", ".join(told) + "." + pods
