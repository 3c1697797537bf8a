"""Requests to the API server: those the engine needs, in JSON, with one kind of error.

Transport, TLS and credentials are the official client's (``kubernetes.aio``).
Its dynamic client is used without discovery, because all kinds are known, and
without its object wrappers, because what comes in is cut down at once.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any, Self

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.dynamic import DynamicClient

from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.errors import Transient
from ragdeploy_operator.objects import Json, Kind, Selection

FIELD_MANAGER = "ragdeploy-operator"

CHUNK = 100
"""Objects per page of a list. All kinds are listed at the same time, and a page of pods as
Python objects takes ten times its text."""

AT_ONCE = 16
"""Requests under way, watches not counted: each holds a connection, and asyncio's TLS keeps a
buffer of 256 KiB for each."""

ANSWER_TIMEOUT = aiohttp.ClientTimeout(total=15)

# A bookmark comes about once a minute; a stream that is silent for longer is dead.
WATCH_SECONDS = 300
WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=70)

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"

_JSON = "application/json"
_METADATA_ONLY = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"


async def load_configuration(context: str | None = None) -> Configuration:
    """Where the API server is and who we are: KUBECONFIG, the pod's account, or ~/.kube/config.

    Args:
        context: One of the kubeconfig's, if not the current one.

    Raises:
        Transient: none of them can be used; the message says why.
    """
    configuration = Configuration()
    configuration.connection_pool_maxsize = 0  # no limit: every watch holds a connection
    try:
        if "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ:
            config.load_incluster_config(client_configuration=configuration)
        else:
            await config.load_kube_config(client_configuration=configuration, context=context)
    except ConfigException as error:
        raise Transient(
            f"No cluster is known: {str(error).rstrip('.')}. Set KUBECONFIG, or choose a context "
            "with `kubectl config use-context`.",
            reason="NoCluster",
        ) from error
    return configuration


def current_namespace(context: str | None = None) -> str:
    """The namespace of a context, as kubectl takes it; ``default`` if it has none.

    Args:
        context: One of the kubeconfig's, if not the current one.
    """
    try:
        every, current = config.list_kube_config_contexts()
    except ConfigException:
        return "default"
    chosen = next((one for one in every if one["name"] == context), current)
    namespace: str = chosen["context"].get("namespace", "default")
    return namespace


class Client:
    """An API server, as one user sees it.

    Args:
        configuration: Where it is and who we are.
        on_answer: Called with the verb and the status of every request.
    """

    def __init__(
        self, configuration: Configuration, *, on_answer: Callable[[str, int], None]
    ) -> None:
        self._api = ApiClient(configuration)
        self._api.user_agent = FIELD_MANAGER
        self._dynamic = DynamicClient(self._api)
        self._on_answer = on_answer
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._api.close()

    # ---- reading ----
    async def get(self, kind: Kind, *, namespace: str, name: str) -> Json | None:
        """One object, or None."""
        try:
            return await self._ask("get", "GET", kind.path(namespace=namespace, name=name))
        except ApiError as error:
            if error.is_absent(name):
                return None
            raise

    async def pages(self, wanted: Selection) -> AsyncGenerator[tuple[list[Json], str], None]:
        """All objects, page by page, each page with the list's resource version."""
        rest: str | None = None
        while rest != "":
            page = await self._ask(
                "list",
                "GET",
                wanted.kind.path(namespace=wanted.namespace),
                query={"limit": CHUNK, "labelSelector": wanted.labels, "continue": rest},
                accept=_METADATA_ONLY.format("List") if wanted.metadata_only else _JSON,
            )
            rest = page["metadata"].get("continue", "")
            yield page["items"] or [], page["metadata"]["resourceVersion"]

    async def watch(
        self, wanted: Selection, *, version: str, on_open: Callable[[], None]
    ) -> AsyncGenerator[Json, None]:
        """Changes after ``version`` as ``{type, object}``, bookmarks among them.

        Ends when the server ends it, after five minutes. ``on_open`` is called once the
        server has agreed; the first change may be long in coming.

        Raises:
            ApiError: the connection broke, or was silent for 70 s.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": WATCH_SECONDS,
            "labelSelector": wanted.labels,
        }
        accept = _METADATA_ONLY.format("") if wanted.metadata_only else _JSON
        with self._told("watch"):
            response = await self._dynamic.request(
                "GET",
                wanted.kind.path(namespace=wanted.namespace),
                query_params=_query(query),
                header_params={"Accept": accept},
                serialize=False,
                _request_timeout=WATCH_TIMEOUT,
            )
            self._on_answer("watch", response.status)
        on_open()
        async with response, aclosing(_lines(response.content)) as lines:
            with _translated():
                async for line in lines:
                    yield json.loads(line)

    async def serves(self, kind: Kind) -> bool:
        """Whether the cluster has this kind in this version."""
        try:
            found = await self._ask("get", "GET", f"/apis/{kind.api_version}")
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return any(resource["name"] == kind.plural for resource in found["resources"])

    async def may(
        self, verb: str, resource: str, *, group: str, namespace: str | None = None
    ) -> bool:
        """Whether RBAC lets us do this; ``resource`` may hold a subresource after a slash."""
        plural, _, subresource = resource.partition("/")
        attributes = {"verb": verb, "group": group, "resource": plural}
        if subresource:
            attributes["subresource"] = subresource
        if namespace is not None:
            attributes["namespace"] = namespace
        review = await self._ask(
            "create",
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            body={
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": attributes},
            },
        )
        return bool(review["status"]["allowed"])

    # ---- writing ----
    async def apply(
        self,
        kind: Kind,
        body: Json,
        *,
        force: bool,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Json:
        """Server-side apply: our fields become what ``body`` says, all others stay.

        With ``dry_run`` nothing is stored; the answer is what would be.
        """
        metadata = body["metadata"]
        return await self._ask(
            "dry run" if dry_run else "apply",
            "PATCH",
            kind.path(
                namespace=metadata["namespace"], name=metadata["name"], subresource=subresource
            ),
            query={
                "fieldManager": FIELD_MANAGER,
                "force": "true" if force else "false",
                "dryRun": "All" if dry_run else None,
            },
            body=body,
            content_type=APPLY,
        )

    async def create(self, kind: Kind, body: Json, *, dry_run: bool = False) -> Json:
        """Make an object that must not be there yet."""
        path = kind.path(namespace=body["metadata"]["namespace"])
        query = {**_MANAGER, "dryRun": "All" if dry_run else None}
        return await self._ask("create", "POST", path, query=query, body=body)

    async def replace(self, kind: Kind, body: Json, *, dry_run: bool = False) -> Json:
        """Put a whole object; its resourceVersion must be the current one."""
        metadata = body["metadata"]
        path = kind.path(namespace=metadata["namespace"], name=metadata["name"])
        query = {**_MANAGER, "dryRun": "All" if dry_run else None}
        return await self._ask("update", "PUT", path, query=query, body=body)

    async def merge(
        self, kind: Kind, body: Json, *, namespace: str, name: str, dry_run: bool = False
    ) -> Json:
        """Change the fields that ``body`` holds."""
        path = kind.path(namespace=namespace, name=name)
        query = {**_MANAGER, "dryRun": "All" if dry_run else None}
        return await self._ask("patch", "PATCH", path, query=query, body=body, content_type=MERGE)

    async def delete(
        self, kind: Kind, *, namespace: str, name: str, uid: str, orphan: bool = False
    ) -> None:
        """Delete this very object, and by the garbage collector all that it owns.

        With ``orphan``, what it owns stays, and belongs to nobody.
        """
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Orphan" if orphan else "Background",
        }
        path = kind.path(namespace=namespace, name=name)
        await self._ask("delete", "DELETE", path, body=body)

    # ---- plumbing ----
    async def _ask(
        self,
        verb: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Json | None = None,
        content_type: str | None = None,
        accept: str = _JSON,
    ) -> Json:
        async with self._slots:
            with self._told(verb):
                response = await self._dynamic.request(
                    method,
                    path,
                    body=body,
                    query_params=_query(query or {}),
                    header_params={"Accept": accept},
                    content_type=content_type,
                    serialize=False,
                    _request_timeout=ANSWER_TIMEOUT,
                )
                self._on_answer(verb, response.status)
                answer: Json = json.loads(await response.read())
                return answer

    @contextmanager
    def _told(self, verb: str) -> Iterator[None]:
        """Count a failure, and raise it as an ``ApiError``."""
        try:
            with _translated():
                yield
        except ApiError as error:
            self._on_answer(verb, error.status)
            raise


_MANAGER = {"fieldManager": FIELD_MANAGER}


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        raise ApiError.from_answer(
            error.status or 0, error.reason or "", error.body, error.headers
        ) from None  # its text holds the whole answer, which may hold a Secret
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ApiError.unreachable(error) from error


def _query(parameters: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in parameters.items() if value]


async def _lines(stream: aiohttp.StreamReader) -> AsyncGenerator[bytes, None]:
    """Split a stream at line ends; unlike ``readline``, without a longest line."""
    rest = b""
    async for chunk in stream.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
