"""The children stay what they should be, and nothing is written for nothing."""

import signal

import pytest

from tests.controlplane import ApiError
from tests.controlplane.api import JSON_PATCH, STRATEGIC_MERGE_PATCH
from tests.controlplane.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    SECRET,
    SERVICE,
    STATEFUL_SET,
)
from tests.operator.bundle import ALL_CHILDREN, Bundle, writes_of_operator
from tests.operator.owned_fields import owned_fields, pointer
from tests.support.waiting import eventually

OPENAI = {"model": "gpt-4o-mini", "baseURL": "http://llm.test/v1"}


@pytest.mark.behaviour(9)
def test_ten_identical_applies_lead_to_no_write(cluster, operator, bundle, namespace):
    docs = bundle(llm=OPENAI).wait_children()
    operator.wait_idle()
    before = cluster.audit.mark()
    for _ in range(10):
        docs.apply(llm=OPENAI)
    operator.wait_idle()
    assert writes_of_operator(cluster.audit.since(before), namespace) == ()


@pytest.mark.behaviour(11)
@pytest.mark.parametrize(
    ("kind", "suffix"),
    sorted(ALL_CHILDREN),
    ids=lambda value: value if isinstance(value, str) else value.kind,
)
def test_a_deleted_child_comes_back(cluster, converged, kind, suffix, namespace_of_module):
    uid = converged.child(kind, suffix)["metadata"]["uid"]
    cluster.api.delete(kind, f"docs-{suffix}", namespace=namespace_of_module)
    converged.wait_child(kind, suffix, lambda child: child["metadata"]["uid"] != uid)


@pytest.mark.behaviour(12)
@pytest.mark.parametrize(
    ("kind", "suffix"),
    sorted(ALL_CHILDREN),
    ids=lambda value: value if isinstance(value, str) else value.kind,
)
def test_every_field_that_is_ours_is_put_back(
    cluster, converged, operator, kind, suffix, namespace_of_module
):
    def ours(child):
        # the number of pods is the autoscaler's, and whoever else changes it may keep it
        fields = owned_fields(child)
        return {p: v for p, v in fields.items() if (kind, p) != (DEPLOYMENT, ("spec", "replicas"))}

    original = converged.wait_child(kind, suffix)
    wanted = ours(original)
    edits = [
        edit
        for path, value in wanted.items()
        # without its labels and its owner it would not be ours any more, and the values of
        # generated Secrets are for users to change
        if path[:2] != ("metadata", "ownerReferences")
        and (kind, path[0]) != (SECRET, "data")
        and (edit := an_edit(cluster, converged, kind, original, path, value))
    ]
    assert len(edits) >= 5, "nearly nothing of it can be edited, that cannot be"
    path = cluster.api.path(kind, original["metadata"]["name"], namespace=namespace_of_module)
    edited = cluster.api.request("PATCH", path, body=edits, content_type=JSON_PATCH)
    assert edited["metadata"]["resourceVersion"] != original["metadata"]["resourceVersion"]

    def as_before():
        found = converged.find(kind, suffix)
        assert found is not None
        differing = {p: v for p, v in ours(found).items() if wanted.get(p) != v}
        assert not differing, differing
        assert ours(found).keys() == wanted.keys()
        return True

    eventually(as_before, what=f"{kind.kind} docs-{suffix} to be put back")


@pytest.mark.behaviour(13)
def test_what_others_add_survives_every_edit(cluster, operator, bundle, namespace):
    docs = bundle().wait_children()
    theirs = {
        "metadata": {"labels": {"team": "search"}, "annotations": {"note": "theirs"}},
        "spec": {
            "template": {
                "spec": {
                    "priority": None,
                    "containers": [{"name": "sidecar", "image": "sidecar.test/proxy:1"}],
                    "tolerations": [{"key": "gpu", "operator": "Exists"}],
                }
            }
        },
    }
    cluster.api.patch(
        DEPLOYMENT, "docs-api", theirs, namespace=namespace, content_type=STRATEGIC_MERGE_PATCH
    )
    docs.apply(api={"drainSeconds": 33}, retrieval={"topK": 9})
    found = docs.wait_child(
        DEPLOYMENT,
        "api",
        lambda d: d["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 48,
    )
    assert found["metadata"]["labels"]["team"] == "search"
    assert found["metadata"]["annotations"]["note"] == "theirs"
    pod = found["spec"]["template"]["spec"]
    assert {container["name"] for container in pod["containers"]} == {"api", "sidecar"}
    assert pod["tolerations"] == [{"key": "gpu", "operator": "Exists"}]


@pytest.mark.behaviour(14)
def test_a_field_removed_from_the_resource_leaves_the_child(operator, bundle):
    docs = bundle(llm=OPENAI, image={"pullSecrets": [{"name": "registry"}]}).wait_children()
    assert docs.child(CONFIG_MAP, "config")["data"]["RAG_LLM_BASE_URL"] == "http://llm.test/v1"
    assert "imagePullSecrets" in docs.child(DEPLOYMENT, "api")["spec"]["template"]["spec"]
    docs.apply()
    docs.wait_child(CONFIG_MAP, "config", lambda c: "RAG_LLM_BASE_URL" not in c["data"])
    docs.wait_child(
        DEPLOYMENT, "api", lambda d: "imagePullSecrets" not in d["spec"]["template"]["spec"]
    )


@pytest.mark.behaviour(15)
def test_the_children_of_a_part_that_is_switched_off_go(bundle):
    docs = bundle().wait_children().run()
    docs.apply(
        api={"autoscaling": {"enabled": False}},
        vectorStore={"external": {"uri": "http://milvus.milvus.svc:19530"}},
    )
    docs.wait_gone(HORIZONTAL_POD_AUTOSCALER, "api")
    for kind in (STATEFUL_SET, SERVICE, CONFIG_MAP):
        docs.wait_gone(kind, "vector-store")
    assert docs.find(STATEFUL_SET, "cache")


def test_a_store_is_kept_until_no_pod_of_the_api_uses_it(cluster, operator, bundle, namespace):
    docs = bundle().wait_children().run()
    cluster.kubelet.rest(namespace)  # the new pods do not become ready
    docs.apply(vectorStore={"external": {"uri": "http://milvus.milvus.svc:19530"}})
    docs.wait_condition("Reconciling", "True", reason="RollingOut")
    operator.wait_idle()
    assert docs.find(STATEFUL_SET, "vector-store")
    cluster.kubelet.run(namespace)
    docs.wait_gone(STATEFUL_SET, "vector-store")


@pytest.mark.behaviour(16)
def test_what_only_changes_the_status_of_children_leads_to_no_write_to_them(
    cluster, operator, bundle, namespace
):
    docs = bundle().wait_children()
    operator.wait_idle()
    before = cluster.audit.mark()
    docs.run()
    operator.wait_idle()
    writes = writes_of_operator(cluster.audit.since(before), namespace)
    assert writes.without("ragdeployments") == ()


@pytest.mark.behaviour(17)
def test_of_twenty_rapid_edits_the_last_one_wins_in_one_write(cluster, operator, bundle, namespace):
    docs = bundle().wait_children()
    operator.wait_idle()
    before = cluster.audit.mark()
    operator.process.signal(signal.SIGSTOP)
    for top_k in range(1, 21):
        docs.apply(retrieval={"topK": top_k})
    operator.process.signal(signal.SIGCONT)
    docs.wait_child(CONFIG_MAP, "config", lambda config: config["data"]["RAG_TOP_K"] == "20")
    operator.wait_idle()
    writes = writes_of_operator(cluster.audit.since(before), namespace)
    assert len(writes.of("configmaps")) <= 2  # the first event may be worked on by itself


@pytest.mark.behaviour(18)
def test_a_restart_that_somebody_asked_for_is_not_undone(cluster, operator, bundle, namespace):
    docs = bundle().wait_children()
    annotation = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    restart = {"spec": {"template": {"metadata": {"annotations": annotation}}}}
    cluster.api.patch(DEPLOYMENT, "docs-api", restart, namespace=namespace)
    docs.apply(batching={"maxBatchSize": 4})
    docs.wait_child(
        CONFIG_MAP, "config", lambda config: config["data"]["RAG_BATCH_MAX_SIZE"] == "4"
    )
    operator.wait_idle()
    template = docs.child(DEPLOYMENT, "api")["spec"]["template"]
    assert annotation.items() <= template["metadata"]["annotations"].items()


def test_an_orphan_with_our_labels_is_taken_back(cluster, operator, bundle, namespace):
    docs = bundle().wait_children()
    operator.wait_idle()
    orphan = {"metadata": {"ownerReferences": None}}
    cluster.api.patch(SECRET, "docs-api-key", orphan, namespace=namespace)
    docs.wait_child(SECRET, "api-key", lambda secret: secret["metadata"].get("ownerReferences"))


def test_a_repair_is_told_as_an_event(cluster, operator, bundle, namespace):
    docs = bundle().wait_children()
    operator.wait_idle()
    edit = {"data": {"RAG_TOP_K": "11"}}
    cluster.api.patch(CONFIG_MAP, "docs-config", edit, namespace=namespace)
    docs.wait_child(CONFIG_MAP, "config", lambda config: config["data"]["RAG_TOP_K"] == "3")
    event = eventually(
        lambda: next((e for e in docs.events() if e["reason"] == "Repaired"), None),
        what="an event about the repair",
    )
    assert "ConfigMap docs-config" in event["note"]
    assert "data.RAG_TOP_K" in event["note"]


# ---- one bundle for the tests that break it a little ----
@pytest.fixture(scope="module")
def namespace_of_module(cluster):
    name = cluster.create_namespace()
    yield name
    cluster.delete_namespace(name)


@pytest.fixture(scope="module")
def converged(cluster, operator, namespace_of_module):
    docs = Bundle(cluster, namespace_of_module).apply().wait_children()
    operator.wait_idle()
    return docs


def an_edit(cluster, bundle, kind, obj, path, value):
    """A change of one field that the API server accepts, as an operation of JSON patch."""
    match value:
        case bool():
            other = not value
        case int():
            other = value + 1
        case str():
            other = f"{value}x"
        case _:
            return None
    operation = {"op": "replace", "path": pointer(obj, path), "value": other}
    url = cluster.api.path(kind, obj["metadata"]["name"], namespace=bundle.namespace)
    try:
        cluster.api.request(
            "PATCH", url, query={"dryRun": "All"}, body=[operation], content_type=JSON_PATCH
        )
    except ApiError:
        return None  # cannot be edited by anybody
    return operation
