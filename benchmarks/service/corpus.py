"""The Python documentation as HTML: a corpus that everybody can have, in the same words.

From an installed package, else from Debian's, unpacked without being root,
else from python.org.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from functools import partial
from pathlib import Path

import httpx

CACHE = Path(__file__).parents[2] / ".cache" / "python-docs"
INSTALLED = Path("/usr/share/doc")
DEBIAN_PACKAGE = "python3.11-doc"
ARCHIVE_URL = os.environ.get(
    "PYTHON_DOCS_URL",
    "https://www.python.org/ftp/python/doc/3.11.2/python-3.11.2-docs-html.tar.bz2",
)

# The sources of the pages, and pages that only list the headings of others.
EXCLUDE = ("_sources", "genindex*")


def python_docs() -> Path:
    """Find the folder of HTML pages, or fetch it: 13 MB packed, 83 MB unpacked.

    Raises:
        SystemExit: it cannot be had; the message says what was tried.
    """
    if CACHE.is_dir():
        return CACHE
    for installed in sorted(INSTALLED.glob("python3.*/html/library"), reverse=True):
        return installed.parent
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    tried = []
    with tempfile.TemporaryDirectory(dir=CACHE.parent) as temporary:
        for fetch in (_from_debian, _from_archive):
            try:
                # Renamed when it is whole, so that a broken download is not taken for the corpus.
                fetch(Path(temporary)).rename(CACHE)
            except (OSError, subprocess.CalledProcessError, httpx.HTTPError) as error:
                tried.append(f"  {fetch.__doc__} {error}")
            else:
                return CACHE
    raise SystemExit(
        "The Python documentation cannot be had. Tried:\n"
        + "\n".join(tried)
        + "\nInstall the package python3-doc, or set PYTHON_DOCS_URL to a mirror of "
        + ARCHIVE_URL
    )


def _from_debian(folder: Path) -> Path:
    """Debian's package:"""
    if shutil.which("apt-get") is None:
        raise FileNotFoundError("no apt-get on this machine")
    run = partial(subprocess.run, cwd=folder, check=True, capture_output=True)
    run(["apt-get", "download", DEBIAN_PACKAGE])
    (package,) = folder.glob("*.deb")
    run(["dpkg-deb", "--extract", package, folder / "deb"])
    # Some of the folders are links to the one that holds the pages.
    return next(folder.glob("deb/usr/share/doc/python3*/html/library")).resolve().parent


def _from_archive(folder: Path) -> Path:
    """python.org:"""
    archive = folder / "docs.tar.bz2"
    with httpx.stream("GET", ARCHIVE_URL, follow_redirects=True) as response:
        response.raise_for_status()
        with archive.open("wb") as file:
            for piece in response.iter_bytes():
                file.write(piece)
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "archive", filter="data")
    return next((folder / "archive").glob("*/library")).parent


if __name__ == "__main__":
    print(python_docs())
