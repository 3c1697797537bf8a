"""The language model, and what its answers may hold."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from ragdeploy_service.settings.naming import ADDRESS_PATTERN, also, split_list

DEFAULT_PROMPT = """\
Answer the question from the passages below and from nothing else. Cite each
passage you use by its number in square brackets. If the passages do not hold
the answer, say that you do not know. Answer in the language of the question,
whatever language the passages are in.

{context}

Question: {question}
Answer, in the language of the question:"""


class AnswerSettings(BaseModel):
    """What writes answers, and what they may hold."""

    llm_base_url: str | None = Field(
        None,
        pattern=ADDRESS_PATTERN,
        validation_alias=also("llm_base_url", "OPENAI_BASE_URL"),
        description="Root of an OpenAI-compatible API; OpenAI's own when absent.",
    )
    llm_api_key: SecretStr | None = Field(
        None, validation_alias=also("llm_api_key", "OPENAI_API_KEY"), description="Its key."
    )
    llm_model: str = Field("gpt-4o-mini", min_length=1, description="Model name.")
    llm_temperature: float = Field(0.0, ge=0, le=2, description="Sampling temperature.")
    llm_timeout_seconds: float = Field(
        30.0, gt=0, le=600, description="Deadline for one answer, all retries included, in seconds."
    )
    llm_max_retries: int = Field(2, ge=0, le=10, description="Retries within the deadline.")
    llm_max_tokens: int = Field(512, ge=1, le=131072, description="Longest answer, in tokens.")
    llm_prompt_template: str = Field(
        DEFAULT_PROMPT, description="Prompt with the places {context} and {question}."
    )

    answer_link_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Hosts that links and images in answers may lead to, separated by commas; "
        "others become plain text, because a poisoned document may have put them there.",
    )

    feedback_log_comments: bool = Field(
        False,
        description="Write the comments that come with ratings of answers into the log; they are "
        "dropped otherwise. People may write anything there.",
    )

    @field_validator("answer_link_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        return split_list(value)

    @field_validator("llm_prompt_template")
    @classmethod
    def _prompt_has_its_places(cls, value: str) -> str:
        missing = [place for place in ("{context}", "{question}") if place not in value]
        if missing:
            raise ValueError(f"the prompt template lacks {' and '.join(missing)}")
        return value

    @cached_property
    def llm_enabled(self) -> bool:
        """Whether a language model writes the answers; otherwise they are extracts."""
        return self.llm_base_url is not None or self.llm_api_key is not None
