"""What ssh, and Docker at its other end, say when they do not do what is asked: in one line, with what to do. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from opdeploy.errors import OpdeployError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opdeploy.clients.ssh.destination import Destination

_COMPARE = (
    "log in once by hand ({login}) and compare the fingerprint with that of the machine, which ssh-keygen -lf "
    "/etc/ssh/ssh_host_ed25519_key.pub shows there"
)
_CHANGED, _UNKNOWN = "IDENTIFICATION HAS CHANGED", "Host key verification failed|host key is known for"
_DENIED, _READABLE = "Permission denied", "UNPROTECTED PRIVATE KEY|bad permissions"
_LASTING = (_CHANGED, _UNKNOWN, _DENIED, _READABLE)
_CONNECTING = {
    _CHANGED: (
        "its host key is not the one that is known: another machine may answer in its place; if it was made anew, "
        f"forget the old key ({{forget}}), then {_COMPARE}"
    ),
    _UNKNOWN: f"its host key is not known; {_COMPARE}",
    "Could not resolve hostname": "there is no such host; check deploy.vm.host, or name it in ~/.ssh/config",
    "Connection refused": "no SSH server listens there; start it, or name its port with deploy.vm.ssh_port",
    "timed out|timeout": "it does not answer; see that it runs, and that no firewall keeps SSH from it",
    "No route to host|unreachable": "no way leads there; check deploy.vm.host, and the network",
    _READABLE: "others may read the file of the private key; chmod 600 it",
    "Too many authentication failures": "too many keys were tried; name the right one with deploy.vm.identity_file",
    _DENIED: (
        "it takes none of the keys; load one that it knows (ssh-add), name its file with deploy.vm.identity_file, or "
        "another user with deploy.vm.user"
    ),
}
"""What ssh says where it does not get there, by the first pattern that is in it."""
_DOCKER = {
    "permission denied": (
        "{user} may not use Docker there; add the user to the group docker there (sudo usermod -aG docker {user}), "
        "which gives the rights of root"
    ),
    "not found": "there is no docker program there; install Docker Engine: docs.docker.com/engine/install",
    "Cannot connect|daemon running": "no Docker engine runs there; start it (sudo systemctl start docker)",
}
_OFFENDING = re.compile(r"^Offending \S+ key in ([^\r\n{}]+):([0-9]+)\r?$", re.MULTILINE)
"""How ssh names the place of a host key that is another now."""
_NO_COMMAND = 127
"""How a shell ends that does not find a program (POSIX.1-2024, XCU 2.8.2)."""


class LastingError(OpdeployError):
    """What keeps one from logging in, and does not pass by waiting: a host key, or one's own."""


def not_connected(to: Destination, said: str) -> OpdeployError:
    """Return the error for what ssh said before it ended."""
    known = f"[{to.host}]:{to.port}" if to.port and to.port != 22 else to.host  # noqa: PLR2004 - as known_hosts has it
    place = _OFFENDING.search(said)  # it is under another name there where the user's configuration says so
    forget = f"line {place[2]} of {place[1]}" if place else f"ssh-keygen -R '{known}'"
    words = _first(_CONNECTING, said) or f"{last_line(said) or 'ssh ended without a word'}; try {{login}} by hand"
    kind = LastingError if _first(dict.fromkeys(_LASTING, "it is"), said) else OpdeployError
    return kind(f"{to.shown}: {words.format(login=to.command(), forget=forget)}")


def no_engine(to: Destination, code: int, said: str) -> OpdeployError:
    """Return the error for what the docker program of a machine said."""
    missing = "not found" if code == _NO_COMMAND else said
    words = _first(_DOCKER, missing) or f"docker does not answer there: {last_line(said)}; see docker version there"
    return OpdeployError(f"{to.shown}: {words.format(user=to.user or 'the user')}")


def last_line(said: str) -> str:
    """Return the last line that says something, without what would be taken for a place to fill in."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1].replace("{", "(").replace("}", ")").rstrip(".") if lines else ""


def _first(words: Mapping[str, str], said: str) -> str:
    return next((text for pattern, text in words.items() if re.search(pattern, said, re.IGNORECASE | re.MULTILINE)), "")
