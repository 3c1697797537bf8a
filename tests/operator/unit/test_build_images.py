"""Which image runs."""

from __future__ import annotations

import pytest

from ragdeploy_operator.api.common import Image
from ragdeploy_operator.build.images import reference
from tests.operator.unit.resources import children

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64
DEFAULT = "ghcr.io/ragdeploy/service:0.1.0"


@pytest.mark.parametrize(
    ("image", "default", "expected"),
    [
        ({}, DEFAULT, DEFAULT),
        ({"tag": "0.2.0"}, DEFAULT, "ghcr.io/ragdeploy/service:0.2.0"),
        ({"repository": "mirror:5000/rag"}, DEFAULT, "mirror:5000/rag:0.1.0"),
        ({"repository": "mirror:5000/rag", "tag": "x"}, DEFAULT, "mirror:5000/rag:x"),
        ({"digest": ONE}, DEFAULT, f"ghcr.io/ragdeploy/service@{ONE}"),
        ({"digest": ONE, "tag": "0.2.0"}, DEFAULT, f"ghcr.io/ragdeploy/service@{ONE}"),
        ({}, f"{DEFAULT}@{TWO}", f"ghcr.io/ragdeploy/service@{TWO}"),
        ({"tag": "0.2.0"}, f"{DEFAULT}@{TWO}", "ghcr.io/ragdeploy/service:0.2.0"),
        ({"repository": "mirror/rag"}, f"{DEFAULT}@{TWO}", f"mirror/rag@{TWO}"),
        ({}, "localhost:5000/service", "localhost:5000/service"),
        ({"tag": "dev"}, "localhost:5000/service", "localhost:5000/service:dev"),
        ({"tag": "dev"}, "service", "service:dev"),
    ],
)
def test_what_the_resource_says_wins_and_the_default_fills_in(
    image: dict[str, str], default: str, expected: str
) -> None:
    assert reference(Image.model_validate(image), default=default) == expected


def test_each_part_runs_its_image() -> None:
    built = children(
        {
            "image": {"tag": "9", "pullPolicy": "Always"},
            "vectorStore": {"managed": {"image": {"repository": "mirror/milvus"}}},
        }
    )
    containers = {name: built.container(name) for name in built.pod_templates}
    assert {name: (c["image"], c["imagePullPolicy"]) for name, c in containers.items()} == {
        "docs-api": ("registry.example/service:9", "Always"),
        "docs-indexer": ("registry.example/service:9", "Always"),
        "docs-cache": ("registry.example/redis:7", "IfNotPresent"),
        "docs-vector-store": ("mirror/milvus:2", "IfNotPresent"),
    }
