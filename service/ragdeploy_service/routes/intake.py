"""What a document may be, wherever it is handed in."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints

# Milvus keeps metadata beside each chunk and takes 64 KiB.
_METADATA_BYTES = 16_384
_METADATA_DEPTH = 16
_ID_BYTES = 512
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _id_fits(value: str) -> str:
    size = len(value.encode(errors="replace"))
    if not 1 <= size <= _ID_BYTES or _CONTROL.search(value):
        raise ValueError(f"An id has 1 to {_ID_BYTES} bytes and no control characters.")
    return value


def _metadata_fits(value: dict[str, Any]) -> dict[str, Any]:
    if _deeper_than(_METADATA_DEPTH, value):
        raise ValueError(f"It is nested deeper than {_METADATA_DEPTH}.")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except ValueError as error:  # NaN, or half a surrogate pair
        raise ValueError("It is not valid JSON in UTF-8.") from error
    json.loads(text, parse_int=_integer_fits)
    if size > _METADATA_BYTES:
        raise ValueError(f"It has {size} bytes as JSON; {_METADATA_BYTES} are taken.")
    return value


def _integer_fits(digits: str) -> None:
    # pymilvus cannot send larger ones, wherever in the metadata they stand.
    if not -(2**63) <= int(digits) < 2**64:
        raise ValueError("It holds an integer of more than 64 bits; give that as a text.")


def _deeper_than(most: int, value: Any) -> bool:
    """Whether an object of JSON is nested deeper, found without recursion and level by level."""
    level = [value]
    for _ in range(most):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return bool(level)


Text = Annotated[str, StringConstraints(min_length=1, pattern=r"\S")]
DocumentId = Annotated[str, AfterValidator(_id_fits)]
MetadataObject = Annotated[dict[str, Any], AfterValidator(_metadata_fits)]
