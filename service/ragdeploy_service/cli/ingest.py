"""Hands documents to the service in batches and follows the jobs that they become."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ragdeploy_service.cli.client import ApiClient, Denied, NotFound, Refused
from ragdeploy_service.cli.console import Failure
from ragdeploy_service.documents import IsolatedReader, Limits, Unreadable, document_of, open_file
from ragdeploy_service.rag.models import Document, JobState

# A batch is one request and one job: large enough to keep the model busy, small enough for
# the service's limit on a request and for progress that moves.
BATCH_DOCUMENTS = 32
BATCH_BYTES = 1_000_000

# Further batches wait in the service's queue, so that it never waits for this program.
_JOBS_AT_ONCE = 3
_POLL_SECONDS = 0.25

# What one file may cost; the service takes no more text of one document.
_FILE = Limits(text_bytes=8 * 2**20)
_FILE_SECONDS = 120.0

# Key of the metadata under which a document says what file it was made of.
_DIGEST = "digest"

_AGAIN = "run the command again; what is indexed already is passed over."


@dataclass(slots=True)
class Tally:
    """What became of the documents so far; ``problems`` holds a sentence for each that failed."""

    indexed: int = 0
    unchanged: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def settled(self) -> int:
        return self.indexed + self.unchanged + len(self.problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    id: str
    size: int


class Ingestion:
    """Indexes files, but for those that the collection holds as they are.

    ``on_progress`` is told how many are done: indexed, passed over or failed.
    """

    def __init__(
        self,
        client: ApiClient,
        *,
        collection: str | None,
        anew: bool,
        on_progress: Callable[[int], None],
    ) -> None:
        """Take all files if ``anew``, and otherwise only those that are new or changed."""
        self._client = client
        self._collection = collection
        self._anew = anew
        self._on_progress = on_progress
        self._jobs: deque[_Job] = deque()
        self.tally = Tally()

    def run(self, files: Iterable[Path]) -> None:
        """Index the files and return when all of them can be found.

        Raises:
            Failure: the service cannot be reached, or has lost a job.
        """
        known = {} if self._anew else self._known()
        with IsolatedReader(_FILE) as reader:
            for batch in batches(self._read(files, known, reader)):
                self._submit(batch)
        while self._jobs:
            self._follow(self._jobs.popleft())

    def _known(self) -> dict[str, str]:
        """Digests of the files that the collection's documents were made of, by document."""
        try:
            return {
                document["id"]: document["metadata"][_DIGEST]
                for document in self._client.documents(self._collection)
                if _DIGEST in document["metadata"]
            }
        except (Denied, NotFound):  # a key that may only write, or no collection yet
            return {}

    def _read(
        self, files: Iterable[Path], known: Mapping[str, str], reader: IsolatedReader
    ) -> Iterator[Document]:
        for path in files:
            try:
                file = open_file(path)
                if known.get(file.name) == file.digest:
                    self.tally.unchanged += 1
                    self._on_progress(self.tally.settled)
                    continue
                page = reader.read(file.data, kind=file.kind, seconds=_FILE_SECONDS)
                document = document_of(page, document_id=file.name, source=file.name)
            except Unreadable as error:
                self._problem(f"{path}: {error}")
            else:
                yield replace(document, metadata={**document.metadata, _DIGEST: file.digest})

    def _submit(self, batch: list[Document]) -> None:
        """Hand in a batch; if the service refuses it, hand in its halves to find what is wrong."""
        while len(self._jobs) >= _JOBS_AT_ONCE:
            self._follow(self._jobs.popleft())
        try:
            self._jobs.append(_Job(id=self._hand_in(batch), size=len(batch)))
        except Refused as error:
            if len(batch) == 1:
                self._problem(f"{batch[0].id}: {error}")
                return
            middle = len(batch) // 2
            self._submit(batch[:middle])
            self._submit(batch[middle:])

    def _hand_in(self, batch: list[Document]) -> str:
        return self._client.index(batch, collection=self._collection)

    def _follow(self, job: _Job) -> None:
        """Wait for the end of a job."""
        while True:
            report = self._report(job)
            state = JobState(report["state"])
            if state is JobState.SUCCEEDED:
                self.tally.indexed += job.size - len(report["errors"])
                self.tally.problems += report["errors"]
                break
            if state is JobState.FAILED:
                raise Failure(
                    f"the service gave up a job of {job.size} documents: "
                    f"{' '.join(report['errors'])} When that is mended, {_AGAIN}"
                )
            self._on_progress(self.tally.settled + int(report["done"]))
            time.sleep(_POLL_SECONDS)
        self._on_progress(self.tally.settled)

    def _report(self, job: _Job) -> dict[str, Any]:
        try:
            return self._client.job(job.id)
        except Refused as error:
            raise Failure(
                "the service has forgotten a job; it was started anew, it seems. "
                f"For what is left, {_AGAIN}"
            ) from error

    def _problem(self, sentence: str) -> None:
        self.tally.problems.append(sentence)
        self._on_progress(self.tally.settled)


def batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Group documents; a batch is over a bound only if it holds a single document."""
    batch: list[Document] = []
    size = 0
    for document in documents:
        length = len(document.text.encode())
        if batch and (len(batch) == BATCH_DOCUMENTS or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += length
    if batch:
        yield batch
