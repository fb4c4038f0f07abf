"""Workload profiles of Container Apps, and what of them a replica gets. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from opdeploy.errors import InputError

if TYPE_CHECKING:
    from opdeploy.deploy_settings import OnContainerApps
    from opdeploy.targets.base import Wanted

CONSUMPTION = "Consumption"
_GIB = 2**30 / 1e9
_STEP = 0.25
"""Processors between two sizes of a replica on Consumption, each with twice as many GiB."""


class Size(NamedTuple):
    """What a profile has."""

    cpus: int
    memory_gib: int
    gpu: bool = False
    dedicated: bool = False
    """Whether it is paid by the node, which several replicas share."""


SIZES: dict[str, Size] = {
    "Consumption": Size(4, 8),
    "Consumption-GPU-NC8as-T4": Size(8, 56, gpu=True),
    "Consumption-GPU-NC24-A100": Size(24, 220, gpu=True),
    "D4": Size(4, 16, dedicated=True),
    "D8": Size(8, 32, dedicated=True),
    "D16": Size(16, 64, dedicated=True),
    "D32": Size(32, 128, dedicated=True),
    "E4": Size(4, 32, dedicated=True),
    "E8": Size(8, 64, dedicated=True),
    "E16": Size(16, 128, dedicated=True),
    "E32": Size(32, 256, dedicated=True),
    "NC24-A100": Size(24, 220, gpu=True, dedicated=True),
}
"""learn.microsoft.com/azure/container-apps/workload-profiles-overview, "Profile types", read 2026-11-26."""
GPU = "Consumption-GPU-NC8as-T4"
"""The smallest that has one."""
REPLICAS = {False: 10, True: 1}
"""At most, where nothing is said, without a GPU and with one."""


class Replica(NamedTuple):
    """What one replica gets."""

    cpus: float
    memory: str
    """As Azure writes it, such as 1.5Gi."""


def profile(settings: OnContainerApps, *, gpu: bool) -> str:
    """Return the profile that is chosen."""
    return settings.profile or (GPU if gpu else CONSUMPTION)


def replica(wanted: Wanted) -> Replica:
    """Return what a replica gets: on Consumption the smallest pair with enough of both, on a GPU all there is.

    Raises InputError where a profile has not enough.
    """
    chosen = wanted.settings.container_apps
    name = profile(chosen, gpu=wanted.gpu)
    size = SIZES[name]
    memory_gib = wanted.memory_gb / _GIB
    if wanted.gpu and not size.gpu:
        raise InputError(f"deploy.container_apps.profile: {name} has no GPU; take {GPU}, or set hardware.gpu to none")
    cpus = chosen.cpus or (float(size.cpus) if size.gpu else 1.0)
    if cpus > size.cpus:
        raise InputError(
            f"deploy.container_apps.cpus: {cpus:g} are more than a replica on {name} has: {size.cpus}; take fewer, or "
            f"{_larger(cpus, memory_gib, gpu=size.gpu)}"
        )
    if memory_gib > size.memory_gib:
        raise InputError(
            f"hardware.memory_gb: {wanted.memory_gb:g} GB are more than a replica on {name} has: "
            f"{size.memory_gib} GiB; take less, or {_larger(cpus, memory_gib, gpu=size.gpu)}"
        )
    if size.gpu:
        return Replica(size.cpus, f"{size.memory_gib}Gi")
    if size.dedicated:
        return Replica(cpus, _written(math.ceil(memory_gib / _STEP) * _STEP))
    steps = max(math.ceil(cpus / _STEP), math.ceil(memory_gib / (2 * _STEP)))
    return Replica(steps * _STEP, _written(steps * 2 * _STEP))


def replicas(settings: OnContainerApps, *, gpu: bool) -> tuple[int, int]:
    """Return how many replicas there are at least and at most; raises InputError where they contradict each other."""
    least, most = settings.min_replicas or 0, settings.max_replicas
    most = most if most is not None else max(least, REPLICAS[gpu])
    if least > most:
        raise InputError(
            f"deploy.container_apps.min_replicas: {least} are more than max_replicas, {most}; take fewer, or allow more"
        )
    return least, most


def _larger(cpus: float, memory_gib: float, *, gpu: bool) -> str:
    """Say which profile would do."""
    fitting = (
        name for name, size in SIZES.items() if size.cpus >= cpus and size.memory_gib >= memory_gib and size.gpu == gpu
    )
    name = next(fitting, None)
    return f"deploy.container_apps.profile {name}" if name else "another platform: no profile has that much"


def _written(gib: float) -> str:
    return f"{gib:g}Gi"
