"""What we use of pymilvus, which is imported here and nowhere else, without pandas.

pymilvus imports pandas for the data frames that it takes; we give it none. pandas would cost 40 MB
of the image and a quarter of the time to start. So while pymilvus is imported, a module with the
names that it asks for stands in for pandas. Afterwards that module is gone again, and whoever else
imports pandas gets the real one, if it is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NoReturn

__all__ = [
    "AsyncMilvusClient",
    "DataNotMatchException",
    "DataType",
    "DataTypeNotMatchException",
    "Function",
    "FunctionType",
    "MilvusClient",
    "MilvusException",
    "ParamError",
]

_TYPES = ("infer_dtype", "is_array_like", "is_float", "is_list_like", "is_scalar")


@contextmanager
def _without_pandas() -> Iterator[None]:
    if "pandas" in sys.modules:
        yield
        return
    pandas, api, types = (ModuleType(name) for name in ("pandas", "pandas.api", "pandas.api.types"))
    modules = {module.__name__: module for module in (pandas, api, types)}
    vars(pandas)["DataFrame"] = type("DataFrame", (), {})  # nothing is an instance of it
    vars(types).update(dict.fromkeys(_TYPES, _not_here))
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]


def _not_here(*_: Any, **__: Any) -> NoReturn:
    raise NotImplementedError("pymilvus was imported without pandas")


with _without_pandas():
    from pymilvus import (
        AsyncMilvusClient,
        DataType,
        Function,
        FunctionType,
        MilvusClient,
        MilvusException,
    )
    from pymilvus.exceptions import (
        DataNotMatchException,
        DataTypeNotMatchException,
        ParamError,
    )
