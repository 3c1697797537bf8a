"""The default cross-encoder for reranking, and the place that has it."""

from __future__ import annotations

from ragdeploy_service.adapters.models.download import HubSource, PinnedFile
from ragdeploy_service.adapters.models.published import (
    MODEL_FILE,
    TOKENIZER_FILE,
    ModelFiles,
    PublishedModel,
)
from ragdeploy_service.settings import DEFAULT_RERANK_MODEL, ServiceSettings, variable

HUB_FILES = (
    PinnedFile(
        name=MODEL_FILE,
        origin="onnx/model.onnx",
        sha256="5d3e70fd0c9ff14b9b5169a51e957b7a9c74897afd0a35ce4bd318150c1d4d4a",
        size=91_011_230,
    ),
    PinnedFile(
        name=TOKENIZER_FILE,
        origin="tokenizer.json",
        sha256="d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
        size=711_396,
    ),
)
HUB_REVISION = "c5ee24cb16019beea0893ab7796b1df96625c6b8"


async def ensure_reranker(settings: ServiceSettings) -> ModelFiles:
    """Find the cross-encoder's files, and fetch the default one when this machine has none.

    Raises:
        ModelUnavailable: no place has them; the message lists what was tried.
    """
    return await published(settings).ensure(settings)


def published(settings: ServiceSettings) -> PublishedModel:
    """The default cross-encoder."""
    hub = HubSource(
        base_url=settings.model_hub_url,
        repository=DEFAULT_RERANK_MODEL,
        revision=HUB_REVISION,
        files=HUB_FILES,
    )
    return PublishedModel(
        kind="cross-encoder",
        name=DEFAULT_RERANK_MODEL,
        weights=HUB_FILES[0].sha256,
        sources=(hub,),
        fetch_command="ragdeploy model fetch --cross-encoder --to",
        name_setting="rerank_model",
        folder_setting="rerank_model_dir",
        without=f", or do without: unset {variable('rerank_backend')}",
    )
