"""Kinds of other projects, as far as the operator uses them."""

from __future__ import annotations

from tests.controlplane.api import Object

ANYTHING: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
STRING: Object = {"type": "string"}
PORT: Object = {"type": "integer", "minimum": 1, "maximum": 65535}


def definition(
    *, group: str, kind: str, plural: str, version: str = "v1", spec: Object = ANYTHING
) -> Object:
    """A CustomResourceDefinition of one version, with a status that anybody may fill."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            # the API server asks for it where a group ends with k8s.io
            "annotations": {"api-approved.kubernetes.io": "unapproved, a copy for tests"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
            },
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {"spec": spec, "status": ANYTHING},
                        }
                    },
                }
            ],
        },
    }


def listed(**properties: Object) -> Object:
    """A list of objects with these fields."""
    return {"type": "array", "items": {"type": "object", "properties": properties}}


SERVICE_MONITORS = definition(
    group="monitoring.coreos.com", kind="ServiceMonitor", plural="servicemonitors"
)

PROMETHEUS_RULES = definition(
    group="monitoring.coreos.com", kind="PrometheusRule", plural="prometheusrules"
)

MILVUSES = definition(group="milvus.io", version="v1beta1", kind="Milvus", plural="milvuses")

_CORE_SERVICE: Object = {
    "group": STRING | {"default": ""},
    "kind": STRING | {"default": "Service"},
    "weight": {"type": "integer", "default": 1},
}

HTTP_ROUTES = definition(
    group="gateway.networking.k8s.io",
    kind="HTTPRoute",
    plural="httproutes",
    spec={
        "type": "object",
        "properties": {
            "parentRefs": listed(
                group=STRING | {"default": "gateway.networking.k8s.io"},
                kind=STRING | {"default": "Gateway"},
                name=STRING,
                namespace=STRING,
                sectionName=STRING,
                port=PORT,
            ),
            "hostnames": {"type": "array", "items": STRING},
            "rules": listed(
                matches=listed(
                    path={"type": "object", "properties": {"type": STRING, "value": STRING}}
                ),
                backendRefs=listed(name=STRING, port=PORT, **_CORE_SERVICE),
                timeouts={"type": "object", "properties": {"request": STRING}},
            ),
        },
    },
)
"""Of v1.4.1, the fields that we write and the defaults that it adds to them."""
