"""One connection over SSH, which commands and forwarded sockets share, and which ends with this process."""

from __future__ import annotations

import os
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple

from opdeploy.clients.ssh.refused import last_line, not_connected
from opdeploy.errors import InputError, OpdeployError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from opdeploy.clients.ssh.destination import Destination

_HELLO = b"opdeploy is here\n"
_STAY = "printf 'opdeploy is here\\n'; exec cat >/dev/null"
"""Says that it is logged in, and stays until its standard input ends: that of ssh is a pipe from this process, so that
the connection ends with it, even where it is killed."""
_OPTIONS = {
    "BatchMode": "yes",  # nobody is asked for a password
    "StrictHostKeyChecking": "yes",
    "ConnectTimeout": "10",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "ExitOnForwardFailure": "yes",
    "StreamLocalBindUnlink": "yes",  # where it is opened again, the sockets are still there
    "ControlMaster": "yes",
    "ControlPersist": "no",
    "ClearAllForwardings": "yes",  # those of the user's configuration are for the user
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "PermitLocalCommand": "no",
    "RemoteCommand": "none",
    "RequestTTY": "no",
    "LogLevel": "INFO",  # what a server forbids is told there
}
_FOLDER = re.compile(r"[A-Za-z0-9/._+-]{1,60}")
"""The folder of temporary files, where it will do: ssh splits at other characters, and adds up to 40 to it, while the
path of a socket has 104 bytes at most on macOS and 108 on Linux."""
_BROKE = 255
"""How ssh ends where the connection fails, and not the command."""
_LOGIN_S, _COMMAND_S, _END_S = 60.0, 30.0, 5.0
_NOBODYS, _PROBE_S = 1, 2.0
"""A port that nothing listens on (tcpmux), and seconds for the machine to say so."""
_NOT_OPENED, _PROHIBITED = "open failed", "administratively prohibited"
"""What ssh says of connections that it could not forward, and of those that it may not."""
_TRIES = 5
"""Ports that are tried, for one that was free may be taken meanwhile."""


class Ran(NamedTuple):
    """How a command ended there, and what it printed."""

    code: int
    out: str
    err: str


class Connection:
    """A connection to a machine, which is opened again where it broke."""

    def __init__(self, to: Destination, folder: Path) -> None:
        """Take where to, and a folder of this user's own."""
        self.to = to
        self._folder = folder
        self._program = _program()
        self._lock = RLock()
        self._sockets: dict[str, Path] = {}
        self._ports: dict[tuple[str, int], int] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        """Log in, unless that has been done and holds; raises OpdeployError, and TransientError where it did hold."""
        with self._lock:
            if self._process and self._process.poll() is None:
                return
            if self._process is None:
                self._start()
                return
            try:
                self._start()
                for there, here in self._sockets.items():
                    self._forward(f"{here}:{there}")
            except OpdeployError as error:
                self.close()  # or it would count as opened, without what went through it
                raise TransientError(f"the connection broke: {error}") from error
            self._ports.clear()  # they are forwarded again when they are asked for

    def run(self, command: str) -> Ran:
        """Run a command of the machine's shell; it is a text of opdeploy's own, in which nothing is filled in."""
        self.open()
        ran = self._through("-T", "--", "there", command)
        if ran.code == _BROKE:
            raise TransientError(f"{self.to.shown}: the connection broke: {last_line(ran.err)}; run the command again")
        return ran

    def socket(self, there: str) -> Path:
        """Return a socket here that leads to one of the machine, by its path there."""
        with self._lock:
            self.open()
            if there not in self._sockets:
                here = self._folder / f"s{len(self._sockets)}"
                self._forward(f"{here}:{there}")
                self._sockets[there] = here
            return self._sockets[there]

    def port(self, host: str, port: int) -> int:
        """Return a port of 127.0.0.1 that leads to what listens there at an address.

        Raises OpdeployError where the server forwards nothing.
        """
        with self._lock:
            self.open()
            self.require_forwarding()
            there = f"[{host}]" if ":" in host else host
            for attempt in range(_TRIES):
                if (host, port) in self._ports:
                    break
                free = _free_port()
                try:
                    self._forward(f"127.0.0.1:{free}:{there}:{port}")
                    self._ports[host, port] = free
                except OpdeployError:
                    if attempt == _TRIES - 1:
                        raise
            return self._ports[host, port]

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Raise OpdeployError for what fails in the block with a socket that answers there: it is not forwarded."""
        try:
            yield
        except OpdeployError as error:
            if _NOT_OPENED in self._said():  # of a socket, ssh does not say why
                raise self._forbidden() from error
            raise

    def try_forwarding(self) -> None:
        """Raise OpdeployError where the server forwards no ports: else it would be found when a version is asked."""
        where = "127.0.0.1", self.port("127.0.0.1", _NOBODYS)
        with suppress(OSError), socket.create_connection(where, _PROBE_S) as probe:
            probe.recv(1)  # nothing listens there: whether it is forwarded or not, it ends at once
        self.require_forwarding()

    def require_forwarding(self) -> None:
        """Raise OpdeployError where the server has refused to forward a connection."""
        if _PROHIBITED in self._said():
            raise self._forbidden()

    def _forbidden(self) -> OpdeployError:
        return OpdeployError(
            f"{self.to.shown}: its SSH server forwards no connections; set AllowTcpForwarding yes and "
            "AllowStreamLocalForwarding yes for this user in its sshd_config"
        )

    def close(self) -> None:
        """End it, and all that goes through it."""
        process = self._process
        if process is None:
            return
        with suppress(OSError):
            _pipe(process.stdin).close()
        _pipe(process.stdout).close()
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start(self) -> None:
        self.close()
        self._control.unlink(missing_ok=True)  # which one that was killed has left, and another would not take
        options = [word for name, value in self._options().items() for word in ("-o", f"{name}={value}")]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a list of arguments, and the user's own program
                [self._program, "-T", *options, *self.to.options(), "--", self.to.host, _STAY],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for opdeploy, which still has to clear away there
            )
        if not self._greeted(_pipe(self._process.stdout).fileno()):
            self.close()
            raise not_connected(self.to, self._said() or "timed out")

    def _options(self) -> dict[str, str]:
        return _OPTIONS | {"ControlPath": str(self._control)}

    def _greeted(self, pipe: int) -> bool:
        """Wait until it is logged in; False where it ends before, or takes too long."""
        said, until = b"", time.monotonic() + _LOGIN_S
        while not said.endswith(_HELLO):
            readable, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
            piece = os.read(pipe, 4096) if readable else b""
            if not piece:
                return False
            said = (said + piece)[-4096:]  # a shell may have said more before
        return True

    def _forward(self, what: str) -> None:
        ran = self._through("-O", "forward", "-L", what, "--", "there")
        if ran.code:
            why = last_line(ran.err) or "ssh does not say why"
            raise TransientError(f"{self.to.shown}: nothing is forwarded: {why}; try again")

    def _through(self, *arguments: str) -> Ran:
        """Ask the process that holds the connection; without the user's configuration, which is in that already."""
        command = [self._program, "-F", os.devnull, "-o", f"ControlPath={self._control}", "-o", "BatchMode=yes"]
        # Where that process is gone, ssh would connect by itself to the host that is named here.
        command += ["-o", "ProxyCommand=false", *arguments]
        try:
            ran = subprocess.run(  # noqa: S603 - likewise
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
                timeout=_COMMAND_S,
            )
        except subprocess.TimeoutExpired:
            raise TransientError(f"{self.to.shown}: does not answer; see that it is not overloaded") from None
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    @property
    def _control(self) -> Path:
        return self._folder / "c"

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _said(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")


@contextmanager
def connected(to: Destination) -> Iterator[Connection]:
    """Log in to a machine, and log out in the end.

    Raises OpdeployError where it is not reached or not known, InputError where there is no ssh program.
    """
    usual = tempfile.gettempdir()
    short = usual if _FOLDER.fullmatch(usual) else "/tmp"  # noqa: S108 - a folder of a name of its own is made there
    with tempfile.TemporaryDirectory(prefix="opdeploy-", dir=short, ignore_cleanup_errors=True) as folder:
        connection = Connection(to, Path(folder))
        try:
            connection.open()
            yield connection
        finally:
            connection.close()


def version() -> str:
    """Return what the ssh program says of itself; raises InputError where there is none."""
    ran = subprocess.run([_program(), "-V"], capture_output=True, check=False, encoding="utf-8", errors="replace")  # noqa: S603 - likewise
    return last_line(ran.stderr)


def _program() -> str:
    if os.name == "nt":
        raise InputError("ssh of Windows shares no connections; run opdeploy in WSL")
    found = shutil.which("ssh")
    if found is None:
        raise InputError("there is no ssh program; install OpenSSH's client (openssh-client)")
    return found


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101 - it was asked for
    return pipe
