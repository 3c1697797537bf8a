"""The API's description as a file: ``python -m ragdeploy_service.openapi [--check]``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ragdeploy_service.app import create_app
from ragdeploy_service.settings import ServiceSettings

FILE = Path(__file__).resolve().parents[1] / "openapi.json"


def document() -> dict[str, Any]:
    """Describe the API as it is with the default settings, whatever the environment says."""
    defaults = {
        name: field.get_default(call_default_factory=True)
        for name, field in ServiceSettings.model_fields.items()
    }
    return create_app(ServiceSettings(**defaults)).openapi()


def main() -> None:
    """Write the file, or with ``--check`` say whether it is up to date."""
    parser = argparse.ArgumentParser(
        prog="python -m ragdeploy_service.openapi", description=__doc__
    )
    parser.add_argument("--check", action="store_true", help="fail if the file is not up to date")
    wanted = json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
    if not parser.parse_args().check:
        FILE.write_text(wanted)
    elif not FILE.exists() or FILE.read_text() != wanted:
        parser.exit(
            1, f"{FILE.name} is not up to date: run `python -m ragdeploy_service.openapi`.\n"
        )


if __name__ == "__main__":
    main()
