"""Loads a BERT-like model for ONNX Runtime, and turns texts into what it reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

Tokens = NDArray[np.int64]


def load_session(path: Path) -> onnxruntime.InferenceSession:
    """Load a model that runs in the thread that asks it, and in no other."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def load_tokenizer(path: Path) -> Tokenizer:
    """Load a tokenizer that neither pads nor cuts off."""
    tokenizer = Tokenizer.from_file(str(path))
    # The file may ask for both; a batch is padded to its own longest row here.
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def padded(encodings: Sequence[Encoding]) -> dict[str, Tokens]:
    """What the model reads of n texts: ids, mask and types, each of shape (n, longest)."""
    longest = max(len(encoding.ids) for encoding in encodings)
    ids = np.zeros((len(encodings), longest), dtype=np.int64)
    mask, types = np.zeros_like(ids), np.zeros_like(ids)
    for row, encoding in enumerate(encodings):
        length = len(encoding.ids)
        ids[row, :length] = encoding.ids
        mask[row, :length] = 1
        types[row, :length] = encoding.type_ids
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
