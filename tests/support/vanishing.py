"""A server that is suddenly gone, and how the language model's adapter learns of it.

Nobody closes its connections, as with a pod that is deleted with its address. Run in a network of
its own, as ``unshare --map-root-user --net python -m tests.support.vanishing``; the last word that
it prints is the error.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess

from ragdeploy_service.adapters.llm import OpenAIModel
from ragdeploy_service.rag.errors import LanguageModelUnavailable
from ragdeploy_service.settings import ServiceSettings
from tests.support.llm import LanguageModelServer
from tests.support.waiting import eventually

ADDRESS = "10.1.2.3"
DEADLINE_SECONDS = 20.0
"""For an answer; whoever notices only then has not noticed."""


async def main(*, while_it_answers: bool) -> None:
    """Ask once, let the server vanish, and ask again or wait for the answer."""
    ip("link", "set", "lo", "up")
    ip("address", "add", f"{ADDRESS}/32", "dev", "lo")
    llm = LanguageModelServer(host=ADDRESS).start()
    settings = ServiceSettings(llm_base_url=llm.url, llm_timeout_seconds=DEADLINE_SECONDS)
    model = OpenAIModel(settings)
    await model.complete("What is kept alive?")
    if while_it_answers:
        llm.delay = 10 * DEADLINE_SECONDS
    else:
        vanish()
    asking = asyncio.create_task(model.complete("Is anybody there?"))
    if while_it_answers:
        await asyncio.to_thread(eventually, lambda: len(llm.calls) == 2, what="it was asked")
        vanish()
    try:
        await asking
    except LanguageModelUnavailable as error:
        print(type(error.__cause__).__name__)
    await model.close()


def vanish() -> None:
    ip("address", "del", f"{ADDRESS}/32", "dev", "lo")


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--while-it-answers", action="store_true")
    asyncio.run(main(while_it_answers=parser.parse_args().while_it_answers))
