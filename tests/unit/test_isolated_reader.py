"""Files are read in a process that may crash, hang or eat memory without harm."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ragdeploy_service.documents import (
    FileReader,
    IsolatedReader,
    Limits,
    Page,
    TooManyFiles,
    Unreadable,
    Upload,
)
from tests.support.files import docx, pdf
from tests.support.waiting import eventually

ENOUGH = Limits(text_bytes=100_000)
NOTE = Upload(kind=".md", data=b"# Title\n\nSome text.")


def workers():
    """Process ids of the readers that this process has started and not ended."""
    return [
        pid
        for thread in Path("/proc/self/task").iterdir()
        for pid in content(thread / "children").split()
        if "documents.worker" in content(Path("/proc") / pid / "cmdline")
    ]


def content(file):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
        return file.read_text()
    return ""


def read(limits, *files, seconds=60):
    return asyncio.run(FileReader(limits, seconds=seconds, at_once=1, waiting=1).read(files))


def reasons(found):
    return [str(entry) if isinstance(entry, Unreadable) else None for entry in found]


def test_files_of_all_kinds_are_read_in_their_order():
    found = read(
        ENOUGH, NOTE, Upload(kind=".pdf", data=pdf("One.")), Upload(kind=".docx", data=docx("Two."))
    )
    assert [page.text for page in found] == ["# Title\n\nSome text.", "One.", "Two."]
    assert found[0] == Page(text="# Title\n\nSome text.", title="Title", url=None)


def test_a_bad_file_is_told_and_the_others_are_read():
    found = read(ENOUGH, NOTE, Upload(kind=".pdf", data=b"no"), NOTE)
    assert reasons(found) == [None, "is damaged, or no PDF", None]


def test_a_file_that_needs_too_much_memory_is_given_up_and_the_others_are_read():
    little = Limits(text_bytes=100_000, memory_bytes=200 * 2**20)
    bomb = docx(body="<w:p/>" * 2_000_000)
    found = read(little, NOTE, Upload(kind=".docx", data=bomb), NOTE)
    assert [reason is None for reason in reasons(found)] == [True, False, True]
    assert "memory" in reasons(found)[1]


def test_after_a_crash_the_next_file_is_read():
    with IsolatedReader(ENOUGH) as reader:
        reader.read(NOTE.data, kind=NOTE.kind, seconds=60)
        [crashed] = workers()
        os.kill(int(crashed), signal.SIGSEGV)
        with pytest.raises(Unreadable, match="makes its reader crash"):
            reader.read(NOTE.data, kind=NOTE.kind, seconds=60)
        assert reader.read(NOTE.data, kind=NOTE.kind, seconds=60).title == "Title"


def test_more_text_than_is_taken_is_refused_with_the_limit():
    long = Upload(kind=".txt", data="界".encode() * 40_000)
    assert reasons(read(ENOUGH, long)) == ["holds more than 100000 bytes of text; split it"]


def test_a_file_that_is_not_read_in_time_is_given_up_and_the_rest_not_begun():
    first, second = reasons(read(ENOUGH, NOTE, NOTE, seconds=0.001))
    assert "could not be read in 0.0" in first
    assert "was not reached in 0.001 s" in second


def test_what_a_caller_no_longer_waits_for_is_not_read_on():
    endless = docx(body="<w:p/>" * 8_000_000)

    async def leave():
        reading = asyncio.create_task(
            FileReader(ENOUGH, seconds=60, at_once=1, waiting=0).read(
                [Upload(kind=".docx", data=endless)]
            )
        )
        await asyncio.to_thread(eventually, workers, what="the reader's process starts")
        reading.cancel()
        await asyncio.wait([reading])

    asyncio.run(leave())
    eventually(lambda: not workers(), what="the reader's process ends")


def test_when_too_many_wait_the_next_is_refused():
    async def crowd():
        reader = FileReader(ENOUGH, seconds=60, at_once=1, waiting=1)
        return await asyncio.gather(
            *(reader.read([NOTE]) for _ in range(3)), return_exceptions=True
        )

    *read_, refused = asyncio.run(crowd())
    assert all(isinstance(found, list) for found in read_)
    assert isinstance(refused, TooManyFiles)


def test_modules_are_found_where_this_process_finds_them():
    # In the image they are on PYTHONPATH, and the interpreter knows nothing of them.
    program = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from ragdeploy_service.documents import IsolatedReader, Limits\n"
        "with IsolatedReader(Limits(text_bytes=100)) as reader:\n"
        "    print(reader.read(b'# It works', kind='.md', seconds=60).title)"
    )
    python = sys._base_executable
    run = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, check=False)
    assert run.stdout == "It works\n", run.stderr


def test_a_reader_that_is_closed_while_it_starts_leaves_no_process(monkeypatch):
    reader = IsolatedReader(ENOUGH)
    closing = threading.Thread(target=reader.close)
    start = IsolatedReader._start

    def closed_meanwhile(self):
        process = start(self)
        closing.start()
        closing.join(timeout=0.5)  # it must wait for the process that it has to end
        return process

    monkeypatch.setattr(IsolatedReader, "_start", closed_meanwhile)
    with contextlib.suppress(Unreadable):
        reader.read(NOTE.data, kind=NOTE.kind, seconds=60)
    closing.join()
    eventually(lambda: not workers(), what="the reader's process ends")


def test_a_reader_sees_no_secret(monkeypatch):
    monkeypatch.setenv("RAG_API_KEYS", "a-key-of-sixteen-or-more")
    with IsolatedReader(ENOUGH) as reader:
        reader.read(NOTE.data, kind=NOTE.kind, seconds=60)
        [worker] = workers()
        assert "a-key" not in content(Path("/proc") / worker / "environ")


def test_one_process_reads_file_after_file():
    with IsolatedReader(ENOUGH) as reader:
        reader.read(NOTE.data, kind=NOTE.kind, seconds=60)
        first = workers()
        reader.read(NOTE.data, kind=NOTE.kind, seconds=60)
        assert workers() == first
        assert len(first) == 1
    assert workers() == []
