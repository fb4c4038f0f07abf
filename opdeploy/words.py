"""The words for a profile's figures that every view uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.platform import NameRule

if TYPE_CHECKING:
    from opdeploy.platform import Lifetime

LIMITS: dict[str, tuple[str, str]] = {
    "gpu": ("GPU", ""),
    "gpu_regions": ("regions with a GPU", ""),
    "cpus": ("processors of an instance", "vCPU"),
    "memory_gb": ("memory of an instance", "GB"),
    "timeout_s": ("longest request", "s"),
    "payload_mb": ("largest request", "MB"),
    "bandwidth_mb_per_s": ("bandwidth", "MB/s"),
    "requests_per_second": ("requests", "1/s"),
    "instances": ("instances", ""),
    "gflops_per_second": ("computation of an instance", "GFLOPs/s"),
    "scale_to_zero": ("scale to zero", ""),
    "cool_down_s": ("cool-down before zero", "s"),
    "cold_start_s": ("cold start", "s"),
    "private_network": ("private network", ""),
    "tls": ("TLS of its own", ""),
    "availability": ("availability", "%"),
    "name": ("name", ""),
}
"""What each limit is called, and its unit."""


def edition_and_day(edition: str, as_of: str) -> str:
    """Say for which edition and day an answer holds; the chapter's platforms do not change with the day."""
    return f"edition {edition}" + ("" if edition == "2018" else f", as of {as_of}")


def heading(limit: str) -> str:
    """Return what a limit is called, with its unit."""
    label, unit = LIMITS[limit]
    return f"{label} ({unit})" if unit else label


def plain(name: str) -> str:
    """Return a name of the catalogue as words."""
    return name.replace("_", " ")


def shown(value: object) -> str:
    """Write a figure for a person."""
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,.12g}"
    if isinstance(value, dict):
        value = tuple(f"{name} {shown(part)}" for name, part in value.items())
    if isinstance(value, (tuple, list)):
        return ", ".join(map(shown, value)) or "none"
    if isinstance(value, NameRule):
        return f"{value.min_length} to {value.max_length} characters: {value.pattern}"
    return str(value)


def living(lifetime: Lifetime | None) -> str:
    """Say how long a deployment should live to suit a platform."""
    if lifetime is None or (lifetime.at_least is None and lifetime.at_most is None):
        return "any"
    if lifetime.at_most is None:
        return f"{lifetime.at_least:g} days or more"
    if lifetime.at_least is None:
        return f"{lifetime.at_most:g} days or less"
    return f"{lifetime.at_least:g} to {lifetime.at_most:g} days"
