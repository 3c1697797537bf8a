"""The ground the operator's tests stand on: the control plane behaves as a real one."""

import pytest

from tests.controlplane import ApiError, ControlPlane
from tests.controlplane.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    NAMESPACE,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    REPLICA_SET,
    STATEFUL_SET,
)
from tests.support.waiting import eventually

pytestmark = pytest.mark.controlplane

LABELS = {"app": "web"}


def pod_template(image: str = "registry.test/web:1") -> dict:
    return {
        "metadata": {"labels": LABELS},
        "spec": {
            "containers": [{"name": "web", "image": image}],
            # the namespace controller looks again after half of it
            "terminationGracePeriodSeconds": 1,
        },
    }


def deployment(name: str = "web", replicas: int = 2, image: str = "registry.test/web:1") -> dict:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": LABELS},
            "template": pod_template(image),
        },
    }


def stateful_set() -> dict:
    claim = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "store"},
        "spec": {
            "replicas": 1,
            "serviceName": "store",
            "selector": {"matchLabels": LABELS},
            "template": pod_template(),
            "volumeClaimTemplates": [claim],
        },
    }


def config_map(name: str, owner: dict | None = None) -> dict:
    metadata: dict = {"name": name}
    if owner:
        metadata["ownerReferences"] = [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
            }
        ]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def test_it_is_the_kubernetes_version_we_say(control_plane: ControlPlane):
    assert control_plane.api.request("GET", "/version")["gitVersion"] == "v1.35.4"


def test_a_deployment_yields_pods_and_is_available_once_they_are_ready(
    control_plane: ControlPlane, namespace: str
):
    control_plane.api.apply(deployment(replicas=2), namespace=namespace)
    control_plane.api.wait_for(
        DEPLOYMENT,
        "web",
        lambda d: d.get("status", {}).get("unavailableReplicas") == 2,
        namespace=namespace,
    )
    with control_plane.kubelet.running(namespace):
        control_plane.api.wait_for(
            DEPLOYMENT,
            "web",
            lambda d: d["status"].get("availableReplicas") == 2,
            namespace=namespace,
        )


def test_ready_pods_become_addresses_of_their_service(control_plane: ControlPlane, namespace: str):
    api = control_plane.api
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": LABELS, "ports": [{"port": 80}]},
    }
    api.apply(service, namespace=namespace)
    api.apply(deployment(replicas=1), namespace=namespace)

    def ready_addresses() -> list[bool]:
        return [
            endpoint["conditions"]["ready"]
            for found in api.list(ENDPOINT_SLICE, namespace=namespace)
            for endpoint in found["endpoints"] or []
        ]

    control_plane.kubelet.make_ready(namespace, "app=web")
    eventually(lambda: ready_addresses() == [True], what="one ready address")
    control_plane.kubelet.make_unready(namespace, "app=web")
    eventually(lambda: ready_addresses() == [False], what="one address that is not ready")


def test_a_broken_image_stalls_a_rollout_and_a_good_one_resumes_it(
    control_plane: ControlPlane, namespace: str
):
    api = control_plane.api

    def available(found: dict) -> bool:
        status = found["status"]
        return (
            status.get("observedGeneration") == found["metadata"]["generation"]
            and status.get("updatedReplicas") == 1
            and status.get("availableReplicas") == 1
            and status.get("replicas") == 1
        )

    def waiting_reasons() -> set[str]:
        return {
            status["state"]["waiting"]["reason"]
            for pod in api.list(POD, namespace=namespace)
            for status in pod["status"].get("containerStatuses", [])
            if "waiting" in status["state"]
        }

    with control_plane.kubelet.running(namespace, broken_images={"registry.test/web:bad"}):
        api.apply(deployment(replicas=1), namespace=namespace)
        api.wait_for(DEPLOYMENT, "web", available, namespace=namespace)
        api.apply(deployment(replicas=1, image="registry.test/web:bad"), namespace=namespace)
        eventually(lambda: waiting_reasons() == {"ImagePullBackOff"}, what="the pull fails")
        assert api.get(DEPLOYMENT, "web", namespace=namespace)["status"]["availableReplicas"] == 1
        api.apply(deployment(replicas=1, image="registry.test/web:2"), namespace=namespace)
        api.wait_for(DEPLOYMENT, "web", available, namespace=namespace)


def test_a_stateful_set_gets_its_volume_and_is_ready(control_plane: ControlPlane, namespace: str):
    api = control_plane.api
    api.apply(stateful_set(), namespace=namespace)
    assert control_plane.kubelet.make_ready(namespace, "app=web") == ["store-0"]
    api.wait_for(
        STATEFUL_SET, "store", lambda s: s["status"].get("readyReplicas") == 1, namespace=namespace
    )
    api.wait_for(
        PERSISTENT_VOLUME_CLAIM,
        "data-store-0",
        lambda claim: claim["status"]["phase"] == "Bound",
        namespace=namespace,
    )


def test_owned_objects_are_collected_with_their_owner(control_plane: ControlPlane, namespace: str):
    api = control_plane.api
    owner = api.create(config_map("owner"), namespace=namespace)
    api.create(config_map("owned", owner), namespace=namespace)
    api.create(config_map("unrelated"), namespace=namespace)
    api.delete(CONFIG_MAP, "owner", namespace=namespace)
    api.wait_gone(CONFIG_MAP, "owned", namespace=namespace)
    assert api.find(CONFIG_MAP, "unrelated", namespace=namespace)


def test_deleting_a_deployment_takes_its_ready_pods_along(
    control_plane: ControlPlane, namespace: str
):
    api = control_plane.api
    api.apply(deployment(replicas=1), namespace=namespace)
    control_plane.kubelet.make_ready(namespace, "app=web")
    api.delete(DEPLOYMENT, "web", namespace=namespace)
    for kind in (REPLICA_SET, POD):
        eventually(lambda kind=kind: not api.list(kind, namespace=namespace), what=f"no {kind}")


def test_a_deleted_namespace_goes_with_all_that_is_in_it(control_plane: ControlPlane):
    api = control_plane.api
    name = control_plane.create_namespace()
    api.apply(deployment(replicas=1), namespace=name)
    api.apply(stateful_set(), namespace=name)
    control_plane.kubelet.make_ready(name)
    control_plane.delete_namespace(name)
    eventually(
        lambda: name not in {n["metadata"]["name"] for n in api.list(NAMESPACE)},
        what=f"namespace {name} gone",
    )


def test_a_service_account_may_do_what_its_roles_allow_and_no_more(
    control_plane: ControlPlane, namespace: str
):
    admin = control_plane.api
    for manifest in (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "reader"},
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "reader"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": "reader",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": namespace}],
        },
    ):
        admin.apply(manifest, namespace=namespace)
    reader = control_plane.api_as(control_plane.service_account_token(namespace, "reader"))
    # the authorizer learns of new roles by a watch, a moment after they are made
    eventually(lambda: _allowed(reader, namespace), what="the role applies")
    with pytest.raises(ApiError, match="403 Forbidden"):
        reader.create(config_map("mine"), namespace=namespace)


def test_a_restricted_namespace_refuses_a_privileged_pod(control_plane: ControlPlane):
    name = control_plane.create_namespace(
        labels={"pod-security.kubernetes.io/enforce": "restricted"}
    )
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}} | {
        "spec": pod_template()["spec"]
    }
    with pytest.raises(ApiError, match="violates PodSecurity"):
        control_plane.api.create(pod, namespace=name)
    control_plane.delete_namespace(name)


def _allowed(reader, namespace: str) -> bool:
    try:
        reader.list(CONFIG_MAP, namespace=namespace)
    except ApiError as error:
        if error.code != 403:
            raise
        return False
    return True
