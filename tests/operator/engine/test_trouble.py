"""Why a pod is not ready: one sentence per cause, with the next step, that does not change."""

import pytest

from ragdeploy_operator.engine import projection
from ragdeploy_operator.status.trouble import Part, find

API = Part(
    component="api",
    workload="Deployment",
    name="docs-api",
    namespace="demo",
    image_field="spec.image",
    resources_field="spec.api.resources",
    placement_field="spec.api",
)
STORE = Part(
    component="vector-store",
    workload="StatefulSet",
    name="docs-vector-store",
    namespace="demo",
    image_field="spec.vectorStore.managed.image",
    resources_field="spec.vectorStore.managed.resources",
    placement_field="spec.vectorStore.managed",
    storage_field="spec.vectorStore.managed.storage",
)


def pod(*conditions, name="docs-api-x", **container):
    return projection.pod(
        {
            "metadata": {"name": name, "namespace": "demo"},
            "status": {
                "phase": "Pending",
                "conditions": [
                    {"type": kind, "status": status, "message": message}
                    for kind, status, message in conditions
                ],
                "containerStatuses": [
                    {"name": "api", "image": "img:1", "ready": False, **container}
                ],
            },
        }
    )


def waiting(reason, message=""):
    return pod(state={"waiting": {"reason": reason, "message": message}})


def claim(storage_class=None, phase="Pending"):
    spec = {"storageClassName": storage_class} if storage_class else {}
    return {
        "metadata": {"name": "data-docs-vector-store-0"},
        "spec": spec,
        "status": {"phase": phase},
    }


def why(found, part=API, claims=()):
    trouble = find(part, pods=[found], claims=list(claims))
    return (trouble.reason, trouble.message) if trouble else None


def test_a_pod_that_starts_is_no_trouble():
    assert why(waiting("ContainerCreating")) is None
    assert why(pod()) is None


@pytest.mark.parametrize(
    ("told", "cause"),
    [
        ('rpc error: code = NotFound desc = "img:1": not found', "the registry does not have it"),
        ("pull access denied, authorization failed", "the registry refuses access"),
        ("dial tcp: lookup ghcr.io: no such host", "the registry cannot be reached"),
        ("something new", "the node gives no reason"),
    ],
)
def test_an_image_that_cannot_be_pulled(told, cause):
    first = why(waiting("ErrImagePull", told))
    assert first == (
        "ImagePullBackOff",
        f"Pod docs-api-x cannot pull image 'img:1': {cause}. Check spec.image.",
    )
    # the two reasons come in turn while nothing changes
    assert (
        why(waiting("ImagePullBackOff", f'Back-off pulling image "img:1": ErrImagePull: {told}'))
        == first
    )


def test_a_container_that_keeps_crashing_is_told_the_same_each_time():
    ended = {"terminated": {"exitCode": 3, "reason": "Error", "finishedAt": "now"}}
    resting = pod(
        state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
        lastState=ended,
        restartCount=7,
    )
    just_ended = pod(state=ended, restartCount=8)
    assert why(resting) == why(just_ended)
    reason, message = why(resting)
    assert reason == "CrashLoopBackOff"
    assert "keeps ending with exit code 3" in message
    assert message.endswith("kubectl logs docs-api-x -c api -n demo --previous")


def test_a_container_that_needs_too_much_memory():
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    reason, message = why(pod(state={"running": {}}, lastState=killed))
    assert reason == "OOMKilled"
    assert message.endswith("Raise spec.api.resources.limits.memory.")


def test_a_pod_that_no_node_takes():
    told = (
        "0/3 nodes are available: 3 Insufficient cpu. no new claims to deallocate, "
        "preemption: 0/3 nodes are available."
    )
    reason, message = why(pod(("PodScheduled", "False", told)))
    assert reason == "Unschedulable"
    assert message == (
        "No node takes pod docs-api-x: 0/3 nodes are available: 3 Insufficient cpu. "
        "Make room in the cluster, or lower spec.api.resources."
    )


@pytest.mark.parametrize(
    ("told", "remedy"),
    [
        (
            "3 node(s) didn't match Pod's node affinity/selector",
            "Check nodeSelector and affinity in spec.api.",
        ),
        ("2 node(s) had untolerated taint {gpu: }", "Check tolerations in spec.api."),
        (
            "1 node(s) had untolerated taint {a: }, 2 node(s) didn't match pod anti-affinity rules",
            "Check tolerations and affinity in spec.api.",
        ),
        (
            "1 node(s) had untolerated taint {control-plane: }, 2 Insufficient memory",
            "Make room in the cluster, or lower spec.api.resources.",
        ),
    ],
)
def test_a_pod_that_may_not_run_where_there_is_room(told, remedy):
    found = pod(("PodScheduled", "False", f"0/3 nodes are available: {told}."))
    reason, message = why(found)
    assert reason == "Unschedulable"
    assert message.endswith(f"{told}. {remedy}")


def test_a_volume_that_nobody_provides():
    unscheduled = pod(("PodScheduled", "False", "unbound immediate PersistentVolumeClaims"))
    reason, message = why(unscheduled, STORE, [claim()])
    assert reason == "NoStorageClass"
    assert "Set spec.vectorStore.managed.storage.className" in message
    reason, message = why(unscheduled, STORE, [claim("slow")])
    assert reason == "VolumePending"
    assert "kubectl describe pvc data-docs-vector-store-0 -n demo" in message
    assert why(unscheduled, STORE, [claim("slow", "Bound")])[0] == "Unschedulable"


def test_a_volume_that_waits_for_its_pod_is_not_what_the_pod_waits_for():
    full = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available"
    reason, message = why(pod(("PodScheduled", "False", full)), STORE, [claim("standard")])
    assert reason == "Unschedulable"
    assert "1 Insufficient cpu" in message
    unbound = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    assert why(pod(("PodScheduled", "False", unbound)), STORE, [claim("slow")])[0] == (
        "VolumePending"
    )


def test_a_scheduler_that_met_another_writer_is_no_trouble():
    told = (
        'running PreBind plugin "VolumeBinding": Operation cannot be fulfilled on '
        'persistentvolumeclaims "data-docs-cache-0": the object has been modified; please '
        "apply your changes to the latest version and try again"
    )
    assert why(pod(("PodScheduled", "False", told)), STORE, [claim("standard", "Bound")]) is None


def test_a_configuration_that_a_container_cannot_start_with():
    reason, message = why(waiting("CreateContainerConfigError", 'secret "openai" not found'))
    assert reason == "CreateContainerConfigError"
    assert 'secret "openai" not found' in message
    assert "kubectl describe pod docs-api-x -n demo" in message


def test_a_pod_that_runs_and_is_not_ready():
    reason, message = why(pod(state={"running": {"startedAt": "now"}}))
    assert reason == "NotReady"
    assert "kubectl logs docs-api-x -c api -n demo" in message


def test_a_pod_whose_startup_probe_has_not_passed_yet_is_no_trouble():
    starting = pod(state={"running": {"startedAt": "now"}})
    starting["status"]["containers"][0]["started"] = False
    assert why(starting) is None


def test_a_pod_on_its_way_out_is_no_trouble():
    leaving = waiting("ImagePullBackOff")
    leaving["metadata"]["deletionTimestamp"] = "now"
    assert why(leaving) is None
