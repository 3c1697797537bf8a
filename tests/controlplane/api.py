"""What a test does to a cluster, and sees of it, in plain dicts.

Not the client library that the operator uses: a test that looks through the
same glasses as its subject does not see the glasses' faults.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.controlplane.kinds import CUSTOM_RESOURCE_DEFINITION, Kind
from tests.support.waiting import PATIENCE, eventually

Object = dict[str, Any]

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

STRICT = {"fieldValidation": "Strict"}  # as kubectl: an unknown field is an error


class ApiError(Exception):
    """The API server refused; holds its Status object."""

    def __init__(self, code: int, status: Object) -> None:
        super().__init__(f"{code} {status.get('reason', '')}: {status.get('message', '')}")
        self.code = code
        self.reason: str = status.get("reason", "")
        self.message: str = status.get("message", "")
        self.status = status


class Api:
    """One user's view of a cluster. Safe to use from several threads.

    >>> api.apply({"apiVersion": "v1", "kind": "ConfigMap", ...}, namespace="demo")
    >>> api.get(DEPLOYMENT, "demo-api", namespace="demo")["spec"]["replicas"]
    """

    def __init__(self, *, server: str, ca: Path, token: str) -> None:
        self.server = server
        self._http = httpx.Client(
            base_url=server,
            verify=ssl.create_default_context(cafile=ca),
            headers={"Authorization": f"Bearer {token}", "User-Agent": "ragdeploy-tests"},
            timeout=30,
            trust_env=False,  # no proxy stands between a test and its own cluster
        )
        self._paths: dict[Kind, tuple[str, bool]] = {}

    def close(self) -> None:
        self._http.close()

    # ---- reading ----
    def get(self, kind: Kind, name: str, *, namespace: str | None = None) -> Object:
        """One object.

        Raises:
            ApiError: code 404 when there is none.
        """
        return self.request("GET", self.path(kind, name, namespace=namespace))

    def find(self, kind: Kind, name: str, *, namespace: str | None = None) -> Object | None:
        """One object, or None when there is none."""
        try:
            return self.get(kind, name, namespace=namespace)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def list(
        self,
        kind: Kind,
        *,
        namespace: str | None = None,
        selector: str | None = None,
        field_selector: str | None = None,
    ) -> Sequence[Object]:
        """All objects of a kind, in one namespace or in all; each with its kind set."""
        query = {"labelSelector": selector, "fieldSelector": field_selector}
        answer = self.request("GET", self.path(kind, namespace=namespace), query=query)
        named = {"apiVersion": kind.api_version, "kind": kind.kind}
        return [named | item for item in answer["items"]]

    def watch(
        self, kind: Kind, *, namespace: str | None = None, version: str = "", seconds: int = 300
    ) -> Iterator[tuple[str, Object]]:
        """Changes of a kind as they happen, as (ADDED, MODIFIED or DELETED, object).

        Args:
            kind: What to watch.
            namespace: One namespace, or all.
            version: Resource version to go on from; all objects come first when empty.
            seconds: The API server ends the watch after this time.
        """
        query = {"watch": "1", "timeoutSeconds": str(seconds), "resourceVersion": version}
        path = self.path(kind, namespace=namespace)
        timeout = httpx.Timeout(30, read=seconds + 10)
        with self._http.stream("GET", path, params=query, timeout=timeout) as response:
            if response.is_error:
                response.read()
                raise ApiError(response.status_code, _status(response))
            for line in response.iter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError(event["object"].get("code", 0), event["object"])
                yield event["type"], event["object"]

    def wait_for(
        self,
        kind: Kind,
        name: str,
        condition: Callable[[Object], object] = lambda _: True,
        *,
        namespace: str | None = None,
        timeout: float = PATIENCE,
    ) -> Object:
        """The object, once it exists and ``condition(object)`` is true."""

        def probe() -> Object | None:
            found = self.find(kind, name, namespace=namespace)
            return found if found and condition(found) else None

        return eventually(probe, what=f"{kind.kind} {name}", timeout=timeout)

    def wait_gone(
        self, kind: Kind, name: str, *, namespace: str | None = None, timeout: float = PATIENCE
    ) -> None:
        """Return once there is no such object."""
        eventually(
            lambda: self.find(kind, name, namespace=namespace) is None,
            what=f"{kind.kind} {name} gone",
            timeout=timeout,
        )

    # ---- writing ----
    def create(self, manifest: Object, *, namespace: str | None = None) -> Object:
        path = self.path(_kind(manifest), namespace=_namespace(manifest, namespace))
        return self.request("POST", path, query=STRICT, body=manifest)

    def apply(
        self, manifest: Object, *, namespace: str | None = None, manager: str = "kubectl"
    ) -> Object:
        """Server-side apply, as ``kubectl apply --server-side --force-conflicts``."""
        kind, name = _kind(manifest), manifest["metadata"]["name"]
        path = self.path(kind, name, namespace=_namespace(manifest, namespace))
        query = {"fieldManager": manager, "force": "true"} | STRICT
        return self.request("PATCH", path, query=query, body=manifest, content_type=APPLY_PATCH)

    def patch(
        self,
        kind: Kind,
        name: str,
        patch: object,
        *,
        namespace: str | None = None,
        subresource: str | None = None,
        content_type: str = MERGE_PATCH,
    ) -> Object:
        path = self.path(kind, name, namespace=namespace, subresource=subresource)
        return self.request("PATCH", path, body=patch, content_type=content_type)

    def delete(
        self,
        kind: Kind,
        name: str,
        *,
        namespace: str | None = None,
        propagation: str = "Background",
        grace_seconds: int | None = None,
    ) -> None:
        """Ask for its deletion; owned objects go after it unless told otherwise."""
        options: Object = {"propagationPolicy": propagation}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        self.request("DELETE", self.path(kind, name, namespace=namespace), body=options)

    def define(self, definition: Object) -> None:
        """Apply a CustomResourceDefinition and return once its kind is served."""
        self.apply(definition)
        self.wait_served(definition)

    def wait_served(self, definition: Object) -> None:
        """Return once the kind of a CustomResourceDefinition is served."""
        name, spec = definition["metadata"]["name"], definition["spec"]
        self.wait_for(CUSTOM_RESOURCE_DEFINITION, name, _established)
        for version in spec["versions"]:
            kind = Kind(f"{spec['group']}/{version['name']}", spec["names"]["kind"])
            eventually(partial(self._discovers, kind), what=f"{kind.kind} served")

    def undefine(self, definition: Object) -> None:
        """Delete a CustomResourceDefinition and return once it is gone.

        Until then it refuses new objects, and applied anew it would go all the same.
        """
        name = definition["metadata"]["name"]
        self.delete(CUSTOM_RESOURCE_DEFINITION, name)
        self.wait_gone(CUSTOM_RESOURCE_DEFINITION, name)

    # ---- plumbing ----
    def path(
        self,
        kind: Kind,
        name: str | None = None,
        *,
        namespace: str | None = None,
        subresource: str | None = None,
    ) -> str:
        """URL path of a kind, an object or its subresource."""
        if kind not in self._paths and not self._discovers(kind):
            raise ApiError(404, {"reason": "NotFound", "message": f"{kind} is not served"})
        plural, namespaced = self._paths[kind]
        parts = ["/api" if kind.api_version == "v1" else "/apis", kind.api_version]
        if namespaced and namespace:
            parts += ["namespaces", namespace]
        return "/".join(parts + [part for part in (plural, name, subresource) if part])

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | None] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> Object:
        """Any request at all; the parsed answer.

        Raises:
            ApiError: The answer is a 4xx or 5xx.
        """
        request = self._http.build_request(
            method,
            path,
            # not {}: httpx would drop the query of the path for it
            params={key: value for key, value in (query or {}).items() if value is not None}
            or None,
            content=None if body is None else json.dumps(body),
            headers={"Content-Type": content_type},
        )
        response = self._http.send(request)
        deadline = time.monotonic() + PATIENCE
        while _is_not_read_yet(response) and time.monotonic() < deadline:
            time.sleep(float(response.headers["Retry-After"]))
            response = self._http.send(request)
        if response.is_error:
            raise ApiError(response.status_code, _status(response))
        answer: Object = response.json()
        return answer

    def _discovers(self, kind: Kind) -> bool:
        root = "/api" if kind.api_version == "v1" else "/apis"
        try:
            served = self.request("GET", f"{root}/{kind.api_version}")["resources"]
        except ApiError as error:
            if error.code == 404:
                return False
            raise
        for resource in served:
            if "/" not in resource["name"]:
                found = Kind(kind.api_version, resource["kind"])
                self._paths[found] = (resource["name"], resource["namespaced"])
        return kind in self._paths


def _kind(manifest: Object) -> Kind:
    return Kind(manifest["apiVersion"], manifest["kind"])


def _namespace(manifest: Object, namespace: str | None) -> str | None:
    return namespace or manifest["metadata"].get("namespace")


def _established(definition: Object) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []  # null at first
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def _status(response: httpx.Response) -> Object:
    try:
        status = response.json()
    except ValueError:
        status = None
    return status if isinstance(status, dict) else {"message": response.text}


def _is_not_read_yet(response: httpx.Response) -> bool:
    """Whether a read is to be sent again, as all Kubernetes clients do.

    A definition that was just taken, or changed, has its objects read from etcd first.
    """
    refused = response.status_code == httpx.codes.TOO_MANY_REQUESTS
    return response.request.method == "GET" and refused and "Retry-After" in response.headers
