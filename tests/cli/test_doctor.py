"""`opdeploy doctor` as a process: what is here, what is missing, and what to do about it."""

from __future__ import annotations

import base64
import json
import re
import socket
import tomllib
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.deploy.doctor import PACKAGES
from tests.deploy.daemon import Daemon, listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Opdeploy, Ran

    OneLine = Callable[[Ran], str]

NOWHERE = "unix:///nowhere/docker.sock"


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """Return an engine that answers, and has nothing."""
    with listening() as found:
        yield found


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port of 127.0.0.1 on which somebody listens."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def free(taken: int) -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    assert port != taken
    return port


def finding(found: list[dict[str, Any]], what: str) -> dict[str, Any]:
    """Return what was found of one thing."""
    (one,) = (item for item in found if item["what"] == what)
    return one


def test_an_engine_that_does_not_answer_is_told(opdeploy: Opdeploy, one_line: OneLine, tmp_path: Path) -> None:
    """With 1; its line says what to do, and stderr that something is missing."""
    ran = opdeploy("doctor", cwd=tmp_path, DOCKER_HOST=NOWHERE)
    assert ran.code == 1
    (line,) = (line for line in ran.out.splitlines() if "Docker engine" in line)
    assert line.split()[0] == "PROBLEM"
    assert f"{NOWHERE}: no Docker engine answers: " in line
    assert line.endswith("; start it, or name another with DOCKER_HOST or docker context use")
    assert one_line(ran) == "error: 1 problem found; the lines above say what to do"
    assert [*tmp_path.iterdir()] == []


def test_it_is_told_as_json(opdeploy: Opdeploy, tmp_path: Path) -> None:
    """Each thing with its state, what was found, and what to do; the exit code is the same."""
    ran = opdeploy("doctor", "-o", "json", cwd=tmp_path, DOCKER_HOST=NOWHERE)
    assert ran.code == 1
    found = ran.json
    assert all({*item} == {"what", "state", "said", "todo"} for item in found)
    engine = finding(found, "Docker engine")
    assert engine["state"] == "problem"
    assert engine["said"].startswith(f"{NOWHERE}: no Docker engine answers")
    assert engine["todo"] == "start it, or name another with DOCKER_HOST or docker context use"
    assert {item["what"]: item["state"] for item in found if item is not engine} == {
        "Python": "ok",
        "packages": "ok",
        "folder .opdeploy": "ok",
    }


def test_where_all_is_here_nothing_is_missing(opdeploy: Opdeploy, daemon: Daemon, free: int, tmp_path: Path) -> None:
    """With 0, and nothing is changed."""
    ran = opdeploy("doctor", "--port", str(free), "-o", "json", cwd=tmp_path, DOCKER_HOST=daemon.address)
    assert (ran.code, ran.err, daemon.changes) == (0, "", [])
    assert "problem" not in {item["state"] for item in ran.json}
    assert finding(ran.json, "Docker engine")["said"] == "28.0.0, amd64, 4 processors, 8.0 GB of memory"
    assert finding(ran.json, f"port {free} of 127.0.0.1")["said"] == "can be had"


@pytest.mark.parametrize("how", ["an option", "a variable", "a file"])
def test_a_port_that_is_taken_is_told(
    opdeploy: Opdeploy, daemon: Daemon, taken: int, write: Callable[..., Path], how: str
) -> None:
    """With 1, and what to choose instead, wherever the port was said."""
    local = {"local": {"port": taken}} if how == "a file" else {}
    file = write({"name": "a", "serving": {"pattern": "stream"}, "deploy": local})
    options = ("--port", str(taken)) if how == "an option" else ()
    variables = {"OPDEPLOY_LOCAL_PORT": str(taken)} if how == "a variable" else {}
    ran = opdeploy("doctor", *options, cwd=file.parent, DOCKER_HOST=daemon.address, **variables)
    assert ran.code == 1
    (line,) = (line for line in ran.out.splitlines() if f"port {taken} of 127.0.0.1" in line)
    assert line.split()[0] == "PROBLEM"
    assert "in use; choose another with --port or deploy.local.port" in line


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - nothing listens there
def test_a_port_of_a_deployment_is_no_trouble(
    opdeploy: Opdeploy, daemon: Daemon, taken: int, write: Callable[..., Path], host: str
) -> None:
    """Its front gives way to its own next one."""
    folder = write({"name": "m", "serving": {"pattern": "stream"}}).parent
    labels = {"opdeploy.deployment": "m", "opdeploy.role": "front"}
    daemon.container("opdeploy-m", "opdeploy-m:a", (host, taken), labels)
    ran = opdeploy(
        "doctor",
        "-o",
        "json",
        cwd=folder,
        DOCKER_HOST=daemon.address,
        OPDEPLOY_LOCAL_HOST=host,
        OPDEPLOY_LOCAL_PORT=str(taken),
    )
    port = finding(ran.json, f"port {taken} of {host}")
    assert (port["state"], port["said"]) == ("ok", "this deployment has it")


def test_an_address_of_version_6_is_tried(opdeploy: Opdeploy, daemon: Daemon, tmp_path: Path) -> None:
    """As one of version 4: it is taken while somebody listens there, and free then."""
    with closing(socket.socket(socket.AF_INET6)) as listener:
        listener.bind(("::1", 0))
        port = listener.getsockname()[1]
        said = []
        for _ in range(2):
            ran = opdeploy(
                "doctor",
                "-o",
                "json",
                cwd=tmp_path,
                DOCKER_HOST=daemon.address,
                OPDEPLOY_LOCAL_HOST="::1",
                OPDEPLOY_LOCAL_PORT=str(port),
            )
            said.append(finding(ran.json, f"port {port} of ::1")["state"])
            listener.close()
    assert said == ["problem", "ok"]


def test_a_target_that_is_none_is_told(opdeploy: Opdeploy, one_line: OneLine, tmp_path: Path) -> None:
    """With 2 and one line."""
    ran = opdeploy("doctor", "--target", "clouds", cwd=tmp_path, DOCKER_HOST=NOWHERE)
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran).startswith("error: --target: ")


def test_what_is_found_is_json_on_stdout_alone(opdeploy: Opdeploy, daemon: Daemon, tmp_path: Path) -> None:
    """The error is on stderr."""
    ran = opdeploy("doctor", "-o", "json", cwd=tmp_path, DOCKER_HOST=daemon.address, OPDEPLOY_LOCAL_HOST="192.0.2.1")
    assert isinstance(json.loads(ran.out), list)
    assert ran.code == 1
    assert finding(ran.json, "port 8000 of 192.0.2.1")["state"] == "problem"


class Registry(BaseHTTPRequestHandler):
    """Asks everyone for credentials."""

    def do_GET(self) -> None:
        """Refuse."""
        self.send_response(401 if self.path == "/v2/" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_registry_is_asked(opdeploy: Opdeploy, daemon: Daemon, free: int, tmp_path: Path) -> None:
    """Whether it answers, and whether somebody has logged in where it asks for that."""
    config = tmp_path / "docker"
    config.mkdir()
    asked = ("doctor", "--port", str(free), "-o", "json")

    def found(registry: str) -> dict[str, Any]:
        variables = {"DOCKER_HOST": daemon.address, "DOCKER_CONFIG": str(config), "OPDEPLOY_REGISTRY": registry}
        return finding(opdeploy(*asked, cwd=tmp_path, **variables).json, f"registry {registry.partition('/')[0]}")

    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        registry = f"127.0.0.1:{server.server_port}"
        try:
            assert (found(f"{registry}/team")["state"], found(registry)["todo"]) == ("note", f"docker login {registry}")
            stored = {"auths": {registry: {"auth": base64.b64encode(b"ann:secret").decode()}}}
            (config / "config.json").write_text(json.dumps(stored))
            assert (found(registry)["state"], found(registry)["said"]) == ("ok", "answers")
        finally:
            server.shutdown()
    gone = found(registry)
    assert gone["state"] == "problem"
    assert gone["said"].startswith("does not answer: ")


@pytest.mark.parametrize("greeting", [b"220 mail.example ESMTP\r\n", b""], ids=["another protocol", "silence"])
def test_a_registry_that_is_none_is_told(
    opdeploy: Opdeploy, daemon: Daemon, free: int, tmp_path: Path, greeting: bytes
) -> None:
    """Whatever listens there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            for _ in range(2):  # with TLS, and without
                with closing(listener.accept()[0]) as connection:
                    connection.recv(1024)
                    connection.sendall(greeting)

        thread = Thread(target=answer)
        thread.start()
        registry = f"127.0.0.1:{listener.getsockname()[1]}"
        variables = {"DOCKER_HOST": daemon.address, "OPDEPLOY_REGISTRY": registry}
        ran = opdeploy("doctor", "--port", str(free), "-o", "json", cwd=tmp_path, **variables)
        thread.join()
    found = finding(ran.json, f"registry {registry}")
    assert (ran.code, found["state"]) == (1, "problem")
    assert found["said"].startswith("does not answer: ")


@pytest.mark.parametrize("extra", PACKAGES)
def test_all_packages_of_the_extra_are_looked_for(root: Path, extra: str) -> None:
    """Its own, and those of the extras that it has."""
    extras = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]

    def packages(extra: str) -> set[str]:
        own = {re.split(r"[<>=\[ ]", item)[0] for item in extras[extra] if not item.startswith("opdeploy[")}
        others = [name for item in extras[extra] if item.startswith("opdeploy[") for name in item[9:-1].split(",")]
        return own.union(*map(packages, others))

    assert {*PACKAGES[extra]} == packages(extra)
