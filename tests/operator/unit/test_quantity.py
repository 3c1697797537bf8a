"""Quantities are written as the API server writes them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragdeploy_operator.api.quantity import canonical, number
from tests.operator.unit.apiserver import ApiServer

WRITTEN = {
    "1000m": "1",
    "1500m": "1500m",
    "0.5": "500m",
    "0.50": "500m",
    "2": "2",
    "2000": "2k",
    "1024Mi": "1Gi",
    "1.5Gi": "1536Mi",
    "0.1Gi": "107374182400m",
    "0.5Ki": "512",
    "1000Mi": "1000Mi",
    "1000M": "1G",
    "1024": "1024",
    "0": "0",
    "0Gi": "0",
    "0.0001": "1m",
    "1000000": "1M",
    "12345": "12345",
    "10Ti": "10Ti",
    "0.3Mi": "314572800m",
    "100.5Mi": "102912Ki",
}


@pytest.mark.parametrize(("quantity", "expected"), WRITTEN.items())
def test_a_quantity_is_written_in_canonical_form(quantity: str, expected: str) -> None:
    assert canonical(quantity) == expected


def test_the_api_server_writes_the_same(apiserver: ApiServer, namespace: str) -> None:
    containers = [
        {"name": f"c{i}", "image": "none", "resources": {"limits": {"memory": quantity}}}
        for i, quantity in enumerate(WRITTEN)
    ]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "quantities"},
        "spec": {"containers": containers},
    }
    stored = apiserver.try_create(pod, namespace=namespace)["spec"]["containers"]
    assert {
        sent: got["resources"]["limits"]["memory"]
        for sent, got in zip(WRITTEN, stored, strict=True)
    } == WRITTEN


@given(
    st.decimals(0, 10**9, places=3).map(lambda value: f"{value.normalize():f}"),
    st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "Ti"]),
)
def test_the_canonical_form_is_stable_and_rounds_up_by_less_than_a_thousandth(
    digits: str, suffix: str
) -> None:
    quantity = digits + suffix
    written = canonical(quantity)
    assert canonical(written) == written
    assert 0 <= number(written) - number(quantity) < Decimal("0.001")


@pytest.mark.parametrize("text", ["", "-1", "1 Gi", "Gi", "1gb", "1e3", "1.", ".5", "1Gi\n"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a quantity"):
        canonical(text)
