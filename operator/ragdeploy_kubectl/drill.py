"""``kubectl rag drill``: take pods away while questions come in, and tell what people noticed."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ragdeploy_kubectl.kubectl import Json, Kubectl
from ragdeploy_kubectl.prober import Prober, Seen, asking
from ragdeploy_operator.build import names

PARTS = tuple(names.Component)

_LONGEST_SECONDS = 3600
# Lines of the prober, one a second, that are waited for before and after a fault.
_BEFORE, _AFTER = 3, 3


@dataclass(frozen=True, slots=True)
class Finding:
    """What one fault did.

    Attributes:
        recovered: Seconds until as many pods were ready as before and questions were answered;
            None if it took too long.
        seen: What became of the questions from before it until a while after.
    """

    part: str
    pod: str
    recovered: float | None
    seen: Seen

    @property
    def passed(self) -> bool:
        """Whether nobody noticed, and all is as before."""
        return self.recovered is not None and not self.seen.failed

    def as_json(self) -> Json:
        """The fields, for programs."""
        own = {"part": self.part, "pod": self.pod, "recovered": self.recovered}
        return {**own, **asdict(self.seen), "passed": self.passed}


@dataclass(frozen=True, kw_only=True)
class Drill:
    """Faults of one application.

    Attributes:
        kubectl: In the namespace of the application.
        name: The application.
        hard: Whether pods are killed after a second; otherwise they may end as on a drained node.
        patience: Seconds within which all must be as before.
    """

    kubectl: Kubectl
    name: str
    hard: bool
    patience: float

    def has(self, part: str) -> bool:
        """Whether there is a pod of this part."""
        return bool(self._pods(part))

    @contextmanager
    def questions(self, question: str, *, rate: float, api_key: str | None) -> Iterator[Prober]:
        """Ask for the length of a block."""
        arguments = [question, f"--rate={rate}", f"--seconds={_LONGEST_SECONDS}", "--timeout=20"]
        with asking(
            self.kubectl, self.name, api_key=api_key, arguments=arguments, suffix="drill"
        ) as prober:
            yield prober

    def strike(self, part: str, prober: Prober, *, name: str | None = None) -> Finding:
        """Take a pod of a part away, and see what happens until it is replaced.

        Args:
            part: One that has a pod.
            prober: It asks the questions.
            name: Which pod, if it is ready; any of them if None.
        """
        before = self._pods(part)
        named = [uid for uid, pod in before.items() if pod["metadata"]["name"] == name]
        victim = random.choice(named or sorted(before))  # noqa: S311
        name = before[victim]["metadata"]["name"]
        first = prober.wait(_BEFORE)
        began = time.monotonic()
        # not --force: that takes the pod out of the list, and lets its containers run on
        how = ("--now",) if self.hard else ()
        self.kubectl("delete", "pod", name, "--wait=false", *how)
        recovered = None
        if self._replaced(part, victim, ready=len(before), began=began):
            recovered = self._answering(prober, began=began)
        last = prober.wait(_AFTER)
        return Finding(part=part, pod=name, recovered=recovered, seen=prober.seen(first, last))

    def _replaced(self, part: str, victim: str, *, ready: int, began: float) -> bool:
        while time.monotonic() - began < self.patience:
            now = self._pods(part)
            if victim not in now and len(now) >= ready:
                return True
            time.sleep(0.5)
        return False

    def _answering(self, prober: Prober, *, began: float) -> float | None:
        """Wait for answers without a failure: a pod that is ready may still load what it needs."""
        while (passed := time.monotonic() - began) < self.patience:
            last = prober.wait(1)
            seen = prober.seen(last - 1, last)
            if seen.answered + seen.degraded + seen.limited and not seen.failed:
                return passed
        return None

    def _pods(self, part: str) -> dict[str, Json]:
        """Pods of a part that are ready, by their uids."""
        labels = names.selector(self.name, names.Component(part))
        selector = ",".join(f"{label}={value}" for label, value in labels.items())
        found = json.loads(self.kubectl("get", "pods", f"--selector={selector}", "--output=json"))
        return {pod["metadata"]["uid"]: pod for pod in found["items"] if _is_ready(pod)}


def table(findings: list[Finding]) -> RenderableType:
    """What each fault did, a line each."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    columns = ("PART", "POD", "BACK AFTER", "ANSWERED", "DEGRADED", "LIMITED", "FAILED", "SLOWEST")
    for column in columns:
        drawn.add_column(column, no_wrap=True)
    for one in findings:
        seen = one.seen
        drawn.add_row(
            one.part,
            one.pod,
            Text("never", style="red") if one.recovered is None else f"{one.recovered:.1f}s",
            str(seen.answered),
            str(seen.degraded),
            str(seen.limited),
            Text(str(seen.failed), style="red" if seen.failed else "green"),
            "-" if seen.slowest is None else f"{seen.slowest:.0f}ms",
        )
    return drawn


def _is_ready(pod: Json) -> bool:
    if "deletionTimestamp" in pod["metadata"]:
        return False
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
