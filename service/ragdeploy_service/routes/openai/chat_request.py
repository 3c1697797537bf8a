"""What a chat completion is asked for with: what counts, what does not, and what is refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator
from pydantic_core.core_schema import ValidationInfo

from ragdeploy_service.rag.errors import InvalidField
from ragdeploy_service.rag.models import CollectionId, SearchMode
from ragdeploy_service.rag.question import Question, Speaker, Turn
from ragdeploy_service.routes.filters import FilterField, to_domain
from ragdeploy_service.routes.openai.common import collection_of
from ragdeploy_service.routes.questions import reranked
from ragdeploy_service.settings import ServiceSettings

CHAT_BYTES = 512 * 2**10

_MOST_MESSAGES = 256
_LONGEST_QUESTION = 8000
_LONGEST_HISTORY = 8000  # characters, of the newest messages

_SPEAKERS = {
    "system": Speaker.INSTRUCTION,
    "developer": Speaker.INSTRUCTION,
    "user": Speaker.USER,
    "assistant": Speaker.ASSISTANT,
}

# They would change the answer's meaning, and are not done here. What says the same as leaving
# them out is taken.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "n": (None, 1),
    "tools": (None, []),
    "tool_choice": (None, "none", "auto"),
    "functions": (None, []),
    "function_call": (None, "none", "auto"),
    "response_format": (None, {"type": "text"}),
    "logprobs": (None, False),
    "top_logprobs": (None, 0),
    "logit_bias": (None, {}),
    "stop": (None, [], ""),
    "modalities": (None, ["text"]),
    "audio": (None,),
    "web_search_options": (None,),
}


class TextPart(BaseModel):
    """A part of a message; pictures and sounds are not taken."""

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """A message of the conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart] | None = None
    name: str | None = Field(None, description="Accepted, and without effect.")

    @property
    def text(self) -> str:
        """All its text."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content).strip()
        return (self.content or "").strip()


class StreamOptions(BaseModel):
    """What a stream holds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    include_usage: bool = Field(False, description="Say at the end what the answer took.")
    include_obfuscation: bool = Field(False, description="Accepted, and without effect.")


_NO_EFFECT = Field(None, description="Accepted, and without effect: the service's settings decide.")
_REFUSED = Field(None, description="Refused unless it says what is done anyway.")


class ChatRequest(BaseModel):
    """A conversation; its last user message is the question."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, StringConstraints(max_length=128)] = Field(
        description="`ragdeploy` for the default collection, `ragdeploy/NAME` for another."
    )
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=_MOST_MESSAGES)] = Field(
        description="The last user message is the question, of 1 to 8000 characters, < > { and } "
        "among them. The messages before it, up to 8000 characters of the newest, tell the "
        "language model what it refers to; passages are searched for with the question and the "
        "user message before it, the last 1000 characters of both."
    )
    stream: bool | None = False
    stream_options: StreamOptions | None = None

    # Ours, to be sent as `extra_body`.
    top_k: int | None = Field(None, ge=1, le=50, description="As of POST /query.")
    filters: FilterField | None = Field(None, description="As of POST /query.")
    search_mode: SearchMode | None = Field(None, description="As of POST /query.")
    min_score: float | None = Field(None, ge=-1, le=1, description="As of POST /query.")
    rerank: bool | None = Field(None, description="As of POST /query.")
    use_cache: bool = Field(True, description="As of POST /query.")

    temperature: Any = _NO_EFFECT
    top_p: Any = _NO_EFFECT
    max_tokens: Any = _NO_EFFECT
    max_completion_tokens: Any = _NO_EFFECT
    presence_penalty: Any = _NO_EFFECT
    frequency_penalty: Any = _NO_EFFECT
    seed: Any = _NO_EFFECT
    reasoning_effort: Any = _NO_EFFECT
    verbosity: Any = _NO_EFFECT
    prediction: Any = _NO_EFFECT
    parallel_tool_calls: Any = _NO_EFFECT
    service_tier: Any = _NO_EFFECT
    store: Any = _NO_EFFECT
    metadata: Any = _NO_EFFECT
    user: Any = _NO_EFFECT
    safety_identifier: Any = _NO_EFFECT
    prompt_cache_key: Any = _NO_EFFECT
    prompt_cache_retention: Any = _NO_EFFECT

    n: Any = _REFUSED
    tools: Any = _REFUSED
    tool_choice: Any = _REFUSED
    functions: Any = _REFUSED
    function_call: Any = _REFUSED
    response_format: Any = _REFUSED
    logprobs: Any = _REFUSED
    top_logprobs: Any = _REFUSED
    logit_bias: Any = _REFUSED
    stop: Any = _REFUSED
    modalities: Any = _REFUSED
    audio: Any = _REFUSED
    web_search_options: Any = _REFUSED

    @field_validator(*_NEUTRAL)
    @classmethod
    def _not_done_here(cls, value: Any, info: ValidationInfo) -> Any:
        if value not in _NEUTRAL[info.field_name or ""]:
            raise ValueError("This is not done here; leave it out.")
        return value

    def to_domain(self, settings: ServiceSettings, *, tenant: str) -> Question:
        """The question that the conversation ends with.

        Raises:
            InvalidField: it ends with none, or is to be reranked where there is no reranker.
            CollectionNotFound: there is no such model.

        """
        last = len(self.messages) - 1
        while last >= 0 and self.messages[last].role != "user":
            last -= 1
        text = self.messages[last].text if last >= 0 else ""
        if not 1 <= len(text) <= _LONGEST_QUESTION:
            raise InvalidField(
                "messages",
                f"The last user message must have 1 to {_LONGEST_QUESTION} characters of text.",
            )
        name = collection_of(self.model, settings)
        return Question(
            text=text,
            collection=CollectionId(tenant=tenant, name=name),
            top_k=settings.top_k if self.top_k is None else self.top_k,
            mode=self.search_mode or SearchMode(settings.search_mode),
            min_score=settings.min_score if self.min_score is None else self.min_score,
            rerank=reranked(self.rerank, settings),
            where=to_domain(self.filters) if self.filters else None,
            use_cache=self.use_cache,
            timeout=settings.query_timeout_seconds,
            history=_turns(self.messages[:last]),
        )


def _turns(messages: list[ChatMessage]) -> tuple[Turn, ...]:
    """Instructions, and the newest messages, as far as there is room."""
    room = _LONGEST_HISTORY
    kept: list[Turn] = []
    instructions = [message for message in messages if message.role in ("system", "developer")]
    others = [message for message in messages if message not in instructions]
    for message in [*instructions, *reversed(others)]:
        room -= len(message.text)
        if room < 0:
            break
        if message.text:
            kept.append(Turn(speaker=_SPEAKERS[message.role], text=message.text))
    said = [turn for turn in kept if turn.speaker is not Speaker.INSTRUCTION]
    told = [turn for turn in kept if turn.speaker is Speaker.INSTRUCTION]
    return (*told, *reversed(said))
