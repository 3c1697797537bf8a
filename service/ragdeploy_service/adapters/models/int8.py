"""The int8 model: made of the fp32 one in two seconds, and kept beside it or in ``data_dir``.

The hub has int8 files too, but one for each kind of processor, and none for models of one's own.
ONNX Runtime's dynamic quantisation keeps the weights in 8 bits and works out the range of what
flows between the layers at each run. That halves the processor time of a text. It changes the
vectors, so it is another model: of 600 passages of the Python documentation, 120 questions find
0.89 of the five nearest that they find with fp32. And as the range is that of a whole batch, a
vector depends a little on the texts that it is embedded with (cosine 0.97 and more).
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import structlog
from filelock import AsyncFileLock

from ragdeploy_service.adapters.models import embedding
from ragdeploy_service.adapters.models.published import ModelFiles
from ragdeploy_service.rag.errors import ModelUnavailable
from ragdeploy_service.settings import ServiceSettings, variable

INT8_FILE = "model-int8.onnx"

WEIGHTS = "ragdeploy.weights"
"""Where the int8 file says which weights it was made of."""

_log = structlog.get_logger(__name__)


async def ensure_int8(files: ModelFiles, settings: ServiceSettings) -> ModelFiles:
    """Find the int8 model that belongs to an fp32 one, or make it.

    Raises:
        ModelUnavailable: it is not there and cannot be made here; says what to do.

    """
    kept = embedding.published(settings).kept_in(settings) / INT8_FILE
    for path in (files.folder / INT8_FILE, kept):
        if path.is_file():
            return replace(files, model=path)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        async with AsyncFileLock(kept.with_suffix(".lock")):
            if not kept.is_file():  # another process may have made it meanwhile
                await asyncio.to_thread(quantise, files, kept)
    except OSError as error:
        raise ModelUnavailable(
            f"The int8 model cannot be written to {kept}: {error.strerror or error}. "
            f"Set {variable('data_dir')} to a folder that can be written."
        ) from error
    return replace(files, model=kept)


def quantise(files: ModelFiles, to: Path) -> None:
    """Write the int8 model of an fp32 one; takes two seconds.

    Raises:
        ModelUnavailable: the extra ``int8`` is not installed.

    """
    try:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise ModelUnavailable(
            f"{variable('embedding_precision')}=int8 needs {INT8_FILE} in {files.folder}, or the "
            "extra ragdeploy[int8] to make it. The service's image has it."
        ) from error
    _log.info("making the int8 embedding model", file=str(to))
    with tempfile.TemporaryDirectory(prefix=".int8-", dir=to.parent) as temporary:
        staged = Path(temporary) / INT8_FILE
        quantize_dynamic(
            files.model,
            staged,
            weight_type=QuantType.QInt8,
            # A scale for each row of a matrix: 0.88 of the nearest five, and 0.77 with one for all.
            per_channel=True,
            # Seven bits, because processors without VNNI add pairs of products in 16 bits.
            reduce_range=True,
        )
        model = onnx.load(staged)
        onnx.helper.set_model_props(model, {WEIGHTS: files.weights})
        onnx.save(model, staged)
        staged.replace(to)
