"""Whether what a deployment needs is here."""

from __future__ import annotations

import platform
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from typing import TYPE_CHECKING

from opdeploy.deploy import clusters, engines, subscriptions
from opdeploy.deploy.finding import Finding, existing
from opdeploy.deploy.prepare import AZURE, CLUSTER
from opdeploy.targets.aks.choice import in_azure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from opdeploy.deploy_settings import Deploy
    from opdeploy.workload import Workload

PACKAGES = {
    "local": (
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
    ),
    "azure": (
        "azure-identity",
        "azure-keyvault-secrets",
        "azure-mgmt-containerinstance",
        "azure-mgmt-containerservice",
        "azure-mgmt-resource",
        "azure-mgmt-web",
        "azure-storage-blob",
    ),
    "kubernetes": ("kubernetes",),
}
"""By the extra that they are of."""
_SHOWN = 2
"""Packages of an extra whose versions are told."""
_EXAMINED: dict[str, Callable[[Deploy, str | None], Iterator[Finding]]] = {
    "local": engines.local,
    "vm": engines.vm,
    **dict.fromkeys(CLUSTER, clusters.cluster),
}
"""What looks at a platform that is not made in Azure, by its id."""


def examined(deploy: Deploy, name: str | None, state: Path, workload: Workload | None = None) -> list[Finding]:
    """Return what was found for a deployment, in the order in which it is to be mended."""
    is_made = deploy.target in AZURE or deploy.makes_machine or in_azure(deploy)
    extras = ("local", "azure") if is_made else ("local",)
    if deploy.target in CLUSTER:
        extras = (*extras, "kubernetes")
    if is_made:
        found = subscriptions.subscription(deploy, workload, name, state)
    else:
        found = _EXAMINED[deploy.target or "local"](deploy, name)
    return [_python(), *chain.from_iterable(map(_packages, extras)), _folder(state), *found]


def _python() -> Finding:
    return Finding("Python", "ok", f"{platform.python_version()} at {sys.executable}")


def _packages(extra: str) -> Iterator[Finding]:
    found = {name: _version(name) for name in PACKAGES[extra]}
    missing = [name for name, installed in found.items() if installed is None]
    for name in missing:
        todo = f"install opdeploy with its extra: opdeploy[{extra}]"
        yield Finding(f"package {name}", "problem", "is not installed", todo)
    if not missing:
        shown = [f"{name} {installed}" for name, installed in found.items()][:_SHOWN]
        more = ", …" if len(found) > _SHOWN else ""
        yield Finding("packages", "ok", f"all {len(found)} of opdeploy[{extra}]: {', '.join(shown)}{more}")


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
        return Finding(what, "problem", f"cannot be written: {error.strerror}", todo)
