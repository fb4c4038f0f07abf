"""One module for each platform: what to make there, as steps. Pure: no SDK, no I/O."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from opdeploy.errors import InputError, nearest

if TYPE_CHECKING:
    from opdeploy.deploy_settings import Deploy
    from opdeploy.targets.base import Target

_SHARED = {"aks", "azure", "base", "engine"}
"""Modules that are no platform's; `aks` takes the place of that of clusters where Azure has the cluster."""
_NO_CONTAINERS = {"webapp-windows": "runs no Linux image, which is what opdeploy builds; take webapp"}
"""Platforms that containers of ours do not run on, and why."""


def ids() -> dict[str, str]:
    """Return the module of each platform that can be deployed to, by the platform's id."""
    found = {}
    for module in iter_modules(__path__):
        if module.name not in _SHARED:
            for name in import_module(f"{__name__}.{module.name}").TARGET.ids:
                found[name] = module.name
    return dict(sorted(found.items()))


def find(name: str, source: str = "--target", settings: Deploy | None = None) -> Target:
    """Return the target with an id, as settings want it; raises InputError where opdeploy does not deploy to it."""
    known = ids()
    if why := _NO_CONTAINERS.get(name):
        raise InputError(f"{source}: {name}: {why}")
    if name not in known:
        raise InputError(f"{source}: opdeploy does not deploy to {name}{nearest(name, [*known])}")
    module = import_module(f"{__name__}.{known[name]}")
    if settings and settings.makes_machine:
        module_made: Target = module.MADE
        return module_made
    if settings:
        from opdeploy.targets import aks

        if aks.in_azure(settings):
            return aks.MANAGED
    target: Target = module.TARGET
    return target
