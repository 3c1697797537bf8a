"""What a person reads when things go well, and when they do not."""

import json

import pytest

from tests.controlplane import ApiError
from tests.controlplane.kinds import DEPLOYMENT, SECRET, SERVICE, Kind
from tests.support.waiting import eventually

WEBHOOK = Kind("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration")


@pytest.mark.behaviour(26)
def test_the_observed_generation_follows_every_edit(bundle):
    docs = bundle().wait_children()
    for top_k in (4, 5, 6):
        docs.apply(retrieval={"topK": top_k})
        eventually(
            lambda: (
                docs.get()["status"]["observedGeneration"] == docs.get()["metadata"]["generation"]
            ),
            what="the latest generation to be observed",
        )
    generation = docs.get()["metadata"]["generation"]
    assert {c["observedGeneration"] for c in docs.conditions().values()} == {generation}


@pytest.mark.behaviour(27)
def test_a_condition_keeps_its_time_until_its_status_moves(cluster, operator, bundle, namespace):
    docs = bundle().wait_children().run()
    operator.wait_idle()
    before = docs.conditions()
    docs.apply(retrieval={"topK": 8})
    docs.wait_condition("Reconciling", "False")
    after = docs.conditions()
    assert after["Ready"]["lastTransitionTime"] == before["Ready"]["lastTransitionTime"]
    assert after["Ready"]["observedGeneration"] > before["Ready"]["observedGeneration"]
    assert after["Stalled"]["lastTransitionTime"] == before["Stalled"]["lastTransitionTime"]


def test_a_working_bundle_says_so_in_a_few_words(bundle, namespace):
    docs = bundle().wait_children().run()
    docs.wait_condition("Reconciling", "False")
    status = docs.get()["status"]
    messages = {kind: condition["message"] for kind, condition in docs.conditions().items()}
    assert messages["Ready"] == f"Questions are answered at http://docs-api.{namespace}.svc:8000."
    assert messages["ApiReady"] == "Deployment docs-api: 2 of 2 pods are ready."
    assert messages["IndexerReady"] == "Deployment docs-indexer: 1 of 1 pods are ready."
    assert messages["CacheReady"] == "StatefulSet docs-cache: 1 of 1 pods are ready."
    assert messages["Reconciling"] == "Generation 1 is live."
    assert status["replicas"] == 2
    assert status["selector"] == "app.kubernetes.io/component=api,ragdeploy.io/name=docs"
    assert status["components"] == [
        {"kind": "Deployment", "name": "docs-api", "ready": 2, "desired": 2},
        {"kind": "Deployment", "name": "docs-indexer", "ready": 1, "desired": 1},
        {"kind": "StatefulSet", "name": "docs-cache", "ready": 1, "desired": 1},
        {"kind": "StatefulSet", "name": "docs-vector-store", "ready": 1, "desired": 1},
    ]


def test_the_first_pod_that_answers_makes_it_ready(cluster, bundle, namespace):
    docs = bundle().wait_children()
    for component in ("cache", "vector-store"):
        cluster.kubelet.make_ready(namespace, f"app.kubernetes.io/component={component}")
    for part in ("CacheReady", "VectorStoreReady"):
        docs.wait_condition(part, "True")
    assert "Deployment docs-api is starting" in docs.condition("Ready")["message"]
    cluster.kubelet.make_ready(namespace, "app.kubernetes.io/component=api")
    docs.wait_condition("Ready", "True")


def test_an_indexer_that_fails_is_told_and_questions_are_still_answered(cluster, bundle, namespace):
    docs = bundle().wait_children().run()
    cluster.kubelet.rest(namespace)
    cluster.kubelet.crash(namespace, "app.kubernetes.io/component=indexer")
    broken = docs.wait_condition("IndexerReady", "False", reason="CrashLoopBackOff")
    ready = eventually(
        lambda: (c := docs.condition("Ready")) and "New documents wait" in c["message"] and c,
        what="the whole to say that documents wait",
    )
    assert ready["status"] == "True"
    assert ready["message"].endswith(broken["message"])


def test_a_bundle_whose_store_fails_is_not_ready_and_names_the_store(cluster, bundle, namespace):
    docs = bundle().wait_children().run()
    cluster.kubelet.rest(namespace)
    cluster.kubelet.crash(namespace, "app.kubernetes.io/component=vector-store", exit_code=139)
    broken = docs.wait_condition("Ready", "False", reason="CrashLoopBackOff")
    assert "pod docs-vector-store-0 keeps ending with exit code 139" in broken["message"]
    assert f"kubectl logs docs-vector-store-0 -c milvus -n {namespace}" in broken["message"]
    cluster.kubelet.make_ready(namespace, "app.kubernetes.io/component=vector-store")
    docs.wait_condition("Ready", "True")


def test_pods_that_wait_for_somebody_elses_milvus_name_it(cluster, bundle, namespace):
    docs = bundle(vectorStore={"external": {"uri": "http://milvus.example.test:19530"}})
    docs.wait_child(DEPLOYMENT, "api")
    docs.run()
    cluster.kubelet.rest(namespace)
    cluster.kubelet.make_unready(namespace, "app.kubernetes.io/component=api")
    waiting = docs.wait_condition("Ready", "False", reason="NotReady")
    assert "the Milvus at http://milvus.example.test:19530" in waiting["message"]
    assert waiting["message"].endswith(f"-c api -n {namespace}")


@pytest.mark.behaviour(25)
def test_a_bad_image_is_told_in_words_and_a_good_one_recovers(cluster, bundle, namespace):
    good = {"repository": "registry.test/service", "tag": "1"}
    bad = {"repository": "registry.test/service", "tag": "typo"}
    cluster.kubelet.run(namespace, broken_images={"registry.test/service:typo"})
    docs = bundle(image=bad)
    message = docs.wait_condition("ApiReady", "False", reason="ImagePullBackOff")["message"]
    assert (
        "cannot pull image 'registry.test/service:typo': the registry does not have it" in message
    )
    assert "Check spec.image" in message
    # compared as they are now: the next look may name another of the pods
    eventually(
        lambda: docs.condition("Ready")["message"] == docs.condition("ApiReady")["message"],
        what="the whole to say the same",
    )
    docs.apply(image=good)
    docs.wait_condition("Ready", "True")
    docs.apply(image=bad)  # the old pods go on serving
    degraded = docs.wait_condition("ApiReady", "True", reason="Degraded")["message"]
    assert "cannot pull image" in degraded
    docs.wait_condition("Ready", "True")


@pytest.mark.behaviour(29)
def test_no_value_of_a_secret_is_in_status_events_or_log(cluster, operator, bundle, namespace):
    value = "sk-do-not-tell-anybody"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "openai"}}
    cluster.api.create(secret | {"stringData": {"wrong-key": value}}, namespace=namespace)
    docs = bundle(llm={"apiKeySecretRef": {"name": "openai", "key": "api-key"}})
    docs.wait_condition("SecretsResolved", "False")
    cluster.api.patch(SECRET, "openai", {"stringData": {"api-key": value}}, namespace=namespace)
    docs.wait_condition("SecretsResolved", "True")
    docs.wait_child(DEPLOYMENT, "api")
    cluster.api.patch(SECRET, "docs-api-key", {"data": {"api-key": None}}, namespace=namespace)
    docs.wait_child(SECRET, "api-key", lambda secret: secret.get("data", {}).get("api-key"))
    operator.wait_idle()
    generated = [
        encoded
        for suffix in ("api-key", "cache")
        for encoded in docs.child(SECRET, suffix)["data"].values()
    ]
    events = json.dumps([dict(event) for event in docs.events()])
    told = json.dumps(docs.get()) + events + operator.log
    for word in (value, *generated):
        assert word not in told
    templates = json.dumps(docs.child(DEPLOYMENT, "api"))
    assert value not in templates


@pytest.mark.behaviour(30)
def test_a_failure_that_repeats_is_one_event(cluster, operator, bundle, namespace):
    cluster.api.apply(webhook_that_fails(namespace))
    try:
        before = operator.metric("reconcile_errors_total", reason="ApiUnavailable")
        docs = bundle()
        eventually(
            lambda: (
                operator.metric("reconcile_errors_total", reason="ApiUnavailable") >= before + 4
            ),
            what="four failures",
        )
        failures = [event for event in docs.events() if event["reason"] == "ApiUnavailable"]
        assert len({event["note"] for event in failures}) == len(failures) <= 2
        told = docs.wait_condition("Reconciling", "True", reason="ApiUnavailable")
        assert told["message"] in {event["note"] for event in failures}
    finally:
        cluster.api.delete(WEBHOOK, f"fails-{namespace}")
    docs.wait_children()


def test_what_the_api_server_refuses_stalls_and_is_not_tried_again_and_again(
    cluster, operator, bundle, namespace
):
    for manifest in policy_that_refuses(namespace, "Service"):
        cluster.api.apply(manifest)
    try:
        eventually(lambda: refuses_services(cluster, namespace), what="the policy to be in force")
        docs = bundle()
        stalled = docs.wait_condition("Stalled", "True", reason="Refused")
        assert "no services today" in stalled["message"]
        operator.wait_idle()
        before = cluster.audit.mark()
        docs.apply(api={"autoscaling": {"maxReplicas": 11}})  # says nothing new about Services
        eventually(
            lambda: docs.get()["status"]["observedGeneration"] == 2, what="the edit to be seen"
        )
        operator.wait_idle()
        tried = cluster.audit.since(before).writes(namespace=namespace).of("services")
        assert 1 <= len(tried) <= 3  # once for each, because it is a new generation
    finally:
        for manifest in policy_that_refuses(namespace, "Service"):
            kind = Kind(manifest["apiVersion"], manifest["kind"])
            cluster.api.delete(kind, manifest["metadata"]["name"])


def refuses_services(cluster, namespace):
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "probe"},
        "spec": {"ports": [{"port": 80}]},
    }
    path = cluster.api.path(SERVICE, namespace=namespace)
    try:
        cluster.api.request("POST", path, query={"dryRun": "All"}, body=service)
    except ApiError:
        return True
    return False


def webhook_that_fails(namespace):
    return {
        "apiVersion": WEBHOOK.api_version,
        "kind": WEBHOOK.kind,
        "metadata": {"name": f"fails-{namespace}"},
        "webhooks": [
            {
                "name": "fails.ragdeploy.test",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "timeoutSeconds": 1,
                "failurePolicy": "Fail",
                "clientConfig": {"url": "https://127.0.0.1:1/"},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "resources": ["services"],
                        "operations": ["CREATE"],
                    }
                ],
            }
        ],
    }


def policy_that_refuses(namespace, kind):
    group = "admissionregistration.k8s.io/v1"
    name = f"refuses-{namespace}"
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": [f"{kind.lower()}s"],
        "operations": ["CREATE"],
    }
    return [
        {
            "apiVersion": group,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "matchConstraints": {"resourceRules": [rule]},
                "validations": [{"expression": "false", "message": "no services today"}],
            },
        },
        {
            "apiVersion": group,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {
                "policyName": name,
                "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": selector},
            },
        },
    ]
