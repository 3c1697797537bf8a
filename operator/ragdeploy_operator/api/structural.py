"""From a pydantic model to a structural schema, the dialect of JSON Schema that CRDs speak.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import NullableSchema

from ragdeploy_operator.api.model import Model

Schema = dict[str, Any]

_KEPT = (
    "type", "description", "default", "enum", "pattern", "format", "minimum", "maximum",
    "minLength", "maxLength", "minItems", "maxItems", "maxProperties", "required",
    "x-kubernetes-int-or-string", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
    "x-kubernetes-preserve-unknown-fields",
)  # fmt: skip


class _Generator(GenerateJsonSchema):
    """Optional means that the field may be left out; CRDs do not take null for it."""

    def nullable_schema(self, schema: NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def encode_default(self, dft: Any) -> Any:
        """Leave the default of a part to its fields, where the API server allows it.

        It checks a default against the part's rules before it fills in the
        defaults below, so the default of a part with rules is written in full.
        """
        if isinstance(dft, Model):
            in_full = bool(type(dft).rules)
            return dft.model_dump(
                mode="json", by_alias=True, exclude_none=True, exclude_unset=not in_full
            )
        value = super().encode_default(dft)
        return int(value) if isinstance(value, float) and value.is_integer() else value


def structural_schema(model: type[Model]) -> Schema:
    """Make the schema of ``model``, with its rules, all references resolved."""
    schema = model.model_json_schema(schema_generator=_Generator)
    return _structural(schema, schema.get("$defs", {}), {m.__name__: m for m in models(model)})


def models(model: type[Model]) -> Iterator[type[Model]]:
    """Yield ``model`` and the models of all its parts."""
    yield model
    for field in model.model_fields.values():
        for part in _types(field.annotation):
            if isinstance(part, type) and issubclass(part, Model):
                yield from models(part)


def _types(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from _types(argument)


def _structural(schema: Schema, definitions: Schema, models: dict[str, type[Model]]) -> Schema:
    if reference := schema.get("$ref"):
        schema = definitions[reference.rsplit("/", 1)[-1]] | schema
    if all_of := schema.get("allOf"):
        return _structural(all_of[0] | schema | {"allOf": None}, definitions, models)
    out = {key: schema[key] for key in _KEPT if key in schema and schema[key] is not None}
    if "const" in schema:
        out["enum"] = [schema["const"]]
    if "exclusiveMinimum" in schema:
        out |= {"minimum": schema["exclusiveMinimum"], "exclusiveMinimum": True}
    if "x-kubernetes-int-or-string" in out:
        out["anyOf"] = schema["anyOf"]
    if properties := schema.get("properties"):
        model = models[schema["title"]]
        out["properties"] = {
            name: _structural(properties[name], definitions, models)
            for name in _own_first(model, properties)
        }
        out["x-kubernetes-validations"] = _rules(model)
    elif isinstance(additional := schema.get("additionalProperties"), dict):
        out["additionalProperties"] = _structural(additional, definitions, models)
    if "items" in schema:
        out["items"] = _structural(schema["items"], definitions, models)
    return {key: value for key, value in out.items() if _means_something(key, value)}


def _own_first(model: type[Model], properties: Schema) -> list[str]:
    """Names of a model's fields, with those that it shares with others at the end."""
    own = {
        str(field.alias or name)
        for name, field in model.model_fields.items()
        if name in model.__annotations__
    }
    return sorted(properties, key=lambda name: name not in own)


def _rules(model: type[Model]) -> list[Schema]:
    return [
        {"rule": rule.cel, "message": rule.message}
        | ({"fieldPath": rule.field} if rule.field else {})
        for rule in model.rules
    ]


def _means_something(key: str, value: Any) -> bool:
    if key == "default":
        return value is not None and value != []
    return bool(value) or value == 0
