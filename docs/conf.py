"""The documentation as a site: `make docs`. It takes nothing from elsewhere, also to be read."""

from importlib.metadata import version as installed

project = "ragdeploy"
author = "the ragdeploy developers"
copyright = "the ragdeploy developers, Apache 2.0"  # noqa: A001 - Sphinx' name
release = version = installed("ragdeploy")

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3  # links to headings as GitHub makes them

html_theme = "furo"
html_title = "ragdeploy"
html_static_path: list[str] = []
# Pages of the repository that links lead to, and that are no pages of the site.
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure"]
nitpicky = True
