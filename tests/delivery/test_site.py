"""The documentation as a site: it builds without a warning, and takes nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_LOADED = re.compile(r'<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="(https?:)?//([^"]+)"')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "-b", "html"]
    done = subprocess.run(
        [*command, ROOT / "docs", folder], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_in_it(site: Path) -> None:
    pages = {page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")}
    missing = {str(page) for page in pages if not (site / page).with_suffix(".html").exists()}
    assert missing == set()


def test_it_takes_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        foreign = [found[2] for found in _LOADED.finditer(page.read_text())]
        assert foreign == [], page


def test_the_api_is_described_field_by_field(site: Path) -> None:
    page = (site / "reference/api.html").read_text()
    for words in ("POST /query", "use_cache", "latency_ms", "POST /v1/chat/completions"):
        assert words in page
