"""Hands documents in, a few at a time, and keeps count of those that were accepted.

Each batch is sent until it is accepted: its ids make that the same as sending it once.
GET / answers {"accepted": n, "attempts": n, "refusals": {"why": n}}; POST /stop ends it after
the batch under way.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Mapping

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

URL = os.environ["URL"]
HEADERS = {"X-API-Key": os.environ["API_KEY"]}
COLLECTION = os.environ["COLLECTION"]
BATCH = int(os.environ.get("BATCH", "5"))
PAUSE = float(os.environ.get("PAUSE", "0.5"))

accepted = 0
attempts = 0
refusals: Counter[str] = Counter()
stopping = asyncio.Event()
written = asyncio.Event()


async def hand_in(client: httpx.AsyncClient, body: Mapping[str, object]) -> bool:
    """Send a batch once; whether it was accepted."""
    global attempts
    attempts += 1
    try:
        answer = await client.post(f"{URL}/index", json=body, headers=HEADERS, timeout=20)
    except httpx.HTTPError as error:
        refusals[type(error).__name__] += 1
        return False
    if answer.status_code != 202:
        refusals[str(answer.status_code)] += 1
    return answer.status_code == 202


async def write() -> None:
    """Go on until it is stopped."""
    global accepted
    number = 0
    while not stopping.is_set():
        ids = [f"note-{number + more}" for more in range(BATCH)]
        number += BATCH
        texts = [f"Note {name}: the reading of meter {name} was taken." for name in ids]
        body = {"documents": texts, "ids": ids, "collection": COLLECTION}
        while True:
            async with httpx.AsyncClient() as client:  # a pod that is gone keeps no connection
                if await hand_in(client, body):
                    break
            await asyncio.sleep(PAUSE)
        accepted += BATCH
        await asyncio.sleep(PAUSE)
    written.set()


async def count(request: Request) -> JSONResponse:
    """Say how it went so far."""
    return JSONResponse({"accepted": accepted, "attempts": attempts, "refusals": dict(refusals)})


async def stop(request: Request) -> JSONResponse:
    """Hand in no more, and answer when the last batch is accepted."""
    stopping.set()
    await written.wait()
    return await count(request)


async def main() -> None:
    """Write, and serve the count."""
    app = Starlette(routes=[Route("/", count), Route("/stop", stop, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, host="0.0.0.0", port=8000, log_level="warning"))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write())
        tasks.create_task(server.serve())


if __name__ == "__main__":
    asyncio.run(main())
