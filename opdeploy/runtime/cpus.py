"""How much of the machine's processors this process may use."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def usable_cpus() -> float:
    """Return how many logical processors this process may use: its affinity, and the quota of its container."""
    count = logical_cpus()
    quota = _quota()
    return float(count) if quota is None else min(float(count), quota)


def logical_cpus() -> int:
    """Return how many logical processors this process may be scheduled on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limited_threads() -> int:
    """Return how many threads a run may have where a container's quota is below the machine; 0 where none is.

    With 0, ONNX Runtime takes one for each physical core, of the host and not of the container.
    """
    usable = usable_cpus()
    return max(1, int(usable)) if usable < (os.cpu_count() or 1) else 0


def _quota() -> float | None:
    """Return the quota of control groups, of version 2 or else 1, in processors; None where there is none."""
    try:
        quota, period = (_CGROUP / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            quota = (_CGROUP / "cpu/cpu.cfs_quota_us").read_text(encoding="ascii").strip()
            period = (_CGROUP / "cpu/cpu.cfs_period_us").read_text(encoding="ascii").strip()
        except OSError:
            return None
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() and int(quota) else None
