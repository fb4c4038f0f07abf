"""Describes the machine that something was measured on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from opdeploy.runtime.cpus import usable_cpus

INSTRUCTION_SETS = (
    *("avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_int8", "amx_bf16", "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2"),
)
"""Those that decide how fast a model runs, and how INT8 is added up, by the names that Linux has for them."""
VNNI = frozenset({"avx_vnni", "avx512_vnni"})
"""With one of them x86 adds products of INT8 up in 32 bits; without, sums of two may saturate at 16."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine; None and empty are what it does not tell."""

    cpu: str | None
    cores: int | None
    """Physical cores."""
    threads_per_core: int | None
    usable_cpus: float
    """Logical processors that this process may use, a container's limit included."""
    instruction_sets: tuple[str, ...]
    memory_gb: float
    gpus: tuple[str, ...]
    system: str
    size: str | None = None
    """Of the cloud, where it was told."""


def describe(size: str | None = None) -> Machine:
    """Describe this machine, of a size of the cloud where it is known; nothing is changed on it."""
    import psutil

    name, flags = _cpu()
    logical = psutil.cpu_count() or os.cpu_count() or 1
    cores = psutil.cpu_count(logical=False)
    return Machine(
        cpu=name,
        cores=cores,
        threads_per_core=logical // cores if cores else None,
        usable_cpus=usable_cpus(),
        instruction_sets=tuple(item for item in INSTRUCTION_SETS if item in flags),
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        gpus=_gpus(),
        system=f"{platform.system()} {platform.machine()}",
        size=size,
    )


def _cpu() -> tuple[str | None, frozenset[str]]:
    """Return the processor's name and its flags, as the system tells them."""
    if sys.platform == "darwin":
        said = _output("sysctl", "-n", "machdep.cpu.brand_string")
        # Every Apple processor has these; those of Intel name theirs otherwise, and are not made any more.
        return said or None, frozenset({"asimd", "asimdhp", "asimddp"} if platform.machine() == "arm64" else ())
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n", 1)[0].splitlines()
    except OSError:
        return platform.processor() or None, frozenset()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = facts.get("flags") or facts.get("Features") or ""
    return facts.get("model name") or None, frozenset(flags.split())


def _gpus() -> tuple[str, ...]:
    said = _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    return tuple(line.strip() for line in said.splitlines() if line.strip())


def _output(*command: str) -> str:
    """Return what a program prints; nothing where there is no such program, or it fails."""
    try:
        done = subprocess.run(command, capture_output=True, check=False, encoding="utf-8", timeout=10)  # noqa: S603  fixed
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
