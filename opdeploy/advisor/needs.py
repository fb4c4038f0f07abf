"""What a workload demands, with every default filled in and listed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from opdeploy.advisor.load import Job, Load
from opdeploy.fields import seconds
from opdeploy.recommendation import Assumption
from opdeploy.workload import (
    BATCH,
    HOME_OF_SERVICE,
    NEURAL,
    ONLINE,
    PLACES,
    USUAL_LOCATION,
    USUAL_SERVICE,
)

if TYPE_CHECKING:
    from opdeploy.workload import Framework, Location, Pattern, Service, Shape, Skill, Stage, Workload

T = TypeVar("T")

SHORT_LIFETIME_S = 7 * 86400
"""A deployment that lives less than this is taken for a demonstration when the stage is not given."""
GFLOPS_PER_MB = 0.1
"""ResNet-152: 23 GFLOPs per image and 240 MB of 32-bit weights."""
TREE_GFLOPS = 0.001
"""A model that is no neural network: so little that it decides nothing."""
LEAST_GFLOPS = 0.0001
"""Of a record: calling a model at all costs as much."""
GPU_FROM_GFLOPS = 1.0
"""From this cost per record on a GPU is preferred: a judgement. The chapter's 20-core machine makes 7 x 23 a second."""
TIGHT_P95_S = 0.1
LOOSE_P95_S = 10.0


@dataclass(frozen=True, slots=True)
class Needs:
    """What a workload demands of a platform."""

    pattern: Pattern
    place: float
    model_name: str | None
    gflops_per_second: float
    """What the peak, or a run within its window, computes."""
    gflops: float
    """Of one record."""
    size_mb: float
    """Of the model."""
    load: Load
    job: Job | None
    """The run, of batch work."""
    availability: float | None
    spark: bool
    location: Location
    service: Service | None
    size_gb: float
    sensitive: bool
    may_move: bool
    gpu: Literal["required", "preferred", "none"]
    memory_gb: float
    stage: Stage
    lifetime_days: float
    knows: frozenset[Skill]
    region: str | None
    budget_usd: float | None
    """A month."""
    private_network: bool
    only: frozenset[str]
    never: frozenset[str]

    @property
    def online(self) -> bool:
        """Whether somebody waits for each answer at an endpoint."""
        return self.pattern in ONLINE

    @property
    def batch(self) -> bool:
        """Whether one run scores many records."""
        return self.pattern in BATCH


class _Notes:
    """Fills in what the workload file leaves open, and remembers it."""

    def __init__(self) -> None:
        self.assumptions: list[Assumption] = []
        self.warnings: list[str] = []

    def take(self, field: str, given: T | None, default: T, why: str) -> T:
        """Return what is given, else the default, which is listed."""
        return given if given is not None else self.derive(field, default, why)

    def derive(self, field: str, value: T, why: str) -> T:
        """List something that was assumed or derived, and return it."""
        self.assumptions.append(Assumption(field, value, why))
        return value

    def warn(self, field: str, value: object, why: str) -> None:
        """List something in the file that does not count, and say so aloud."""
        self.assumptions.append(Assumption(field, value, why))
        self.warnings.append(f"{field}: {why}")


def assess(workload: Workload, size_on_disk_mb: float | None) -> tuple[Needs, tuple[Assumption, ...], tuple[str, ...]]:
    """Return what a workload demands, what was assumed on the way, and warnings.

    `size_on_disk_mb` is the size of the model file, where there is one.
    """
    notes = _Notes()
    pattern = workload.serving.pattern
    size_mb, gflops = _model(workload, size_on_disk_mb, notes)
    load = _load(workload, notes)
    spark = notes.take("batch.needs", workload.batch.needs, "none", "no engine is asked for") == "spark"
    job = _job(workload, notes) if pattern in BATCH else None
    _say_what_does_not_bear(workload, notes)
    location, service = _home(workload, notes)
    lifetime_days = _lifetime_days(workload, notes)
    stage = _stage(workload, lifetime_days, notes)
    sensitivity = notes.take("data.sensitivity", workload.data.sensitivity, "internal", "the usual case")
    knows = workload.team.knows or notes.derive("team.knows", (), "unknown, so that no skill counts against a platform")
    _say_what_has_no_bound(workload, notes)
    private = workload.constraints.private_network
    return (
        Needs(
            pattern=pattern,
            place=_place(pattern, load),
            model_name=workload.model.path,
            gflops_per_second=gflops * (job.records / job.window_s if job else load.peak * load.records_per_request),
            gflops=gflops,
            size_mb=size_mb,
            load=load,
            job=job,
            availability=workload.serving.availability,
            spark=spark,
            location=location,
            service=service,
            size_gb=_size_gb(workload, job, notes),
            sensitive=sensitivity in ("confidential", "regulated"),
            may_move=notes.take("data.may_move", workload.data.may_move, True, "nothing forbids it"),  # noqa: FBT003
            gpu=_gpu(workload, gflops, notes),
            memory_gb=_memory_gb(workload, size_mb, notes),
            stage=stage,
            lifetime_days=lifetime_days,
            knows=frozenset(knows),
            region=workload.region,
            budget_usd=workload.budget.monthly_usd,
            private_network=notes.take("constraints.private_network", private, False, "no demand"),  # noqa: FBT003
            only=frozenset(workload.constraints.only),
            never=frozenset(workload.constraints.never),
        ),
        tuple(notes.assumptions),
        tuple(notes.warnings),
    )


def _say_what_has_no_bound(workload: Workload, notes: _Notes) -> None:
    if workload.budget.monthly_usd is None:
        notes.derive("budget.monthly_usd", None, "no bound")
    if workload.region is None:
        notes.derive("region", None, "no region is given: regional offers are not checked")


def _size_gb(workload: Workload, job: Job | None, notes: _Notes) -> float:
    why = "records x record size" if job else "it comes with the requests, or is small"
    return notes.take("data.size_gb", workload.data.size_gb, job.records * job.record_mb / 1000 if job else 1.0, why)


def _memory_gb(workload: Workload, size_mb: float, notes: _Notes) -> float:
    why = "one and a half times the model's size, at least 1 GB"
    return notes.take("hardware.memory_gb", workload.hardware.memory_gb, max(1.0, 1.5 * size_mb / 1000), why)


def _model(workload: Workload, size_on_disk_mb: float | None, notes: _Notes) -> tuple[float, float]:
    """Return size in MB and cost of a record in GFLOPs."""
    model = workload.model
    framework: Framework = notes.take("model.framework", model.framework, "onnx", "every target runs ONNX")
    if model.size_mb is None:
        why = "size of the model file" if size_on_disk_mb else "a usual convolutional network"
        size_mb = notes.derive("model.size_mb", size_on_disk_mb or 100.0, why)
    else:
        size_mb = model.size_mb
        if size_on_disk_mb is not None and not 0.9 <= size_on_disk_mb / size_mb <= 1.1:  # noqa: PLR2004  rounding
            notes.warn("model.size_mb", size_mb, f"as declared, although the file has {size_on_disk_mb:.3g} MB")
    if framework in NEURAL:
        default = max(round(GFLOPS_PER_MB * size_mb, 4), LEAST_GFLOPS)
        why = f"{GFLOPS_PER_MB} per MB of weights, as ResNet-152 has it"
    else:
        default, why = TREE_GFLOPS, f"{framework} models compute little"
    return size_mb, notes.take("model.gflops", model.gflops, default, why)


def _load(workload: Workload, notes: _Notes) -> Load:
    serving = workload.serving
    if serving.pattern not in ONLINE:
        notes = _Notes()  # what does not bear on the pattern is no assumption
    requests, traffic = serving.requests_per_second, serving.traffic
    small = 1.0 if requests.peak is None else min(1.0, requests.peak)
    average = notes.take("serving.requests_per_second.average", requests.average, small, "a small service")
    peak = notes.take("serving.requests_per_second.peak", requests.peak, 3 * average, "three times the average")
    shape: Shape = notes.take("serving.traffic.shape", traffic.shape, "steady", "spread evenly over the day")
    bursts, minutes = traffic.bursts_per_day or 2.0, traffic.burst_minutes or 10.0
    if shape == "bursts":
        notes.take("serving.traffic.bursts_per_day", traffic.bursts_per_day, bursts, "morning and evening")
        notes.take("serving.traffic.burst_minutes", traffic.burst_minutes, minutes, "a short burst")
    if serving.latency_ms.p95 is None:
        notes.derive(
            "serving.latency_ms.p95", None, "no bound is given: time-outs and cold starts are not held against it"
        )
    if serving.availability is None:
        notes.derive("serving.availability", None, "no demand")
    records = notes.take("serving.records_per_request", serving.records_per_request, 1, "one record in a request")
    if serving.max_payload_mb is None:
        notes.derive("serving.max_payload_mb", None, "none is given: payload and bandwidth are not checked")
    p95 = serving.latency_ms.p95
    return Load(average, peak, records, serving.max_payload_mb, shape, bursts, minutes * 60, p95 and p95 / 1000)


def _job(workload: Workload, notes: _Notes) -> Job:
    batch = workload.batch
    records = notes.take("batch.records", batch.records, 100_000, "a run of medium size")
    record_mb = notes.take("batch.record_mb", batch.record_mb, 0.1, "a picture or a page of values")
    every = notes.take("batch.every", batch.every, "24h", "daily")
    window = notes.take("batch.window", batch.window, every, "done before the next run starts")
    if seconds(window) > seconds(every):
        notes.warn("batch.window", window, f"longer than batch.every: a run must end before the next one, in {every}")
    return Job(records, record_mb, seconds(every), min(seconds(window), seconds(every)))


def _say_what_does_not_bear(workload: Workload, notes: _Notes) -> None:
    """Warn of keys that the pattern does not use."""
    pattern = workload.serving.pattern
    if pattern in ONLINE:
        name, section, used = "batch", workload.batch.model_dump(exclude_unset=True), {"needs"}
    elif pattern in BATCH:
        name, section, used = "serving", workload.serving.model_dump(exclude_unset=True), {"pattern", "availability"}
    else:
        return
    for key in sorted(section.keys() - used):
        notes.warn(f"{name}.{key}", section[key], f"ignored: it does not bear on {pattern}")


def _home(workload: Workload, notes: _Notes) -> tuple[Location, Service | None]:
    """Return where the data is, and in which database service."""
    data = workload.data
    pattern = workload.serving.pattern
    usual = HOME_OF_SERVICE[data.service] if data.service else USUAL_LOCATION[pattern]
    why = f"{data.service} is there" if data.service else f"usual for {pattern}"
    location = notes.take("data.location", data.location, usual, why)
    if data.service and HOME_OF_SERVICE[data.service] != location:
        notes.warn("data.service", data.service, f"ignored: the data is in {location}")
        return location, None
    usual_service = USUAL_SERVICE.get(location)
    if usual_service is None:
        return location, None
    return location, notes.take("data.service", data.service, usual_service, f"usual for {location}")


def _lifetime_days(workload: Workload, notes: _Notes) -> float:
    if workload.lifetime is None:
        notes.derive("lifetime", None, "no end is given: for good")
        return math.inf
    return seconds(workload.lifetime) / 86400


def _stage(workload: Workload, lifetime_days: float, notes: _Notes) -> Stage:
    if lifetime_days * 86400 < SHORT_LIFETIME_S:
        return notes.take("stage", workload.stage, "demo", "it lives for less than a week")
    return notes.take("stage", workload.stage, "production", "the case that demands most")


def _gpu(workload: Workload, gflops: float, notes: _Notes) -> Literal["required", "preferred", "none"]:
    given = workload.hardware.gpu
    if given is not None and given != "auto":
        return given
    if gflops >= GPU_FROM_GFLOPS:
        return notes.derive(
            "hardware.gpu", "preferred", f"auto: a record costs {gflops:g} GFLOPs, {GPU_FROM_GFLOPS:g} or more"
        )
    return notes.derive(
        "hardware.gpu", "none", f"auto: a record costs {gflops:g} GFLOPs, less than {GPU_FROM_GFLOPS:g}"
    )


def _place(pattern: Pattern, load: Load) -> float:
    """Return the workload's place on the continuum: its pattern's, moved by a tight or loose latency bound."""
    if pattern not in ONLINE or load.p95_s is None:
        return PLACES[pattern]
    shift = 0.1 if load.p95_s <= TIGHT_P95_S else -0.15 if load.p95_s >= LOOSE_P95_S else 0.0
    return PLACES[pattern] + shift
