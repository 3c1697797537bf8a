"""Asks a question over and over, with new and with kept connections, and keeps count.

GET / answers {"answered": n, "failures": ["...", ...]}.
"""

import asyncio
import os

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

URL = os.environ["URL"]
HEADERS = {"X-API-Key": os.environ["API_KEY"]}
BODY = {"question": os.environ["QUESTION"], "use_cache": False}

answered = 0
failures: list[str] = []


async def ask(client: httpx.AsyncClient, kind: str) -> None:
    """Ask once, and wait a moment so as not to be a load test."""
    global answered
    try:
        answer = await client.post(f"{URL}/query", json=BODY, headers=HEADERS, timeout=20)
        if answer.status_code == 200 and answer.json()["sources"]:
            answered += 1
        else:
            failures.append(f"{kind}: {answer.status_code} {answer.text[:300]}")
    except httpx.HTTPError as error:
        failures.append(f"{kind}: {error!r}")
    await asyncio.sleep(0.05)


async def with_new_connections() -> None:
    """Ask as curl does."""
    while True:
        async with httpx.AsyncClient() as client:
            await ask(client, "new connection")


async def with_kept_connections() -> None:
    """Ask as an application does, over a pool."""
    async with httpx.AsyncClient() as client:
        while True:
            await ask(client, "kept connection")


async def count(request: Request) -> JSONResponse:
    """Say how it went so far."""
    return JSONResponse({"answered": answered, "failures": failures})


async def main() -> None:
    """Ask from four sides and serve the count."""
    app = Starlette(routes=[Route("/", count)])
    server = uvicorn.Server(uvicorn.Config(app, host="0.0.0.0", port=8000, log_level="warning"))
    async with asyncio.TaskGroup() as tasks:
        for _ in range(2):
            tasks.create_task(with_new_connections())
            tasks.create_task(with_kept_connections())
        tasks.create_task(server.serve())


if __name__ == "__main__":
    asyncio.run(main())
