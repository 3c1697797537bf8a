from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
import sys
from ragdeploy_service.adapters.milvus import library as milvus_library

print("pandas" in sys.modules, milvus_library.MilvusClient.__module__)
"""


def test_pymilvus_is_imported_without_pandas_and_leaves_no_other_in_its_place() -> None:
    run = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True)
    assert run.stdout.split() == ["False", "pymilvus.milvus_client.milvus_client"], run.stderr
