"""The stand-in's state, and how a test scripts it."""

from __future__ import annotations

import json
import shutil
import threading
import uuid
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from tests.arm.answers import Answer, Drop, Ending, Late, denied
from tests.arm.contents import registry_of
from tests.arm.images import Images
from tests.arm.machines import Machines
from tests.arm.vaults import Vault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import trustme

    from tests.arm.kinds import Resource
    from tests.arm.operations import Operation

Fault = Answer | Drop | Ending | Late


@dataclass
class Scripted:
    """An answer that a test wants."""

    method: str
    pattern: str
    answer: Fault
    times: int
    after: int

    def take(self, method: str, path: str) -> bool:
        """Tell whether a request is meant, and count it."""
        if self.times <= 0 or not fnmatch(method, self.method) or not fnmatch(path.lower(), self.pattern.lower()):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True


@dataclass(frozen=True)
class Grant:
    """What the one who signs in may do at a scope, and below it."""

    scope: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()

    def allows(self, action: str, scope: str) -> bool:
        """Tell whether it covers an action."""
        inside = (scope.lower() + "/").startswith(self.scope.lower().rstrip("/") + "/")
        return inside and _any(self.actions, action) and not _any(self.not_actions, action)


def _any(patterns: Sequence[str], action: str) -> bool:
    return any(fnmatch(action.lower(), pattern.lower()) for pattern in patterns)


@dataclass(frozen=True)
class Seen:
    """A request that came."""

    number: int
    method: str
    path: str
    body: Any


class Arm:
    """One cloud, with one subscription in the beginning; a test has one of its own.

    What may be set at any time: `polls` (looks that an operation takes), `page` (entries of a list), `unseen` (reads
    that do not find a new resource, by the pattern of its path), `lingering` (lists that still have a deleted one),
    `role_reads` (pulls that a new role assignment does not allow yet), `principal_writes` (role assignments that do
    not find a new identity yet), `token_s`, `pace` (by which the times of probes are multiplied), `no_gpu` (what is
    to run on one waits for it), `registering` (reads that a registration takes), `elsewhere` (host and port where a
    name of Azure's services leads), `kubeconfig` (of what is in clusters), and `hook`, which is called with number,
    method and path before a request is looked at.
    """

    def __init__(self, url: str, authority: trustme.CA, proxy: str = "") -> None:
        self.url = url
        self.proxy = proxy
        self.authority = authority
        self.tenant, self.client, self.principal = (str(uuid.uuid4()) for _ in range(3))
        self.secret = uuid.uuid4().hex
        self.subscription = str(uuid.uuid4())
        self.subscriptions = {self.subscription: "Enabled"}
        self.folder = Path(mkdtemp(prefix="arm-"))
        self.authorities = self.folder / "authorities.pem"
        authority.cert_pem.write_to_path(str(self.authorities))
        self.lock = threading.RLock()
        self.tokens: dict[str, float] = {}
        self.resources: dict[str, Resource] = {}
        self.operations: dict[str, Operation] = {}
        self.registrations: dict[str, tuple[str, int]] = {}
        self.blobs: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.vaults: dict[str, Vault] = {}
        self.elsewhere: dict[str, tuple[str, int]] = {}
        self.allowances: dict[str, tuple[str, frozenset[str]]] = {}
        self.seen: list[Seen] = []
        self.grants: list[Grant] | None = None
        self.images = Images(self.folder)
        self.machines = Machines()
        self.polls = 1
        self.page = 100
        self.registering = 1
        self.lingering = 0
        self.role_reads = 0
        self.principal_writes = 0
        self.token_s = 3600
        self.signed_in_from: str | None = None
        """What a token tells of it, where it is that of a user."""
        self.pace = 1.0
        self.no_gpu = False
        self.kubeconfig = ""
        self.restricted: set[str] = set()
        self.run_command: Callable[[str, str], tuple[str, str]] = lambda _machine, _script: ("", "")
        self.unseen: dict[str, int] = {}
        self.hook: Callable[[int, str, str], None] = lambda _number, _method, _path: None
        self._scripted: list[Scripted] = []

    @property
    def scope(self) -> str:
        """The path of the subscription."""
        return f"/subscriptions/{self.subscription}"

    # What a test scripts.

    def fail(self, method: str, pattern: str, answer: Fault, times: int = 1, after: int = 0) -> None:
        """Answer so to requests of a method (`*`: any) whose path has a form, after so many that are answered right.

        The path has no query; stars stand for anything, and it may begin with anything.
        """
        with self.lock:
            self._scripted.append(Scripted(method, f"*{pattern}", answer, times, after))

    def allow(self, *actions: str, scope: str = "", but: Sequence[str] = ()) -> None:
        """Let the one who signs in do this at a scope, where it is not the subscription; from then on nothing else."""
        self.grants = [*(self.grants or []), Grant(scope or self.scope, actions, tuple(but))]

    def unregister(self, namespace: str) -> None:
        """Have a provider that is not registered in the subscription."""
        self.registrations[namespace.lower()] = ("NotRegistered", 0)

    def release(self) -> None:
        """Let every operation go on that would never end."""
        with self.lock:
            for operation in self.operations.values():
                if operation.ending and not operation.ending.code:
                    operation.ending = None

    def image(self, name: str, source: Path | Sequence[str], **variables: str) -> None:
        """Have an image: of a folder with a Dockerfile, or one that is a command (and its environment)."""
        self.images.add(name, source, variables)

    def vault(self, name: str) -> Vault:
        """Have a key vault, and return it; it answers under NAME.vault.azure.net."""
        return self.vaults.setdefault(name, Vault())

    def resource(self, path: str) -> Resource:
        """Return a resource by its id, with what is never told; an id may be relative to the subscription."""
        full = path if path.startswith("/subscriptions/") else f"{self.scope}/{path}"
        return self.resources[full.lower()]

    # What a client needs.

    def cloud(self) -> dict[str, Any]:
        """Return what `az cloud show -o json` prints of this cloud."""
        return {
            "endpoints": {
                "activeDirectory": self.url,
                "activeDirectoryResourceId": f"{self.url}/",
                "resourceManager": f"{self.url}/",
            },
            "isActive": True,
            "name": "StandIn",
            "profile": "latest",
            "suffixes": {
                "acrLoginServerEndpoint": ".azurecr.io",
                "keyvaultDns": ".vault.azure.net",
                "storageEndpoint": "core.windows.net",
            },
        }

    def cloud_file(self) -> Path:
        """Write it to a file."""
        path = self.folder / "cloud.json"
        path.write_text(json.dumps(self.cloud()), encoding="utf-8")
        return path

    def environment(self) -> dict[str, str]:
        """Return the variables of a process that signs in here and trusts the certificate."""
        return {
            "AZURE_AUTHORITY_HOST": self.url,
            "AZURE_CLIENT_ID": self.client,
            "AZURE_CLIENT_SECRET": self.secret,
            "AZURE_SUBSCRIPTION_ID": self.subscription,
            "AZURE_TENANT_ID": self.tenant,
            "REQUESTS_CA_BUNDLE": str(self.authorities),
            "SSL_CERT_FILE": str(self.authorities),
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), self.proxy),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.0/8,127.0.0.1,localhost"),
        }

    def place(self, host: str, port: int) -> tuple[str, int] | None:
        """Return where a name leads: to what a test named, or here, where the stand-in has what is called so."""
        if host in self.elsewhere:
            return self.elsewhere[host]
        if host.startswith("127."):  # what runs here; urllib asks the proxy for it
            return host, port
        name = host.partition(".")[0]
        there = {
            "azurecr.io": registry_of(self, host) is not None,
            "vault.azure.net": name in self.vaults,
            "blob.core.windows.net": name.endswith("mgd"),
        }
        return ("127.0.0.1", int(self.url.rpartition(":")[2])) if there.get(host.partition(".")[2]) else None

    # What the modules of the stand-in use.

    def arrived(self, method: str, path: str, body: object) -> Fault | None:
        """Note a request, and return what a test wants to be answered."""
        with self.lock:
            number = len(self.seen) + 1
            self.seen.append(Seen(number, method, path, body))
        self.hook(number, method, path)
        with self.lock:
            plain = path.split("?", 1)[0]
            return next((one.answer for one in self._scripted if one.take(method, plain)), None)

    def may(self, action: str, scope: str) -> bool:
        """Tell whether the one who signed in may do this."""
        return self.grants is None or any(grant.allows(action, scope) for grant in self.grants)

    def denied(self, action: str, scope: str) -> Answer:
        """Return the refusal of what it may not do."""
        return denied(self.client, self.principal, action, scope)

    def find(self, path: str) -> Resource | None:
        """Return a resource that is there."""
        found = self.resources.get(path.rstrip("/").lower())
        return None if found is None or found.deleted else found

    def below(self, path: str) -> list[Resource]:
        """Return what is below a path, as it was made."""
        start = path.rstrip("/").lower() + "/"
        return [each for name, each in self.resources.items() if name.startswith(start) and not each.deleted]

    def remove(self, resource: Resource) -> None:
        """Take a resource away, with what is below it."""
        for each in (*self.below(resource.id), resource):
            each.deleted, each.lingers = True, self.lingering
            each.kind.gone(self, each)
            if not each.lingers:
                self.resources.pop(each.id.lower(), None)

    def close(self) -> None:
        """End every process, and leave no file."""
        self.machines.close()
        shutil.rmtree(self.folder, ignore_errors=True)
