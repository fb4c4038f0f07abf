"""Whether what a deployment needs is here."""

from __future__ import annotations

import platform
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from opdeploy.deploy import clusters, engines, subscriptions
from opdeploy.deploy.finding import Finding, existing
from opdeploy.deploy.prepare import AZURE, CLUSTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from opdeploy.deploy_settings import Deploy

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
_EXAMINED: dict[str, Callable[[Deploy, str | None], Iterator[Finding]]] = {
    "local": engines.local,
    "vm": engines.vm,
    **dict.fromkeys(CLUSTER, clusters.cluster),
    **dict.fromkeys(AZURE, subscriptions.subscription),
}
"""What looks at a platform, by its id."""


def examined(deploy: Deploy, name: str | None, state: Path) -> list[Finding]:
    """Return what was found for a deployment, in the order in which it is to be mended."""
    return [_python(), *_packages(), _folder(state), *_EXAMINED[deploy.target or "local"](deploy, name)]


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
        with tempfile.TemporaryDirectory(dir=existing(state)):
            return Finding(what, "ok", "can be written")
    except OSError as error:
        return Finding(what, "missing", f"cannot be written: {error.strerror}", todo)
