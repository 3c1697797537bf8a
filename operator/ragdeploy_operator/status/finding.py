"""What was found out about one aspect of a resource: a condition before it has a time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from ragdeploy_operator.api import ConditionStatus


class News(Enum):
    """Whether people should get an Event when a finding is new."""

    NONE = auto()
    GOOD = auto()
    BAD = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One condition.

    ``message`` is for a person at night: it names the object and the next step.
    The same words go into the status, the event and the log.
    """

    type: str
    status: ConditionStatus
    reason: str
    message: str
    news: News = News.NONE

    @property
    def holds(self) -> bool:
        """Whether the status is True."""
        return self.status is ConditionStatus.TRUE


def good(kind: str, reason: str, message: str, *, news: News = News.NONE) -> Finding:
    """Make a finding that holds."""
    return Finding(
        type=kind, status=ConditionStatus.TRUE, reason=reason, message=message, news=news
    )


def bad(kind: str, reason: str, message: str, *, news: News = News.NONE) -> Finding:
    """Make a finding that does not hold."""
    return Finding(
        type=kind, status=ConditionStatus.FALSE, reason=reason, message=message, news=news
    )


def unknown(kind: str, reason: str, message: str) -> Finding:
    """Make a finding that is not known to hold or not to."""
    return Finding(type=kind, status=ConditionStatus.UNKNOWN, reason=reason, message=message)
