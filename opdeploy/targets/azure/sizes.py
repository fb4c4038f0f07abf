"""Sizes of machines in Azure: what their names tell, and until when they can be had. Pure."""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

_PARTS = re.compile(r"Standard_[A-Z]+[0-9]+(?:-[0-9]+)?([a-z]*)(?:_.*)?")
"""Family, processors, those that are left of them, and features, of which `p` is a processor of ARM
(learn.microsoft.com/azure/virtual-machines/vm-naming-conventions, read 2026-11-26)."""
_NVIDIA = re.compile(r"Standard_NC\d+[a-z]*_(T4|A100|H100)_v\d")
"""Sizes with GPUs whose driver is Ubuntu's own package. Those of NV and of RTX PRO 6000 take GRID's, which is no
package; those of ND a manager for their NVSwitch beside it; those of AMD are no NVIDIA's
(learn.microsoft.com/azure/virtual-machines/linux/n-series-driver-setup, of 2025-12-04, read 2026-11-26)."""
_GPU_EXAMPLE = "Standard_NC4as_T4_v3"


class Size(NamedTuple):
    """One size of machines."""

    name: str
    cpus: int
    memory_gib: int
    gpus: int = 0


CPU = tuple(Size(f"Standard_D{cpus}as_v5", cpus, 4 * cpus) for cpus in (2, 4, 8, 16, 32, 48, 64, 96))
GPU = (
    Size("Standard_NC4as_T4_v3", 4, 28, 1),
    Size("Standard_NC8as_T4_v3", 8, 56, 1),
    Size("Standard_NC16as_T4_v3", 16, 110, 1),
    Size("Standard_NC64as_T4_v3", 64, 440, 4),
)
"""Those of which one is chosen, or proposed, where none is named, the smallest first (MicrosoftDocs/azure-compute-docs:
dasv5-series, of 2026-03-09, and ncast4v3-series, of 2024-07-31, read 2026-11-26)."""


class Retired(NamedTuple):
    """Sizes that can be had no longer, from a day on."""

    pattern: str
    day: date
    instead: str


RETIRED = (
    Retired(r"NC(6|12|24r?)(_Promo)?", date(2023, 9, 6), "Standard_NC4as_T4_v3"),
    Retired(r"NC\d+rs?_v2|NC\d+s_v2", date(2023, 9, 6), "Standard_NC4as_T4_v3"),
    Retired(r"ND\d+rs|ND\d+s", date(2023, 9, 6), "Standard_NC4as_T4_v3"),
    Retired(r"NV(6|12|24)(_Promo)?", date(2023, 9, 6), "Standard_NC4as_T4_v3"),
    Retired(r"NC\d+r?s_v3", date(2025, 9, 30), "Standard_NC24ads_A100_v4, or Standard_NC4as_T4_v3"),
    Retired(r"NV\d+s_v3|NV\d+as_v4", date(2026, 9, 30), "Standard_NV6ads_A10_v5"),
    Retired(r"NP\d+s", date(2027, 5, 31), "Standard_NC4as_T4_v3"),
    Retired(r"DS?\d+(-\d+)?(_v2)?(_Promo)?", date(2028, 5, 1), "Standard_D2s_v5, of as many processors"),
    Retired(r"L\d+s", date(2028, 5, 1), "Standard_L8s_v3, of as many processors"),
    Retired(r"L\d+s_v2", date(2028, 11, 15), "Standard_L8s_v3, of as many processors"),
    Retired(r"B\d+[a-z]*", date(2028, 11, 15), "Standard_B2s_v2, of as many processors"),
    Retired(r"A\d+m?_v2", date(2028, 11, 15), "Standard_D2s_v5, of as many processors"),
    Retired(r"F\d+s?|F\d+s_v2", date(2028, 11, 15), "Standard_F2as_v6, of as many processors"),
    Retired(r"GS?\d+(-\d+)?", date(2028, 11, 15), "Standard_E2s_v5, of as many processors"),
)
"""MicrosoftDocs/azure-compute-docs: sizes/retirement/retired-sizes-list.md, ncv3-retirement.md and np-series.md, read
2026-11-26; the days in 2023 as Azure announced them."""


def retired(size: str) -> Retired | None:
    """Return since when, or from when on, a size cannot be had; None where nothing is announced."""
    name = size.removeprefix("Standard_")
    return next((item for item in RETIRED if re.fullmatch(item.pattern, name)), None)


def proposed(cpus: float, memory_gb: float, *, gpu: bool) -> str:
    """Return the smallest size that has room; the largest where none has, which another question refuses."""
    known = GPU if gpu else CPU
    fitting = (item for item in known if item.cpus >= cpus and item.memory_gib >= memory_gb)
    return next(fitting, known[-1]).name


def is_arm(size: str) -> bool:
    """Tell whether a size has processors of ARM."""
    found = _PARTS.fullmatch(size)
    return found is not None and "p" in found[1]


def refusals(size: str, day: date, *, gpu: bool) -> list[str]:
    """Return what keeps a machine of a size from being made, by its name, a sentence each with what to do."""
    gone = retired(size)
    said = []
    if gone and gone.day <= day:
        said.append(f"deploy.vm.size: {size} is retired since {gone.day}; take {gone.instead}")
    elif gpu and not _NVIDIA.fullmatch(size):
        said.append(
            f"deploy.vm.size: {size} has no GPU whose driver opdeploy installs; take one such as {_GPU_EXAMPLE}, or "
            "make the machine yourself, and name it with deploy.vm.host"
        )
    return said


def remarks(size: str, day: date) -> list[str]:
    """Return what is to be known of a size that can be had."""
    gone = retired(size)
    if gone is None or gone.day <= day:
        return []
    return [f"{size} is retired from {gone.day} on: {gone.instead} takes its place"]
