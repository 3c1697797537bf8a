"""Random specs that the resource's rules allow."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from pydantic import ValidationError

from ragdeploy_operator.api.model import Model
from ragdeploy_operator.api.structural import Schema, structural_schema
from ragdeploy_operator.api.v1alpha1 import Spec

QUANTITIES = st.sampled_from(["100m", "0.5", 2, "256Mi", "1.5Gi", "2048Mi", "3G"])
AMOUNTS = st.dictionaries(st.sampled_from(["cpu", "memory"]), QUANTITIES, max_size=2)
NEARNESS = [
    {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "rack"}]},
    {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 3, "podAffinityTerm": {"topologyKey": "rack"}}
        ]
    },
]
PEERS = [
    [],
    [{"podSelector": {}}, {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.1/32"]}}],
    [{"namespaceSelector": {"matchLabels": {"team": "a"}}, "podSelector": {}}],
]
EXAMPLES: dict[str, list[Any]] = {
    "hostnames": [[], ["rag.example.com", "*.example.com"]],
    "allowedFrom": PEERS,
    "allowedTo": PEERS,
    "metrics": [
        [],
        [
            {
                "type": "Pods",
                "pods": {
                    "metric": {"name": "questions"},
                    "target": {"type": "AverageValue", "averageValue": "10"},
                },
            }
        ],
    ],
    "behavior": [{"scaleDown": {"stabilizationWindowSeconds": 60}}],
    "maxUnavailable": [1, 7, "25%"],
    "extraEnv": [
        [],
        [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "token"}}}],
    ],
    "topologySpread": [[], [{"topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}]],
    "nodeAffinity": [
        {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "gpu", "operator": "DoesNotExist"}]}
                ]
            }
        }
    ],
    "podAffinity": NEARNESS,
    "podAntiAffinity": NEARNESS,
    "tolerations": [[{"key": "gpu", "operator": "Exists"}], [{"key": "a", "value": "b"}]],
}
"""For fields whose values random ones would rarely hit."""
TEMPLATES = st.sampled_from(["{context}\n{question}", "Q: {question}\nC: {context}\n$(HOME) €"])


def specs() -> st.SearchStrategy[dict[str, Any]]:
    """Specs with any of their fields set or left out."""
    return _objects(structural_schema(Spec), Spec)


def _objects(schema: Schema, model: type[Model]) -> st.SearchStrategy[dict[str, Any]]:
    aliases = {str(f.alias): f.annotation for f in model.model_fields.values()}
    values = {
        name: _values(name, field, _model(aliases[name]))
        for name, field in schema["properties"].items()
    }
    required = {name: values.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=values).filter(lambda v: _allowed(model, v))


def _values(name: str, schema: Schema, model: type[Model] | None) -> st.SearchStrategy[Any]:
    if name in EXAMPLES:
        return st.sampled_from(EXAMPLES[name])
    if model is not None and schema["type"] == "array":
        return st.lists(_objects(schema["items"], model), max_size=2)
    if model is not None:
        return _objects(schema, model)
    if name == "promptTemplate":
        return TEMPLATES
    if "x-kubernetes-int-or-string" in schema:
        return QUANTITIES
    if "additionalProperties" in schema:
        return AMOUNTS if name in ("requests", "limits") else _labels()
    return _plain(schema)


def _plain(schema: Schema) -> st.SearchStrategy[Any]:
    low, high = schema.get("minimum"), schema.get("maximum")
    match schema["type"]:
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(low, high)
        case "number":
            return st.floats(low, high)
        case _ if "enum" in schema:
            return st.sampled_from(schema["enum"])
        case _ if schema.get("pattern") == "^https?://":
            return st.sampled_from(["http://one.example:8000/v1", "https://two.example"])
        case _ if "pattern" in schema:
            return st.from_regex(
                schema["pattern"].replace("$", r"\Z"), alphabet=st.characters(codec="ascii")
            )
        case _:
            return st.sampled_from(["one", "sentence-transformers/all-MiniLM-L6-v2", "a/b:c"])


def _labels() -> st.SearchStrategy[dict[str, str]]:
    return st.dictionaries(st.sampled_from(["release", "team"]), st.sampled_from(["a", "b"]))


def _model(annotation: Any) -> type[Model] | None:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    found = [_model(argument) for argument in getattr(annotation, "__args__", ())]
    return next((model for model in found if model is not None), None)


def _allowed(model: type[Model], value: dict[str, Any]) -> bool:
    try:
        model.model_validate(value)
    except ValidationError:
        return False
    return True
