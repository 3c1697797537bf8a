"""Calls the service's API, and says in one sentence what went wrong."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from ragdeploy_service.cli.console import Failure
from ragdeploy_service.rag.models import Document

# An answer may take as long as the language model is given, 30 s by default.
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
# How long a service that is overloaded or starting is asked again.
_PATIENCE_SECONDS = 120.0


class Refused(Failure):
    """The service does not take this request as it is: 4xx. The message names the field."""


class NotFound(Refused):
    """There is no such thing: 404."""


class Denied(Failure):
    """The key is missing, wrong, or not good for this: 401 or 403."""


class _Busy(Exception):
    """The service asks to come again later, after ``wait`` seconds if it says so."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(_problem(response))
        self.response = response
        value = response.headers.get("retry-after", "")
        self.wait = float(value) if value.isdecimal() else None


class ApiClient:
    """A service at one address. Use it as a context manager."""

    def __init__(self, url: str, api_key: str | None) -> None:
        self.url = url.rstrip("/")
        headers = {"X-API-Key": api_key} if api_key else {}
        try:
            self._http = httpx.Client(base_url=self.url, headers=headers, timeout=_TIMEOUT)
        except (httpx.InvalidURL, ValueError) as error:
            raise Failure(f"{url!r} is not an address: {error}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def query(self, question: str, **fields: Any) -> dict[str, Any]:
        """Ask a question: ``POST /query``. Fields that are None are left out."""
        return self._json("POST", "/query", _given(question=question, **fields))

    def retrieve(self, question: str, **fields: Any) -> list[dict[str, Any]]:
        """Find the passages for a question: ``POST /retrieve``. Returns its sources."""
        found = self._json("POST", "/retrieve", _given(question=question, **fields))
        sources: list[dict[str, Any]] = found["sources"]
        return sources

    def index(self, documents: Sequence[Document], *, collection: str | None) -> str:
        """Hand documents in: ``POST /index``. Returns the id of the job."""
        body = _given(
            documents=[document.text for document in documents],
            metadatas=[dict(document.metadata) for document in documents],
            ids=[document.id for document in documents],
            collection=collection,
        )
        return str(self._json("POST", "/index", body)["job_id"])

    def job(self, job_id: str) -> dict[str, Any]:
        """Ask what became of a job: ``GET /jobs/{id}``."""
        return self._json("GET", f"/jobs/{quote(job_id, safe='')}")

    def documents(self, collection: str | None) -> Iterator[dict[str, Any]]:
        """List a collection: ``GET /collections/{c}/documents``, page by page."""
        path = f"{self._collection(collection)}/documents?limit=1000"
        page = self._json("GET", path)
        yield from page["documents"]
        while page["next_page"] is not None:
            page = self._json("GET", f"{path}&page={quote(page['next_page'], safe='')}")
            yield from page["documents"]

    def chunks(self, collection: str | None) -> int | None:
        """Count a collection's passages: ``GET /collections/{c}``; None if it is not told."""
        try:
            return int(self._json("GET", self._collection(collection))["chunks"])
        except NotFound:
            return 0
        except Denied:
            return None

    def _collection(self, name: str | None) -> str:
        return f"/collections/{quote(name or self._default, safe='')}"

    @cached_property
    def _default(self) -> str:
        return str(self._json("GET", "/collections")["default"])

    def _json(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Call, and call again while the service is busy or starts.

        Every call here may be repeated: documents have ids, so indexing one
        twice is indexing it once.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                response = self._send(method, path, body)
            except _Busy as busy:
                if busy.wait is not None and busy.wait > _PATIENCE_SECONDS:  # a budget is spent
                    raise Failure(str(busy)) from busy
                wait = busy.wait if busy.wait is not None else random.uniform(0.5, 2.0)  # noqa: S311
                if time.monotonic() + wait > deadline:
                    raise Failure(
                        f"the service was still busy after {_PATIENCE_SECONDS:.0f} s: {busy}"
                    ) from busy
                time.sleep(wait)
            else:
                answer: dict[str, Any] = response.json()
                return answer

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        try:
            response = self._http.request(method, path, json=body)
        except httpx.ConnectError as error:
            raise Failure(
                f"no service answers at {self.url}. Start one with `ragdeploy serve`, or name "
                "another with --url or RAGDEPLOY_URL."
            ) from error
        except httpx.TimeoutException as error:
            raise Failure(f"the service at {self.url} did not answer in time.") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Failure(f"the call to {self.url} failed: {error}") from error
        if response.status_code in {429, 503}:
            raise _Busy(response)
        if response.status_code in {401, 403}:
            raise Denied(_problem(response))
        if response.status_code == 404:
            raise NotFound(_problem(response))
        if response.status_code in {400, 413, 415, 422}:
            raise Refused(_problem(response))
        if response.is_error:
            raise Failure(_problem(response))
        if "json" not in response.headers.get("content-type", ""):
            raise Failure(f"{self.url} is not a ragdeploy service: {path} gives no JSON.")
        return response


_REMEDY = "Give a key with --api-key or RAGDEPLOY_API_KEY."


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _problem(response: httpx.Response) -> str:
    """Put RFC 9457 problem details into a sentence, with the remedy where it is known."""
    if response.status_code == 401:
        return f"the service asks for an API key. {_REMEDY}"
    try:
        details = response.json()
    except ValueError:
        details = {}
    if not isinstance(details, dict):
        details = {}
    what = details.get("detail") or details.get("title") or response.reason_phrase
    fields = [
        f"{e.get('field')}: {e.get('message')}"
        for e in details.get("errors", [])
        if isinstance(e, dict)
    ]
    remedy = [_REMEDY] if response.status_code == 403 else []
    return " ".join([f"the service answers {response.status_code}: {what}", *fields, *remedy])
