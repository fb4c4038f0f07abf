"""The workload file: what is to run, and what is demanded of it. These names are the public contract.

Every field but `name` and `serving.pattern` may be absent; `opdeploy.advisor.needs` says what is then assumed.
MB is 10^6 bytes; `gflops` and `record_mb` are per record; times are text such as `90s`, `15m`, `4h`, `7d`.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from opdeploy.deploy_settings import Deploy
from opdeploy.fields import DNS_LABEL, REGION, Amount, Duration
from opdeploy.frozen import Frozen

Framework = Literal["onnx", "pytorch", "tensorflow", "keras", "sklearn", "lightgbm", "xgboost", "llm"]
Pattern = Literal["request-response", "stream", "scheduled-batch", "triggered-batch", "in-database", "on-device"]
Shape = Literal["steady", "office-hours", "bursts"]
Location = Literal["client", "blob", "files", "sql-server", "postgres", "spark", "device"]
Service = Literal["sql-server", "sql-managed-instance", "azure-sql-database", "postgres", "postgres-flexible"]
Sensitivity = Literal["public", "internal", "confidential", "regulated"]
Gpu = Literal["required", "preferred", "auto", "none"]
Stage = Literal["demo", "pilot", "production"]
Skill = Literal["docker", "kubernetes", "spark", "sql", "azure-ml", "service-fabric", "iot-edge"]
Criterion = Literal["speed", "scalability", "data_proximity", "debuggability", "ease_of_deployment"]

CRITERIA: tuple[Criterion, ...] = (
    "speed",
    "scalability",
    "data_proximity",
    "debuggability",
    "ease_of_deployment",
)
"""The chapter's five criteria, in the order of its heatmap."""

PLACES: dict[Pattern, float] = {
    "scheduled-batch": 0.15,
    "triggered-batch": 0.25,
    "in-database": 0.48,
    "stream": 0.65,
    "request-response": 0.80,
    "on-device": 0.80,
}
"""Where each pattern lies from batch (0) to real time (1): a judgement, on the scale of the chapter's figure 10-7."""

ONLINE: frozenset[Pattern] = frozenset({"request-response", "stream"})
"""Patterns in which somebody waits for each answer at an endpoint."""

BATCH: frozenset[Pattern] = frozenset({"scheduled-batch", "triggered-batch", "in-database"})
"""Patterns that score many records in one run."""

USUAL_LOCATION: dict[Pattern, Location] = {
    "request-response": "client",
    "stream": "client",
    "scheduled-batch": "blob",
    "triggered-batch": "blob",
    "in-database": "sql-server",
    "on-device": "device",
}
"""Where the data is taken to be when the file does not say."""

HOME_OF_SERVICE: dict[Service, Location] = {
    "sql-server": "sql-server",
    "sql-managed-instance": "sql-server",
    "azure-sql-database": "sql-server",
    "postgres": "postgres",
    "postgres-flexible": "postgres",
}
"""The location that each database service belongs to."""

USUAL_SERVICE: dict[Location, Service] = {"sql-server": "sql-server", "postgres": "postgres"}
"""The service that is meant when only the location is given."""

NEURAL: frozenset[Framework] = frozenset({"onnx", "pytorch", "tensorflow", "keras"})
"""Frameworks whose models are taken to be neural networks when their cost per record is not given."""

MAX_WEIGHT = 5
"""The most that a criterion may weigh, before weights are brought to a sum."""

Weight = Annotated[float, Field(ge=0, le=MAX_WEIGHT)]


class Model(Frozen):
    """The model: a file, and the facts that matter for placing it."""

    path: Annotated[str | None, Field(min_length=1, description="Model file, relative to the workload file.")] = None
    framework: Annotated[Framework | None, Field(description="What the model was trained with.")] = None
    size_mb: Annotated[Amount | None, Field(description="Size of the model file in MB.")] = None
    gflops: Annotated[Amount | None, Field(description="Cost of one record, in 10^9 floating-point operations.")] = None


class Requests(Frozen):
    """Requests per second, not records."""

    average: Annotated[float | None, Field(ge=0, le=1e9, description="Over the whole day.")] = None
    peak: Annotated[float | None, Field(ge=0, le=1e9, description="In the busiest minute.")] = None

    @model_validator(mode="after")
    def _peak_is_the_larger(self) -> Self:
        if self.average is not None and self.peak is not None and self.peak < self.average:
            raise ValueError(f"peak {self.peak:g} is below average {self.average:g}; exchange them or mend one")
        return self


class Traffic(Frozen):
    """How requests are spread over the day."""

    shape: Annotated[Shape | None, Field(description="Evenly, in office hours, or in bursts.")] = None
    bursts_per_day: Annotated[float | None, Field(gt=0, le=1440, description="Bursts in 24 hours.")] = None
    burst_minutes: Annotated[float | None, Field(gt=0, le=1440, description="Length of one burst.")] = None

    @model_validator(mode="after")
    def _bursts_fit_into_a_day(self) -> Self:
        if self.bursts_per_day and self.burst_minutes and self.bursts_per_day * self.burst_minutes > 24 * 60:
            raise ValueError("bursts_per_day x burst_minutes is more than a day; make one smaller, or shape: steady")
        return self


class Latency(Frozen):
    """Bounds on the time to an answer, end to end at the endpoint."""

    p95: Annotated[Amount | None, Field(description="Milliseconds within which 95 of 100 requests are answered.")] = (
        None
    )


class Serving(Frozen):
    """How the model is called."""

    pattern: Annotated[Pattern, Field(description="How the model is called.")]
    requests_per_second: Annotated[Requests, Field(default_factory=Requests, description="Load on the endpoint.")]
    traffic: Annotated[Traffic, Field(default_factory=Traffic, description="Shape of the load.")]
    records_per_request: Annotated[int | None, Field(ge=1, le=10**9, description="Records in one request.")] = None
    latency_ms: Annotated[Latency, Field(default_factory=Latency, description="Latency demanded.")]
    max_payload_mb: Annotated[Amount | None, Field(description="Largest request in MB.")] = None
    availability: Annotated[float | None, Field(gt=0, lt=100, description="Percent of the time demanded.")] = None
    tokens: Annotated[Any, Field(description="Generative models are out of scope.")] = None


class Batch(Frozen):
    """A run over many records."""

    records: Annotated[int | None, Field(ge=1, le=10**15, description="Records in one run.")] = None
    every: Annotated[Duration | None, Field(description="Time from one run to the next.")] = None
    window: Annotated[Duration | None, Field(description="Time within which a run must have finished.")] = None
    record_mb: Annotated[Amount | None, Field(description="Size of one record in MB.")] = None
    needs: Annotated[Literal["none", "spark"] | None, Field(description="Engine that the work depends on.")] = None


class Data(Frozen):
    """The data that is scored, and where it may go."""

    location: Annotated[Location | None, Field(description="Where the data is.")] = None
    service: Annotated[Service | None, Field(description="Which database service, where it matters.")] = None
    size_gb: Annotated[Amount | None, Field(description="Size of all of it in GB.")] = None
    sensitivity: Annotated[Sensitivity | None, Field(description="How sensitive it is.")] = None
    may_move: Annotated[bool | None, Field(description="Whether it may leave its place.")] = None


class Hardware(Frozen):
    """What one instance needs."""

    gpu: Annotated[Gpu | None, Field(description="Whether a GPU is needed.")] = None
    memory_gb: Annotated[Amount | None, Field(description="Memory of one instance in GB.")] = None


class Team(Frozen):
    """The people who will run it."""

    knows: Annotated[tuple[Skill, ...], Field(description="What the team knows; empty: unknown.")] = ()


class Budget(Frozen):
    """What it may cost."""

    monthly_usd: Annotated[Amount | None, Field(description="US dollars a month.")] = None


class Constraints(Frozen):
    """What is demanded beyond the workload itself."""

    private_network: Annotated[bool | None, Field(description="No public address.")] = None
    only: Annotated[tuple[str, ...], Field(description="Platform ids; empty: all.")] = ()
    never: Annotated[tuple[str, ...], Field(description="Platform ids.")] = ()


class Priorities(Frozen):
    """Weights from 0 to 5 that replace the derived ones."""

    speed: Annotated[Weight | None, Field(description="Weight of speed.")] = None
    scalability: Annotated[Weight | None, Field(description="Weight of scalability.")] = None
    data_proximity: Annotated[Weight | None, Field(description="Weight of data proximity.")] = None
    debuggability: Annotated[Weight | None, Field(description="Weight of debuggability.")] = None
    ease_of_deployment: Annotated[Weight | None, Field(description="Weight of ease of deployment.")] = None


class Workload(Frozen):
    """A workload file, as written."""

    name: Annotated[str, Field(pattern=DNS_LABEL, max_length=40, description="A DNS label of up to 40 characters.")]
    model: Annotated[Model, Field(default_factory=Model, description="The model.")]
    serving: Annotated[Serving, Field(description="How the model is called.")]
    batch: Annotated[Batch, Field(default_factory=Batch, description="A run over many records.")]
    data: Annotated[Data, Field(default_factory=Data, description="The data that is scored.")]
    hardware: Annotated[Hardware, Field(default_factory=Hardware, description="What one instance needs.")]
    stage: Annotated[Stage | None, Field(description="How serious it is.")] = None
    lifetime: Annotated[Duration | None, Field(description="How long it will run; absent: for good.")] = None
    team: Annotated[Team, Field(default_factory=Team, description="The people who will run it.")]
    budget: Annotated[Budget, Field(default_factory=Budget, description="What it may cost.")]
    region: Annotated[str | None, Field(pattern=REGION, description="Azure region.")] = None
    constraints: Annotated[
        Constraints, Field(default_factory=Constraints, description="Demands beyond the workload itself.")
    ]
    priorities: Annotated[
        Priorities, Field(default_factory=Priorities, description="Weights that replace the derived ones.")
    ]
    deploy: Annotated[Deploy, Field(default_factory=Deploy, description="Where and under what name it is deployed.")]

    @property
    def generative(self) -> bool:
        """Whether the model is placed by tokens per second, which is out of scope."""
        return self.model.framework == "llm" or self.serving.tokens is not None
