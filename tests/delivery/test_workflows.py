"""What runs on GitHub: pinned, with few rights, and nothing that is not in the repository."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
_PINNED = re.compile(r"^[\w-]+/[\w./-]+@[0-9a-f]{40}$")


def steps(workflow: Path) -> list[dict[str, str]]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


def test_there_are_workflows() -> None:
    assert [workflow.name for workflow in WORKFLOWS] == ["ci.yml", "release.yml"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_and_say_their_version(workflow: Path) -> None:
    for line in workflow.read_text().splitlines():
        if "uses:" in line:
            action, _, version = line.partition("uses:")[2].strip().partition(" # ")
            assert _PINNED.match(action), line
            assert re.match(r"v\d+\.\d+\.\d+$", version), line


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_job_may_read_and_what_more_it_may_is_said(workflow: Path) -> None:
    text = yaml.safe_load(workflow.read_text())
    assert text["permissions"] == {"contents": "read"}
    for job in text["jobs"].values():
        assert job["timeout-minutes"] <= 90
        assert set(job.get("permissions", {})) <= {"contents", "packages", "id-token"}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_what_they_run_is_there(workflow: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for step in steps(workflow):
        command = step.get("run", "")
        for line in re.findall(r"^make (.+)$", command, re.MULTILINE):
            assert set(line.split()) <= targets, line
        for file in re.findall(r"\b((?:hack|charts|manifests|service|operator)/[\w./-]+)", command):
            assert (ROOT / file).exists(), file


def test_a_version_that_is_not_the_same_everywhere_is_refused() -> None:
    def check(version: str) -> subprocess.CompletedProcess[str]:
        command = [ROOT / "hack/check-version", version]
        return subprocess.run(command, capture_output=True, text=True)

    wrong = check("9.9.9")
    assert wrong.returncode == 1
    for file in ("pyproject.toml", "Chart.yaml", "CHANGELOG.md", "settings.py"):
        assert file in wrong.stderr
    # of the version that is being made, only the changelog's heading is missing until its release
    assert set(check("0.1.0").stderr.splitlines()) <= {"CHANGELOG.md has no line '## 0.1.0'"}
