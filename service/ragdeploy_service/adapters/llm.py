"""The language model: any server that speaks OpenAI's chat completions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable

import openai
import structlog
from openai import AsyncOpenAI, AsyncStream
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from ragdeploy_service.adapters.openai_client import http_client
from ragdeploy_service.rag.errors import LanguageModelUnavailable
from ragdeploy_service.rag.models import Usage
from ragdeploy_service.settings import ServiceSettings

_FAILURES = (openai.OpenAIError, json.JSONDecodeError, TimeoutError)

_CONNECT_SECONDS = 5.0

# Full jitter (AWS Architecture Blog, 2015), which stamina does not have: its waits have a floor.
_JITTER = wait_random_exponential(multiplier=0.25, max=8)

# What a person can do about an answer that will be the same next time.
_REMEDIES = {
    400: "the server does not take this request; see RAG_LLM_MODEL and RAG_LLM_MAX_TOKENS",
    401: "set a valid key in RAG_LLM_API_KEY or OPENAI_API_KEY",
    403: "the key in RAG_LLM_API_KEY may not use this model",
    404: "RAG_LLM_BASE_URL or RAG_LLM_MODEL names something that is not there",
}

_log = structlog.get_logger(__name__)


class OpenAIModel:
    """Implements `rag.ports.LanguageModel`.

    All tries of one answer share one deadline. The SDK's own retries are off:
    two layers would multiply.
    """

    def __init__(
        self, settings: ServiceSettings, *, headers: Callable[[], dict[str, str]] = dict
    ) -> None:
        """Make the client; it connects when it is first used, and sends ``headers()`` along."""
        key = settings.llm_api_key
        self.name = settings.llm_model
        self._temperature = settings.llm_temperature
        self._max_tokens = settings.llm_max_tokens
        self._seconds = settings.llm_timeout_seconds
        self._tries = settings.llm_max_retries + 1
        self._headers = headers
        timeout = openai.Timeout(self._seconds, connect=min(_CONNECT_SECONDS, self._seconds))
        self._client = AsyncOpenAI(
            # Servers without keys ignore it, but the SDK insists on one.
            api_key=key.get_secret_value() if key else "none",
            base_url=settings.llm_base_url,
            max_retries=0,
            timeout=timeout,
            http_client=http_client(timeout),
        )

    async def complete(self, prompt: str) -> tuple[str, Usage | None]:
        try:
            async with asyncio.timeout(self._seconds):
                completion: ChatCompletion = await self._retrying()(self._ask, prompt)
        except _FAILURES as error:
            _log_failure(error, model=self.name)
            raise LanguageModelUnavailable(f"The language model {self.name} gave no answer.") from (
                error
            )
        return self._read(completion)

    async def stream(self, prompt: str) -> AsyncGenerator[str | Usage]:
        # The deadline stands around each wait: a timeout around a `yield` would cancel
        # whatever the consumer does in between.
        deadline = asyncio.get_running_loop().time() + self._seconds
        reply: _Reply
        piece: str
        try:
            async with asyncio.timeout_at(deadline):
                reply, piece = await self._retrying()(self._begin, prompt)
            async with reply.chunks:
                while piece:
                    yield piece
                    async with asyncio.timeout_at(deadline):
                        piece = await reply.next_piece()
        except _FAILURES as error:
            _log_failure(error, model=self.name)
            raise LanguageModelUnavailable(
                f"The language model {self.name} gave no whole answer."
            ) from error
        if not reply.finished:
            _log.warning("the language model's answer broke off", model=self.name)
            raise LanguageModelUnavailable("The language model's answer broke off.")
        if reply.usage is not None:
            yield _usage(reply.usage)

    async def close(self) -> None:
        await self._client.close()

    async def _ask(self, prompt: str) -> ChatCompletion:
        return await self._client.chat.completions.create(
            model=self.name,
            messages=[{"role": "user", "content": prompt}],
            temperature=self._temperature,
            max_tokens=self._max_tokens,
            extra_headers=self._headers(),
        )

    async def _begin(self, prompt: str) -> tuple[_Reply, str]:
        """Ask for a stream and wait for its first piece, so that all that may fail has not yet."""
        chunks = await self._client.chat.completions.create(
            model=self.name,
            messages=[{"role": "user", "content": prompt}],
            temperature=self._temperature,
            max_tokens=self._max_tokens,
            stream=True,
            stream_options={"include_usage": True},
            extra_headers=self._headers(),
        )
        reply = _Reply(chunks)
        try:
            piece = await reply.next_piece()
        except BaseException:
            await chunks.close()
            raise
        if not piece:
            await chunks.close()
            _log.warning("the language model's answer is empty", model=self.name)
            raise LanguageModelUnavailable("The language model gave an empty answer.")
        return reply, piece

    def _retrying(self) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(self._tries) | stop_before_delay(self._seconds),
            wait=_wait,
            reraise=True,
        )

    def _read(self, completion: ChatCompletion) -> tuple[str, Usage | None]:
        # The SDK does not check what it gets; a proxy's login page arrives here as a string.
        if not isinstance(completion, ChatCompletion) or not completion.choices:
            _log.warning("the language model's reply is not a chat completion", model=self.name)
            raise LanguageModelUnavailable("The language model's reply cannot be read.")
        text = (completion.choices[0].message.content or "").strip()
        if not text:
            _log.warning(
                "the language model's answer is empty",
                model=self.name,
                finish_reason=completion.choices[0].finish_reason,
            )
            raise LanguageModelUnavailable("The language model gave an empty answer.")
        return text, _usage(completion.usage) if completion.usage else None


class _Reply:
    """Reads a stream of chunks, which the SDK does not check either."""

    def __init__(self, chunks: AsyncStream[ChatCompletionChunk]) -> None:
        self.chunks = chunks
        self.finished = False
        """Whether the model came to an end; if not, the connection did."""
        self.usage: CompletionUsage | None = None

    async def next_piece(self) -> str:
        """Wait for the next characters; none are left when the text is empty."""
        while True:
            try:
                chunk = await anext(self.chunks)
            except StopAsyncIteration:
                return ""
            if not isinstance(chunk, ChatCompletionChunk):
                continue
            self.usage = chunk.usage or self.usage
            for choice in chunk.choices or ():
                self.finished = self.finished or choice.finish_reason is not None
                if choice.delta and choice.delta.content:
                    return choice.delta.content


def _usage(counted: CompletionUsage) -> Usage:
    return Usage(prompt_tokens=counted.prompt_tokens, completion_tokens=counted.completion_tokens)


def _may_pass(error: BaseException) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in {408, 409, 429} or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError)


def _wait(state: RetryCallState) -> float:
    """Seconds until the next try: what the server asks for, or else with full jitter."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, openai.APIStatusError):
        try:
            return max(0.0, float(error.response.headers["retry-after"]))
        except (KeyError, ValueError):  # absent, or a date
            pass
    return _JITTER(state)


def _log_failure(error: Exception, *, model: str) -> None:
    status = error.status_code if isinstance(error, openai.APIStatusError) else None
    remedy = _REMEDIES.get(status) if status is not None else None
    if remedy is not None:
        _log.error("the language model refuses", model=model, status=status, remedy=remedy)
        return
    _log.warning(
        "the language model gave no answer", model=model, status=status, error=type(error).__name__
    )
