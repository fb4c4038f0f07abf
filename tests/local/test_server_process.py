"""The real server as a process: it gets ready, is seen, and goes; and what is told where it does not."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import psutil
import pytest

from opdeploy.errors import DifferenceError, InputError, OpdeployError
from opdeploy.local.process import ServerProcess, free_port, server_process
from opdeploy.local.server import Address, ask, wait_until_ready
from tests.local.small import Answer, Small, Told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Start = Callable[[Answer], Small]

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: processors of a process are set there only")


def pid_of(running: ServerProcess) -> int:
    """Return the id of the one process that listens on a server's port."""
    (found,) = {
        item.pid
        for item in psutil.net_connections("tcp")
        if item.status == psutil.CONN_LISTEN and item.laddr and item.laddr.port == running.address[1]
    }
    assert found is not None
    return found


def gone(pid: int) -> bool:
    """Tell whether there is no such process any more."""
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return False
    return True


def test_it_gets_ready_and_is_seen(plain: Path) -> None:
    """Time to ready, processor time, memory and log are those of the server."""
    with server_process(plain) as server:
        ready = wait_until_ready(server, 60)
        assert 0 < ready < 60
        before = server.cpu_seconds()
        for _ in range(20):
            assert ask(server.address, "/v2/models/net").status == 200
        assert 0 < before <= server.cpu_seconds()
        resident = psutil.Process(pid_of(server)).memory_info().rss / 1e6
        assert 0.5 * resident < server.peak_memory_mb() < 1000
        assert any('"message":"listening"' in line for line in server.log())
        assert server.exit_code() is None
        assert os.getsid(pid_of(server)) != os.getsid(0)
        pid = pid_of(server)
    assert gone(pid)
    assert server.exit_code() == 0
    assert server.cpu_seconds() > 0  # what was seen last stands


def test_a_server_that_does_not_end_is_killed(plain: Path) -> None:
    """One that is stopped by SIGSTOP hears no SIGTERM; it goes all the same."""
    with server_process(plain, grace_s=0.2) as server:
        wait_until_ready(server, 60)
        pid = pid_of(server)
        os.kill(pid, signal.SIGSTOP)
        start = time.monotonic()
    assert gone(pid)
    assert time.monotonic() - start < 30
    assert server.exit_code() == -signal.SIGKILL
    assert server.why() == "SIGKILL"


def test_variables_of_the_user_do_not_reach_it(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys or routes that are set for other servers would make this one another than was asked for."""
    monkeypatch.setenv("OPDEPLOY_API_KEYS", "a-key-of-sixteen-characters")
    monkeypatch.setenv("OPDEPLOY_NAME", "other")
    monkeypatch.setenv("OPDEPLOY_PORT", "1")
    with server_process(plain, settings={"OPDEPLOY_VERSION": "7"}) as server:
        wait_until_ready(server, 60)
        assert ask(server.address, "/v2/models/net/versions/7").status == 200
        assert ask(server.address, "/v2/models/net/infer", b"{}").status == 400  # and neither 401 nor 404


@LINUX
def test_it_gets_so_many_processors(plain: Path) -> None:
    """The server has them, and the command keeps all that it had."""
    mine = os.sched_getaffinity(0)
    with server_process(plain, cpus=1) as server:
        wait_until_ready(server, 60)
        theirs = os.sched_getaffinity(pid_of(server))
        assert len(theirs) == 1
        assert theirs < mine or len(mine) == 1
        assert os.sched_getaffinity(0) == mine


def test_a_port_in_use_is_told(plain: Path, small: Start) -> None:
    """The server says so itself: exit code 2, and nobody takes the other server for it."""
    other = small(lambda _path, _number: Told(503))
    with server_process(plain, port=other.port) as server:
        with pytest.raises(InputError, match=r"ended before it was ready \(exit code 2\): .*in use") as caught:
            wait_until_ready(server, 60)
        assert "its log ends with:" in caught.value.__notes__


def test_golden_answers_that_are_not_reproduced_are_told(wrong: Path) -> None:
    """Exit code 5 is a difference, with the server's own words in the one line."""
    with server_process(wrong) as server:
        with pytest.raises(DifferenceError, match="no variant reproduces the golden answers") as caught:
            wait_until_ready(server, 60)
        assert "(exit code 5)" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert any("no variant reproduces" in note for note in caught.value.__notes__)


def test_a_file_that_is_no_model_is_told(tmp_path: Path) -> None:
    """Exit code 2 is bad input."""
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model")
    with server_process(path) as server, pytest.raises(InputError, match=r"\(exit code 2\): .*model\.onnx"):
        wait_until_ready(server, 60)


class Stub:
    """A server that is said to run, whatever answers at its address."""

    def __init__(self, port: int, code: int | None = None, lines: tuple[str, ...] = ()) -> None:
        self.started = time.monotonic()
        self.address = Address("127.0.0.1", port)
        self._code = code
        self._lines = lines

    def exit_code(self) -> int | None:
        """Return how it is said to have ended."""
        return self._code

    def why(self) -> str:
        """Return what is said of it."""
        return "killed: its memory was used up" if self._code else ""

    def log(self) -> list[str]:
        """Return what it is said to have written."""
        return list(self._lines)

    def cpu_seconds(self) -> float:
        """Return nothing."""
        return 0.0

    def peak_memory_mb(self) -> float:
        """Return nothing."""
        return 0.0


def test_a_server_that_is_never_ready_is_told_with_its_last_answer(small: Start) -> None:
    """Status and body of the last probe say why; what the probes left in the log is not shown."""
    server = small(lambda _path, _number: Told(503, b'{"error": "the model is being loaded"}'))
    lines = (
        '{"message": "listening"}',
        '{"path":"/v2/health/ready","status":503}',
        '{"level":"error","message":"boo"}',
    )
    with pytest.raises(OpdeployError, match=r"was not ready within 0\.3 s: boo\n") as caught:
        wait_until_ready(Stub(server.port, lines=lines), 0.3)
    first, *rest = caught.value.__notes__
    assert first == 'the last probe, GET /v2/health/ready, was answered with 503 {"error": "the model is being loaded"}'
    assert rest == ["its log ends with:", f"  {lines[0]}", f"  {lines[2]}"]
    assert set(server.paths) == {"/v2/health/ready"}


def test_without_an_error_in_its_log_the_last_answer_is_the_reason(small: Start) -> None:
    """A server that only takes long says so itself, to the probe."""
    server = small(lambda _path, _number: Told(503, b'{"error": "the model is being loaded"}'))
    with pytest.raises(OpdeployError, match=r's: the last probe was answered with 503 {"error": "the model is being'):
        wait_until_ready(Stub(server.port, lines=('{"level": "info"}',)), 0.1)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(1, OpdeployError), (2, InputError), (5, DifferenceError), (137, OpdeployError), (-9, OpdeployError)],
)
def test_the_exit_code_of_a_server_decides_that_of_the_command(code: int, kind: type[OpdeployError]) -> None:
    """2 and 5 mean the same in both; all else is a failure, told with what the engine knows of it."""
    with pytest.raises(OpdeployError) as caught:
        wait_until_ready(Stub(free_port(), code), 60)
    assert type(caught.value) is kind
    assert f"(exit code {code}; killed: its memory was used up)" in str(caught.value)
    assert caught.value.__notes__ == ["the last probe, GET /v2/health/ready, got no answer", "its log is empty"]


def test_a_free_port_is_free() -> None:
    """Nothing listens there."""
    with closing(socket.create_server(("127.0.0.1", free_port()))):
        pass
