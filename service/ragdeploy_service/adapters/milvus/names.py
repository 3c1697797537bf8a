"""What a tenant's collection is called in Milvus, which takes letters, digits and ``_``.

Searches know it by an alias, ``rag__tenant__name``, so that a new version can take the old one's
place at once. A hyphen is written ``_h`` and an underscore ``_u``, so no two collections share an
alias, and two underscores stand between parts and nowhere else. Capital letters would be shorter,
but Milvus Lite keeps a folder for each name, and some file systems do not tell them apart.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

from ragdeploy_service.rag.errors import Unsupported
from ragdeploy_service.rag.models import CollectionId

_LONGEST = 255
_BETWEEN = "__"
_SUFFIX = re.compile(r"__[0-9a-f]{8}")


def alias(prefix: str, collection: CollectionId) -> str:
    """Name that always leads to a collection.

    Raises:
        Unsupported: the names are too long for Milvus once their hyphens are written out.

    """
    name = _BETWEEN.join((prefix, _escape(collection.tenant), _escape(collection.name)))
    if len(version(name)) > _LONGEST:
        raise Unsupported(
            f"The name of the collection {collection.name!r} is too long for Milvus, which is "
            "told two letters for each '-' and '_'; choose a shorter one."
        )
    return name


def following(of: str) -> str:
    """Alias of the version that is to take the place of what an alias leads to."""
    return f"{of}{_BETWEEN}next"


def version(of: str) -> str:
    """Name for a new version of what an alias leads to, that nobody else chooses."""
    return f"{of}{_BETWEEN}{secrets.token_hex(4)}"


def versions(of: str, names: Iterable[str]) -> list[str]:
    """Those names that are versions of what an alias leads to."""
    return [n for n in names if n.startswith(of) and _SUFFIX.fullmatch(n.removeprefix(of))]


def collections(prefix: str, tenant: str, aliases: Iterable[str]) -> list[str]:
    """Names of a tenant's collections, sorted."""
    start = _BETWEEN.join((prefix, _escape(tenant), ""))
    found = (name.removeprefix(start) for name in aliases if name.startswith(start))
    return sorted(_unescape(name) for name in found if _BETWEEN not in name)


def is_collection(prefix: str, name: str) -> bool:
    """Whether an alias is that of a collection of any tenant, and not of one in the making."""
    start = f"{prefix}{_BETWEEN}"
    return name.startswith(start) and name.removeprefix(start).count(_BETWEEN) == 1


def generation(of: str, name: str) -> str:
    """What sets a version apart from the others of the alias that it belongs to."""
    return name.removeprefix(f"{of}{_BETWEEN}")


def _escape(name: str) -> str:
    return name.replace("_", "_u").replace("-", "_h")


def _unescape(name: str) -> str:
    return name.replace("_h", "-").replace("_u", "_")
