"""How fast known models ran on known hardware, as others measured it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from opdeploy.market.sizes import GpuName, Sourced

Rate = Annotated[float, Field(gt=0)]


class Known(Sourced):
    """A model that others measured, on one GPU or on one core of a processor."""

    model: str
    gflops: Rate
    """For a record, two for each multiply-add."""
    on: GpuName | Literal["core"]
    precision: str
    rates: dict[int, Rate]
    """Records a second by the size of the batch."""
    grade: Literal["vendor", "chapter"]
