"""How many processors a run may use: the container's limit counts, not the host's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from opdeploy.runtime import cpus

if TYPE_CHECKING:
    from pathlib import Path

V2 = "cpu.max"
V1 = "cpu/cpu.cfs_quota_us"


@pytest.mark.parametrize(
    ("file", "content", "most"),
    [
        (V2, "max 100000", None),
        (V2, "150000 100000", 1.5),
        (V2, "50000 100000", 0.5),
        (V2, "", None),
        (V2, "nonsense", None),
        (V1, "-1\n", None),
        (V1, "50000\n", 0.5),
        (V1, "0\n", None),
    ],
)
def test_the_quota_of_a_container_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str, content: str, most: float | None
) -> None:
    """Where the control group, of either version, allows less than the processors there are, so much may be used."""
    (tmp_path / "cpu").mkdir()
    (tmp_path / file).write_text(content)
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    monkeypatch.setattr(cpus, "_CGROUP", tmp_path)
    free = float(len(os.sched_getaffinity(0)))
    assert cpus.usable_cpus() == (free if most is None else min(free, most))
    assert cpus.limited_threads() == (0 if most is None or most >= free else max(1, int(most)))
