"""Programs that tests start are ready when they say so, and a failure says why."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.process import DidNotStart, Process
from tests.support.redis import RedisServer


def python(code: str, log: Path) -> Process:
    return Process([sys.executable, "-c", code], log=log)


def test_a_program_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path):
    process = python("raise SystemExit('no configuration found')", tmp_path / "log")
    with pytest.raises(DidNotStart, match=r"(?s)ended with 1.*no configuration found"):
        process.start().wait_ready(lambda: False)


def test_a_program_that_never_gets_ready_is_ended(tmp_path: Path):
    process = python("import time; time.sleep(60)", tmp_path / "log").start()
    with pytest.raises(DidNotStart, match="not ready"):
        process.wait_ready(lambda: False, timeout=0.2)
    assert not process.running


def test_a_program_that_ignores_sigterm_is_killed(tmp_path: Path):
    ignores = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True)"
    process = python(f"{ignores}; time.sleep(60)", tmp_path / "log").start()
    process.wait_ready(lambda: "up" in process.log)
    assert process.stop(timeout=0.2) == -signal.SIGKILL


def test_a_program_that_ends_well_returns_its_code(tmp_path: Path):
    handler = "import signal, time; signal.signal(15, lambda *_: exit(3)); print('up', flush=True)"
    process = python(f"{handler}; time.sleep(60)", tmp_path / "log").start()
    process.wait_ready(lambda: "up" in process.log)
    assert process.stop() == 3


@pytest.mark.redis
def test_redis_answers_forgets_and_comes_back_after_a_crash(redis_server: RedisServer):
    assert redis_server.ask("SET key value") == "+OK"
    redis_server.flush()
    assert redis_server.ask("EXISTS key") == ":0"
    redis_server.kill()
    assert redis_server.ask("PING") is None
    redis_server.start()
    assert redis_server.ask("PING") == "+PONG"


@pytest.mark.parametrize(("ci", "outcome"), [("", "1 skipped"), ("true", "1 error")])
def test_without_redis_a_person_sees_a_skip_with_its_reason_and_ci_a_failure(ci, outcome):
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", __file__, "-k", "forgets"],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PATH": "/nowhere", "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in run.stdout, run.stdout
    assert "no redis-server on PATH (Debian: apt-get install redis-server)" in run.stdout
