"""Whether a Docker engine, here or on another machine, is ready for deployments."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from opdeploy.clients.docker import ports
from opdeploy.clients.docker.machine import HERE
from opdeploy.deploy.finding import Finding, existing, problem
from opdeploy.deploy.locking import owner
from opdeploy.errors import OpdeployError
from opdeploy.targets.engine.names import base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.clients.docker import About
    from opdeploy.clients.docker.machine import Machine
    from opdeploy.clients.ssh import Connection
    from opdeploy.deploy_settings import Deploy
    from opdeploy.deployment import Found

_GB = 1e9
_LEAST_DISK_GB = 3.0
"""An image of the CPU has 0.4 GB with its base, twice while it is built, and versions are kept."""
_LEAST_MEMORY_GB = 1.0
HERE_BUILDS = "Docker engine here"
"""What is found of the engine that builds here what is deployed elsewhere."""


def local(deploy: Deploy, name: str | None) -> Iterator[Finding]:
    """Yield what is found of the engine of this machine."""
    from opdeploy.clients import docker
    from opdeploy.clients.docker import here

    try:
        here.require()
        with docker.connected() as engine:
            about, fronts = engine.about(), engine.host(owner()).fronts()
    except OpdeployError as error:
        yield problem("Docker engine", error)
        return
    yield from _engine("Docker engine", about)
    yield from _program()
    yield _disk(shutil.disk_usage(existing(Path(about.folder))).free)
    yield from registry(deploy)
    yield _port(deploy, name, fronts, HERE)


def vm(deploy: Deploy, name: str | None) -> Iterator[Finding]:
    """Yield what is found of a machine that SSH reaches, and of its engine."""
    from opdeploy.clients import ssh

    with ExitStack() as stack:
        try:
            to = ssh.Destination.of(deploy.vm)
            yield Finding("ssh program", "ok", ssh.version())
            connection = stack.enter_context(ssh.connected(to))
        except OpdeployError as error:
            yield problem("machine", error)
            return
        yield Finding(f"machine {to.shown}", "ok", "lets in, and its host key is the one that is known")
        yield from _there(deploy, name, connection)
    if deploy.vm.build != "there":
        yield from builder(", or build on the machine: --set vm.build=there")
    yield from registry(deploy)


def to_make(deploy: Deploy) -> Iterator[Finding]:
    """Yield what is found here of what a machine is made and reached with."""
    from opdeploy.clients import ssh
    from opdeploy.clients.azure.reached import public_key

    try:
        yield Finding("ssh program", "ok", ssh.version())
    except OpdeployError as error:
        yield problem("SSH", error)
    with suppress(OpdeployError):  # one that is missing stands in the way, and is told as that
        yield Finding("public key", "ok", public_key(deploy.vm).partition(" ")[0])
    if deploy.vm.build != "there":
        yield from builder(", or build on the machine: --set vm.build=there")
    yield from registry(deploy)


def _there(deploy: Deploy, name: str | None, connection: Connection) -> Iterator[Finding]:
    from opdeploy.clients import ssh

    machine = ssh.SshMachine(connection)
    try:
        with ssh.engine(connection) as engine:
            about, fronts = engine.about(), engine.host(owner(), machine).fronts()
    except OpdeployError as error:
        yield problem("Docker engine there", error)
        return
    yield from _engine("Docker engine there", about)
    if deploy.vm.gpu and not about.has_gpus:
        todo = "install the NVIDIA Container Toolkit on the machine"
        yield Finding("GPU", "note", "the engine names no runtime of NVIDIA", todo)
    free = ssh.free_disk(connection)
    if free is not None:
        yield _disk(free)
    yield _port(deploy, name, fronts, machine)


def builder(instead: str = "") -> Iterator[Finding]:
    """Yield what is found of the engine that builds here what is deployed elsewhere."""
    from opdeploy.clients import docker

    what = HERE_BUILDS
    try:
        with docker.connected() as engine:
            about = engine.about()
    except OpdeployError as error:
        found = problem(what, error)
        yield Finding(what, "problem", found.said, f"{found.todo}{instead}")
        return
    yield Finding(what, "ok", f"{about.version}, {about.architecture}: it builds the images")
    yield from _program()


def _engine(what: str, about: About) -> Iterator[Finding]:
    said = f"{about.version}, {about.architecture}, {about.cpus} processors, {about.memory / _GB:.1f} GB of memory"
    yield Finding(what, "ok", said)
    if about.memory < _LEAST_MEMORY_GB * _GB:
        yield Finding("memory", "note", f"{about.memory / _GB:.1f} GB", "give the engine more")


def _program() -> Iterator[Finding]:
    if not shutil.which("docker"):
        todo = "install the docker command line for BuildKit, which builds faster"
        yield Finding("docker command line", "note", "is not there: images are built by the classic builder", todo)


def _disk(free: int) -> Finding:
    todo = "make room: docker system df tells what takes it" if free < _LEAST_DISK_GB * _GB else ""
    return Finding("disk", "note" if todo else "ok", f"{free / _GB:.1f} GB are free", todo)


def registry(deploy: Deploy) -> Iterator[Finding]:
    """Yield whether the registry answers, where one is named."""
    from opdeploy.clients.docker.registry import reach

    if not deploy.registry:
        return
    found = reach(deploy.registry)
    what = f"registry {found.host}"
    if found.why_not:
        yield Finding(what, "problem", f"does not answer: {found.why_not}", "check deploy.registry, and the network")
    elif found.is_asked and not found.logged_in:
        yield Finding(what, "note", "answers, and nobody has logged in", f"docker login {found.host}")
    else:
        yield Finding(what, "ok", "answers")


def _port(deploy: Deploy, name: str | None, fronts: list[Found], machine: Machine) -> Finding:
    host, port, _ = deploy.listening
    own = base(name) if name else None
    what = f"port {port} of {host}"
    there = ports.fronts_at(deploy, fronts)
    if own is None and there:
        return Finding(what, "note", f"{there[0].name} listens there", "another deployment needs another: --port")
    taken = ports.taken(deploy, own, fronts, machine)
    if taken:
        return Finding(what, "problem", *taken)
    return Finding(what, "ok", "this deployment has it" if there else "can be had")
