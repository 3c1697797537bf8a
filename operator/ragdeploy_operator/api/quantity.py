"""Kubernetes quantities ("500m", "1Gi") in the form in which the API server stores them.

The API server rewrites the quantities of Deployments and StatefulSets to their
canonical form ("1000m" becomes "1", "0.5Gi" becomes "512Mi"). The builders
must write that form, or what they want would never equal what is there.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

_DECIMAL = {"m": Decimal("0.001"), "": Decimal(1)} | {
    suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)
}
_BINARY = {suffix + "i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)}
_DIGITS, _SUFFIX = r"[0-9]+(?:\.[0-9]+)?", "[KMGTPE]i|[mkMGTPE]"
_PARTS = re.compile(f"({_DIGITS})({_SUFFIX})?")

PATTERN = f"^{_DIGITS}({_SUFFIX})?$"
"""Non-negative, no exponents, no suffix finer than a thousandth."""


def number(quantity: str) -> Decimal:
    """Value of a quantity: cores, or bytes."""
    digits, suffix = _split(quantity)
    return Decimal(digits) * (_DECIMAL | _BINARY)[suffix]


def canonical(quantity: str) -> str:
    """Write a quantity as Kubernetes does.

    The family of suffixes stays (binary or decimal), the number becomes a
    whole one, and the suffix is the largest that allows it. See "canonical
    form" in k8s.io/apimachinery/pkg/api/resource.
    """
    _, suffix = _split(quantity)
    value = number(quantity)
    units = {"": Decimal(1)} | _BINARY if suffix in _BINARY else _DECIMAL
    for unit, size in sorted(units.items(), key=lambda item: -item[1]):
        if value % size == 0 and value >= size:
            return f"{int(value / size)}{unit}"
    if value == 0:
        return "0"
    # Finer than the finest unit: the API server rounds up to a thousandth.
    thousandths = (value * 1000).to_integral_value("ROUND_CEILING")
    return canonical(f"{thousandths}m")


def _split(quantity: str) -> tuple[str, str]:
    match = _PARTS.fullmatch(quantity)
    if match is None:
        raise ValueError("must be a quantity such as 500m, 2, 512Mi or 10Gi")
    return match.group(1), match.group(2) or ""


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Quantity = Annotated[
    str,
    BeforeValidator(_as_text),
    AfterValidator(canonical),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "pattern": PATTERN,
            "maxLength": 32,
        }
    ),
]
