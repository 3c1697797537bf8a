"""A real Kubernetes control plane in three child processes, without any node."""

from __future__ import annotations

import json
import secrets
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Self

import httpx

from tests.controlplane.api import Api, Object
from tests.controlplane.audit import POLICY, AuditLog
from tests.controlplane.binaries import Binaries, find_binaries
from tests.controlplane.credentials import ADMIN, CONTROLLER_MANAGER, KUBELET, Credentials, User
from tests.controlplane.kinds import NAMESPACE, SERVICE_ACCOUNT
from tests.controlplane.paper_kubelet import PaperKubelet
from tests.controlplane.scratch import Scratch
from tests.support.process import Process, free_port

# What the operator's children need to come to life, and to go. An autoscaler without
# metrics is looked at every 15 s: a measurement of many resources leaves it out.
DEFAULT_CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "disruption-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "horizontal-pod-autoscaler-controller",
    "job-controller",
    "namespace-controller",
    "persistentvolume-binder-controller",
    "persistentvolume-protection-controller",
    "persistentvolumeclaim-protection-controller",
    "replicaset-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "statefulset-controller",
)


class ControlPlane:
    """kube-apiserver, etcd and kube-controller-manager on free ports of loopback.

    RBAC is on, Pod Security admission too; nothing needs root. There is no node, so
    pods stay pending until ``kubelet`` says otherwise. Several can run side by side.

    >>> with ControlPlane.start() as cluster:
    ...     namespace = cluster.create_namespace()
    ...     cluster.api.apply(manifest, namespace=namespace)
    """

    def __init__(
        self,
        binaries: Binaries,
        *,
        controllers: Iterable[str] = DEFAULT_CONTROLLERS,
        users: Iterable[User] = (),
    ) -> None:
        """Prepare its files; ``start`` makes one and runs it."""
        self._scratch = Scratch()
        self.folder = self._scratch.disk
        self.credentials = Credentials.create(self.folder, extra_users=users)
        self.server = f"https://127.0.0.1:{free_port()}"
        self.started_in = 0.0
        """Seconds from the first process to an API server that is ready."""
        self._etcd_url = f"http://127.0.0.1:{free_port()}"
        self.etcd = self._etcd(binaries)
        self.apiserver = self._apiserver(binaries)
        self.controller_manager = self._controller_manager(binaries, controllers)

    @classmethod
    def start(
        cls,
        *,
        binaries: Binaries | None = None,
        controllers: Iterable[str] = DEFAULT_CONTROLLERS,
        users: Iterable[User] = (),
    ) -> Self:
        """Start one and return once it is ready.

        Args:
            binaries: Its programs; found or built when absent.
            controllers: Names of the controllers to run, as the controller-manager calls them.
            users: Further users; their RBAC is up to the caller.

        Raises:
            BinariesMissing: There are no programs and they cannot be built.
            DidNotStart: One of them ended or was not ready within a minute.
        """
        cluster = cls(binaries or find_binaries(), controllers=controllers, users=users)
        try:
            cluster._run()
        except BaseException:
            cluster.stop()
            raise
        return cluster

    def stop(self) -> None:
        """End its processes and remove its files."""
        if "kubelet" in self.__dict__:
            self.kubelet.stop()
        for process in (self.controller_manager, self.apiserver, self.etcd):
            process.kill()  # nothing that it holds outlives it, so nothing needs to be saved
        self._scratch.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---- what tests use ----
    @cached_property
    def api(self) -> Api:
        """The cluster as its administrator sees it."""
        return self.api_as(self.credentials.users[ADMIN].token)

    @cached_property
    def kubelet(self) -> PaperKubelet:
        """Plays the kubelet: says that pods run, without running them."""
        return PaperKubelet(self.api_as(self.credentials.users[KUBELET].token)).start()

    @cached_property
    def audit(self) -> AuditLog:
        """What the API server was asked, by whom."""
        return AuditLog(self.folder / "audit.log", ask=lambda path: self.api.request("GET", path))

    @cached_property
    def kubeconfig(self) -> Path:
        """File for ``kubectl --kubeconfig`` and other clients: the administrator."""
        return self.kubeconfig_as(self.credentials.users[ADMIN].token)

    def api_as(self, token: str) -> Api:
        """The cluster as somebody else sees it."""
        return Api(server=self.server, ca=self.credentials.ca, token=token)

    def kubeconfig_as(self, token: str, *, namespace: str = "default") -> Path:
        """Kubeconfig file of somebody else."""
        path = self.folder / f"kubeconfig-{secrets.token_hex(4)}"
        return self.credentials.write_kubeconfig(
            path, server=self.server, token=token, namespace=namespace
        )

    def service_account_token(self, namespace: str, name: str) -> str:
        """A token of an existing ServiceAccount, as its pods would get it."""
        path = self.api.path(SERVICE_ACCOUNT, name, namespace=namespace, subresource="token")
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token: str = self.api.request("POST", path, body=request)["status"]["token"]
        return token

    def create_namespace(
        self, prefix: str = "test", *, labels: Mapping[str, str] | None = None
    ) -> str:
        """A new namespace with a name of its own, once pods can be made in it."""
        name = f"{prefix}-{secrets.token_hex(4)}"
        self.make_namespace(name, labels=labels)
        return name

    def make_namespace(self, name: str, *, labels: Mapping[str, str] | None = None) -> None:
        """Make a namespace of this name, and return once pods can be made in it."""
        metadata: Object = {"name": name, "labels": dict(labels or {})}
        self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        # pods are refused until the controller has made the account that they run as
        self.api.wait_for(SERVICE_ACCOUNT, "default", namespace=name)

    def delete_namespace(self, name: str) -> None:
        """Ask for its deletion with all that is in it; does not wait for the end."""
        self.api.delete(NAMESPACE, name)

    # ---- how it runs ----
    def _run(self) -> None:
        began = time.monotonic()
        # an API server that finds no etcd waits a whole second before it looks again
        self.etcd.start().wait_ready(_answers(f"{self._etcd_url}/health"))
        self.apiserver.start()
        self.wait_ready()
        self.started_in = time.monotonic() - began
        self.controller_manager.start()

    def wait_ready(self) -> None:
        """Return once the API server is ready, its bootstrap RBAC included."""
        self.apiserver.wait_ready(_answers(f"{self.server}/readyz", ca=self.credentials.ca))

    def _process(self, program: Path, flags: Mapping[str, object]) -> Process:
        arguments = [f"--{name}={value}" for name, value in flags.items()]
        return Process([program, *arguments], log=self.folder / f"{program.name}.log")

    def _etcd(self, binaries: Binaries) -> Process:
        peers = f"http://127.0.0.1:{free_port()}"
        return self._process(
            binaries.etcd,
            {
                "name": "tests",
                "data-dir": self._scratch.memory / "etcd",
                "listen-client-urls": self._etcd_url,
                "advertise-client-urls": self._etcd_url,
                "listen-peer-urls": peers,
                "initial-advertise-peer-urls": peers,
                "initial-cluster": f"tests={peers}",
                "unsafe-no-fsync": "true",
                "log-level": "warn",
            },
        )

    def _apiserver(self, binaries: Binaries) -> Process:
        made = self.credentials
        policy = self.folder / "audit-policy.json"
        policy.write_text(json.dumps(POLICY))
        issuer = "https://kubernetes.default.svc.cluster.local"
        return self._process(
            binaries.apiserver,
            {
                "etcd-servers": self._etcd_url,
                "bind-address": "127.0.0.1",
                "secure-port": self.server.rpartition(":")[2],
                # no pod will ever look for it at the address that is put here
                "advertise-address": "127.0.0.1",
                "endpoint-reconciler-type": "none",
                "tls-cert-file": made.certificate,
                "tls-private-key-file": made.key,
                "token-auth-file": made.tokens,
                "authorization-mode": "RBAC",
                # not on by default; OpenShift has it, and with it children need one right more
                "enable-admission-plugins": "OwnerReferencesPermissionEnforcement",
                "service-account-key-file": made.key,
                "service-account-signing-key-file": made.key,
                "service-account-issuer": issuer,
                "service-cluster-ip-range": "10.96.0.0/16",
                "allow-privileged": "true",
                "audit-policy-file": policy,
                "audit-log-path": self.folder / "audit.log",
                "audit-log-maxsize": 100_000,  # MB; a rotated log would lose entries
                "profiling": "false",
            },
        )

    def _controller_manager(self, binaries: Binaries, controllers: Iterable[str]) -> Process:
        kubeconfig = self.kubeconfig_as(self.credentials.users[CONTROLLER_MANAGER].token)
        return self._process(
            binaries.controller_manager,
            {
                "kubeconfig": kubeconfig,
                "bind-address": "127.0.0.1",
                "secure-port": 0,
                "leader-elect": "false",
                "controllers": ",".join(controllers),
                "service-account-private-key-file": self.credentials.key,
                "root-ca-file": self.credentials.ca,
                "use-service-account-credentials": "true",
                # of its own 20 a second, what many resources need would take minutes
                "kube-api-qps": 500,
                "kube-api-burst": 1000,
                "profiling": "false",
            },
        )


def _answers(url: str, *, ca: Path | None = None) -> Callable[[], bool]:
    """A probe: whether the URL answers 200."""
    verify = ssl.create_default_context(cafile=ca) if ca else False
    client = httpx.Client(verify=verify, trust_env=False, timeout=5)

    def probe() -> bool:
        try:
            return client.get(url).status_code == 200
        except httpx.TransportError:
            return False

    return probe
