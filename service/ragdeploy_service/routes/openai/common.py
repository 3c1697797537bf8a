"""What the paths of OpenAI's API share."""

from __future__ import annotations

import re
from typing import Any

from ragdeploy_service.openai_errors import OpenAIError
from ragdeploy_service.rag.errors import CollectionNotFound
from ragdeploy_service.settings import NAME_PATTERN, ServiceSettings

MODEL = "ragdeploy"
"""Answers from the service's default collection; ``ragdeploy/NAME`` from another."""

_MEANINGS = {
    400: "A field is wrong, or asks for something that is not done here; `param` names it.",
    401: "No API key was sent.",
    403: "The API key is not accepted, or not good for this.",
    404: "There is no such model or vector store.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "A limit of this key is used up; `Retry-After` says when to ask again.",
    503: "A part does not answer, or too much waits; `Retry-After` says when to ask again.",
    504: "There was no time left.",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe error responses for a route's OpenAPI entry."""
    return {status: {"description": _MEANINGS[status], "model": OpenAIError} for status in statuses}


POST_ERRORS = errors(400, 401, 403, 404, 413, 415, 429, 503, 504)


def model_name(collection: str) -> str:
    """The model that answers from a collection."""
    return f"{MODEL}/{collection}"


def collection_of(model: str, settings: ServiceSettings) -> str:
    """Name of the collection that a model answers from.

    Raises:
        CollectionNotFound: this is not the name of such a model.

    """
    if model == MODEL:
        return settings.collection
    family, _, collection = model.partition("/")
    if family != MODEL or not re.fullmatch(NAME_PATTERN, collection):
        raise CollectionNotFound(
            f"There is no such model here. {MODEL} answers from the default collection, "
            f"{MODEL}/NAME from the collection NAME."
        )
    return collection
