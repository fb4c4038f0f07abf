"""Loads what was deployed as `opdeploy test-local` loads a server, so that it can be held against what was expected."""

from __future__ import annotations

import http.client
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

from opdeploy.deploy.autoscaling import is_pod
from opdeploy.deploy.checks import Server
from opdeploy.deploy.prepare import on_gpu
from opdeploy.errors import OpdeployError, TransientError
from opdeploy.loadtest import generator
from opdeploy.loadtest.sweep import sweep
from opdeploy.local import answers
from opdeploy.local.requests import requests
from opdeploy.targets.container_apps.bodies import TARGET as CONTAINER_APPS
from opdeploy.targets.container_apps.sizes import CONSUMPTION, profile
from opdeploy.targets.container_apps.sizes import replicas as replicas_of_app
from opdeploy.targets.kubernetes.values import replicas as replicas_of_stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opdeploy.artifact.machine import Machine
    from opdeploy.deploy.checks import Servers
    from opdeploy.deploy_settings import Deploy
    from opdeploy.deployment import Observed
    from opdeploy.loadtest.curve import Point
    from opdeploy.loadtest.sweep import Goal, Sweep
    from opdeploy.local.answers import About
    from opdeploy.local.predicted import Predicted
    from opdeploy.local.served import Limits
    from opdeploy.local.subject import Subject
    from opdeploy.market.sizes import Size
    from opdeploy.workload import Workload


class Instances(NamedTuple):
    """What a deployment consists of, as far as its settings tell."""

    size: str | None
    """Size of the cloud of each; None where that is not known."""
    number: int | None
    """How many there are; None where load decides, or it is not known."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A measurement of a deployment, as `opdeploy test-local` writes one of a server."""

    kind: Literal["served"]
    format: Literal[1]
    date: str
    model: str
    sha256: str
    runtime: Literal["deployed"]
    limits: Limits
    settings: dict[str, str]
    machine: Machine
    onnxruntime: str
    opdeploy: str
    max_batch: int | None
    data: str
    carried: Literal["tensors"]
    records_per_request: int
    slo_ms: float | None
    limit_ms: float
    requests_per_second: float | None
    capacity: float
    knee: Point | None
    finished: bool
    points: list[Point] = field(default_factory=list)
    predicted: Predicted | None = None
    provider: str = "CPUExecutionProvider"


def instances(settings: Deploy, workload: Workload, sizes: Mapping[str, Size], threads: int | None) -> Instances:
    """Return what a deployment consists of.

    `sizes` are those that are known, `threads` those with which the model was best: a pod that names no processors has
    as many.
    """
    platform = settings.target or "local"
    gpu = on_gpu(platform, settings, workload)
    count: int | None = 1
    size: str | None = None
    if platform == "aci":
        size = f"ACI-{settings.aci.cpus or 1:g}"
    elif platform == "vm":
        size = settings.vm.size if settings.makes_machine else None
    elif platform == "webapp":
        size = settings.webapp.sku
        count = None if settings.webapp.plan else settings.webapp.instances or 1
    elif platform == CONTAINER_APPS:
        apps = settings.container_apps
        name = profile(apps, gpu=gpu)
        size = f"{CONSUMPTION}-{apps.cpus or 1:g}" if name == CONSUMPTION else name if gpu else None
        count = 1 if replicas_of_app(apps, gpu=gpu)[1] == 1 else None
    elif platform != "local":
        chosen = settings.kubernetes
        least = chosen.replicas or replicas_of_stage(workload.stage)
        count = least if (chosen.max_replicas or 0) <= least else None
        named = sizes.get(settings.aks.size or "")
        whole = named and is_pod(named, chosen.cpus or threads or 1, (chosen.gpus or 1) if gpu else 0)
        size = settings.aks.size if whole else None  # several pods share a node else
    return Instances(size if size in sizes else None, count)


class Endpoint(NamedTuple):
    """Where a deployment is asked."""

    place: Servers
    observed: Observed
    key: str | None


class Seen(NamedTuple):
    """What a load showed."""

    curve: Sweep
    told: About
    """What the server says of itself."""
    records: int
    """In a request."""


class Where(NamedTuple):
    """What answered, and what was expected of it."""

    limits: Limits
    machine: Machine
    expected: Predicted | None


def loaded(at: Endpoint, tried: Subject, records: int | None, goal: Goal, watch: Callable[[str], None]) -> Seen:
    """Load an endpoint; raises OpdeployError where it does not answer, or no request well."""
    observed = at.observed
    if observed.front is None:
        raise OpdeployError(f"{observed.deployment}: has no endpoint to load; deploy it again")
    try:
        address = Server(at.place, observed.front, at.key).address
        told = answers.about(address)
        made = requests(tried, "tensors", records)
        wire = made.on_the_wire(told.name, address.headers, address.host)
        target = generator.Server(address.host, address.port, wire, tls=address.tls)
        return Seen(sweep(target, goal, lambda: 0.0, lambda step: watch(f"loads it: {step}")), told, made.size)
    except (OSError, http.client.HTTPException, TransientError) as error:
        raise OpdeployError(
            f"{observed.endpoint}: was deployed, and then gave no answer under load: {error or type(error).__name__}; "
            f"see opdeploy status {observed.deployment} --target {observed.target}"
        ) from None


def document(seen: Seen, tried: Subject, goal: Goal, where: Where) -> Loaded:
    """Return what was found, as it is kept."""
    curve, told, records = seen
    variant = tried.variant(told.variant)
    return Loaded(
        kind="served",
        format=1,
        date=datetime.now(UTC).date().isoformat(),
        model=variant.name,
        sha256=tried.package.manifest.files[variant.file],
        runtime="deployed",
        limits=where.limits,
        settings={},
        machine=where.machine,
        onnxruntime=told.onnxruntime,
        opdeploy=told.opdeploy,
        max_batch=told.max_batch,
        data=tried.records,
        carried="tensors",
        records_per_request=records,
        slo_ms=goal.slo_ms,
        limit_ms=curve.limit_ms,
        requests_per_second=curve.knee.rate if curve.knee else None,
        capacity=curve.capacity,
        knee=curve.knee,
        finished=curve.finished,
        points=curve.points,
        predicted=where.expected,
        provider=told.provider,
    )


def name_of(found: Loaded) -> str:
    """Return the name of a measurement: the same for the same platform, size, requests and goal."""
    many = None if found.records_per_request == 1 else f"{found.records_per_request}each"
    wanted = None if found.slo_ms is None else f"slo{found.slo_ms:g}ms"
    parts = (found.limits.target, found.machine.size, f"{found.limits.cpus:g}cpu", many, wanted)
    return "-".join(["served-deployed", *(part for part in parts if part)])
