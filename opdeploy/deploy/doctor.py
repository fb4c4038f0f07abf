"""Whether what a deployment needs is here."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from opdeploy.deploy import ports
from opdeploy.deploy.locking import owner
from opdeploy.errors import OpdeployError
from opdeploy.targets.engine.names import base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.deploy_settings import Deploy
    from opdeploy.deployment import Found

PACKAGES = (
    "docker",
    "granian",
    "httptools",
    "msgspec",
    "multipart",
    "numpy",
    "onnx",
    "onnxruntime",
    "orjson",
    "prometheus-client",
    "psutil",
    "pyyaml",
    "sympy",
)
"""Those of the extra `local`."""
_GB = 1e9
_LEAST_DISK_GB = 3.0
"""An image of the CPU has 0.4 GB with its base, twice while it is built, and versions are kept."""
_LEAST_MEMORY_GB = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: Literal["ok", "note", "missing"]
    said: str
    todo: str = ""
    """What to do about it; nothing where all is well."""


def examined(deploy: Deploy, name: str | None, state: Path) -> list[Finding]:
    """Return what was found for a deployment, in the order in which it is to be mended."""
    return [_python(), *_packages(), _folder(state), *_engine(deploy, name)]


def _python() -> Finding:
    return Finding("Python", "ok", f"{platform.python_version()} at {sys.executable}")


def _packages() -> Iterator[Finding]:
    found = {name: _version(name) for name in PACKAGES}
    missing = [name for name, installed in found.items() if installed is None]
    for name in missing:
        yield Finding(
            f"package {name}", "missing", "is not installed", "install opdeploy with its extra: opdeploy[local]"
        )
    if not missing:
        said = f"all {len(found)} of opdeploy[local]: docker {found['docker']}, onnxruntime {found['onnxruntime']}, …"
        yield Finding("packages", "ok", said)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _folder(state: Path) -> Finding:
    what = f"folder {state}"
    todo = "name another with --state or deploy.state"
    try:  # rights alone do not tell, as of a file system that takes no files
        with tempfile.TemporaryDirectory(dir=_existing(state)):
            return Finding(what, "ok", "can be written")
    except OSError as error:
        return Finding(what, "missing", f"cannot be written: {error.strerror}", todo)


def _existing(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that is there."""
    return next((item for item in (folder, *folder.absolute().parents) if item.exists()), folder)


def _engine(deploy: Deploy, name: str | None) -> Iterator[Finding]:
    from opdeploy.clients import docker
    from opdeploy.clients.docker import here

    what = "Docker engine"
    try:
        here.require()
        with docker.connected() as engine:
            about = engine.about()
            fronts = engine.host(owner()).fronts()
    except OpdeployError as error:
        said, _, todo = str(error).rpartition("; ")
        yield Finding(what, "missing", said or str(error), todo or "start it")
        return
    said = f"{about.version}, {about.architecture}, {about.cpus} processors, {about.memory / _GB:.1f} GB of memory"
    yield Finding(what, "ok", said)
    if about.memory < _LEAST_MEMORY_GB * _GB:
        yield Finding("memory", "note", f"{about.memory / _GB:.1f} GB", "give the engine more")
    if not shutil.which("docker"):
        todo = "install the docker command line for BuildKit, which builds faster"
        yield Finding("docker command line", "note", "is not there: images are built by the classic builder", todo)
    free = shutil.disk_usage(_existing(Path(about.folder))).free / _GB
    todo = "make room: docker system df tells what takes it" if free < _LEAST_DISK_GB else ""
    yield Finding("disk", "note" if todo else "ok", f"{free:.1f} GB are free", todo)
    if deploy.registry:
        yield _registry(deploy.registry)
    yield _port(deploy, base(name) if name else None, fronts)


def _registry(registry: str) -> Finding:
    from opdeploy.clients.docker.registry import reach

    found = reach(registry)
    what = f"registry {found.host}"
    if found.why_not:
        return Finding(what, "missing", f"does not answer: {found.why_not}", "check deploy.registry, and the network")
    if found.is_asked and not found.logged_in:
        return Finding(what, "note", "answers, and nobody has logged in", f"docker login {found.host}")
    return Finding(what, "ok", "answers")


def _port(deploy: Deploy, own: str | None, fronts: list[Found]) -> Finding:
    host, port = ports.place(deploy)
    what = f"port {port} of {host}"
    there = ports.fronts_at(deploy, fronts)
    if own is None and there:
        return Finding(what, "note", f"{there[0].name} listens there", "another deployment needs another: --port")
    taken = ports.taken(deploy, own, fronts)
    if taken:
        return Finding(what, "missing", *taken)
    return Finding(what, "ok", "this deployment has it" if there else "can be had")
