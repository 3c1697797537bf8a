"""Milvus Lite: the vector store of a laptop, inside this process and in one folder."""

from __future__ import annotations

from pathlib import Path

from ragdeploy_service.rag.errors import ConfigurationError


class LiteServer:
    """Serves the database in a folder on a free port of loopback.

    One process at a time: the folder is locked.
    """

    def __init__(self, folder: Path) -> None:
        """Open the folder; takes a second and replays what was not flushed.

        Raises:
            ConfigurationError: Milvus Lite is not installed, or another process has the folder.

        """
        try:
            from milvus_lite.adapter.grpc.server import start_server_in_thread
            from milvus_lite.exceptions import DataDirLockedError
            from threadpoolctl import threadpool_limits
        except ImportError as error:
            raise ConfigurationError(
                "Neither a Milvus server nor Milvus Lite is there: set RAG_MILVUS_URI, "
                "or install ragdeploy[service,embedded]."
            ) from error
        # A search is a matrix product of a few milliseconds. Spread over several threads it takes
        # longer, for they wait busily for each other while the embedding model has work to do:
        # 33 ms of processor time for 12,000 rows on two busy cores, and 11 ms with one thread.
        threadpool_limits(1, user_api="blas")
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._server, self._database, port = start_server_in_thread(str(folder))
        except DataDirLockedError as error:
            raise ConfigurationError(
                f"Another ragdeploy serves the documents in {folder.parent}. "
                "Stop it, or give this one a folder of its own with RAG_DATA_DIR."
            ) from error
        self.uri = f"http://127.0.0.1:{port}"

    def close(self) -> None:
        """Let running calls end and unlock the folder."""
        self._server.stop(grace=2).wait()
        self._database.close()
