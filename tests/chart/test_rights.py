"""The roles against what the operator says it needs."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ragdeploy_operator import rbac
from tests.chart.conftest import Chart
from tests.chart.test_chart import NAMESPACED
from tests.controlplane.api import Object

Permissions = set[tuple[str, str, str]]


def needed(*groups: Iterable[rbac.Rule]) -> Permissions:
    return {permission for rules in groups for rule in rules for permission in rule.permissions()}


def granted(role: Object) -> Permissions:
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def roles(chart: Chart, *arguments: str) -> dict[tuple[str, str], Object]:
    """Return all roles by namespace, empty for the cluster's, and name."""
    return {
        (each["metadata"].get("namespace", ""), each["metadata"]["name"]): each
        for each in chart.objects(*arguments)
        if each["kind"] in ("Role", "ClusterRole")
    }


def test_the_cluster_role_grants_what_is_needed_and_nothing_more(chart: Chart) -> None:
    role = roles(chart)["", "ragdeploy-operator"]
    assert granted(role) == needed(rbac.NAMESPACED, rbac.CLUSTER)


@pytest.mark.parametrize("namespace", ["team-a", "team-b"])
def test_each_namespace_grants_what_is_needed_there(chart: Chart, namespace: str) -> None:
    role = roles(chart, *NAMESPACED)[namespace, "ragdeploy-operator"]
    assert granted(role) == needed(rbac.NAMESPACED)


@pytest.mark.parametrize("values", [(), NAMESPACED])
def test_the_lease_is_in_the_operators_own_namespace(chart: Chart, values: tuple[str, ...]) -> None:
    role = roles(chart, *values)["ragdeploy-system", "ragdeploy-operator-lease"]
    assert granted(role) == needed(rbac.LEASE)


@pytest.mark.parametrize("values", [(), NAMESPACED])
def test_no_role_has_a_wildcard(chart: Chart, values: tuple[str, ...]) -> None:
    for role in roles(chart, *values).values():
        assert not any("*" in permission for permission in granted(role))


@pytest.mark.parametrize("values", [(), NAMESPACED])
def test_every_role_of_the_operator_is_bound_to_its_account(
    chart: Chart, values: tuple[str, ...]
) -> None:
    bindings = [each for each in chart.objects(*values) if each["kind"].endswith("Binding")]
    bound = {
        (each["metadata"].get("namespace", ""), each["roleRef"]["name"])
        for each in bindings
        if each["subjects"]
        == [
            {
                "kind": "ServiceAccount",
                "name": "ragdeploy-operator",
                "namespace": "ragdeploy-system",
            }
        ]
    }
    for_users = {("", f"ragdeploy-operator-{role}") for role in ("viewer", "editor")}
    assert bound == set(roles(chart, *values)) - for_users


def test_viewers_change_nothing(chart: Chart) -> None:
    viewer = roles(chart)["", "ragdeploy-operator-viewer"]
    assert {verb for _, _, verb in granted(viewer)} == {"get", "list", "watch"}
    assert viewer["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
