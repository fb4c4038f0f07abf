"""Deployments to another machine over a real SSH server: its network and its Docker engine are its own."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import psutil
import pytest

from tests.conftest import environment
from tests.deploy.asking import Clients
from tests.deploy.machines import machine, missing
from tests.deploy.over_ssh import Remote
from tests.deploy.projects import BASE
from tests.wheels import fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import docker as sdk

    from tests.deploy.machines import Machine

pytestmark = pytest.mark.slow  # it builds images

REGISTRY = "127.0.0.1:5000"
MINUTES = 60.0
BEFORE_STREAM, AFTER_STREAM, AFTER_SERVER, AFTER_FRONT = 3, 4, 10, 16
"""Writes of the journal of a first deployment, from 0: one at its beginning, and two for each of its steps."""


@pytest.fixture(scope="module")
def box(client: sdk.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Return a machine whose engine runs, and has the base image."""
    if missing():
        pytest.skip(f"a machine of its own needs root, an SSH server and a Docker engine: {missing()}")
    with machine(tmp_path_factory.mktemp("m")) as made, closing(made.start_engine()) as there:
        there.api.timeout = 600
        for _ in there.api.load_image(client.api.get_image(BASE)):  # type: ignore[no-untyped-call]
            pass
        yield made


@pytest.fixture
def there(box: Machine) -> Iterator[sdk.DockerClient]:
    """Return a client of the machine's engine."""
    with closing(box.client()) as found:
        yield found


@pytest.fixture
def project(tmp_path: Path, box: Machine, there: sdk.DockerClient, client: sdk.DockerClient) -> Iterator[Remote]:
    """Return a project of a name of its own, of which nothing is left in the end."""
    found = Remote(tmp_path, there, machine=box, here=client)
    yield found
    found.remove()


@pytest.fixture(scope="module")
def registry(box: Machine) -> Iterator[str]:
    """Return a registry that is reached from here, and from the machine, at the same address."""
    try:
        urlopen(f"http://{REGISTRY}/v2/", timeout=5).close()
    except OSError as error:
        pytest.skip(f"needs a registry on {REGISTRY}: {error}")
    command = ["ssh", "-N", "-o", "ExitOnForwardFailure=yes", "-R", f"{REGISTRY}:{REGISTRY}", "machine"]
    with subprocess.Popen(command, env={"PATH": box.path}, stdin=subprocess.DEVNULL) as process:
        yield REGISTRY
        process.terminate()


def ready(project: Remote) -> int:
    """Return the status of the endpoint's readiness, through a tunnel."""
    with project.tunnel(), closing(HTTPConnection("127.0.0.1", project.port, timeout=10)) as connection:
        connection.request("GET", "/v2/health/ready")
        return connection.getresponse().status


def test_a_first_deployment_is_streamed_and_leaves_nothing(project: Remote) -> None:
    """It answers there and not here, but through the tunnel that is told; all commands see it; then it is gone."""
    done = project.deploy()
    assert done.code == 0, done.err
    assert "stream it to the machine" in done.err
    assert f"reach it: ssh -N -L {project.port}:127.0.0.1:{project.port} machine" in done.out
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", project.port), 5)
    assert ready(project) == 200
    assert project.status()["ready"]
    assert '"message":"ready"' in project.run("logs").out
    rows = project.folder / "rows.json"
    rows.write_text(json.dumps({"inputs": [{"name": "x", "shape": [1, 8], "datatype": "FP32", "data": [0.0] * 8}]}))
    assert json.loads(project.run("score", str(rows)).out)["outputs"][0]["name"] == "y"
    assert project.name in project.run("list").out
    assert project.run("diff").code == 0
    doctor = project.run("doctor", "-o", "json")
    assert (doctor.code, {item["state"] for item in doctor.json}) == (0, {"ok"}), doctor.out
    again = project.run("plan", "--base-image", project.base, "--detailed-exitcode")
    assert again.code == 0, again.out

    removed = project.run("remove", "--yes")
    assert removed.code == 0, removed.err
    assert (project.left(), project.images_here()) == ([], [])


def test_a_second_version_takes_over_without_a_failed_request(
    project: Remote, registry: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of this machine's images the newest stays, and what a container uses; `rollback` works from another folder."""
    project.workload(registry=registry)
    assert project.deploy().code == 0
    (first,) = project.images_here()
    project.model(seed=1)
    with project.tunnel(), Clients(project) as clients:
        done = project.deploy()
    assert done.code == 0, done.err
    assert clients.errors == []
    assert {(seen[0], seen[-1]) for seen in clients.seen} == {("1", "2")}
    (second,) = project.images_here()
    assert first != second

    assert project.here
    project.here.containers.create(second, name=f"{project.name}-user")
    project.model(seed=2)
    assert project.deploy().code == 0
    third = set(project.images_here()) - {second}
    assert (len(third), second in project.images_here()) == (1, True)
    assert project.versions() == {1: ("stopped", False), 2: ("stopped", False), 3: ("running", True)}
    back = project.run(
        *("rollback", project.name, "--yes", "--target", "vm", "--set", "vm.host=machine"),
        cwd=tmp_path_factory.mktemp("elsewhere"),
    )
    assert back.code == 0, back.err
    assert project.versions()[2] == ("running", True)


def test_what_fails_ends_on_the_old_version(project: Remote, registry: str, broken: Callable[[str], str]) -> None:
    """Through a registry, of which the machine pulls: a server that refuses, and wrong answers, with the evidence."""
    project.workload(registry=registry)
    first = project.deploy()
    assert first.code == 0, first.err
    assert f"have the machine pull it from {registry}" in first.err
    project.model(seed=1, wrong=7)
    wrong = project.deploy()
    assert wrong.code == 5, wrong.err
    assert "differs" in wrong.err
    refused = project.deploy("--timeout", "5", base=broken("refuses"))
    assert refused.code == 2, refused.err
    assert "OPDEPLOY_THREADS" in refused.err
    assert refused.err.splitlines()[-1].endswith("version 1 answers as before")
    assert project.versions() == {1: ("running", True)}
    assert project.run("diff").code == 0
    removed = project.run("remove", "--yes")
    assert "what was pushed stays in its registry" in removed.err
    assert (project.left(), project.images_here()) == ([], [])


def test_the_machine_builds(project: Remote, root: Path, tmp_path: Path) -> None:
    """With its own engine: nothing is made here, and no Docker is needed here."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    fetch(root, wheels, ("server", "cpu"))
    project.workload(vm={"build": "there"})
    done = project.run(
        *("deploy", "--yes", "--base-image", project.base, "--wheels", str(wheels)),
        variables={"DOCKER_HOST": "unix:///nowhere"},
    )
    assert done.code == 0, done.err
    assert "stream" not in done.err
    assert project.images_here() == []
    assert project.status()["ready"]
    removed = project.run("remove", "--yes", variables={"DOCKER_HOST": "unix:///nowhere"})
    assert removed.code == 0, removed.err
    assert "not cleared away" not in removed.err
    assert project.left() == []


def test_an_engine_is_needed_here_to_build(project: Remote) -> None:
    """It is told before anything is done, with the other way."""
    done = project.run("deploy", "--yes", "--base-image", BASE, variables={"DOCKER_HOST": "unix:///nowhere"})
    assert done.code == 1
    assert "or have the machine build the image: --set vm.build=there" in done.err
    assert project.left() == []


def script(project: Remote, name: str, number: int, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command by a script, which does something at a write of its journal."""
    return subprocess.run(
        [sys.executable, str(Path(__file__).with_name(name)), str(number), *command],
        capture_output=True,
        check=False,
        cwd=project.folder,
        encoding="utf-8",
        env=environment(**project.variables),
        timeout=5 * MINUTES,
    )


def connections(box: Machine) -> list[psutil.Process]:
    """Return the processes that hold connections of opdeploy to the machine."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if words[:1] != [] and f"{box.folder}/ssh_config" in words and any("opdeploy is here" in x for x in words):
                found.append(process)
    return found


@pytest.mark.parametrize("number", [AFTER_STREAM, AFTER_FRONT])
def test_what_is_killed_goes_on(project: Remote, number: int) -> None:
    """The same command makes nothing twice; the connection of the one that was killed has ended with it."""
    command = ("deploy", "--yes", "--base-image", project.base)
    assert script(project, "killed.py", number, *command).returncode == -signal.SIGKILL
    assert project.machine
    psutil.wait_procs(connections(project.machine), timeout=10)
    assert connections(project.machine) == []
    done = project.deploy()
    assert done.code == 0, done.err
    assert project.versions() == {1: ("running", True)}
    assert project.run("diff").code == 0


@pytest.mark.parametrize("number", [BEFORE_STREAM, AFTER_SERVER])
def test_a_connection_that_is_cut_is_opened_again(project: Remote, number: int) -> None:
    """And the deployment goes on as if nothing had been."""
    done = script(project, "cut.py", number, "deploy", "--yes", "--base-image", project.base)
    assert done.returncode == 0, done.stderr
    assert project.versions() == {1: ("running", True)}


def test_drift_and_ports_of_others(project: Remote, registry: str) -> None:
    """What other hands changed there is named and mended; a port that another program has there is refused."""
    project.workload(registry=registry)
    assert project.deploy().code == 0
    server, front = (project.client.containers.get(f"opdeploy-{project.name}{end}") for end in (".v1", ""))
    server.update(mem_limit=400_000_000, memswap_limit=400_000_000)
    front.stop()
    found = project.run("diff", "-o", "json")
    assert found.code == 6
    assert {item["name"] for item in found.json} == {server.name, front.name}
    mended = project.deploy()
    assert mended.code == 0, mended.err
    assert project.run("diff").code == 0

    assert project.machine
    listen = "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True)"
    command = project.machine.inside(sys.executable, "-c", f"{listen}; sys.stdin.read()")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="ascii") as program:
        assert program.stdout
        port = program.stdout.readline().strip()
        refused = project.deploy("--port", port)
        program.communicate()
    assert refused.code == 1
    said = f"port {port} of 127.0.0.1: something listens there already; choose another with --port or deploy.vm.port"
    assert said in refused.err


def test_two_at_once_are_one_after_the_other_or_refused(project: Remote, registry: str) -> None:
    """One version answers then."""
    project.workload(registry=registry)
    commands = [
        subprocess.Popen(
            project.command("deploy", "--yes", "--base-image", project.base),
            cwd=project.folder,
            env=environment(**project.variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for _ in range(2)
    ]
    said = [command.communicate(timeout=5 * MINUTES)[1] for command in commands]
    codes = [command.returncode for command in commands]
    assert 0 in codes, said
    assert set(codes) <= {0, 1, 7}, said
    assert project.versions() == {1: ("running", True)}


def test_who_is_let_in_from_everywhere_shows_a_key(project: Remote, registry: str) -> None:
    """The endpoint has the machine's name then, and needs no tunnel."""
    project.workload(registry=registry, vm={"listen": "0.0.0.0"})  # noqa: S104 - that is what is tried
    refused = project.deploy()
    assert refused.code == 2
    assert "deploy.vm.listen: 0.0.0.0: others may read along" in refused.err
    done = project.deploy("--allow-plain-http")
    assert done.code == 0, done.err
    assert "API key: " in done.err
    status = project.status()
    assert (status["endpoint"], status["tunnel"]) == (f"http://machine:{project.port}", None)


# What keeps a machine from being reached


@contextmanager
def other(box: Machine, name: str) -> Iterator[None]:
    """Give the machine another key of a name, and the old one again in the end."""
    kept = {file: file.read_bytes() for file in (box.folder / name, box.folder / f"{name}.pub")}
    box.key(name)
    try:
        yield
    finally:
        for file, content in kept.items():
            file.write_bytes(content)


def refused(project: Remote, *more: str) -> str:
    """Return what a command says that does not get there."""
    done = project.run("list", *more)
    assert done.code == 1, done.err
    assert len(done.err.splitlines()) == 1
    return done.err


def test_a_host_key_that_is_not_known_is_refused(project: Remote, box: Machine) -> None:
    """It says how to get to know it; one that changed is another matter."""
    with other(box, "host"):
        assert "its host key is not the one that is known: another machine may answer" in refused(project)
    known = box.folder / "known_hosts"
    kept = known.read_text()
    known.write_text("")
    try:
        assert "its host key is not known; log in once by hand (ssh machine) and compare the fingerprint" in refused(
            project
        )
        assert known.read_text() == ""
    finally:
        known.write_text(kept)
    assert project.run("list").code == 0


def test_a_key_that_the_machine_does_not_know_is_refused(project: Remote, box: Machine) -> None:
    """It says how to name another."""
    with other(box, "id"):
        assert "machine: it takes none of the keys; load one that it knows (ssh-add)" in refused(project)
        done = project.run("doctor", "-o", "json")
    assert done.code == 1
    assert [item["what"] for item in done.json if item["state"] == "problem"] == ["machine"]


def test_a_port_without_a_server_is_told(project: Remote) -> None:
    """As is a name that leads nowhere."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert "no SSH server listens there" in refused(project, "--set", f"vm.ssh_port={port}")
    assert "there is no such host" in refused(project, "--set", "vm.host=nowhere.invalid")


@pytest.mark.parametrize(
    ("variables", "more", "said"),
    [
        ({"PATH": "few"}, "", "there is no docker program there; install Docker Engine"),
        ({"DOCKER_HOST": "unix:///nowhere"}, "", "no Docker engine runs there; start it"),
        ({"DOCKER_HOST": "tcp://127.0.0.1:1"}, "", "no Docker engine runs there; start it"),
        ({}, "AllowStreamLocalForwarding no", "its SSH server forwards no connections; set AllowTcpForwarding yes and"),
        ({}, "PermitOpen none", "its SSH server forwards no connections; set AllowTcpForwarding yes and"),
    ],
    ids=["no docker", "no engine", "no socket", "no sockets forwarded", "no ports forwarded"],
)
def test_a_machine_without_what_is_needed_is_told(
    project: Remote, box: Machine, variables: dict[str, str], more: str, said: str
) -> None:
    """In one line, with what to do there."""
    few = box.folder / "few"
    few.mkdir(exist_ok=True)
    for name in ("cat", "sh"):
        if not (few / name).exists():
            (few / name).symlink_to(f"/bin/{name}")
    kept = box.variables, box.more
    box.variables = {
        **box.variables,
        **{name: str(few) if value == "few" else value for name, value in variables.items()},
    }
    box.more = more
    try:
        assert said in refused(project)
    finally:
        box.variables, box.more = kept


def test_a_gpu_that_the_engine_cannot_give_is_told(
    box: Machine, there: sdk.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine's own words, and what is to be installed."""
    from opdeploy.clients import ssh
    from opdeploy.errors import OpdeployError

    monkeypatch.setenv("PATH", box.path)
    there.images.build(fileobj=io.BytesIO(f'FROM {BASE}\nCMD ["sleep", "60"]'.encode()), tag="opdeploy-gpu:a", rm=True)
    record = {"deployment": "gpu", "version": 1, "config": "0", "artefact": "0", "front": {}}
    wanted = {
        "image": "opdeploy-gpu:a",
        "port": 8000,
        "cpus": None,
        "memory_mb": 100,
        "networks": ["opdeploy-gpu"],
        "gpu": True,
    }
    try:
        with ssh.connected(ssh.Destination("machine")) as connection, ssh.engine(connection) as engine:
            host = engine.host("ann@here", ssh.SshMachine(connection), makes=True)
            host.create_network("opdeploy-gpu", "gpu")
            with pytest.raises(OpdeployError, match=r"could not select device driver.*NVIDIA Container Toolkit"):
                host.run_server("opdeploy-gpu.v1", record=record, wanted=wanted)
            (found,) = (item for item in host.observe("vm", "gpu").found if item.kind == "container")
            assert found.properties["gpu"] is True
            assert not engine.about().has_gpus
    finally:
        for container in there.containers.list(all=True, filters={"name": "opdeploy-gpu"}):
            container.remove(force=True)
        for network in there.networks.list(names=["opdeploy-gpu"]):
            network.remove()
        there.images.remove("opdeploy-gpu:a")


def test_an_interrupt_ends_the_connection(project: Remote, box: Machine) -> None:
    """Ctrl-C goes to opdeploy, which gives its lock back over the connection, and ends it then."""
    process = subprocess.Popen(
        project.command("deploy", "--yes", "--base-image", project.base),
        cwd=project.folder,
        env=environment(**project.variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - one thread
    )
    journal = project.folder / ".opdeploy" / "vm" / project.name / "journal.jsonl"
    until = time.monotonic() + MINUTES
    while "image-there" not in (journal.read_text() if journal.exists() else ""):
        assert time.monotonic() < until
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of the group
    _, said = process.communicate(timeout=MINUTES)
    assert process.returncode == 130, said
    assert f"{project.name} was interrupted" in said
    assert connections(box) == []
    assert not any(name.endswith(".lock") for name in project.left())
