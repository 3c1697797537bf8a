"""What all parts of the resource are made of: frozen models that carry CEL rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from ragdeploy_service.settings import ServiceSettings

_ACRONYMS = {
    "base_url": "baseURL",
    "target_cpu_utilization_percentage": "targetCPUUtilizationPercentage",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule about several fields, once for the API server and once for us.

    The API server checks ``cel`` on every write. ``holds`` says the same in
    Python, for a resource that was stored before the rule was there. A rule
    that compares with the value before the write (``oldSelf``) has none.
    ``field`` is the path, below the model, that the error points to.
    """

    cel: str
    message: str
    holds: Callable[[Any], bool] | None = None
    field: str = ""


class Model(BaseModel):
    """A part of the resource: camelCase outside, frozen, strict about types.

    Unknown fields are ignored: the API server has pruned those that the CRD
    does not know, so what is left can only come from a newer CRD.
    """

    model_config = ConfigDict(
        alias_generator=lambda name: _ACRONYMS.get(name, to_camel(name)),
        populate_by_name=True,
        frozen=True,
        extra="ignore",
    )

    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _obeys_its_rules(self) -> Self:
        broken = [rule for rule in self.rules if rule.holds and not rule.holds(self)]
        if broken:
            words = "; ".join(rule.message for rule in broken)
            raise PydanticCustomError("rule", "{words}", {"words": words})
        return self


def setting(name: str, description: str, **more: Any) -> Any:
    """Make a field that ends up in the service's setting ``name``.

    Default and bounds are those of the setting, so that the resource cannot
    accept what the service would refuse. ``more`` overrides them.
    """
    source: FieldInfo = ServiceSettings.model_fields[name]
    constraints: dict[str, Any] = {"default": source.default}
    for item in source.metadata:
        match item:
            case Ge(ge):
                constraints["ge"] = ge
            case Gt(gt):
                constraints["gt"] = gt
            case Le(le):
                constraints["le"] = le
            case Lt(lt):
                constraints["lt"] = lt
            case MinLen(shortest):
                constraints["min_length"] = shortest
            case _ if hasattr(item, "pattern"):
                constraints["pattern"] = item.pattern
    return Field(description=description, **(constraints | more))
