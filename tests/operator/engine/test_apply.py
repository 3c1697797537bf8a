"""Writing children: once, to the right object, and not again when it is of no use."""

import pytest

from ragdeploy_operator.api import RagDeployment
from ragdeploy_operator.build.manifest import owner_reference
from ragdeploy_operator.engine import kinds, projection
from ragdeploy_operator.engine.apply import Applier
from ragdeploy_operator.engine.errors import ApiError
from ragdeploy_operator.engine.store import Store
from ragdeploy_operator.engine.verdicts import Verdicts
from ragdeploy_operator.errors import Invalid, NotOwned, Transient, Waiting
from tests.operator.engine.fake_api import FakeApi

REFUSED = ApiError(422, "Invalid", "spec.x: Invalid value")
IMMUTABLE = ApiError(
    422, "Invalid", "spec: Forbidden: updates to statefulset spec for fields other than 'replicas'"
)
LABELS = {"app.kubernetes.io/managed-by": "ragdeploy-operator", "ragdeploy.io/name": "docs"}


class WritableApi(FakeApi):
    """Adds server-side apply, as far as it matters here."""

    def __init__(self):
        super().__init__()
        self.writes = []
        self.refusal = None
        self.refusal_of_delete = None
        self.mutate = lambda obj: obj

    async def apply(self, kind, body, *, force, subresource=None, dry_run=False):
        self.writes.append(body)
        if self.refusal:
            raise self.refusal
        metadata = body["metadata"]
        there = self.objects.get(metadata["name"])
        pinned = metadata.get("resourceVersion")
        if there and pinned and pinned != there["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "the object has been modified")
        kept = {k: v for k, v in metadata.items() if k not in ("resourceVersion", "uid")}
        content = {k: v for k, v in body.items() if k != "metadata"}
        return self.put(metadata["name"], **self.mutate({**content, "metadata": kept}))

    async def delete(self, kind, *, namespace, name, uid, orphan=False):
        self.requests.append(f"delete {name} {'orphan' if orphan else ''}".strip())
        if self.refusal_of_delete:
            raise self.refusal_of_delete


@pytest.fixture
def api():
    return WritableApi()


@pytest.fixture
def stores():
    written = (kinds.CONFIG_MAP, kinds.STATEFUL_SET)
    return {k.kind: Store(projection.child, on_change=lambda _: None) for k in written}


@pytest.fixture
def applier(api, stores):
    written = {kind.kind: kind for kind in (kinds.CONFIG_MAP, kinds.STATEFUL_SET)}
    return Applier(api, kinds=written, stores=stores, verdicts=Verdicts(valid_for=300))


def resource(generation=1):
    metadata = {"name": "docs", "namespace": "demo", "uid": "docs-1", "generation": generation}
    return RagDeployment.parse({"metadata": metadata})


def manifest(kind="ConfigMap", owner="docs-1", **content):
    metadata = {
        "name": "docs-config",
        "namespace": "demo",
        "labels": LABELS,
        "ownerReferences": [owner_reference(resource()) | {"uid": owner}],
    }
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}


async def test_an_answer_counts_before_its_event_has_come(applier, api):
    wanted = manifest(data={"a": "1"})
    assert (await applier.apply(resource(), wanted)).created
    assert await applier.apply(resource(), wanted) is None
    assert len(api.writes) == 1


async def test_an_edit_is_no_repair_and_a_repair_names_the_fields(applier, api, stores):
    await applier.apply(resource(), manifest(data={"a": "1"}))
    edit = await applier.apply(resource(2), manifest(data={"a": "2"}))
    assert not edit.repaired
    there = api.objects["docs-config"]
    metadata = {k: v for k, v in there["metadata"].items() if k != "resourceVersion"}
    stores["ConfigMap"].put(api.put("docs-config", data={"a": "drift"}, metadata=metadata))
    repair = await applier.apply(resource(2), manifest(data={"a": "2"}))
    assert repair.repaired == ("data.a",)


async def test_a_write_is_bound_to_the_object_it_was_decided_for(applier, api):
    await applier.apply(resource(), manifest(data={"a": "1"}))
    assert api.writes[0]["metadata"]["resourceVersion"] == "1"  # only if it is not there
    await applier.apply(resource(), manifest(data={"a": "2"}))
    assert api.writes[1]["metadata"]["uid"] == api.objects["docs-config"]["metadata"]["uid"]
    assert "resourceVersion" not in api.writes[1]["metadata"]


@pytest.mark.parametrize("heard_of_it", [True, False])
async def test_a_write_to_one_version_fails_on_a_later_one(applier, api, stores, heard_of_it):
    await applier.apply(resource(), manifest(data={"a": "1"}))
    metadata = api.objects["docs-config"]["metadata"]
    seen = metadata["resourceVersion"]
    changed = {k: v for k, v in metadata.items() if k != "resourceVersion"}
    scaled = api.put("docs-config", data={"a": "5"}, metadata=changed)
    if heard_of_it:
        stores["ConfigMap"].put(scaled)
    with pytest.raises(Transient, match="trying again"):
        await applier.apply(resource(), manifest(data={"a": "2"}), only=seen)
    assert api.objects["docs-config"]["data"] == {"a": "5"}


async def test_what_the_api_server_changes_on_the_way_is_accepted(applier, api, caplog):
    api.mutate = lambda obj: {**obj, "data": {"a": "mutated"}}
    wanted = manifest(data={"a": "1"})
    for _ in range(3):
        await applier.apply(resource(), wanted)
    assert len(api.writes) == 1
    assert "data.a" in caplog.text


async def test_a_refusal_holds_until_there_is_something_new_to_try(applier, api):
    api.refusal = REFUSED
    for _ in range(3):
        with pytest.raises(Invalid, match=r"spec\.x"):
            await applier.apply(resource(), manifest(data={"a": "1"}))
    assert len(api.writes) == 1
    with pytest.raises(Invalid):
        await applier.apply(resource(generation=2), manifest(data={"a": "1"}))
    assert len(api.writes) == 2


async def test_an_object_in_the_way_is_looked_at_and_not_written_to_again(applier, api):
    api.put("docs-config", data={"theirs": "1"})
    for _ in range(3):
        with pytest.raises(NotOwned, match="ConfigMap docs-config was there already"):
            await applier.apply(resource(), manifest(data={"a": "1"}))
    assert len(api.writes) == 1
    assert api.objects["docs-config"]["data"] == {"theirs": "1"}
    del api.objects["docs-config"]
    assert (await applier.apply(resource(), manifest(data={"a": "1"}))).created


async def test_one_of_ours_that_lost_its_label_is_known_from_then_on(applier, api, stores):
    owners = [owner_reference(resource())]
    api.put("docs-config", data={"a": "old"}, metadata={"ownerReferences": owners})
    with pytest.raises(Transient, match="lost its labels"):
        await applier.apply(resource(), manifest(data={"a": "1"}))
    assert stores["ConfigMap"].of(("demo", "docs"))
    change = await applier.apply(resource(), manifest(data={"a": "1"}))
    assert not change.created
    assert api.objects["docs-config"]["metadata"]["labels"] == LABELS


async def test_a_child_of_a_former_resource_is_waited_for(applier, api, stores):
    former = manifest(owner="docs-0", data={"a": "1"})
    stores["ConfigMap"].put(api.put("docs-config", **former))
    with pytest.raises(Waiting, match="garbage collector"):
        await applier.apply(resource(), manifest(data={"a": "1"}))
    assert api.writes == []


async def test_a_child_on_its_way_out_is_waited_for(applier, api, stores):
    leaving = manifest(data={"a": "1"})
    leaving["metadata"]["deletionTimestamp"] = "now"
    stores["ConfigMap"].put(api.put("docs-config", **leaving))
    with pytest.raises(Waiting, match="is being deleted"):
        await applier.apply(resource(), manifest(data={"a": "1"}))
    assert api.writes == []


async def test_a_stateful_set_that_cannot_be_edited_is_made_anew_around_its_pods(applier, api):
    await applier.apply(resource(), manifest("StatefulSet", spec={"serviceName": "a"}))
    api.refusal = IMMUTABLE
    with pytest.raises(Waiting, match="made anew around its pods"):
        await applier.apply(resource(), manifest("StatefulSet", spec={"serviceName": "b"}))
    assert api.requests[-1] == "delete docs-config orphan"


async def test_a_child_is_not_taken_for_deleted_when_its_kind_is_not_served_yet(
    applier, api, stores
):
    await applier.apply(resource(), manifest(data={"a": "1"}))
    there = stores["ConfigMap"].get(("demo", "docs-config"))
    api.refusal_of_delete = ApiError(404, "Not Found", "404 page not found")
    with pytest.raises(Transient):
        await applier.delete("ConfigMap", there)
    assert stores["ConfigMap"].get(("demo", "docs-config")) == there
    api.refusal_of_delete = ApiError(404, "NotFound", "", details={"name": "docs-config"})
    await applier.delete("ConfigMap", there)
    assert stores["ConfigMap"].get(("demo", "docs-config")) is None


async def test_a_refused_secret_is_not_quoted(applier, api, stores):
    applier._kinds["Secret"] = kinds.SECRET
    stores["Secret"] = Store(projection.child, on_change=lambda _: None)
    api.refusal = ApiError(422, "Invalid", 'data[key]: Invalid value: "sk-secret"')
    with pytest.raises(Invalid) as refused:
        await applier.apply(resource(), manifest("Secret", data={"key": "c2stc2VjcmV0"}))
    assert "sk-secret" not in refused.value.message
