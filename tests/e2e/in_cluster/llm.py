"""A stand-in for an OpenAI-compatible server: it answers with the passages it was given.

It takes DELAY_MS for an answer, as a model takes its time.
"""

import asyncio
import os
import re
from collections import deque

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

API_KEY = "sk-e2e"
DELAY = int(os.environ.get("DELAY_MS", "0")) / 1000

keys: deque[str] = deque(maxlen=50)


async def chat(request: Request) -> JSONResponse:
    """Quote the first line of the prompt that speaks of what the question asks for."""
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    keys.append(key)
    if not key.startswith(API_KEY):
        return JSONResponse({"error": {"message": "Incorrect API key provided"}}, 401)
    body = await request.json()
    await asyncio.sleep(DELAY)
    prompt = "\n".join(str(message["content"]) for message in body["messages"])
    about = re.search(r"(?i)[^\n]*rebuilt every[^\n]*", prompt)
    answer = f"The model says [1]: {about[0] if about else 'I do not know.'}"
    return JSONResponse(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": answer},
                }
            ],
            "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
        }
    )


async def last_keys(request: Request) -> JSONResponse:
    """Say with which keys the last questions came."""
    return JSONResponse(list(keys))


if __name__ == "__main__":
    routes = [
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/keys", last_keys),
    ]
    uvicorn.run(Starlette(routes=routes), host="0.0.0.0", port=8000)
