"""Sizes of nodes: which one a pod fits on, and which are of no use. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from opdeploy.targets.azure.sizes import retired

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date


class Size(NamedTuple):
    """One size of machines."""

    name: str
    cpus: int
    memory_gib: int
    gpus: int = 0


SYSTEM = "Standard_D2as_v5"
"""Of the nodes that a cluster itself needs: of two processors and 4 GB at least (learn.microsoft.com/azure/aks/
use-system-pools)."""
CPU = tuple(Size(f"Standard_D{cpus}as_v5", cpus, 4 * cpus) for cpus in (2, 4, 8, 16, 32, 48, 64, 96))
GPU = (
    Size("Standard_NC4as_T4_v3", 4, 28, 1),
    Size("Standard_NC8as_T4_v3", 8, 56, 1),
    Size("Standard_NC16as_T4_v3", 16, 110, 1),
    Size("Standard_NC64as_T4_v3", 64, 440, 4),
)
"""Those of which one is chosen where none is named, the smallest first (azure-compute-docs, dasv5-series and
ncast4v3-series)."""
_OWN_CPUS = 0.5
"""Processors of a node that Kubernetes and what runs beside the pods keep to themselves, at most."""
_FREE_MEMORY = 0.7
"""Share of a node's memory that pods may have: it keeps up to a quarter (learn.microsoft.com/azure/aks/
node-resource-reservations)."""
_GPU = re.compile("Standard_N[CDV]")
_T4 = "Standard_NC4as_T4_v3"
_A10 = "Standard_NV36ads_A10_v5"
_UNUSED = (
    (r"Standard_NP\d+s", "has FPGAs, and no GPU", _T4),
    (r"Standard_NV\d+ads_V710_v5", "has a GPU of AMD, for which there is no image", _A10),
    (r"Standard_[AB]\d?1m?(l?s)?(_v\d)?", "has one processor, and a node needs two", "Standard_D2as_v5"),
)


def fitting(cpus: float, memory_gb: float, gpus: int) -> str | None:
    """Return the smallest size whose nodes have room for a pod; None where none of those that are chosen from has."""
    for size in GPU if gpus else CPU:
        memory = size.memory_gib * 1.073741824 * _FREE_MEMORY
        if size.gpus >= gpus and size.cpus - _OWN_CPUS >= cpus and memory >= memory_gb:
            return size.name
    return None


def has_gpu(size: str) -> bool:
    """Tell whether machines of a size have GPUs."""
    return bool(_GPU.match(size))


def wrong(size: str, day: date, *, gpu: bool) -> Iterator[str]:
    """Yield why nodes cannot be of a size on a day, with another."""
    gone = retired(size)
    if gone and gone.day <= day:
        yield f"{size}: is retired since {gone.day}; take {gone.instead}"
        return
    for form, why, instead in _UNUSED:
        if re.fullmatch(form, size):
            yield f"{size}: {why}; take {instead}"
            return
    if gpu and not has_gpu(size):
        yield f"{size}: has no GPU; take one such as {_T4}, or deploy to aks-cpu"
    elif not gpu and has_gpu(size):
        yield f"{size}: has GPUs, which nothing would use; take one such as Standard_D4as_v5, or deploy to aks-gpu"
