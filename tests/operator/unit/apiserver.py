"""The API server as kubectl talks to it: strict about fields, with its warnings."""

from __future__ import annotations

import json
import ssl
from typing import Any

import httpx

from ragdeploy_operator.api import GROUP, PLURAL, VERSION
from tests.controlplane import ApiError, ControlPlane
from tests.controlplane.api import APPLY_PATCH
from tests.controlplane.credentials import ADMIN
from tests.controlplane.kinds import Kind

Json = dict[str, Any]


class ApiServer:
    """Requests whose answers are looked at in full, most of them dry runs."""

    def __init__(self, cluster: ControlPlane) -> None:
        self.cluster = cluster
        self.warnings: list[str] = []
        """Of the last request."""
        self._http = httpx.Client(
            base_url=cluster.server,
            verify=ssl.create_default_context(cafile=cluster.credentials.ca),
            headers={"Authorization": f"Bearer {cluster.credentials.users[ADMIN].token}"},
            timeout=30,
            trust_env=False,
        )

    def close(self) -> None:
        self._http.close()

    def try_apply(self, manifest: Json, *, namespace: str, validation: str = "Strict") -> Json:
        """Apply server-side as a dry run; the object as it would be stored."""
        return self._apply(manifest, namespace, {"dryRun": "All", "fieldValidation": validation})

    def apply(self, manifest: Json, *, namespace: str) -> Json:
        """Apply server-side."""
        return self._apply(manifest, namespace, {"fieldValidation": "Strict"})

    def _apply(self, manifest: Json, namespace: str, query: dict[str, str]) -> Json:
        kind = Kind(manifest["apiVersion"], manifest["kind"])
        metadata = manifest["metadata"] | {"namespace": namespace}
        return self.request(
            "PATCH",
            self.cluster.api.path(kind, metadata["name"], namespace=namespace),
            query={"fieldManager": "kubectl", "force": "true"} | query,
            body=manifest | {"metadata": metadata},
            headers={"Content-Type": APPLY_PATCH},
        )

    def try_create(self, manifest: Json, *, namespace: str) -> Json:
        """Create as a dry run."""
        kind = Kind(manifest["apiVersion"], manifest["kind"])
        return self.request(
            "POST",
            self.cluster.api.path(kind, namespace=namespace),
            query={"dryRun": "All", "fieldValidation": "Strict"},
            body=manifest | {"metadata": manifest["metadata"] | {"namespace": namespace}},
            headers={"Content-Type": "application/json"},
        )

    def rag_path(self, namespace: str, name: str = "") -> str:
        """URL path of RagDeployments."""
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}"
        return f"{path}/{name}" if name else path

    def request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Json:
        """Any request; keeps its warnings.

        Raises:
            ApiError: the API server refuses.
        """
        response = self._http.request(
            method,
            path,
            params=query or None,
            content=None if body is None else json.dumps(body),
            headers=headers or {},
        )
        self.warnings = response.headers.get_list("warning")
        if response.is_error:
            is_json = response.headers.get("content-type", "").startswith("application/json")
            status = response.json() if is_json else {"message": response.text}
            raise ApiError(response.status_code, status)
        answer: Json = response.json()
        return answer
