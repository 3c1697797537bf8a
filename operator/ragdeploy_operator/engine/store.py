"""The last known state of one kind, found by the resource that it belongs to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ragdeploy_operator.api import GROUP, KIND
from ragdeploy_operator.build.names import NAME_LABEL
from ragdeploy_operator.engine.projection import Projection
from ragdeploy_operator.objects import Json, Key, controller_of, key_of


@dataclass(frozen=True, slots=True)
class _Record:
    uid: str
    version: int
    text: bytes
    owner: Key | None


class Store:
    """Objects of one kind, cut down by ``projection``.

    It is fed by a reflector or by kopf, and by the answers to our own writes, so that a
    write is seen at once and not only when its event arrives. Whichever is
    newer stays.

    Args:
        projection: What to keep of an object.
        on_change: Told the resource that an object belongs to, when what is kept changes.
        owner: Says which resource that is; ``owner_of`` if absent.
    """

    def __init__(
        self,
        projection: Projection,
        *,
        on_change: Callable[[Key], None],
        owner: Callable[[Json], Key | None] | None = None,
    ) -> None:
        self._projection = projection
        self._owner = owner or owner_of
        self._on_change = on_change
        self._records: dict[Key, _Record] = {}
        self._by_owner: dict[Key, set[Key]] = {}
        self._dropped_at: dict[str, int] = {}  # by namespace: version of the last deletion heard of

    def __len__(self) -> int:
        return len(self._records)

    # ---- reading ----
    def get(self, where: Key) -> Json | None:
        """One object, cut down."""
        record = self._records.get(where)
        return _parsed(record) if record else None

    def of(self, owner: Key) -> list[Json]:
        """All objects that belong to a resource, cut down, in the order of their names."""
        return [_parsed(self._records[where]) for where in sorted(self._by_owner.get(owner, ()))]

    def version(self, where: Key) -> str | None:
        """Resource version of an object."""
        record = self._records.get(where)
        return str(record.version) if record else None

    def known(self, namespace: str | None) -> set[Key]:
        """Where the objects are, in one namespace or in all."""
        return {where for where in self._records if namespace in (None, where.namespace)}

    # ---- writing ----
    def put(self, obj: Json, *, quietly: bool = False) -> None:
        """Take in an object as the API server holds it, unless a newer one is known.

        Args:
            obj: The whole object.
            quietly: Tell nobody; for what we have asked for ourselves.
        """
        where, metadata = key_of(obj), obj["metadata"]
        known = self._records.get(where)
        # Resource versions are comparable numbers (KEP-5504, and etcd's revisions before).
        version = int(metadata["resourceVersion"])
        if known and known.version > version:
            return
        text = json.dumps(self._projection(obj), separators=(",", ":"), sort_keys=True).encode()
        record = _Record(metadata["uid"], version, text, self._owner(obj))
        self._index(where, known, record)
        if quietly or (known and known.text == text and known.uid == record.uid):
            return
        self._tell(known, record)

    def put_answer(self, obj: Json) -> None:
        """Take in the answer to a write of ours, unless the object has been deleted since.

        Its answer may be slower than the news of its end. Events come in order: what was
        written before a deletion that we have heard of, and is not known, is gone.
        """
        where = key_of(obj)
        version = int(obj["metadata"]["resourceVersion"])
        if where not in self._records and version < self._dropped_at.get(where.namespace, 0):
            if owner := self._owner(obj):
                self._on_change(owner)
            return
        self.put(obj, quietly=True)

    def put_status(self, obj: Json) -> None:
        """Take in the answer to a write of an object's status.

        Only our own status in it is no news. What else it brings, somebody has edited a
        moment ago; when the event of that comes, nothing in it will be new any more.
        """
        where = key_of(obj)
        before = self._records.get(where)
        if before is None:  # deleted in the same moment
            return
        self.put(obj, quietly=True)
        after = self._records[where]
        if _without_status(before) != _without_status(after):
            self._tell(before, after)

    def drop(self, where: Key, *, version: str) -> None:
        """Forget an object that was gone at ``version``, unless it has been made anew since."""
        known, at = self._records.get(where), int(version)
        self._dropped_at[where.namespace] = max(at, self._dropped_at.get(where.namespace, 0))
        if known is not None and known.version <= at:
            self._index(where, known, None)
            self._tell(known)

    def forget(self, where: Key, *, uid: str) -> None:
        """Forget an object that we have just deleted ourselves; tells nobody."""
        known = self._records.get(where)
        if known is not None and known.uid == uid:
            self._index(where, known, None)

    def clear(self) -> None:
        """Forget everything; tells nobody."""
        self._records.clear()
        self._by_owner.clear()

    def _index(self, where: Key, old: _Record | None, new: _Record | None) -> None:
        if old and old.owner:
            names = self._by_owner[old.owner]
            names.discard(where)
            if not names:
                del self._by_owner[old.owner]
        if new is None:
            self._records.pop(where, None)
            return
        self._records[where] = new
        if new.owner:
            self._by_owner.setdefault(new.owner, set()).add(where)

    def _tell(self, *records: _Record | None) -> None:
        for owner in {record.owner for record in records if record and record.owner}:
            self._on_change(owner)


def owner_of(obj: Mapping[str, Any]) -> Key | None:
    """The resource that an object belongs to.

    Its controller says so, or where that is another object (a pod's ReplicaSet,
    an EndpointSlice's Service) or nobody, the label that all of ours carry.
    """
    metadata = obj["metadata"]
    namespace = metadata.get("namespace", "")
    controller = controller_of(obj)
    if controller and controller["kind"] == KIND:
        group, _, _ = controller["apiVersion"].partition("/")
        if group == GROUP:
            return Key(namespace, controller["name"])
    name = metadata.get("labels", {}).get(NAME_LABEL)
    return Key(namespace, name) if name else None


def _parsed(record: _Record) -> Json:
    parsed: Json = json.loads(record.text)
    return parsed


def _without_status(record: _Record) -> Json:
    return {name: value for name, value in _parsed(record).items() if name != "status"}
