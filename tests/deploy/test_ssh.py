"""What can be told of SSH without a connection: where it leads, what its words mean, and who listens at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.clients.ssh.connection import Connection, Ran
from opdeploy.clients.ssh.destination import Destination
from opdeploy.clients.ssh.listening import listening
from opdeploy.clients.ssh.machine import SshMachine
from opdeploy.clients.ssh.refused import LastingError, no_engine, not_connected
from opdeploy.deploy_settings import OnVm
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from opdeploy.clients.docker.machine import Taken

TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0
   2: 0100007F:2328 0100007F:BEEF 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0
  sl  local_address                         remote_address                        st tx_queue rx_queue tr
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000
   1: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000
   2: 0000000000000000FFFF00000100007F:0052 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000
   3: 000000FD000000000000000001000000:0053 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000
"""
"""Lines of /proc/net/tcp and tcp6 of a little-endian machine; only the third is no one that listens."""


class Told(Connection):
    """A connection that answers every command with the table, and forwards nothing."""

    def __init__(self, to: Destination) -> None:
        self.to = to

    def run(self, command: str) -> Ran:
        """Answer."""
        assert "/proc/net/tcp" in command
        return Ran(0, TABLE, "")


def machine(**vm: Any) -> SshMachine:  # noqa: ANN401 - values of settings
    """Return a machine that settings name."""
    return SshMachine(Told(Destination.of(OnVm.model_validate({"host": "box", **vm}))))


def test_who_listens_is_told_by_address_and_port() -> None:
    """Of both versions; an address of version 4 in the form of 6 is that of version 4."""
    assert [*listening(TABLE)] == [
        ("0.0.0.0", 8000),  # noqa: S104 - it is read
        ("127.0.0.1", 5000),
        ("::", 80),
        ("::1", 81),
        ("127.0.0.1", 82),
        ("fd00::1", 83),
    ]


@pytest.mark.parametrize(
    ("host", "port", "is_taken"),
    [
        ("127.0.0.1", 8000, True),
        ("127.0.0.1", 5000, True),
        ("10.0.0.1", 5000, False),
        ("0.0.0.0", 5000, True),  # noqa: S104 - nothing listens there
        ("127.0.0.1", 9000, False),
        ("127.0.0.1", 80, True),
        ("::1", 82, False),
    ],
)
def test_a_port_is_taken_where_somebody_listens(host: str, port: int, *, is_taken: bool) -> None:
    """At that address, or at all of them."""
    found: Taken | None = machine().taken(host, port)
    assert (found is not None) is is_taken


@pytest.mark.parametrize(
    ("vm", "said"),
    [
        ({}, "deploy.vm.host: no machine is named; name one that SSH reaches with --set vm.host=…, OPDEPLOY_VM_HOST"),
        ({"host": "ssh://box"}, "deploy.vm.host: ssh://box: is neither a name nor an address"),
        ({"host": "box;reboot"}, "deploy.vm.host: box;reboot: is neither"),
        ({"host": "user@box"}, "deploy.vm.host: user@box: is neither"),
        ({"host": "box", "user": "$(reboot)"}, "deploy.vm.user: $(reboot): is no name of a user"),
        ({"host": "box", "identity_file": "/nowhere/key"}, "deploy.vm.identity_file: /nowhere/key: no such file"),
    ],
)
def test_settings_that_could_be_read_otherwise_are_refused(vm: dict[str, str], said: str) -> None:
    """Before any program sees them."""
    with pytest.raises(InputError) as caught:
        Destination.of(OnVm.model_validate(vm))
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("host", ["-oProxyCommand=reboot", "--"])
def test_a_host_is_never_an_option(host: str) -> None:
    """Nor a user."""
    for name in ("host", "user"):
        with pytest.raises(ValueError, match="pattern"):
            OnVm.model_validate({"host": "box", name: host})
    with pytest.raises(InputError):
        Destination.of(OnVm.model_construct(host=host))


def test_a_tunnel_is_a_command_that_can_be_pasted(tmp_path: Path) -> None:
    """With user, port and key as configured, quoted for a shell; none is needed where it listens on more."""
    key = tmp_path / "a key"
    key.write_text("")
    there = machine(user="ann", ssh_port=2222, identity_file=str(key))
    tunnel = there.tunnel("127.0.0.1", 8000)
    assert tunnel
    assert tunnel.command == f"ssh -N -L 8000:127.0.0.1:8000 -i '{key}' -p 2222 ann@box"
    assert tunnel.url == "http://127.0.0.1:8000"
    six = there.tunnel("::1", 8000)
    assert six
    assert "-L '8000:[::1]:8000'" in six.command
    assert there.tunnel("0.0.0.0", 8000) is None  # noqa: S104 - nothing listens there
    assert there.tunnel("10.0.0.4", 8000) is None


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("ssh: Could not resolve hostname box: Name or service not known", "there is no such host"),
        ("ssh: connect to host box port 22: Connection refused", "no SSH server listens there; start it"),
        ("ssh: connect to host box port 22: Connection timed out", "it does not answer"),
        ("No ED25519 host key is known for box.\r\nHost key verification failed.", "not known; log in once by hand"),
        ("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.",
         "forget the old key (ssh-keygen -R '[box]:2222')"),
        ("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!\r\nOffending ED25519 key in /home/a/.ssh/known_hosts:3\r\n",
         "forget the old key (line 3 of /home/a/.ssh/known_hosts), then log in once by hand"),
        ("ann@box: Permission denied (publickey).", "load one that it knows (ssh-add)"),
        ("Received disconnect from box: 2: Too many authentication failures", "deploy.vm.identity_file"),
        ("kex_exchange_identification: {odd} words", "kex_exchange_identification: (odd) words; try ssh -p 2222"),
        ("", "ssh ended without a word; try"),
    ],
    ids=["name", "refused", "time", "unknown", "changed", "alias", "denied", "tries", "other", "none"],
)  # fmt: skip
def test_what_ssh_says_is_told_in_one_line(said: str, told: str) -> None:
    """With what to do."""
    words = str(not_connected(Destination("box", "ann", None, 2222), said))
    assert words.startswith("ann@box: ")
    assert told in words
    assert "\n" not in words


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        (127, "bash: line 1: docker: command not found", "there is no docker program there"),
        (127, "sh: 1: docker: not found", "there is no docker program there"),
        (1, "Got permission denied while trying to connect to the Docker daemon socket", "sudo usermod -aG docker ann"),
        (1, "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?", "no Docker engine runs"),
        (1, "context x does not exist", "docker does not answer there: context x does not exist; see docker"),
    ],
    ids=["bash", "dash", "rights", "stopped", "other"],
)  # fmt: skip
def test_what_docker_says_there_is_told_in_one_line(code: int, said: str, told: str) -> None:
    """With what to do."""
    assert told in str(no_engine(Destination("box", "ann"), code, said))


@pytest.mark.parametrize(
    ("said", "lasts"),
    [
        ("WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!", True),
        ("No ED25519 host key is known for id and you have requested strict checking.", True),
        ("ann@box: Permission denied (publickey).", True),
        ("ssh: connect to host box port 22: Connection refused", False),
        ("ssh: connect to host box port 22: Connection timed out", False),
    ],
)
def test_what_does_not_pass_by_waiting_is_told_apart(said: str, *, lasts: bool) -> None:
    """Who waits for a new machine gives up then."""
    assert isinstance(not_connected(Destination("box"), said), LastingError) is lasts
