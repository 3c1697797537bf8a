"""Environment variables that users add to the service's pods."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ragdeploy_operator.api.common import SecretKeyRef
from ragdeploy_operator.api.model import Model, Rule
from ragdeploy_service.settings import PREFIX, variable

_FREE = tuple(
    variable(setting)
    for setting in (
        "log_level",
        "max_body_bytes",
        "max_upload_bytes",
        "upload_read_seconds",
        "breaker_seconds",
        "max_questions",
        "max_streams",
        "stream_keep_alive_seconds",
        "tracing_capture_content",
        "refuse_markup",
        "answer_link_hosts",
        "feedback_log_comments",
        "model_hub_url",
        "model_maven_url",
        "query_timeout_seconds",
        "semantic_cache_enabled",
        "semantic_cache_min_similarity",
    )
)
"""Variables of the service's own settings that no field of the resource stands for."""

_TAKEN = ("HF_HOME",)
"""Variables that the operator sets besides the service's settings."""


class VariableSource(Model):
    """Where the value of a variable comes from."""

    secret_key_ref: SecretKeyRef = Field(description="Key of a Secret in the same namespace.")


class Variable(Model):
    """An environment variable."""

    name: str = Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=253, description="Name of the variable."
    )
    value: str | None = Field(
        None,
        max_length=32768,
        description="Its value; $(NAME) stands for another variable of the same list.",
    )
    value_from: VariableSource | None = Field(
        None, description="Where its value is, instead of value."
    )

    rules = (
        Rule(
            cel="has(self.value) != has(self.valueFrom)",
            message="a variable of extraEnv needs either value or valueFrom",
            holds=lambda self: (self.value is None) != (self.value_from is None),
        ),
    )


class ServicePods(Model):
    """What the pods have in common that run the service's image. Parts inherit it."""

    extra_env: tuple[Variable, ...] = Field(
        (),
        max_length=64,
        description="More environment variables, such as HTTPS_PROXY. Of the service's settings, "
        f"those that no field stands for: {', '.join(_FREE)}.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.extraEnv) || "
            "self.extraEnv.all(one, self.extraEnv.exists_one(other, one.name == other.name))",
            message="extraEnv must name each variable once",
            field=".extraEnv",
            holds=lambda self: len({one.name for one in self.extra_env}) == len(self.extra_env),
        ),
        Rule(
            cel=f"!has(self.extraEnv) || self.extraEnv.all(one, !(one.name in {list(_TAKEN)}) && "
            f"(!one.name.startsWith('{PREFIX}') || one.name in {list(_FREE)}))",
            message="extraEnv must not override what the operator writes from the other fields: "
            f"see kubectl explain ragd.spec.api.extraEnv for the variables {PREFIX}... it may set",
            field=".extraEnv",
            holds=lambda self: all(
                one.name in _FREE or not (one.name in _TAKEN or one.name.startswith(PREFIX))
                for one in self.extra_env
            ),
        ),
    )
