"""Image references."""

from __future__ import annotations

from ragdeploy_operator.api.common import Image


def reference(image: Image, *, default: str) -> str:
    """Name the image to run: what the resource says, the rest from ``default``.

    A digest in the resource wins over tags. One in ``default`` holds as long
    as the resource names no tag: another repository is then a mirror.
    """
    name, _, default_digest = default.partition("@")
    repository, tag = _split_tag(name)
    repository = image.repository or repository
    digest = image.digest or ("" if image.tag else default_digest)
    if digest:
        return f"{repository}@{digest}"
    tag = image.tag or tag
    return f"{repository}:{tag}" if tag else repository


def _split_tag(name: str) -> tuple[str, str]:
    """Part at the colon that follows the last slash; one before it belongs to a port."""
    head, slash, tail = name.rpartition("/")
    last, _, tag = tail.partition(":")
    return f"{head}{slash}{last}", tag
