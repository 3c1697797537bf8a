"""``python -m ragdeploy_operator``: runs the operator."""

from __future__ import annotations

import asyncio
import logging
import sys

import structlog

from ragdeploy_operator.main import run
from ragdeploy_operator.settings import LogFormat, OperatorSettings


def configure_logging(settings: OperatorSettings) -> None:
    """Write all log lines to standard error, those of libraries too."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format is LogFormat.JSON
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    # kopf logs every event that it hands on, and every retry as an error
    logging.getLogger("kopf").setLevel(logging.WARNING)


def main() -> None:
    """Run until told to stop; anything else that ends it ends the process with an error."""
    settings = OperatorSettings()
    configure_logging(settings)
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
