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
    handler.addFilter(_retry_is_a_warning)
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    # kopf logs every event that it hands on
    logging.getLogger("kopf").setLevel(logging.WARNING)


def _retry_is_a_warning(record: logging.LogRecord) -> bool:
    """Lower what kopf says of a request that it sends again, as right after an installation.

    It is an error to kopf, which may give up in the end; here it never does.
    """
    is_error = record.levelno == logging.ERROR and record.name.startswith("kopf.")
    if is_error and "; will retry: " in record.getMessage():
        record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
    return True


def main() -> None:
    """Run until told to stop; anything else that ends it ends the process with an error."""
    settings = OperatorSettings()
    configure_logging(settings)
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
