"""What is in an image, and what it does when it runs: of a model of numbers, of images and of texts."""

from __future__ import annotations

import ast
import http.client
import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker as sdk
import pytest

from opdeploy import __version__
from opdeploy.clients import docker
from opdeploy.image import DIGEST
from opdeploy.runtime.package import opened
from tests.image.conftest import LABEL, MARK, SECRET, everything

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.image.conftest import Made

pytestmark = pytest.mark.slow  # it builds images

SECONDS = 60.0
KINDS = ["plain", "image", "text"]
LIMIT = 190e6
"""Bytes above the base, of a model without a tokenizer."""
MORE_FOR_TEXT = 40e6
NO_INSTALLER = """
from importlib.util import find_spec
import os, shutil
modules = [name for name in ("pip", "setuptools", "ensurepip", "pkg_resources", "wheel") if find_spec(name)]
names = ("pip3.11", "uv", "gcc", "x86_64-linux-gnu-gcc-12", "c++", "ld.bfd", "as", "clang-14")
programs = [name for name in names if shutil.which(name)]
wheels = [name for _, _, files in os.walk("/usr") for name in files if name.endswith(".whl")]
print(modules, programs, wheels)
"""
"""Prints what installs or compiles."""


def ask(address: tuple[str, int], method: str, path: str, body: str | None = None) -> tuple[int, Any]:
    """Send a request; return status and JSON, or 0 where nobody answers."""
    connection = http.client.HTTPConnection(*address, timeout=SECONDS)
    try:
        connection.request(method, path, body, {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    except (OSError, http.client.HTTPException):
        return 0, None
    finally:
        connection.close()


def until_ready(container: docker.Container) -> tuple[str, int]:
    """Wait until the server is ready, and return where."""
    address, deadline = container.address(), time.monotonic() + SECONDS
    while ask(address, "GET", "/v2/health/ready")[0] != http.HTTPStatus.OK:
        assert container.state().exit_code is None, container.logs()
        assert time.monotonic() < deadline, container.logs()
        time.sleep(0.05)
    return address


def run(image: str, *command: str, **options: Any) -> str:  # noqa: ANN401 - options of the SDK
    """Run a program of an image instead of the server, and return what it prints."""
    client = sdk.from_env()
    try:
        done = client.containers.run(image, list(command[1:]), entrypoint=command[0], remove=True, **options)
        return str(done.decode())
    finally:
        client.close()


@pytest.fixture(params=KINDS)
def one(made: Callable[[str], Made], request: pytest.FixtureRequest) -> Made:
    """Return one of the images."""
    return made(request.param)


@pytest.fixture
def served(engine: docker.Engine, one: Made) -> Iterator[docker.Container]:
    """Run an image as a target would: of its file system nothing can be written, not even /tmp."""
    run = docker.Run(one.image.id, 8123, cpus=1.0, memory=256_000_000, labels={"opdeploy.test": str(os.getpid())})
    with engine.running(run) as container:
        yield container


def scored(artefact: Path) -> tuple[Any, Any]:
    """Return a golden record as people send it, and the answer that it must get."""
    with opened(artefact) as package:
        if package.manifest.golden.examples:
            pair = json.loads(package.path(package.manifest.golden.examples).read_text())[0]
            return {"data": [pair["record"]]}, {"predictions": [pair["answer"]]}
        golden = package.golden()
    return {"data": golden.inputs["x"][:1].tolist()}, {"outputs": {"y": golden.outputs["y"][:1].tolist()}}


def near(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return what equals a JSON value whose numbers differ by little."""
    if isinstance(value, dict):
        return {key: near(item) for key, item in value.items()}
    if isinstance(value, list):
        return [near(item) for item in value]
    return pytest.approx(value, rel=1e-4, abs=1e-6) if isinstance(value, float) else value


def test_it_serves_where_nothing_can_be_written(served: docker.Container, one: Made, client: sdk.DockerClient) -> None:
    """It gets ready, scores a golden record as it was scored here, tells of its health, and ends with 0 when asked."""
    address = until_ready(served)
    body, answer = scored(one.artefact)
    assert ask(address, "POST", "/score", json.dumps(body)) == (http.HTTPStatus.OK, near(answer))
    (container,) = client.containers.list(filters={"label": MARK})
    container.stop(timeout=20)
    assert served.state().exit_code == 0


def test_the_health_check_needs_no_program_but_python(made: Callable[[str], Made]) -> None:
    """It ends with 0 beside a server that is ready, and with 1 beside one that is not."""
    check = made("plain").image.config["Healthcheck"]["Test"][1:]
    client = sdk.from_env()
    container = client.containers.run(made("plain").image.id, detach=True, read_only=True)
    try:
        deadline = time.monotonic() + SECONDS
        while container.exec_run(check).exit_code != 0:
            assert time.monotonic() < deadline, container.logs()
        assert b"Connection refused" in container.exec_run(check, environment={"OPDEPLOY_PORT": "1"}).output
    finally:
        container.remove(force=True)
        client.close()


def test_its_user_has_no_rights(one: Made) -> None:
    """It is 65532 whatever the base has, and all that it runs belongs to root; a front has a volume at /state."""
    assert one.image.config["User"] == "65532:65532"
    look = "import os; print([path for path, _, _ in os.walk('/') if os.access(path, os.W_OK) and path[:5] != '/proc'])"
    assert set(ast.literal_eval(run(one.image.id, "python3", "-c", look))) <= {
        *("/state", "/tmp", "/var/tmp", "/run/lock", "/dev/shm", "/dev/mqueue")  # noqa: S108 - everybody's, and read-only when so run
    }


def test_nothing_in_it_installs_or_compiles(one: Made, base: str) -> None:
    """Installers and compilers of the base are gone, with the wheels that would bring them back."""
    before = run(base, "python3", "-c", NO_INSTALLER)
    assert all(
        name in before for name in ("'pip'", "'setuptools'", "'gcc'", "'ld.bfd'", "setuptools-66.1.1-py3-none-any.whl")
    )
    assert run(one.image.id, "python3", "-c", NO_INSTALLER) == "[] [] []\n"


def test_everything_that_the_server_imports_is_compiled(one: Made) -> None:
    """No module of the server, its packages or Python itself is compiled when it starts."""
    log = run(one.image.id, "python3", "-v", "-m", "opdeploy.serving", "--help", stderr=True)
    code = re.findall(r"code object from '(/[^'\n]*)", log)
    assert not [path for path in code if not path.endswith(".pyc")]
    assert {"/app/opdeploy", "/usr/lib/python3.11"} <= {str(Path(path).parents[1]) for path in code}


def test_it_says_what_it_is(one: Made) -> None:
    """Labels of the Open Container Initiative, the artefact's digest, a given label to the letter; how it is run."""
    with opened(one.artefact) as package:
        digest = package.digest
    name = one.artefact.name
    assert one.image.labels == {
        "opdeploy.version": __version__,
        "org.example.note": LABEL,
        "org.opencontainers.image.title": name,
        "org.opencontainers.image.version": digest,
        DIGEST: digest,
    }
    config = one.image.config
    assert one.image.platform == "linux/amd64"
    assert (list(config["ExposedPorts"]), config["StopSignal"]) == (["8123/tcp"], "SIGTERM")
    assert config["Entrypoint"] == ["python3", "-m", "opdeploy.serving", "--model", "/model", "--host", "0.0.0.0"]  # noqa: S104
    assert not config["Cmd"]


def test_it_is_small(made: Callable[[str], Made]) -> None:
    """The layers above the base keep to the limits; `-rP` shows them."""
    for name in KINDS:
        item = made(name)
        print(name, item.built.builder, f"{item.added / 1e6:.1f} MB")  # noqa: T201
        for layer in item.image.history:
            print(f"  {layer.size / 1e6:8.3f} MB  {layer.made_by[:90]}")  # noqa: T201
    assert made("plain").added <= LIMIT
    assert made("image").added <= LIMIT
    assert made("text").added <= made("plain").added + MORE_FOR_TEXT


def test_packages_that_it_does_not_need_are_not_in_it(made: Callable[[str], Made]) -> None:
    """Pillow comes with images alone, tokenizers with texts alone."""
    look = "import importlib.util as found; print([bool(found.find_spec(name)) for name in ('PIL', 'tokenizers')])"
    found = {name: run(made(name).image.id, "python3", "-c", look) for name in KINDS}
    assert found == {"plain": "[False, False]\n", "image": "[True, False]\n", "text": "[False, True]\n"}


def test_no_address_of_a_proxy_stays(made: Callable[[str], Made]) -> None:
    """The proxy that all of them were built with is in no history and no environment, those of the stages included."""
    built = {made(name).image.id for name in KINDS}
    client = sdk.from_env()
    try:
        told = everything(client)
        assert built < told.keys()
        assert not any(SECRET in text for text in told.values())
    finally:
        client.close()
