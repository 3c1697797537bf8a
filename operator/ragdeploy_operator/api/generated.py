"""Writing generated files, or checking that they are up to date."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def write_or_check(file: Path, text: str) -> None:
    """Write ``text`` to ``file`` below the current directory; with ``--check``, compare.

    Ends the process with status 1 if the check finds a difference.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    if not parser.parse_args().check:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    elif not file.exists() or file.read_text() != text:
        sys.exit(f"{file} is out of date: run `make generate` and commit the result")
