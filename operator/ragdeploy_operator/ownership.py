"""Whether an object is ours to change."""

from __future__ import annotations

from ragdeploy_operator.api import KIND, RagDeployment
from ragdeploy_operator.build import names
from ragdeploy_operator.errors import NotOwned, Waiting
from ragdeploy_operator.objects import Json, Ref, controller_of


def is_child(resource: RagDeployment, obj: Json) -> bool:
    """Whether ``resource``, and not a former one of the same name, controls the object."""
    controller = controller_of(obj)
    return controller is not None and controller["uid"] == resource.metadata.uid


def check_owner(resource: RagDeployment, ref: Ref, obj: Json) -> None:
    """Make sure that ``obj`` may become or stay a child of ``resource``.

    It may if it is one, or if nobody controls it and it carries our labels: it
    was orphaned, or restored from a backup under a new resource.

    Raises:
        NotOwned: it is somebody else's.
        Waiting: it belongs to a deleted resource and goes soon.
    """
    controller = controller_of(obj)
    if controller is None:
        labels = obj["metadata"].get("labels", {})
        ours = names.selector(resource.name) | {names.MANAGED_BY_LABEL: names.MANAGER}
        if ours.items() <= labels.items():
            return
        raise NotOwned(
            f"{ref} was there already and is not the operator's, so it is left alone. "
            "Delete it, or give this RagDeployment another name."
        )
    if controller["uid"] == resource.metadata.uid:
        return
    if controller["kind"] == KIND and controller["name"] == resource.name:
        raise Waiting(
            f"{ref} belongs to a RagDeployment of the same name that was deleted; "
            "waiting until the garbage collector has removed it.",
            reason="FormerOwner",
        )
    raise NotOwned(
        f"{ref} belongs to {controller['kind']} {controller['name']}, so it is left alone. "
        "Delete it, or give this RagDeployment another name."
    )
