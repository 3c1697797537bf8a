"""Makes a child what it should be, and writes only if it is not so already.

Every write is bound to the very object that the decision was made about. A child
that we believe is absent is created only if it is: its manifest carries
resource version 1, which no stored object has, so that the API server refuses
if there is one after all. A child that is there is changed only as long as its
uid is the same.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build import Manifest
from ragdeploy_operator.engine.client import Client
from ragdeploy_operator.engine.diff import differences
from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.engine.faults import CONFLICT, IMMUTABLE, explain
from ragdeploy_operator.engine.stamp import HASH, content, stamped
from ragdeploy_operator.engine.store import Store
from ragdeploy_operator.engine.verdicts import Verdicts
from ragdeploy_operator.errors import Invalid, Transient, Waiting
from ragdeploy_operator.objects import Json, Key, Kind, Ref, key_of
from ragdeploy_operator.ownership import check_owner

logger = logging.getLogger(__name__)

_ABSENT = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A write that was made. ``repaired`` are the fields that somebody else had changed."""

    ref: Ref
    created: bool = False
    repaired: tuple[str, ...] = ()


class Applier:
    """Writes the children of resources.

    Args:
        client: Whom to write to.
        kinds: The kinds that may be written, by name.
        stores: What is there, by name of the kind.
        verdicts: What came of earlier tries.
    """

    def __init__(
        self,
        client: Client,
        *,
        kinds: Mapping[str, Kind],
        stores: Mapping[str, Store],
        verdicts: Verdicts,
    ) -> None:
        self._client = client
        self._kinds = kinds
        self._stores = stores
        self._verdicts = verdicts
        self._foreign: defaultdict[Key, set[Ref]] = defaultdict(set)  # found in the way of ours

    async def apply(
        self, resource: RagDeployment, manifest: Manifest, *, only: str | None = None
    ) -> Change | None:
        """Make a child what ``manifest`` says; None when it is so already.

        Args:
            resource: Whose child it is.
            manifest: What it should be.
            only: Write to this resource version of the child and to no later one, because
                the manifest holds something that was read from it.

        Raises:
            NotOwned: the name is taken by an object that is not ours.
            Invalid: the API server refuses the manifest.
            Transient: it cannot be done now.
            Waiting: something has to go first; its end wakes us.
        """
        ref, where = Ref(manifest["kind"], manifest["metadata"]["name"]), key_of(manifest)
        wanted = stamped(manifest)
        there = self._stores[ref.kind].get(where)
        if there is None:
            return await self._create(resource, ref, where, wanted)
        check_owner(resource, ref, there)
        if "deletionTimestamp" in there["metadata"]:
            raise Waiting(f"{ref} is being deleted, and will be made anew.", reason="ChildDeleting")
        missing = tuple(differences(content(wanted), there))
        if not missing or self._verdicts.is_settled(resource, ref, wanted, there):
            return None
        fixed = {"uid": there["metadata"]["uid"]}
        if only is not None:
            fixed["resourceVersion"] = only
        try:
            await self._write(resource, ref, where, wanted, fixed)
        except Invalid as error:
            if error.reason != IMMUTABLE:
                raise
            await self._begin_anew(ref, where, fixed["uid"])
        edited = any(HASH in path for path in missing)
        logger.info("%s %s: applied %s", where.namespace, ref, ", ".join(missing))
        return Change(ref=ref, repaired=() if edited else missing)

    async def delete(self, kind: str, obj: Json) -> None:
        """Delete a child, in the form that the store has it."""
        where, uid = key_of(obj), obj["metadata"]["uid"]
        try:
            await self._client.delete(self._kinds[kind], namespace=where[0], name=where[1], uid=uid)
        except ApiError as error:
            if not error.is_absent(where.name):
                raise explain(error, Ref(kind, where.name), doing="delete") from error
        logger.info("%s %s %s: deleted", where.namespace, kind, where.name)
        self._stores[kind].forget(where, uid=uid)

    def forget(self, resource: Key) -> None:
        """Drop what was learned about the children of a resource that is gone."""
        self._verdicts.forget(resource)
        self._foreign.pop(resource, None)

    async def _begin_anew(self, ref: Ref, where: Key, uid: str) -> NoReturn:
        """Delete a StatefulSet and leave its pods and volumes; the new one takes them over."""
        try:
            await self._client.delete(
                self._kinds[ref.kind],
                namespace=where.namespace,
                name=where.name,
                uid=uid,
                orphan=True,
            )
        except ApiError as error:
            raise explain(error, ref, doing="delete") from error
        logger.info("%s %s: deleted without its pods, to be made anew", where.namespace, ref)
        raise Waiting(f"{ref} is being made anew around its pods.", reason="Recreating")

    # ---- creating ----
    async def _create(self, resource: RagDeployment, ref: Ref, where: Key, wanted: Json) -> Change:
        self._verdicts.is_settled(resource, ref, wanted, {})  # raises what it was refused for
        foreign = self._foreign[_key(resource)]
        if ref in foreign:  # what was in the way may be gone: look first, do not just write
            await self._look_what_is_in_the_way(resource, ref, where)
        try:
            await self._write(resource, ref, where, wanted, {"resourceVersion": _ABSENT})
        except Transient as error:
            if error.reason == CONFLICT:
                foreign.add(ref)
                await self._look_what_is_in_the_way(resource, ref, where)
            raise
        foreign.discard(ref)
        logger.info("%s %s: created", where.namespace, ref)
        return Change(ref=ref, created=True)

    async def _look_what_is_in_the_way(self, resource: RagDeployment, ref: Ref, where: Key) -> None:
        """Look at an object with this name that our label selector does not show.

        Raises:
            NotOwned: it is somebody else's.
            Transient: it is ours, and has lost the label. It is known from now on, so that
                the next try can be made with it in mind.
        """
        kind = self._kinds[ref.kind]
        try:
            found = await self._client.get(kind, namespace=where.namespace, name=where.name)
        except ApiError as error:
            raise explain(error, ref, doing="get") from error
        if found is None:
            return
        check_owner(resource, ref, found)
        self._stores[ref.kind].put(found, quietly=True)
        self._foreign[_key(resource)].discard(ref)
        raise Transient(f"{ref} had lost its labels.", reason=CONFLICT)

    # ---- writing ----
    async def _write(
        self, resource: RagDeployment, ref: Ref, where: Key, wanted: Json, fixed: Mapping[str, str]
    ) -> None:
        body = {**wanted, "metadata": {**wanted["metadata"], **fixed}}
        store = self._stores[ref.kind]
        try:
            answer = await self._client.apply(self._kinds[ref.kind], body, force=True)
        except ApiError as error:
            fault = explain(error, ref, doing="apply")
            if isinstance(fault, Invalid) and fault.reason != IMMUTABLE:
                self._verdicts.settle(resource, ref, wanted, store.get(where) or {}, fault)
            if fault.reason == CONFLICT and "uid" in fixed:
                await self._look_anew(ref, where)
            raise fault from error
        store.put_answer(answer)
        there = store.get(where)
        lacking = list(differences(content(wanted), there)) if there else []
        if lacking:
            logger.warning(
                "%s %s: the API server keeps other values for %s; leaving them until they change",
                where.namespace,
                ref,
                ", ".join(lacking),
            )
            self._verdicts.settle(resource, ref, wanted, there or {}, None)

    async def _look_anew(self, ref: Ref, where: Key) -> None:
        """Take in what is there now: the watch shows no child that has lost its label."""
        store = self._stores[ref.kind]
        known = store.get(where)
        try:
            found = await self._client.get(
                self._kinds[ref.kind], namespace=where.namespace, name=where.name
            )
        except ApiError as error:
            raise explain(error, ref, doing="get") from error
        if found is not None:
            store.put(found, quietly=True)
        elif known is not None:
            store.forget(where, uid=known["metadata"]["uid"])


def _key(resource: RagDeployment) -> Key:
    return Key(resource.namespace, resource.name)
