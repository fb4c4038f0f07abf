"""A platform as one edition of the catalogue describes it: every figure with its source, date, grade and reason."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from opdeploy.frozen import Frozen
from opdeploy.workload import CRITERIA, Criterion, Location, Pattern, Service, Skill, Stage

Edition = Literal["2018", "2026"]
EDITIONS: tuple[Edition, ...] = ("2018", "2026")

Grade = Literal["measured", "documented", "book", "judgement"]
GRADES: tuple[Grade, ...] = ("measured", "documented", "book", "judgement")
"""How good a figure is, best first."""

Group = Literal["spark-cluster", "cluster-on-demand", "machine-or-database", "service", "device"]
GROUPS: dict[Group, str] = {
    "spark-cluster": "Spark cluster",
    "cluster-on-demand": "cluster on demand",
    "machine-or-database": "machine or database",
    "service": "service",
    "device": "device",
}
"""Kinds of platforms in words, from batch to real time. The first four are the colours of the chapter's figure 10-7; it
has no devices, and the names are ours."""

Day = date
"""`date` by a name that the field `date` of evidence does not take."""

Share = Annotated[float, Field(ge=0, le=1)]
State = Literal["preview", "available", "unmaintained", "retired"]
PlatformId = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class Evidence(Frozen):
    """Where a figure comes from."""

    source: Annotated[str, Field(min_length=1)]
    date: Annotated[str, Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")]
    grade: Grade
    why: Annotated[str, Field(min_length=10)]


class Rating(Evidence):
    """How well a platform does by one criterion, from 0 (poor) to 1 (good), in hundredths."""

    value: Annotated[float, Field(ge=0, le=1, multiple_of=0.01)]


class Ratings(Frozen):
    """The chapter's five criteria."""

    speed: Rating
    scalability: Rating
    data_proximity: Rating
    debuggability: Rating
    ease_of_deployment: Rating

    def of(self, criterion: Criterion) -> Rating:
        """Return the rating by a criterion."""
        rating: Rating = getattr(self, criterion)
        return rating

    @property
    def grade(self) -> Grade:
        """The grade of the ratings together: that of the weakest."""
        return max((self.of(criterion).grade for criterion in CRITERIA), key=GRADES.index)


class Place(Evidence):
    """Place on the continuum, from 0 (batch) to 1 (real time), and the group drawn there; None where nothing says."""

    value: Share | None
    group: Group | None = None

    @property
    def order(self) -> float:
        """Where it is listed: from batch to real time, and without a place after all others."""
        return 2 if self.value is None else self.value


class Patterns(Evidence):
    """The serving patterns that a platform takes."""

    value: tuple[Pattern, ...]


class Skills(Evidence):
    """What a team must know to use it."""

    value: tuple[Skill, ...]


class Stages(Evidence):
    """How well it suits each stage, from 0 to 1."""

    value: dict[Stage, Share]


class Lifetime(Evidence):
    """How long a deployment should live to suit it, in days; None is no bound."""

    at_least: float | None = None
    at_most: float | None = None


class Locations(Evidence):
    """Locations of data."""

    value: tuple[Location, ...]


class Services(Evidence):
    """Database services that cannot run a model, each with the reason."""

    value: dict[Service, str]


class Models(Evidence):
    """The only models that it takes, by name."""

    value: tuple[str, ...]


class Sizes(Evidence):
    """Sizes that it offers, by name."""

    value: tuple[str, ...]


class ImagePlatform(Evidence):
    """The platform whose images it runs."""

    value: Literal["linux/amd64", "linux/arm64"]


class Limit(Evidence):
    """What the default offer gives; `lifted_by` names the dearer or preview option that gives more."""

    lifted_by: str | None = None


class NumberLimit(Limit):
    """A limit in the unit of its name."""

    value: Annotated[float, Field(ge=0)]


class FlagLimit(Limit):
    """Whether the default offer has it."""

    value: bool


class GpuLimit(Limit):
    """Whether an instance can have a GPU: never, when asked, or always."""

    value: Literal["none", "optional", "always"]


class RegionsLimit(Limit):
    """The only regions where it is to be had."""

    value: tuple[str, ...]


class NameRule(Frozen):
    """The rule for the name of the platform's own resource."""

    min_length: int
    max_length: int
    pattern: str


class NameLimit(Limit):
    """What a name may be."""

    value: NameRule


AnyLimit = GpuLimit | RegionsLimit | NumberLimit | FlagLimit | NameLimit


class Limits(Frozen):
    """What the default offer gives. An absent limit is not known in this edition, and excludes nothing."""

    gpu: GpuLimit | None = None
    gpu_regions: RegionsLimit | None = None
    cpus: NumberLimit | None = None
    memory_gb: NumberLimit | None = None
    timeout_s: NumberLimit | None = None
    payload_mb: NumberLimit | None = None
    bandwidth_mb_per_s: NumberLimit | None = None
    requests_per_second: NumberLimit | None = None
    instances: NumberLimit | None = None
    gflops_per_second: NumberLimit | None = None
    """The most that one instance can compute: an upper bound, so that what exceeds it is out for certain."""
    scale_to_zero: FlagLimit | None = None
    cool_down_s: NumberLimit | None = None
    cold_start_s: NumberLimit | None = None
    private_network: FlagLimit | None = None
    tls: FlagLimit | None = None
    availability: NumberLimit | None = None
    name: NameLimit | None = None


class Charge(Frozen):
    """What is billed beside the instances themselves: units of a meter."""

    meter: str
    quantity: Annotated[float, Field(gt=0)] = 1.0
    per: Literal["hour", "day", "month", "request", "record", "gb_sent"]
    each: Literal["deployment", "instance"] = "deployment"
    by_size: dict[str, float] | None = None
    """The quantity for each size, in the place of one for all."""
    stages: tuple[Stage, ...] | None = None
    """None: in all."""
    online: bool | None = None
    """Of endpoints alone, or of runs alone; None: of both."""
    why: str


class Offer(Evidence):
    """What of it is priced: sizes of the market, and what else is billed."""

    sizes: tuple[str, ...]
    spot: bool = False
    """Whether a run may have capacity that may be taken away."""
    scales: Literal["by_hand", "by_load", "to_zero"] = "by_hand"
    least: Annotated[int, Field(ge=1)] = 1
    """Instances that it takes at least."""
    covers_one: bool = False
    """Whether its agreement on availability covers a single instance, so that no other one has to stand by."""
    charges: tuple[Charge, ...] = ()
    unpriced: tuple[str, ...] = ()
    """What is billed too, and has no price here."""
    start_s: NumberLimit | None = None
    """Until one more instance answers, or the first node of a run works; the pull of the image and the load of the
    model come on top."""


class Lifecycle(Evidence):
    """Whether it can still be had; `until` is the day from which it can not."""

    state: State
    since: date | None = None
    until: date | None = None
    successors: tuple[PlatformId, ...] = ()

    def ended(self, day: Day) -> bool:
        """Tell whether it cannot be had any more on a day."""
        return self.until is not None and day >= self.until

    def state_on(self, day: Day) -> State:
        """Return in what state it is on a day: until its end, what has ended by now was available."""
        if self.until is None:
            return self.state
        if not self.ended(day):
            return "available"
        return "unmaintained" if self.state == "unmaintained" else "retired"

    def on(self, day: Day) -> str:
        """Say in what state it is on a day."""
        state = self.state_on(day)
        if self.until is None:
            return state
        return f"{state} {'since' if self.ended(day) else 'until'} {self.until.isoformat()}"


class Profile(Frozen):
    """A platform in one edition."""

    id: PlatformId
    title: str
    heatmap_row: Annotated[int, Field(ge=1)] | None = None
    """Row in the chapter's figure 10-8, 1 to 10; those that are derived from its text follow."""
    best_for: str
    not_for: tuple[str, ...]
    ratings: Ratings
    place: Place
    patterns: Patterns
    lifecycle: Lifecycle
    skills: Skills
    stages: Stages
    lifetime: Lifetime | None = None
    docker: FlagLimit
    image_platform: ImagePlatform | None = None
    """Where nothing is said, images are built for linux/amd64."""
    spark: FlagLimit | None = None
    single_node: FlagLimit | None = None
    data_in_place: Locations
    """Where data may stay when it may not move: what this platform reads without copying it elsewhere."""
    data_required: Locations | None = None
    """The only locations of data for which it makes sense."""
    services_refused: Services | None = None
    models: Models | None = None
    sizes: Sizes | None = None
    offer: Offer | None = None
    """None where nothing is known of what it costs."""
    only_when_named: FlagLimit | None = None
    """A candidate only when `constraints.only` names it."""
    limits: Limits = Limits()
