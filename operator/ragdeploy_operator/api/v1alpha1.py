"""The RagDeployment resource, version v1alpha1."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from pydantic import Field, ValidationError

from ragdeploy_operator.api.answering import Batching, Embedding, LanguageModel, Retrieval
from ragdeploy_operator.api.application import Api, Indexer
from ragdeploy_operator.api.common import (
    SecretKeyRef,
    SecretRef,
    SecretUse,
    ServiceImage,
)
from ragdeploy_operator.api.environment import ServicePods
from ragdeploy_operator.api.model import Model, Rule, setting
from ragdeploy_operator.api.monitoring import Monitoring
from ragdeploy_operator.api.network import Network
from ragdeploy_operator.api.workloads import Cache, VectorStore
from ragdeploy_operator.errors import FieldError, Invalid

GROUP = "ragdeploy.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "RagDeployment"
PLURAL = "ragdeployments"

PAUSE = f"{GROUP}/paused"
"""Annotation: "true" and nothing of the resource is touched until it goes."""

_NAME = "[a-z]([-a-z0-9]{0,61}[a-z0-9])?"


class RateLimit(Model):
    """What a key may use that does not say otherwise."""

    # The service alone allows 10, as the limit of one person's key. Here one key is generated for
    # all callers of an application, and ten a minute for all of them would look like an outage.
    requests_per_minute: int = setting(
        "rate_limit_requests_per_minute",
        "Requests a minute of each key; 0 is no limit. Set it where each caller has a key of its "
        "own: the generated one is shared by all.",
        default=0,
    )
    tokens_per_minute: int = setting(
        "rate_limit_tokens_per_minute",
        "Tokens of the language model a minute; 0 is no limit.",
    )


class Auth(Model):
    """Who may use the API."""

    enabled: bool = setting("auth_enabled", "Ask callers for an API key.")
    api_keys_secret_ref: SecretRef | None = Field(
        None,
        description="Secret whose every value is an accepted API key; when absent, "
        "one key is generated into the Secret <name>-api-key.",
    )
    rate_limit: RateLimit = Field(
        RateLimit(), description="What a key may use that does not say otherwise."
    )


class VolumePolicy(StrEnum):
    """What becomes of the volumes when the resource is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


class Spec(Model):
    """One whole RAG application."""

    image: ServiceImage = Field(ServiceImage(), description="Image of the service.")
    api: Api = Field(Api(), description="The pods that answer questions and take documents in.")
    indexer: Indexer = Field(
        Indexer(),
        description="The pods that embed and write documents, so that bulk indexing never slows "
        "questions.",
    )
    llm: LanguageModel | None = Field(
        None,
        description="The language model that writes the answers. Without it, answers are "
        "extracts of the passages found, and say so.",
    )
    embedding: Embedding = Field(
        Embedding(),
        description="What turns texts into vectors. "
        "Another model means indexing all documents again.",
    )
    retrieval: Retrieval = Field(Retrieval(), description="What is looked up for a question.")
    batching: Batching = Field(
        Batching(), description="How questions that come at the same time are embedded together."
    )
    cache: Cache = Field(Cache(), description="The answer cache, and the Redis behind it.")
    vector_store: VectorStore = Field(
        VectorStore(), description="Where the indexed documents are kept."
    )
    auth: Auth = Field(Auth(), description="Who may use the API.")
    network: Network = Field(Network(), description="How requests come to the API.")
    monitoring: Monitoring = Field(Monitoring(), description="What watches the bundle.")
    persistent_volume_claim_policy: VolumePolicy = Field(
        VolumePolicy.RETAIN,
        description="What becomes of the volumes when the resource is deleted.",
    )
    suspend: bool = Field(
        False,
        description="Scale everything to zero and keep the data; false wakes it up as it was.",
    )

    def secret_uses(self) -> Iterator[SecretUse]:
        """Yield the Secrets that users made and that this resource reads, with their paths."""
        llm, cache, store = self.llm, self.cache.external, self.vector_store.external
        rerank = self.retrieval.rerank
        refs: dict[str, SecretKeyRef | None] = {
            "spec.llm.apiKeySecretRef": llm.api_key_secret_ref if llm else None,
            "spec.embedding.apiKeySecretRef": self.embedding.api_key_secret_ref,
            "spec.retrieval.rerank.apiKeySecretRef": (
                rerank.api_key_secret_ref if rerank else None
            ),
            "spec.cache.external.urlSecretRef": cache.url_secret_ref if cache else None,
            "spec.vectorStore.external.tokenSecretRef": store.token_secret_ref if store else None,
        }
        for path, ref in refs.items():
            if ref is not None:
                yield SecretUse(path=path, name=ref.name, key=ref.key)
        if self.auth.enabled and (keys := self.auth.api_keys_secret_ref) is not None:
            yield SecretUse(path="spec.auth.apiKeysSecretRef", name=keys.name, key=None)
        yield from _variables("spec.api", self.api)
        yield from _variables("spec.indexer", self.indexer)


def _variables(path: str, pods: ServicePods) -> Iterator[SecretUse]:
    for index, one in enumerate(pods.extra_env):
        if one.value_from is not None:
            ref = one.value_from.secret_key_ref
            place = f"{path}.extraEnv[{index}].valueFrom.secretKeyRef"
            yield SecretUse(path=place, name=ref.name, key=ref.key)


class Metadata(Model):
    """What we need to know of the object itself."""

    name: str
    namespace: str
    uid: str
    generation: int


class RagDeployment(Model):
    """One RAG application: query and index API, cache and vector store."""

    metadata: Metadata
    spec: Spec = Field(Spec(), description="What is wanted.")

    rules = (
        Rule(
            cel=f"self.metadata.name.matches('^{_NAME}$')",
            message="the name of a RagDeployment must begin with a letter and hold only a-z, 0-9 "
            "and -, at most 63 characters, because its Services are named after it",
            holds=lambda self: bool(re.fullmatch(_NAME, self.metadata.name)),
        ),
    )

    @property
    def name(self) -> str:
        """Name of the resource."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """Namespace of the resource and of all its children."""
        return self.metadata.namespace

    @classmethod
    def parse(cls, obj: Mapping[str, Any]) -> RagDeployment:
        """Read an object as the API server holds it.

        Raises:
            Invalid: it breaks the schema. The message names the fields, and
                never a value, because a value may be a secret in the wrong place.
        """
        try:
            return cls.model_validate(
                {"metadata": obj.get("metadata", {}), "spec": obj.get("spec") or {}}
            )
        except ValidationError as error:
            # from None: the validation error itself holds the values.
            raise Invalid.at(_field_errors(error)) from None


def _field_errors(error: ValidationError) -> list[FieldError]:
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        FieldError(path=".".join(map(str, detail["loc"])) or "metadata.name", message=detail["msg"])
        for detail in details
    ]
