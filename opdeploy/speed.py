"""How fast a model was seen to run: what `opdeploy model measure` and `opdeploy test-local` write, as values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

CPU = "CPUExecutionProvider"
MOST_POINTS = 128
"""Of a measurement: more than any sweep has."""
Positive = Annotated[float, Field(ge=1e-6, le=1e9)]
"""A rate, or a number of processors or milliseconds: what is beyond was never measured."""
Milliseconds = Annotated[float, Field(ge=1e-6, le=1e9)] | None
Count = Annotated[int, Field(ge=1, le=10**6)]
Cores = Annotated[int, Field(ge=1, le=1024)] | None


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has characters that cannot be printed")
    return text


Name = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
"""Text that is shown: nothing in it moves a cursor or turns lines round."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure that is not known exactly, and between what it is expected to lie."""

    value: float
    low: float
    high: float

    def times(self, factor: Estimate) -> Estimate:
        """Return the product with another one that has nothing to do with it."""
        return Estimate(self.value * factor.value, self.low * factor.low, self.high * factor.high)


class _Seen(BaseModel):
    """A part of a measurement; what is not needed here is passed over."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", allow_inf_nan=False, protected_namespaces=(), defer_build=True
    )


class Machine(_Seen):
    """The machine that was measured; None and empty are what it does not tell."""

    cpu: Name | None = None
    cores: Cores = None
    """Physical cores."""
    threads_per_core: Cores = None
    usable_cpus: Positive
    instruction_sets: tuple[Name, ...] = ()
    gpus: tuple[Name, ...] = ()
    size: Name | None = None
    """Of the cloud, where it is known."""


class Point(_Seen):
    """Runs of one batch size with one number of threads."""

    batch: Count
    threads: Count
    records_per_second: Positive
    low: Positive
    high: Positive
    latency_ms: dict[Name, Milliseconds]


class Carrying(_Seen):
    """What a request costs the server beside the run of the model: to receive, parse, answer and write it."""

    records: Count
    """In a request."""
    cpus: Positive
    """That the server had."""
    ms: Positive
    low: Positive
    high: Positive


class Run(_Seen):
    """What `opdeploy model measure` found."""

    kind: Literal["model"] = "model"
    date: Name
    model: Name
    sha256: Name
    provider: Name
    machine: Machine
    points: Annotated[tuple[Point, ...], Field(min_length=1, max_length=MOST_POINTS)]
    carrying: Annotated[tuple[Carrying, ...], Field(max_length=MOST_POINTS)] = ()


class Limits(_Seen):
    """What a server had."""

    cpus: Positive
    memory_gb: float | None = None
    target: Name | None = None


class Step(_Seen):
    """One step of load."""

    loop: Literal["closed", "open"]
    connections: int
    rate: float | None
    requests_per_second: float
    latency_ms: dict[Name, Milliseconds]
    cpu_ms_per_request: float


class Predicted(_Seen):
    """What was expected of a server before it was loaded, in requests a second."""

    value: Positive
    low: Positive
    high: Positive
    source: Annotated[str, Field(alias="from")]


class Served(_Seen):
    """What `opdeploy test-local` found."""

    kind: Literal["served"]
    date: Name
    model: Name
    sha256: Name
    runtime: Name
    provider: Name = CPU
    """As ONNX Runtime names them."""
    limits: Limits
    settings: dict[str, str]
    machine: Machine
    carried: Name
    records_per_request: Count
    slo_ms: float | None
    limit_ms: float
    requests_per_second: float | None
    """The highest rate that was kept."""
    capacity: Positive
    """Requests a second of the closed loop."""
    points: Annotated[tuple[Step, ...], Field(max_length=MOST_POINTS)]
    predicted: Predicted | None = None


Measured = Run | Served


class Variant(_Seen):
    """A form of the model: as it was made, or quantised."""

    name: str
    precision: str
    sha256: str
    speed_up: float | None = None
    """Against the reference, where it was verified."""
    instruction_sets: tuple[str, ...] = ()
    """Of the machine where it was verified."""
    accuracy: float | None = None
    reference_accuracy: float | None = None
    agreement: float | None = None
    """Share of the records with the same answer as the reference."""
    records: int = 0
    """On which that was judged."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """All that is known of how fast a model runs; the variants best first, the last one as it was made."""

    measured: tuple[Measured, ...] = ()
    variants: tuple[Variant, ...] = ()
    size_mb: float | None = None
    """Of the form of the model as it was made; None where no artefact tells."""
    images: bool = False
    """Whether its records are images that are decoded before it runs."""


def read(text: str, name: str) -> Measured:
    """Read a measurement from its JSON; `name` stands for it in errors. Raises InputError for what is none."""
    from pydantic import ValidationError

    try:
        value: Any = json.loads(text)
        kind = Served if isinstance(value, dict) and value.get("kind") == "served" else Run
        return kind.model_validate(value)
    except RecursionError:
        why = "is nested too deep"
    except ValueError as error:
        if isinstance(error, ValidationError):
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            said = first["msg"].lower().removeprefix("value error, ")
            why = f"{where}: {said}" if where else said
        else:
            why = f"is no JSON: {error}"
    raise InputError(f"{name}: is no measurement: {why}; make one with: opdeploy model measure MODEL -o json")


def of(measured: Iterable[Measured], sha256: str) -> tuple[Measured, ...]:
    """Return the measurements of one file."""
    return tuple(item for item in measured if item.sha256 == sha256)
