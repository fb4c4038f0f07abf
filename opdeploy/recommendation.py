"""The answer of `recommend`. Its fields are the JSON that the command prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from opdeploy.platform import Grade

Status = Literal["recommended", "tie", "no-viable-platform", "out-of-scope"]


@dataclass(frozen=True, slots=True)
class Assumption:
    """A value that the workload file does not give, and why it was taken."""

    field: str
    value: object
    why: str


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one criterion adds to a score: `points` are weight x rating in hundredths of the sum of weights."""

    criterion: str
    weight: float
    rating: float
    points: float
    why: str
    grade: Grade


Basis = Literal["measured", "scaled", "vendor", "chapter", "estimate"]
"""How good a capacity is, best first: measured on that size; elsewhere, and carried over; a vendor's figure of this
model; the chapter's; estimated from floating-point operations, and provisional."""


@dataclass(frozen=True, slots=True)
class Branch:
    """The capacity where some generations of processors serve a size."""

    processors: tuple[str, ...]
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one instance carries, for certain between `low` and `high`; of several branches the slowest counts."""

    value: float
    low: float
    high: float
    unit: Literal["requests/s", "records/s"]
    """Requests that keep the latency, with headroom; records of a run."""
    grade: Basis
    branches: tuple[Branch, ...]
    """Where a size may be served by processors that differ; else empty."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """The instances that a workload takes on a platform."""

    size: str
    count: int
    """At the peak, or in a run; those that stand by included."""
    capacity: Capacity
    p95_ms: float | None
    """Of an endpoint, at the peak and without those that stand by."""
    run_s: float | None
    """Of a run, from its start to its end."""
    spare: int
    """Of `count`, those that stand by."""
    least: int
    """Instances that stay up without load."""
    in_flight: float | None
    """Requests under way at one instance that carries as much as it should: the target of an autoscaler."""
    spot: bool
    """Whether it is capacity that may be taken away."""
    instance_hours: float
    """In a month."""
    variant: str | None
    """The form of the model; None where nothing is known of its forms."""
    why: tuple[str, ...]


CostStatus = Literal["complete", "borrowed", "partial"]


@dataclass(frozen=True, slots=True)
class Line:
    """Units of one meter in a month, and what they cost; `price` is that of one unit, `region` where it holds."""

    meter: str
    quantity: float
    unit: str
    price: float
    usd: float
    region: str
    source: str
    date: str | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a month costs, in US dollars.

    `complete`: every line has a price of the region. `borrowed`: some have that of another one. `partial`: what
    `missing` names has no price, so that the total is a lower bound, and `high` is None.
    """

    monthly_usd: float
    low: float
    high: float | None
    status: CostStatus
    lines: tuple[Line, ...]
    missing: tuple[str, ...]
    per_million_records: float | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A platform that can run the workload; `score` is 0 to 100, and the sum of the points."""

    platform: str
    score: float
    sizing: Sizing | None
    """None where it has no sizes, or nothing is known of them."""
    cost: Cost | None
    contributions: tuple[Contribution, ...]
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """A constraint that a platform does not meet, and what in the workload would have to change."""

    constraint: str
    text: str
    would_need: str

    @property
    def short(self) -> str:
        """The text up to its explanation."""
        return self.text.split(":")[0].rstrip(".")


@dataclass(frozen=True, slots=True)
class Excluded:
    """A platform that cannot run the workload."""

    platform: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Flip:
    """The raw weight past which another platform leads, when this weight alone changes.

    A criterion whose weight never changes the lead stands twice, up and down, with `at` and `new_best` None.
    """

    criterion: str
    weight: float
    at: float | None
    direction: Literal["up", "down"]
    new_best: str | None


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How firm the order is: share of random weightings that each platform wins, and where the best one changes."""

    win_share: dict[str, float]
    flips: tuple[Flip, ...]


@dataclass(frozen=True, slots=True)
class BreakEven:
    """The load, as a multiple of that of the workload, from which one platform costs less than another."""

    cheaper: str
    than: str
    above: float


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The whole answer. Every platform of the edition is in exactly one of `ranked` and `excluded`."""

    workload: str
    edition: str
    as_of: str
    inputs: str
    """Hash of all that it hangs on but for the version of opdeploy: `sha256:` and 64 digits."""
    status: Status
    best: str | None
    ranked: tuple[Ranked, ...]
    excluded: tuple[Excluded, ...]
    ties: tuple[str, ...]
    region: str | None
    """Where prices hold; None in an edition without them."""
    pareto: tuple[str, ...]
    """Platforms than which none costs less and answers sooner."""
    break_even: tuple[BreakEven, ...]
    notes: tuple[str, ...]
    """What else capacity and cost tell: that no GPU is needed, or how to make firm what is provisional."""
    sensitivity: Sensitivity
    assumptions: tuple[Assumption, ...]
