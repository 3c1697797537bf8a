"""What counts as a difference, and what is somebody else's business."""

import pytest

from ragdeploy_operator.engine.diff import differences


def different(wanted, there):
    return list(differences(wanted, there))


def test_what_others_add_is_no_difference():
    wanted = {"metadata": {"labels": {"a": "1"}}, "spec": {"template": {"spec": {}}}}
    there = {
        "metadata": {"labels": {"a": "1", "theirs": "2"}, "annotations": {"x": "y"}},
        "spec": {
            "template": {"spec": {"dnsPolicy": "ClusterFirst"}},
            "progressDeadlineSeconds": 600,
        },
    }
    assert different(wanted, there) == []


def test_the_path_of_every_difference_is_given_and_no_value():
    wanted = {"spec": {"replicas": 2, "paused": True, "strategy": {"type": "Recreate"}}}
    there = {"spec": {"replicas": 3, "strategy": None}}
    assert different(wanted, there) == ["spec.replicas", "spec.paused", "spec.strategy"]


@pytest.mark.parametrize(
    ("field", "ours", "theirs"),
    [
        ("containers", {"name": "api", "image": "a"}, {"name": "sidecar", "image": "b"}),
        ("env", {"name": "A", "value": "1"}, {"name": "B", "value": "2"}),
        ("volumeMounts", {"mountPath": "/data", "name": "d"}, {"mountPath": "/x", "name": "x"}),
        ("volumes", {"name": "d", "emptyDir": {}}, {"name": "x", "emptyDir": {}}),
        ("ownerReferences", {"uid": "1", "name": "a"}, {"uid": "2", "name": "b"}),
    ],
)
def test_elements_that_others_add_to_a_merged_list_are_left_alone(field, ours, theirs):
    assert different({field: [ours]}, {field: [theirs, ours]}) == []


def test_an_element_of_a_merged_list_that_was_changed_is_named():
    wanted = {"containers": [{"name": "api", "image": "a", "env": [{"name": "A", "value": "1"}]}]}
    there = {"containers": [{"name": "api", "image": "b", "env": [{"name": "A", "value": "2"}]}]}
    assert different(wanted, there) == ["containers[api].image", "containers[api].env[A].value"]


def test_an_element_of_a_merged_list_that_was_removed_is_named():
    assert different({"env": [{"name": "A", "value": "1"}]}, {"env": []}) == ["env[A]"]


def test_ports_are_told_apart_by_number_and_protocol():
    wanted = {"ports": [{"containerPort": 8000, "name": "http"}]}
    there = {
        "ports": [
            {"containerPort": 8000, "name": "quic", "protocol": "UDP"},
            {"containerPort": 8000, "name": "http", "protocol": "TCP"},
        ]
    }
    assert different(wanted, there) == []
    wanted = {"ports": [{"port": 80, "targetPort": "http"}]}
    there = {"ports": [{"port": 80, "targetPort": "other", "protocol": "TCP"}]}
    assert different(wanted, there) == ["ports[80].targetPort"]


def test_a_list_without_a_key_is_ours_as_a_whole():
    assert different({"args": ["a"]}, {"args": ["a", "b"]}) == ["args"]
    assert different({"args": ["a", "b"]}, {"args": ["b", "a"]}) == ["args[0]", "args[1]"]
    metric = {"type": "Resource", "resource": {"name": "cpu"}}
    assert different({"metrics": [metric]}, {"metrics": [metric | {"x": 1}]}) == []
    assert different({"metrics": [metric]}, {"metrics": [metric, metric]}) == ["metrics"]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("1", "1000m"), ("0.5", "500m"), ("1Gi", "1024Mi"), ("1000", "1k"), (1, "1")],
)
def test_equal_amounts_are_equal_however_they_are_written(ours, theirs):
    wanted, there = {"requests": {"cpu": ours}}, {"requests": {"cpu": theirs}}
    assert different(wanted, there) == []


def test_amounts_that_differ_differ():
    assert different({"limits": {"memory": "1Gi"}}, {"limits": {"memory": "1G"}}) == [
        "limits.memory"
    ]


def test_a_text_that_looks_like_an_amount_is_compared_as_text():
    wanted, there = (
        {"env": [{"name": "A", "value": "1"}]},
        {"env": [{"name": "A", "value": "1000m"}]},
    )
    assert different(wanted, there) == ["env[A].value"]


def test_false_and_zero_are_wanted_as_much_as_anything():
    wanted = {"automountServiceAccountToken": False, "weight": 0}
    assert different(wanted, {}) == ["automountServiceAccountToken", "weight"]
