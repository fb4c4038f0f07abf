"""The way to a machine that was made in Azure: SSH, once its host key is known, and its Docker engine."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opdeploy.clients import ssh
from opdeploy.clients.docker.elsewhere import Elsewhere
from opdeploy.errors import InputError, OpdeployError
from opdeploy.files import write
from opdeploy.targets.azure.machine import ADDRESS, INTERFACE, names

if TYPE_CHECKING:
    from collections.abc import Callable

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.clients.docker.engine import Engine
    from opdeploy.deploy_settings import OnVm
    from opdeploy.targets.azure.names import Where
    from opdeploy.targets.azure.record import Machine

USUAL = "~/.ssh/id_ed25519"
"""The private key that is taken where none is named."""
_PUBLIC = ".pub"
_TYPES = {"ssh-ed25519", "ssh-rsa"}
"""Keys that Azure takes for Linux (SshEncryptionTypes of azure-mgmt-compute, at learn.microsoft.com/python/api, read
2026-11-26)."""


class Way:
    """The way to one machine, which is taken when something of it is needed."""

    def __init__(self, arm: Arm, vm: OnVm, state: Path, here: Callable[[], Engine], by: str, *, makes: bool) -> None:
        """Take a connection to Azure, the settings, the folder of state, what gives the engine here, and who works."""
        self._arm = arm
        self._vm = vm
        self._state = state
        self._here = here
        self._by = by
        self.makes = makes
        """Whether something is to be made."""
        self._stack = ExitStack()
        self._connection: ssh.Connection | None = None
        self.opened: Elsewhere | None = None
        """The machine's engine, where it was reached before."""
        self.blocked: str | None = None
        """Why it was not, so that nobody waits for it again."""
        self._engine: Engine | None = None

    def connection(self, at: Where, machine: Machine) -> ssh.Connection:
        """Log in; raises OpdeployError where the machine is not reached, or shows another host key."""
        if self._connection is None:
            known = ssh.Known(self._known(at, machine), machine.id)
            chosen: dict[str, object] = {"user": machine.user, "ssh_port": machine.port}
            chosen |= {} if self._vm.identity_file else {"identity_file": _usual()}
            to = ssh.Destination.at(self._address(at), self._vm.model_copy(update=chosen), known)
            self._connection = self._stack.enter_context(ssh.connected(to))
        return self._connection

    def host(self, at: Where, machine: Machine) -> Elsewhere:
        """Return the machine's engine; raises OpdeployError where none answers."""
        if self.opened is None:
            connection = self.connection(at, machine)
            self._engine = self._stack.enter_context(ssh.engine(connection))
            there = ssh.SshMachine(connection)
            self.opened = Elsewhere(self._engine, self._here, self._by, there, makes=self.makes)
        return self.opened

    def engine(self, at: Where, machine: Machine) -> Engine:
        """Return the machine's engine, which images are brought to."""
        self.host(at, machine)
        assert self._engine  # noqa: S101 - for mypy
        return self._engine

    def close(self) -> None:
        """Log out; the next who needs something logs in again."""
        self.opened = self._engine = self._connection = self.blocked = None
        self._stack.close()
        self._stack = ExitStack()

    def _known(self, at: Where, machine: Machine) -> Path:
        """Return the file with the machine's host key, as the record has it."""
        folder = (self._state / "vm" / at.deployment).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / "known_hosts", f"{machine.id} {machine.host_key}\n".encode())
        return folder / "known_hosts"

    def _address(self, at: Where) -> str:
        """Return the machine's address: outside of its network, or within it where it has none there."""
        ids = names(at)
        outside = self._arm.find(ids[ADDRESS])
        found = (outside or {}).get("properties", {}).get("ipAddress") or _inside(self._arm.find(ids[INTERFACE]))
        if not found:
            raise OpdeployError(f"{at.deployment}: its machine has no address; see opdeploy status")
        return str(found)


def public_key(vm: OnVm) -> str:
    """Return the public key that belongs to the private one which is named, else to the usual one.

    Raises InputError where there is none, or Azure takes none of its kind.
    """
    file = Path(f"{vm.identity_file or USUAL}{_PUBLIC}").expanduser()
    try:
        words = file.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        raise InputError(
            f"{file}: no public key is there; make one with ssh-keygen -t ed25519, or name the file of a private key "
            "that has one beside it with deploy.vm.identity_file"
        ) from None
    if len(words) < 2 or words[0] not in _TYPES:  # noqa: PLR2004 - its type, and the key
        raise InputError(f"{file}: is no key that Azure takes; make one with ssh-keygen -t ed25519")
    return " ".join(words[:2])


def _usual() -> str | None:
    """Return the usual private key, where it is a file: else ssh asks the user's agent."""
    return USUAL if Path(USUAL).expanduser().is_file() else None


def _inside(interface: dict[str, Any] | None) -> str | None:
    joined = (interface or {}).get("properties", {}).get("ipConfigurations") or [{}]
    found = joined[0].get("properties", {}).get("privateIPAddress")
    return found if isinstance(found, str) else None
