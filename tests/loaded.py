"""What commands that are forked (tests/warm.py) find done already: modules are loaded, models built, profiles read."""

from __future__ import annotations

import pkgutil
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

import opdeploy
from opdeploy.catalogue import load_catalogue
from opdeploy.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHERS = (
    "azure.core.rest._requests_basic",
    "azure.identity",
    "azure.identity._internal.managed_identity_client",
    "azure.keyvault.secrets",
    "azure.mgmt.containerinstance",
    "azure.mgmt.containerservice",
    "azure.mgmt.resource.resources",
    "azure.mgmt.web",
    "azure.storage.blob",
    "docker",
    "jinja2",
    "kubernetes.client",
    "kubernetes.config",
    "msal",
    "msal_extensions",
    "numpy",
    "onnx",
    "onnxruntime",
    "requests",
    "rich.console",
    "rich.table",
    "yaml",
)
"""Of other packages, where they are installed."""
OWN = ("opdeploy.advisor", "opdeploy.cli", "opdeploy.clients", "opdeploy.deploy", "opdeploy.targets", "opdeploy.ui")


def _kinds(of: type[Frozen]) -> Iterator[type[Frozen]]:
    for kind in of.__subclasses__():
        yield kind
        yield from _kinds(kind)


for _name in (*OTHERS, *(item.name for item in pkgutil.walk_packages(opdeploy.__path__, "opdeploy."))):
    if not _name.startswith("opdeploy.") or _name.startswith(OWN):
        with suppress(ImportError):
            import_module(_name)
load_catalogue()
for _kind in [*_kinds(Frozen)]:
    _kind.model_rebuild()
