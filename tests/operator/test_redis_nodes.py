"""The scripts and the configuration of three Redis with Sentinels, as the operator writes them.

Run as real processes on three addresses of loopback: only addresses and folders differ from what
stands in the pods.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import redis

from ragdeploy_operator.build.sentinel import MASTER, SCRIPTS
from ragdeploy_service.adapters.redis.client import confirmed, connect
from ragdeploy_service.settings import ServiceSettings
from tests.operator.unit.resources import CACHE_PASSWORD, Children, children
from tests.support.process import Process, free_port
from tests.support.redis import RedisServer
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(sys.platform != "linux", reason="needs 127.0.0.2 and 127.0.0.3"),
]

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


class Node:
    """What runs in one pod."""

    def __init__(self, built: Children, host: str, folder: Path, ports: dict[str, str]) -> None:
        self.host = host
        self.port, self.sentinel_port = int(ports["REDIS_PORT"]), int(ports["SENTINEL_PORT"])
        self.data = folder / "data"
        config = folder / "config"
        for one in (folder, self.data, config):
            one.mkdir()
        (folder / "auth.conf").write_text(built.secret("docs-cache")["auth.conf"])
        for name, text in built["ConfigMap", "docs-cache"]["data"].items():
            (config / name).write_text(self._here(text, folder))
        containers = built["StatefulSet", "docs-cache"]["spec"]["template"]["spec"]["containers"]
        self._environment = {
            "PATH": os.environ["PATH"],
            **{each["name"]: each.get("value", "") for each in containers[0]["env"]},
            "REDISCLI_AUTH": CACHE_PASSWORD,
            "ME": host,
            "BIND": host,
            "NODES": " ".join(HOSTS),
            "DATA": str(self.data),
            **ports,
        }
        self._config = config
        self.redis, self.sentinel = (
            Process(
                ["sh", config / Path(each["command"][1]).name],
                log=folder / f"{each['name']}.log",
                env=self._environment,
                name=f"{each['name']} of {host}",
            )
            for each in containers
        )

    def _here(self, text: str, folder: Path) -> str:
        return (
            text.replace("bind * -::*", f"bind {self.host}")
            .replace("port 6379", f"port {self.port}")
            .replace("dir /data", f"dir {self.data}")
            .replace("/etc/redis/secret", str(folder))
        )

    def start(self) -> None:
        self.redis.start()
        self.sentinel.start()

    def kill(self) -> None:
        self.redis.kill()
        self.sentinel.kill()

    def run(self, script: str) -> int:
        command = ["sh", self._config / script]
        return subprocess.run(command, env=self._environment, timeout=60, check=False).returncode

    def ask(self, *command: str, sentinel: bool = False):
        port = self.sentinel_port if sentinel else self.port
        with redis.Redis(
            self.host, port, password=CACHE_PASSWORD, socket_timeout=5, decode_responses=True
        ) as client:
            try:
                return client.execute_command(*command)
            except (redis.RedisError, OSError) as error:
                raise AssertionError(str(error)) from error

    def is_ready(self) -> bool:
        return self.run("is-ready.sh") == 0


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[Node]]:
    if RedisServer.find() is None:
        pytest.skip("no redis-server on PATH")
    built = children({"cache": {"managed": {"replicas": 3}}})
    ports = {"REDIS_PORT": str(free_port()), "SENTINEL_PORT": str(free_port())}
    nodes = [Node(built, host, tmp_path / host, ports) for host in HOSTS]
    for node in nodes:
        node.start()
    wait_whole(nodes)
    yield nodes
    for node in nodes:
        node.kill()


def wait_whole(nodes: list[Node]) -> None:
    """Return once all are ready, and every Sentinel knows the same master, two replicas and all."""

    def whole() -> bool:
        assert all(node.is_ready() for node in nodes), "not all nodes are ready"
        told = [node.ask("INFO", "sentinel", sentinel=True)["master0"] for node in nodes]
        counts = [(one["status"], one["slaves"], one["sentinels"]) for one in told]
        assert counts == [("ok", 2, 3)] * 3, counts
        # who was the master goes on for some seconds before it is told that another one is
        roles = sorted(node.ask("INFO", "replication")["role"] for node in nodes)
        assert roles == ["master", "slave", "slave"], roles
        return len({one["address"] for one in told}) == 1

    eventually(whole, what="three nodes that know each other", interval=0.5)


def master_of(nodes: list[Node]) -> Node:
    """The master, as the Sentinels call it."""
    host, _ = nodes[0].ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER, sentinel=True)
    return next(node for node in nodes if node.host == host)


def test_the_first_node_begins_as_the_master(nodes):
    assert master_of(nodes) is nodes[0]


def test_a_master_that_stops_hands_over_first_and_comes_back_as_a_replica(nodes):
    first = master_of(nodes)
    assert first.ask("SET", "job", "1")
    assert first.ask("WAIT", "2", "5000") == 2  # as the service does before it says 202
    first.run("step-down.sh")
    assert master_of(nodes) is not first  # before it has stopped
    first.redis.stop()
    first.sentinel.stop()
    first.start()
    wait_whole(nodes)
    assert master_of(nodes) is not first
    assert [node.ask("GET", "job") for node in nodes] == ["1"] * len(nodes)


@contextmanager
def writing(nodes: list[Node]) -> Iterator[set[str]]:
    """Write as the service does, from several clients; yields the keys that were confirmed."""
    confirmed_keys: set[str] = set()
    sentinels = ",".join(f"{node.host}:{node.sentinel_port}" for node in nodes)
    url = f"redis+sentinel://:{CACHE_PASSWORD}@{sentinels}/{MASTER}/0"
    stopping = threading.Event()

    async def write(client: int) -> None:
        service = connect(ServiceSettings(redis_url=url), timeout=5, patience=15, connections=4)
        for number in itertools.count():
            if stopping.is_set():
                break
            key = f"{client}-{number}"
            with suppress(redis.RedisError, TimeoutError):  # it was not confirmed
                await confirmed(service, lambda calls, key=key: calls.set(key, "1"), seconds=5)
                confirmed_keys.add(key)
        await service.aclose()

    async def all_of_them() -> None:
        await asyncio.gather(*(write(client) for client in range(4)))

    thread = threading.Thread(target=asyncio.run, args=(all_of_them(),))
    thread.start()
    eventually(lambda: confirmed_keys, what="a write is confirmed")
    try:
        yield confirmed_keys
    finally:
        stopping.set()
        thread.join()


def test_what_is_confirmed_while_the_master_changes_is_kept(nodes):
    with writing(nodes) as keys:
        for _ in range(3):
            assert master_of(nodes).run("step-down.sh") == 0
            wait_whole(nodes)
            confirmed_by_the_next = len(keys)
            eventually(lambda: len(keys) > confirmed_by_the_next, what="writes go on")  # noqa: B023
    there = set(master_of(nodes).ask("KEYS", "*"))
    assert keys - there == set()


REDIS_SERVER = """\
#!/bin/sh
echo "redis-server $*" >>calls
until grep -q -e --replicaof -e "config set" calls; do sleep 0.1; done
"""


def run_with(redis_cli: str, script: str, folder: Path) -> list[str]:
    """Run a script of node-0 with stand-ins for Redis' programs; returns how they were called."""
    programs = {"redis-cli": redis_cli, "redis-server": REDIS_SERVER}
    for name, text in {**SCRIPTS, **programs}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (folder / "redis.conf").write_text("min-replicas-to-write 1\n")
    (folder / "appendonlydir").mkdir()
    environment = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "ME": "node-0",
        "NODES": "node-0 node-1 node-2",
        "MASTER": MASTER,
        "REDIS_PORT": "6379",
        "SENTINEL_PORT": "26379",
        "DATA": str(folder),
    }
    command = ["sh", folder / script]
    subprocess.run(command, env=environment, cwd=folder, timeout=60, check=True)
    return (folder / "calls").read_text().splitlines()


TELLS = """\
#!/bin/sh
# The Sentinels of node-1 and node-2; what each is asked for the {asked}th time, it knows.
echo "$*" >>calls
case $* in
"-h node-0"*) exit 1 ;;
*get-master-addr*)
  [ "$(grep -c "$2.*get-master" calls)" -lt {asked} ] && echo node-0 || echo node-1 ;;
*"sentinel master"*) printf 'flags\\nmaster\\n' ;;
*) echo OK ;;
esac
"""


@pytest.mark.parametrize("asked", [1, 2, 3, 4])
def test_a_node_that_was_replaced_while_it_was_away_takes_no_writes(tmp_path, asked):
    """Its hand-over was cut off, and the Sentinels are still telling each other."""
    calls = run_with(TELLS.format(asked=asked), "start-redis.sh", tmp_path)
    [start] = [call for call in calls if call.startswith("redis-server")]
    if asked == 1:
        assert "--replicaof node-1 6379" in start
    else:
        assert "--min-replicas-to-write 3" in start
        *_, replica, writes = calls
        assert replica.endswith("replicaof node-1 6379")
        assert writes.endswith("config set min-replicas-to-write 1")


DOUBTS = """\
#!/bin/sh
# The Sentinels of node-1 and node-2; that of node-1 has lost sight of node-0 for a while.
echo "$*" >>calls
case $* in
"-h node-0"*) exit 1 ;;
*get-master-addr*) echo node-0 ;;
"-h node-1"*"sentinel master"*)
  [ "$(grep -c "node-1.*sentinel master" calls)" -lt 3 ] && flags=master,s_down || flags=master
  printf 'name\\nx\\nflags\\n%s\\n' $flags ;;
*"sentinel master"*) printf 'flags\\nmaster\\n' ;;
*) echo OK ;;
esac
"""


def test_a_master_that_is_back_takes_writes_once_no_sentinel_is_about_to_choose_another(tmp_path):
    calls = run_with(DOUBTS, "start-redis.sh", tmp_path)
    assert calls[-1].endswith("config set min-replicas-to-write 1")
    assert sum("node-1" in call and "sentinel master" in call for call in calls) == 2 + 3


def test_a_master_that_is_back_at_once_is_the_master_still(nodes):
    first = master_of(nodes)
    first.kill()
    first.start()
    eventually(lambda: first.ask("SET", "job", "1"), what="it takes writes", timeout=60)
    assert master_of(nodes) is first


HANDS_OVER = """\
#!/bin/sh
# The Redis and the Sentinel of node-0; what it is told for the {told}th time, that Sentinel does.
echo "$*" >>calls
case $* in
*get-master-addr*) [ "$(grep -c failover calls)" -lt {told} ] && echo node-0 || echo node-1 ;;
esac
"""


@pytest.mark.parametrize("told", [1, 10])
def test_a_hand_over_ends_with_a_replica_of_the_next_master(tmp_path, told):
    """Else it would take writes that are lost, until the Sentinels tell it."""
    calls = run_with(HANDS_OVER.format(told=told), "step-down.sh", tmp_path)
    assert any(call.endswith("replicaof node-1 6379") for call in calls)


def test_a_master_that_lost_its_volume_does_not_empty_the_others(nodes):
    first = master_of(nodes)
    assert first.ask("SET", "job", "1")
    assert first.ask("WAIT", "2", "5000") == 2
    first.kill()
    shutil.rmtree(first.data)
    first.data.mkdir()
    first.start()
    wait_whole(nodes)
    assert master_of(nodes) is not first
    assert all(node.ask("GET", "job") == "1" for node in nodes)


def test_after_a_loss_of_all_nodes_the_last_master_is_the_master(nodes):
    first = master_of(nodes)
    first.run("step-down.sh")
    wait_whole(nodes)
    last = master_of(nodes)
    assert last.ask("SET", "job", "1")
    assert last.ask("WAIT", "2", "5000") == 2
    for node in nodes:
        node.kill()
    for node in nodes:
        node.start()
    wait_whole(nodes)
    assert last.ask("GET", "job") == "1"
    assert master_of(nodes).ask("GET", "job") == "1"
