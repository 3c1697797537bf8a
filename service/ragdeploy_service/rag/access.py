"""Who asks, what they may do, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ragdeploy_service.rag.models import DEFAULT_TENANT


class Access(StrEnum):
    """What a key can be good for. None includes another."""

    QUERY = "query"  # ask, retrieve, look at documents
    INDEX = "index"  # write and delete documents, and follow the jobs
    ADMIN = "admin"  # whole collections


class Period(StrEnum):
    """How long a budget lasts. Days and months begin at midnight UTC."""

    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Tokens of a language model, prompts and answers together, in each period."""

    tokens: int
    period: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a caller may use; None is as much as it likes."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    budget: Budget | None = None

    @property
    def any(self) -> bool:
        """Whether there is something to count."""
        return self != Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The holder of a key.

    ``key_id`` is how the key is named in metrics and logs. Keys of one tenant with one id, such
    as an old and a new one while they are changed, share their limits.
    """

    key_id: str
    tenant: str
    scopes: frozenset[Access]
    limits: Limits


# Whoever asks where no key is asked for: on loopback, or with keys switched off.
ANONYMOUS = Principal(
    key_id="anonymous", tenant=DEFAULT_TENANT, scopes=frozenset(Access), limits=Limits()
)
