"""What is done on kind's nodes themselves."""

from __future__ import annotations

import subprocess

from tests.e2e.kubectl import Kubectl


def image_under_another_tag(kubectl: Kubectl, image: str) -> str:
    """Give an image that the nodes have another tag, so that pods roll and nothing else differs."""
    again = f"{image}-again"
    for node in kubectl.list("nodes"):
        command = ["ctr", "--namespace=k8s.io", "images", "tag", "--force"]
        names = [f"docker.io/{image}", f"docker.io/{again}"]
        where = ["docker", "exec", node["metadata"]["name"]]
        subprocess.run([*where, *command, *names], check=True, capture_output=True)
    return again
