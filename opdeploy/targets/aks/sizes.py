"""Sizes of nodes: which one a pod fits on, and which are of no use. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from opdeploy.targets.azure.sizes import CPU, GPU, Size, retired

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date


SYSTEM = "Standard_D2as_v5"
"""Of the nodes that a cluster itself needs. Azure refuses one with a single processor (SystemPoolSkuTooLow:
MicrosoftDocs/azure-dev-docs, issue 216, of 2020-07-02), and takes two (MicrosoftDocs/azure-docs, issue 121181, of
2024-03-29), though learn.microsoft.com/azure/aks/use-system-pools, of 2026-04-30, asks for four; all read 2026-11-26.
Two are a choice: they cost half as much, and nothing of the deployment runs there."""
_BESIDE_CPUS = 0.4
"""Processors that what runs on every node beside the pods asks for: a choice, as no page has it, which leaves a pod
1.5 of a node's two."""
_FREE_MEMORY = 0.7
"""Share of a node's memory that pods may have: it keeps up to a quarter (learn.microsoft.com/azure/aks/
node-resource-reservations, of 2024-04-16, read 2026-11-26)."""
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
        if size.gpus >= gpus and size.cpus - _kept_cpus(size) >= cpus and memory >= memory_gb:
            return size.name
    return None


def _kept_cpus(size: Size) -> float:
    """Return the processors of a node that pods do not have.

    Kubernetes keeps 0.1 of 2, 0.14 of 4, 0.18 of 8, 0.26 of 16, 0.42 of 32 and 0.74 of 64
    (learn.microsoft.com/azure/aks/node-resource-reservations, of 2024-04-16, read 2026-11-26).
    """
    return _BESIDE_CPUS + min(0.06 + size.cpus / 50, 0.1 + size.cpus / 100)


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
