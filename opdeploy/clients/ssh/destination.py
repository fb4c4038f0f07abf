"""Where SSH leads to, as the settings say it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from opdeploy.errors import InputError

if TYPE_CHECKING:
    from opdeploy.deploy_settings import OnVm

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]*")
_MISSING = (
    "deploy.vm.host: no machine is named; name one that SSH reaches with --set vm.host=…, OPDEPLOY_VM_HOST, or "
    "deploy.vm.host in the workload file, or say where in Azure it is, or is to be made, which costs money: "
    "--resource-group NAME, or --subscription NAME"
)


@dataclass(frozen=True, slots=True)
class Known:
    """A file of host keys, and the name that a machine has there, whatever its address."""

    file: Path
    name: str

    def options(self) -> list[str]:
        """Return the options of ssh that have it look there alone."""
        path = str(self.file).replace("%", "%%")
        chosen = f'UserKnownHostsFile="{path}"', "GlobalKnownHostsFile=/dev/null", f"HostKeyAlias={self.name}"
        words = [word for option in (*chosen, "UpdateHostKeys=no") for word in ("-o", option)]
        return [*words, "-o", "HostKeyAlgorithms=ssh-ed25519"]


@dataclass(frozen=True, slots=True)
class Destination:
    """A machine, and how it is logged in to; what is None is for ssh's configuration to say."""

    host: str
    """A name, an alias of ssh's configuration, or an address."""
    user: str | None = None
    identity_file: Path | None = None
    port: int | None = None
    known: Known | None = None
    """Where its host key is known, in the place of the user's own files."""

    @classmethod
    def of(cls, vm: OnVm) -> Destination:
        """Return what settings name.

        Raises InputError where they name no machine, or a name could be read as something else; where the file of the
        key is not there.
        """
        if vm.host is None:
            raise InputError(_MISSING)
        return cls.at(vm.host, vm)

    @classmethod
    def at(cls, host: str, vm: OnVm, known: Known | None = None) -> Destination:
        """Return what settings name, on a machine of a name or an address; raises as `of` does."""
        if not _HOST.fullmatch(host):
            raise InputError(f"deploy.vm.host: {host}: is neither a name nor an address of a machine; correct it")
        if vm.user is not None and not _USER.fullmatch(vm.user):
            raise InputError(f"deploy.vm.user: {vm.user}: is no name of a user; correct it")
        identity = Path(vm.identity_file).expanduser() if vm.identity_file else None
        if identity and not identity.is_file():
            raise InputError(f"deploy.vm.identity_file: {vm.identity_file}: no such file; name that of a private key")
        return cls(host, vm.user, identity, vm.ssh_port, known)

    @property
    def shown(self) -> str:
        """What people write: `user@host`."""
        return f"{self.user}@{self.host}" if self.user else self.host

    def options(self) -> list[str]:
        """Return the options of ssh; the host comes after them, and a `--`."""
        made = [*(("-l", self.user) if self.user else ()), *(("-p", str(self.port)) if self.port else ())]
        if self.identity_file:  # alone, or an agent with many keys would use up the tries that the server allows
            made += ["-o", "IdentitiesOnly=yes", "-i", str(self.identity_file)]
        return [*made, *(self.known.options() if self.known else ())]

    def command(self, *options: str) -> str:
        """Return what a person types to get there, quoted for a shell."""
        words = ["ssh", *options]
        words += ["-i", str(self.identity_file)] if self.identity_file else []
        words += ["-p", str(self.port)] if self.port else []
        words += self.known.options() if self.known else []
        return shlex.join([*words, self.shown])
