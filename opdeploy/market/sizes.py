"""Sizes of machines and containers, and the hardware behind them: every figure with its source and date."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from opdeploy.frozen import Frozen

Day = date
"""`date` by a name that the field `date` of a source does not take."""
GpuName = Literal["T4", "A10", "A100", "H100"]
Units = dict[str, Annotated[float, Field(gt=0)]]
"""Units of meters, by the meter."""


class Sourced(Frozen):
    """Where figures come from."""

    source: Annotated[str, Field(min_length=1)]
    date: Annotated[str, Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")]


class Generation(Sourced):
    """A generation of processors."""

    title: str
    instruction_sets: tuple[str, ...]
    """By the names that Linux has for them."""


class Gpu(Sourced):
    """A GPU; its computing power without sparsity, in 10^12 operations a second."""

    title: str
    fp32_tflops: float
    fp16_tflops: float
    int8_tops: float
    memory_gb: float


class Shape(Frozen):
    """What tells the sizes of a series apart, and what meters one instance turns."""

    vcpus: Annotated[float, Field(gt=0)]
    memory_gib: Annotated[float, Field(gt=0)]
    gpus: Annotated[float, Field(gt=0)] = 1.0
    """Of the series' GPU, where it has one; less than 1 is a part."""
    hourly: Units | None = None
    """Units of meters in an hour; None: one of the meter of the machine."""
    spot_hourly: Units | None = None
    """The same of capacity that may be taken away; None: as for `hourly`, and nothing where that is given."""
    idle_hourly: Units | None = None
    """The same while it is up and does nothing; None: as at work."""
    fixed_hourly: Annotated[Units, Field(default_factory=dict)]
    """Once for all instances."""


class Series(Sourced):
    """Sizes with the same hardware behind them."""

    id: str
    processors: tuple[str, ...] = ()
    """Generations of which any may serve an instance; empty where nothing says."""
    threads_per_core: Literal[1, 2] = 2
    """Where nothing is known, two: the worse case."""
    baseline: Annotated[float | None, Field(gt=0, lt=1)] = None
    """Share of its processors that a burstable size has for long."""
    gpu: GpuName | None = None
    instances: Annotated[int | None, Field(ge=1)] = None
    """At most; None where only the platform limits them."""
    regions: tuple[str, ...] | None = None
    """The only ones where it is to be had; None where nothing says."""
    retires: date | None = None
    note: str | None = None
    sizes: dict[str, Shape]


class Hardware(Frozen):
    """All sizes."""

    generations: dict[str, Generation]
    gpus: dict[GpuName, Gpu]
    series: tuple[Series, ...]

    def sizes(self) -> dict[str, Size]:
        """Return the sizes by name."""
        return {
            name: Size(
                id=name,
                shape=shape,
                series=series,
                processors=tuple(self.generations[each] for each in series.processors),
                gpu=self.gpus[series.gpu] if series.gpu else None,
            )
            for series in self.series
            for name, shape in series.sizes.items()
        }


class Size(Frozen):
    """One size, with all that is known of it."""

    id: str
    shape: Shape
    series: Series
    processors: tuple[Generation, ...]
    gpu: Gpu | None

    @property
    def cores(self) -> float:
        """Physical cores, or the share of one."""
        return self.shape.vcpus / self.series.threads_per_core

    @property
    def gpus(self) -> float:
        """GPUs, or the share of one; 0 for none."""
        return self.shape.gpus if self.gpu else 0.0

    @property
    def hourly(self) -> Units:
        """Units of meters that an instance turns in an hour."""
        return self.shape.hourly or {f"vm/{self.id}": 1.0}

    @property
    def spot_hourly(self) -> Units | None:
        """The same of capacity that may be taken away; None where there is none."""
        if self.shape.spot_hourly or self.shape.hourly:
            return self.shape.spot_hourly
        return {f"vm-spot/{self.id}": 1.0}

    @property
    def idle_hourly(self) -> Units:
        """The same while it is up and does nothing."""
        return self.shape.idle_hourly or self.hourly

    def retired(self, day: Day) -> bool:
        """Tell whether it cannot be had any more on a day."""
        return self.series.retires is not None and day >= self.series.retires
