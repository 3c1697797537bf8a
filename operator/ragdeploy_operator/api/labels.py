"""Maps of labels and annotations, and the rule that their names are ones Kubernetes takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, StringConstraints
from pydantic.alias_generators import to_snake

from ragdeploy_operator.api.model import Rule

_WORD = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
QUALIFIED_NAME = f"([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_WORD}"
"""Name of a label or an annotation, with the domain that may stand before it."""

LabelText = Annotated[str, StringConstraints(pattern=f"^({_WORD})?$", max_length=63)]

Labels = Annotated[dict[str, LabelText], Field(max_length=32)]
Annotations = Annotated[
    dict[str, Annotated[str, StringConstraints(max_length=8192)]], Field(max_length=32)
]


def names_rule(part: str, field: str, what: str) -> Rule:
    """Rule about the names in the optional map ``field`` of ``part``, which holds ``what``."""
    return Rule(
        cel=f"!has(self.{field}) || self.{field}.all(name, name.matches('^{QUALIFIED_NAME}$'))",
        message=f"{part}.{field} must have names that Kubernetes takes for {what}, "
        "such as release or example.com/team",
        field=f".{field}",
        holds=lambda self: are_qualified(getattr(self, to_snake(field)) or {}),
    )


def are_qualified(named: Mapping[str, str]) -> bool:
    """Whether all names in a map are ones that Kubernetes takes."""
    return all(re.fullmatch(QUALIFIED_NAME, name) for name in named)
