"""The audit log counts what the API server was asked, and by whom."""

import pytest

from tests.controlplane import ApiError, ControlPlane
from tests.controlplane.kinds import CONFIG_MAP

pytestmark = pytest.mark.controlplane

ADMIN = "harness-admin"


def config_map(name: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


def test_each_write_is_counted_once_and_reads_are_apart(
    control_plane: ControlPlane, namespace: str
):
    api, audit = control_plane.api, control_plane.audit
    before = audit.mark()
    api.create(config_map("a"), namespace=namespace)
    api.patch(CONFIG_MAP, "a", {"data": {"k": "v"}}, namespace=namespace)
    api.get(CONFIG_MAP, "a", namespace=namespace)
    api.list(CONFIG_MAP, namespace=namespace)
    api.delete(CONFIG_MAP, "a", namespace=namespace)
    mine = audit.since(before).by(ADMIN)
    assert [entry.verb for entry in mine.writes(namespace=namespace)] == [
        "create",
        "patch",
        "delete",
    ]
    assert [entry.verb for entry in mine.reads()] == ["get", "list"]


def test_nothing_is_counted_when_nothing_was_asked(control_plane: ControlPlane):
    before = control_plane.audit.mark()
    assert not control_plane.audit.since(before).by(ADMIN)


def test_hundreds_of_writes_are_all_in_the_log_at_once(control_plane: ControlPlane, namespace: str):
    before = control_plane.audit.mark()
    for number in range(300):
        control_plane.api.create(config_map(f"c{number}"), namespace=namespace)
    written = control_plane.audit.since(before).writes(user=ADMIN, namespace=namespace)
    assert len(written) == 300


def test_a_refused_write_is_counted_with_its_code(control_plane: ControlPlane, namespace: str):
    control_plane.api.create(config_map("twice"), namespace=namespace)
    before = control_plane.audit.mark()
    with pytest.raises(ApiError, match="409"):
        control_plane.api.create(config_map("twice"), namespace=namespace)
    (entry,) = control_plane.audit.since(before).writes(namespace=namespace)
    assert entry.code == 409


def test_a_watch_is_counted_when_it_begins(control_plane: ControlPlane, namespace: str):
    api = control_plane.api
    api.create(config_map("seen"), namespace=namespace)
    before = control_plane.audit.mark()
    changes = api.watch(CONFIG_MAP, namespace=namespace)
    next(changes)
    assert [str(entry) for entry in control_plane.audit.since(before).watches(user=ADMIN)] == [
        f"watch configmaps {namespace} -> 200 ({ADMIN})"
    ]
    changes.close()


def test_named_resources_and_users_can_be_left_out(control_plane: ControlPlane, namespace: str):
    api, audit = control_plane.api, control_plane.audit
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "lock"},
    }
    before = audit.mark()
    api.create(lease, namespace=namespace)
    api.create(config_map("a"), namespace=namespace)
    writes = audit.since(before).writes(namespace=namespace, without=["leases"])
    assert [entry.path for entry in writes] == ["configmaps"]
    assert not writes.by("somebody-else")


def test_a_write_shows_what_was_sent_but_never_a_secret(
    control_plane: ControlPlane, namespace: str
):
    api = control_plane.api
    before = control_plane.audit.mark()
    api.create(config_map("open") | {"data": {"k": "for everybody"}}, namespace=namespace)
    api.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "closed"},
            "stringData": {"k": "for-nobody"},
        },
        namespace=namespace,
    )
    open_one, closed_one = control_plane.audit.since(before).writes(namespace=namespace)
    assert open_one.body["data"] == {"k": "for everybody"}
    assert closed_one.path == "secrets"
    assert closed_one.body is None
    assert "for-nobody" not in control_plane.audit.path.read_text()


def test_a_subresource_is_told_from_its_resource(control_plane: ControlPlane, namespace: str):
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "registry.test/c:1"}]},
    }
    before = control_plane.audit.mark()
    control_plane.api.create(pod, namespace=namespace)
    control_plane.kubelet.make_ready(namespace)
    writes = control_plane.audit.since(before).writes(namespace=namespace).of("pods")
    assert [entry.path for entry in writes] == ["pods", "pods/binding", "pods/status"]
    assert {entry.user for entry in writes[1:]} == {"paper-kubelet"}
