"""Keys, certificates, users and kubeconfig files of a control plane."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import trustme
import yaml


@dataclass(frozen=True)
class User:
    """Somebody the API server knows by a fixed token."""

    name: str
    groups: tuple[str, ...] = ()
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)


ADMIN = "harness-admin"
CONTROLLER_MANAGER = "system:kube-controller-manager"
KUBELET = "paper-kubelet"

BUILT_IN_USERS = {
    ADMIN: ("system:masters",),
    # bootstrap RBAC grants this name what it needs, its controllers included
    CONTROLLER_MANAGER: (),
    KUBELET: ("system:masters",),
}


@dataclass(frozen=True)
class Credentials:
    """Files in one folder that the programs of a control plane read."""

    folder: Path
    users: dict[str, User]

    @property
    def ca(self) -> Path:
        """Certificate of the authority that signed the server's."""
        return self.folder / "ca.crt"

    @property
    def certificate(self) -> Path:
        """The server's certificate, for loopback."""
        return self.folder / "apiserver.crt"

    @property
    def key(self) -> Path:
        """The key of that certificate; it also signs service account tokens."""
        return self.folder / "apiserver.key"

    @property
    def tokens(self) -> Path:
        """The file for ``--token-auth-file``."""
        return self.folder / "tokens.csv"

    @classmethod
    def create(cls, folder: Path, *, extra_users: Iterable[User] = ()) -> Credentials:
        """Make them all in ``folder``."""
        users = {name: User(name, groups) for name, groups in BUILT_IN_USERS.items()}
        users |= {user.name: user for user in extra_users}
        made = cls(folder, users)
        authority = trustme.CA()
        server = authority.issue_cert("127.0.0.1", "localhost", "kubernetes.default.svc")
        authority.cert_pem.write_to_path(made.ca)
        made.certificate.write_bytes(b"".join(b.bytes() for b in server.cert_chain_pems))
        server.private_key_pem.write_to_path(made.key)
        made.tokens.write_text(
            "".join(f'{u.token},{u.name},{u.name},"{",".join(u.groups)}"\n' for u in users.values())
        )
        return made

    def write_kubeconfig(
        self, path: Path, *, server: str, token: str, namespace: str = "default"
    ) -> Path:
        """A kubeconfig with everything inside, for one token.

        Args:
            path: File to write; readable by its owner only.
            server: URL of the API server.
            token: Bearer token.
            namespace: Namespace of commands that name none.
        """
        authority = base64.b64encode(self.ca.read_bytes()).decode()
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "clusters": [
                {
                    "name": "tests",
                    "cluster": {"server": server, "certificate-authority-data": authority},
                }
            ],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [
                {
                    "name": "tests",
                    "context": {"cluster": "tests", "user": "user", "namespace": namespace},
                }
            ],
        }
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path
