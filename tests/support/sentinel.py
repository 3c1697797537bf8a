"""Real redis-servers with Sentinels that watch over them, on ports of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import redis

from tests.support.process import Process, free_port
from tests.support.waiting import eventually

PASSWORD = "p/ss@word"
MASTER = "ragdeploy"

_REDIS = """\
bind 127.0.0.1
port {port}
dir {folder}
save ""
appendonly yes
requirepass "{password}"
masterauth "{password}"
min-replicas-to-write 1
min-replicas-max-lag 10
"""

_SENTINEL = """\
bind 127.0.0.1
port {port}
dir {folder}
requirepass "{password}"
sentinel sentinel-pass {password}
sentinel monitor {master} 127.0.0.1 {first} 2
sentinel auth-pass {master} {password}
sentinel down-after-milliseconds {master} 1500
sentinel failover-timeout {master} 6000
"""


class Watched:
    """Three Redis and three Sentinels; a test may kill whichever is the master.

    >>> watched.kill_master()   # after a few seconds another is the master
    >>> watched.start()         # what was killed comes back, as a replica
    """

    def __init__(self, program: Path, folder: Path) -> None:
        self.ports = [free_port() for _ in range(3)]
        self.sentinel_ports = [free_port() for _ in range(3)]
        first = self.ports[0]
        self.nodes = {
            port: _process(program, folder / f"redis-{n}", _REDIS, port=port)
            for n, port in enumerate(self.ports)
        }
        self.sentinels = {
            port: _process(
                program, folder / f"sentinel-{n}", _SENTINEL, "--sentinel", port=port, first=first
            )
            for n, port in enumerate(self.sentinel_ports)
        }
        self._plain = {port: list(node.command) for port, node in self.nodes.items()}

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinel_ports)
        return f"redis+sentinel://:p%2Fss%40word@{hosts}/{MASTER}/0"

    def start(self) -> Self:
        """Start what does not run; returns once the Sentinels know each other and two replicas."""
        master = self.master() or self.ports[0]
        for port, node in self.nodes.items():
            if not node.running:
                replica = [] if port == master else ["--replicaof", f"127.0.0.1 {master}"]
                node.command = [*self._plain[port], *replica]
                _start(node, port)
        for port, sentinel in self.sentinels.items():
            if not sentinel.running:
                _start(sentinel, port)
        eventually(self._is_whole, what="three Redis and three Sentinels", timeout=90)
        return self

    def stop(self) -> None:
        for process in (*self.sentinels.values(), *self.nodes.values()):
            process.kill()

    def master(self) -> int | None:
        """Port of the Redis that the Sentinels call master."""
        for port in self.sentinel_ports:
            if told := ask(port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER):
                return int(told[1])
        return None

    def kill_master(self) -> int:
        """End the master as a crash would; its port."""
        port = self.master()
        assert port is not None
        self.nodes[port].kill()
        return port

    def wait_other_master(self, port: int) -> int:
        """Return once another than this is the master and has a replica; its port."""

        def other() -> int | None:
            found = self.master()
            return found if found not in (None, port) and _replicas(found) >= 1 else None

        return eventually(other, what=f"another master than {port}", timeout=90)

    def _is_whole(self) -> bool:
        master = self.master()
        if master is None or _replicas(master) < 2:
            return False
        told = [ask(port, "INFO", "sentinel") or {} for port in self.sentinel_ports]
        masters = [one.get("master0", {}) for one in told]
        return all(
            (one.get("status"), one.get("slaves"), one.get("sentinels")) == ("ok", 2, 3)
            for one in masters
        )


def ask(port: int, *command: str) -> Any:
    """The answer to a command; None when it does not answer."""
    with redis.Redis(
        port=port, password=PASSWORD, socket_timeout=5, decode_responses=True
    ) as client:
        try:
            return client.execute_command(*command)
        except (redis.RedisError, OSError):
            return None


def _replicas(port: int) -> int:
    told = ask(port, "INFO", "replication") or {}
    return int(told.get("min_slaves_good_slaves", 0)) if told.get("role") == "master" else 0


def _start(process: Process, port: int) -> None:
    process.start().wait_ready(lambda: ask(port, "PING") is not None, timeout=30)


def _process(program: Path, folder: Path, config: str, *options: str, **values: int) -> Process:
    folder.mkdir()
    file = folder / "redis.conf"
    file.write_text(config.format(folder=folder, password=PASSWORD, master=MASTER, **values))
    return Process([program, file, *options], log=folder / "log", name=folder.name)
