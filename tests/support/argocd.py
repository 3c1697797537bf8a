"""What Argo CD makes of a RagDeployment: it runs our health.lua, as its own Lua would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lupa import lua51

SCRIPT = Path(__file__).parents[2] / "manifests" / "argocd" / "health.lua"


def health(obj: dict[str, Any]) -> tuple[str, str]:
    """Status and message that Argo CD shows for an object."""
    lua = lua51.LuaRuntime(unpack_returned_tuples=True, register_eval=False)
    lua.globals().obj = lua.table_from(obj, recursive=True)
    # Argo CD opens no library that reaches outside (util/lua/lua.go)
    for library in ("io", "debug", "package", "require", "dofile", "loadfile", "python"):
        lua.globals()[library] = None
    found = lua.execute(SCRIPT.read_text())
    return found["status"], found["message"]
