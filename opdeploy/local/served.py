"""What was measured of a server under load: the document that is printed as JSON, and kept in the artefact.

It differs from what `opdeploy model measure` writes, which is of the model alone: `kind` tells them apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opdeploy.artifact.machine import Machine
    from opdeploy.loadtest.curve import Point
    from opdeploy.local.answers import Asked
    from opdeploy.local.predicted import Predicted

Runtime = Literal["docker", "process"]
Carried = Literal["tensors", "records"]
"""What requests carry: the model's tensors, or records that the server prepares."""
PREFIX = "served-"
"""Starts the names of these documents among an artefact's measurements."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server may use."""

    cpus: float
    """Processors."""
    memory_gb: float | None
    """GB (10^9 bytes); None where nothing limits it."""
    target: str | None
    """The platform whose limits these are within; None where none was named."""
    unknown: list[str] = field(default_factory=list)
    """Those of the fields above that the platform is not known to limit."""


@dataclass(frozen=True, slots=True)
class Image:
    """The image that was run."""

    id: str
    """As the engine names it, `sha256:` and 64 hexadecimal digits."""
    size_mb: float
    """All layers uncompressed, those of the base included, in MB (10^6 bytes)."""
    build_s: float
    name: str | None = None
    """By which it is found in the engine where it was kept."""


@dataclass(frozen=True, slots=True)
class Served:
    """A measurement of a server."""

    kind: Literal["served"]
    format: Literal[1]
    date: str
    model: str
    """Name of the variant, or of the ONNX file."""
    sha256: str
    """Of the ONNX file that ran."""
    runtime: Runtime
    limits: Limits
    settings: dict[str, str]
    """Variables of the server; those that are not named have their defaults."""
    machine: Machine
    onnxruntime: str
    opdeploy: str
    max_batch: int | None
    """Records of concurrent requests that the server computes together at most."""
    data: str
    carried: Carried
    records_per_request: int
    image: Image | None
    ready_s: float
    """From the start of the process or container to the first answer that it is ready."""
    golden: list[Asked]
    peak_memory_mb: float
    """Of the server, in MB (10^6 bytes)."""
    slo_ms: float | None
    """p95 that was wanted."""
    limit_ms: float
    """p95 up to which a rate counts as kept: `slo_ms`, else five times that of one client."""
    requests_per_second: float | None
    """The highest rate that was kept, throughput at the SLO where there is one; None where none was."""
    capacity: float
    """Best throughput of the closed loop, in requests a second, whatever the latency."""
    knee: Point | None
    """The step of the highest rate that was kept."""
    finished: bool
    """Whether that rate was found and confirmed before the time of the load was over."""
    points: list[Point]
    other_cpus: float
    """Processors that other processes of this machine kept busy during the load, on average."""
    predicted: Predicted | None = None
    provider: str = "CPUExecutionProvider"
    """What ran the model, as ONNX Runtime names it."""
    """What `capacity` was expected to be; None where nothing was known."""


def name_of(found: Served) -> str:
    """Return the name of a measurement: the same for the same runtime, size, limits, requests, settings and goal."""
    limits = found.limits
    memory = None if limits.memory_gb is None else f"{limits.memory_gb:g}gb"
    carried = None if found.carried == "tensors" else found.carried
    many = None if found.records_per_request == 1 else f"{found.records_per_request}each"
    wanted = None if found.slo_ms is None else f"slo{found.slo_ms:g}ms"
    set_up = _hash(found.settings) if found.settings else None
    where = (f"{PREFIX}{found.runtime}", limits.target, found.machine.size)
    parts = (*where, f"{limits.cpus:g}cpu", memory, carried, many, wanted, set_up)
    return "-".join(part for part in parts if part)


def _hash(settings: Mapping[str, str]) -> str:
    """Return what tells settings from others: values are a user's, and are no name of a file."""
    import hashlib
    import json

    return f"set{hashlib.sha256(json.dumps(sorted(settings.items())).encode()).hexdigest()[:8]}"
