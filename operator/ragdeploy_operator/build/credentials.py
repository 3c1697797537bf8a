"""The Secrets that we make: the API key, and the password of the managed Redis."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import names, services
from ragdeploy_operator.build.context import BuildContext
from ragdeploy_operator.build.manifest import Manifest, manifest

API_KEY = "api-key"
"""Key of the generated API key in its Secret."""

CACHE_PASSWORD = "password"  # noqa: S105 -- the name of a key
CACHE_URL = "url"
CACHE_CONFIG = "auth.conf"
"""Keys of the managed Redis' Secret: for its probes, its clients and its own configuration."""

REDIS_PORT = 6379


def api_key(resource: RagDeployment, context: BuildContext) -> list[Manifest]:
    """Make the Secret with an API key, unless users bring their own or none is asked for."""
    auth = resource.spec.auth
    if not auth.enabled or auth.api_keys_secret_ref is not None:
        return []
    name = names.api_key(resource.name)
    return [_secret(resource, name, names.Component.API, {API_KEY: context.api_key})]


def api_keys_secret(resource: RagDeployment) -> str:
    """Name of the Secret whose every value is an accepted API key."""
    ref = resource.spec.auth.api_keys_secret_ref
    return ref.name if ref else names.api_key(resource.name)


def cache_password(
    resource: RagDeployment, context: BuildContext, *, url: str | None = None
) -> Manifest:
    """Make the Secret of the managed Redis; ``url`` leads to it, if not to its Service.

    It asks for a password even inside the cluster, because any pod there could
    otherwise read questions and answers, and add jobs.
    """
    name = names.cache(resource.name)
    if url is None:
        password = quote(context.cache_password, safe="")
        url = f"redis://:{password}@{services.host(resource, name)}:{REDIS_PORT}/0"
    return _secret(
        resource,
        name,
        names.Component.CACHE,
        {
            CACHE_PASSWORD: context.cache_password,
            CACHE_URL: url,
            CACHE_CONFIG: f"requirepass {context.cache_password}\n"
            f"masterauth {context.cache_password}\n",
        },
    )


def _secret(
    resource: RagDeployment, name: str, component: names.Component, values: dict[str, str]
) -> Manifest:
    return manifest(
        resource,
        api_version="v1",
        kind="Secret",
        name=name,
        component=component,
        type="Opaque",
        # not stringData: the API server keeps only data, and the two must be comparable
        data={key: b64encode(value.encode()).decode() for key, value in values.items()},
    )
