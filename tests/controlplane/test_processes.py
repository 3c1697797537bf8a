"""Control planes start side by side, and leave nothing behind however they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.controlplane import ControlPlane
from tests.controlplane.kinds import CONFIG_MAP
from tests.controlplane.scratch import sweep
from tests.support.waiting import eventually

pytestmark = pytest.mark.controlplane

ROOT = Path(__file__).parents[2]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_second_one_runs_beside_the_first_and_knows_nothing_of_it(
    control_plane: ControlPlane, namespace: str
):
    name = "only-in-the-first"
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    control_plane.api.create(manifest, namespace=namespace)
    with ControlPlane.start(controllers=["serviceaccount-controller"]) as second:
        assert second.server != control_plane.server
        assert second.api.find(CONFIG_MAP, name, namespace=namespace) is None
        pids = [second.etcd.pid, second.apiserver.pid, second.controller_manager.pid]
        folders = [second.folder, *_memory_folders(second)]
    assert not any(map(alive, pids))
    assert not any(folder.exists() for folder in folders)


def test_its_processes_end_with_a_test_run_that_is_killed(tmp_path: Path):
    script = """
import time
from tests.controlplane import ControlPlane
c = ControlPlane.start(controllers=["serviceaccount-controller"])
print(c.folder, c.etcd.pid, c.apiserver.pid, c.controller_manager.pid, flush=True)
time.sleep(600)
"""
    run = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE)
    assert run.stdout is not None
    folder, *pids = run.stdout.readline().decode().split()
    assert all(alive(int(pid)) for pid in pids)
    run.send_signal(signal.SIGKILL)
    run.wait()
    eventually(lambda: not any(alive(int(pid)) for pid in pids), what="the processes end")
    assert Path(folder).exists()
    sweep()
    assert not Path(folder).exists(), "the next run removes what a killed one left"


def test_run_by_hand_it_prints_a_kubeconfig_and_stops_when_asked():
    run = subprocess.Popen(
        [sys.executable, "-m", "tests.controlplane"], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert run.stdout is not None
    lines = [run.stdout.readline().decode() for _ in range(2)]
    kubeconfig = Path(lines[1].strip().removeprefix("export KUBECONFIG="))
    assert "server: https://127.0.0.1:" in kubeconfig.read_text()
    run.send_signal(signal.SIGTERM)
    assert run.wait(30) == 0
    assert not kubeconfig.exists()


def _memory_folders(cluster: ControlPlane) -> list[Path]:
    data = next(f for f in cluster.etcd.command if f.startswith("--data-dir="))
    return [Path(data.removeprefix("--data-dir=")).parent]
