"""What may come next on a command line of ``kubectl rag``.

kubectl asks ``kubectl_complete-rag`` on PATH, with the words so far, and takes an answer a line
and, in the last one, a directive of the library cobra
(https://kubernetes.io/docs/reference/kubectl/kubectl/#plugins, cobra's ``ShellCompDirective``).
"""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import redirect_stdout, suppress
from io import StringIO

import typer

from ragdeploy_kubectl.kubectl import Kubectl
from ragdeploy_service.cli.console import Failure

_NO_FILES = ":4"
_FILES = ":0"


def names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of the RagDeployments in the namespace that the words before it say."""
    given = ctx.parent.params if ctx.parent else {}
    kubectl = Kubectl(given.get("context"), given.get("namespace"))
    try:
        found = kubectl("get", "ragd", "--output=name", "--request-timeout=3s").split()
    except (Failure, OSError):
        return []
    return [name for one in found if (name := one.partition("/")[2]).startswith(incomplete)]


def main() -> None:
    """Answer kubectl, with what typer gives bash: a candidate a line, nothing where files fit."""
    from ragdeploy_kubectl.main import app

    words = ["kubectl-rag", *sys.argv[1:]]
    os.environ |= {
        "_KUBECTL_RAG_COMPLETE": "complete_bash",
        "COMP_WORDS": shlex.join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    with redirect_stdout(StringIO()) as answer, suppress(SystemExit):
        app(prog_name="kubectl-rag")
    candidates = answer.getvalue().split()
    print(*candidates, _NO_FILES if candidates else _FILES, sep="\n")
