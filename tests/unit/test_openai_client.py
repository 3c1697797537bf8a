"""The HTTP client of OpenAI's SDK, against servers that vanish, and through a proxy."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from ragdeploy_service.adapters.llm import OpenAIModel
from ragdeploy_service.settings import ServiceSettings
from tests.support.llm import DEFAULT_ANSWER

_ALONE = ("unshare", "--map-root-user", "--net")
"""With a network of one's own, whose addresses can go."""


def can_be_alone() -> bool:
    if not (shutil.which("unshare") and shutil.which("ip")):
        return False
    command = [*_ALONE, "ip", "link", "set", "lo", "up"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_be_alone(), reason="needs Linux, and the right to make a namespace")
@pytest.mark.parametrize("when", [[], ["--while-it-answers"]], ids=["before it is asked", "later"])
def test_a_server_that_is_gone_without_a_word_is_noticed_before_the_deadline(when):
    command = [*_ALONE, sys.executable, "-m", "tests.support.vanishing", *when]
    learned = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    *_, error = learned.stdout.split()
    # at the deadline it would be a TimeoutError
    assert error in {"APIConnectionError", "APITimeoutError"}, learned


async def test_a_proxy_that_the_environment_names_is_asked(llm, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", llm.url.removesuffix("/v1"))
    model = OpenAIModel(ServiceSettings(llm_base_url="http://llm.invalid/v1"))
    answer, _ = await model.complete("Why?")
    await model.close()
    assert answer == DEFAULT_ANSWER
    assert llm.calls[0].headers["host"] == "llm.invalid"
