"""Takes how many instances a deployment has, and when another is started, from what was sized for its platform. Pure.

The figures are of instances of one size, so they are only taken where the settings mean that size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from opdeploy.advisor.sizing import HEADROOM
from opdeploy.deploy.prepare import CLUSTER, on_gpu
from opdeploy.targets import aks
from opdeploy.targets.aks.sizes import fitting
from opdeploy.targets.container_apps.bodies import TARGET as CONTAINER_APPS
from opdeploy.targets.container_apps.sizes import CONSUMPTION, REPLICAS, SIZES, profile
from opdeploy.targets.kubernetes.values import replicas

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opdeploy.advisor.offers import Choice
    from opdeploy.deploy_settings import Deploy
    from opdeploy.market.sizes import Size
    from opdeploy.recommendation import Sizing
    from opdeploy.workload import Workload

SCALES = CLUSTER | {CONTAINER_APPS}
"""Platforms that have an autoscaler which is told."""
MOST = 999
"""Instances that settings may name, with one more for a rollout."""
_FIRM = {"measured", "scaled"}
"""Grades of a capacity that was measured of this model; by another one nothing is held to fewer instances."""


class Autoscaling(NamedTuple):
    """What an autoscaler is told."""

    least: int
    most: int
    in_flight: float | None
    """Requests under way at one instance, above which another is started."""
    busy: float
    """The same as the share of its processors that are busy."""
    firm: bool
    """Whether it rests on a measurement of the model."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Settings with what was taken from the recommendation, and what a plan says of it."""

    settings: Deploy
    in_flight: float | None
    """For the autoscaler of pods with a GPU, which has no setting."""
    said: str


def autoscaling(sizing: Sizing) -> Autoscaling:
    """Return what an autoscaler is told of a sizing."""
    firm = sizing.capacity.grade in _FIRM
    return Autoscaling(min(sizing.least, sizing.count), sizing.count, sizing.in_flight, HEADROOM, firm)


def gives_load(workload: Workload) -> bool:
    """Tell whether a workload says what load there is: what is assumed of it bounds no deployment."""
    given = workload.serving.requests_per_second
    return given.peak is not None or given.average is not None


def taken(platform: str, settings: Deploy, workload: Workload, choices: Iterable[Choice], pod: Pod) -> Taken | None:
    """Return the settings of a deployment with what they leave open of its instances.

    `choices` are the sizes of the platform that do, the cheapest first; one that does only if all goes well tells
    nothing. None where none of them is that of the settings, or where these leave nothing open.
    """
    gpu = on_gpu(platform, settings, workload)
    able = [
        item
        for item in choices
        if item.hope == "expected" and (item.size.gpu is not None) == gpu and item.sized.sizing.count <= MOST
    ]
    if platform == CONTAINER_APPS:
        return _of_container_apps(settings, able, gpu=gpu)
    if platform in CLUSTER:
        return _of_cluster(settings, workload, able, pod, gpu=gpu)
    return None


class Pod(NamedTuple):
    """What is known of a pod beside its settings."""

    threads: int | None
    """With which the model was best."""
    memory_gb: float


def _of_container_apps(settings: Deploy, choices: list[Choice], *, gpu: bool) -> Taken | None:
    chosen = settings.container_apps
    found = next((item for item in choices if _is_replica(settings, item, gpu=gpu)), None)
    if found is None:
        return None
    scale = autoscaling(found.sized.sizing)
    usual = REPLICAS[gpu]
    new: dict[str, Any] = {}
    if chosen.max_replicas is None:
        most = scale.most if scale.firm else max(scale.most, usual)
        new["max_replicas"] = max(most, chosen.min_replicas or 0, 1)
    if chosen.min_replicas is None:
        new["min_replicas"] = min(scale.least, chosen.max_replicas or scale.least)
    if chosen.concurrency is None and scale.in_flight is not None:
        new["concurrency"] = max(1, math.floor(scale.in_flight))
    if not new:
        return None
    if chosen.cpus is None and chosen.profile is None and not gpu:
        new["cpus"] = found.size.shape.vcpus
    said = _said(found.size, new.get("min_replicas"), new.get("max_replicas"), new.get("concurrency"), firm=scale.firm)
    made = settings.model_copy(update={"container_apps": chosen.model_copy(update=new)})
    return Taken(made, None, said)


def _is_replica(settings: Deploy, choice: Choice, *, gpu: bool) -> bool:
    """Tell whether a replica is of a size, or may be: where neither processors nor profile are set, on Consumption.

    What was not measured changes no processors.
    """
    chosen, size = settings.container_apps, choice.size
    name = profile(chosen, gpu=gpu)
    if gpu or SIZES[name].dedicated:  # of one without a GPU several replicas share a node, unless one takes all of it
        return size.id == name and (gpu or chosen.cpus == size.shape.vcpus)
    free = chosen.cpus is None and chosen.profile is None and autoscaling(choice.sized.sizing).firm
    return size.id.startswith(f"{CONSUMPTION}-") and (free or size.shape.vcpus == (chosen.cpus or 1.0))


def _of_cluster(settings: Deploy, workload: Workload, choices: list[Choice], pod: Pod, *, gpu: bool) -> Taken | None:
    chosen = settings.kubernetes
    own_nodes = aks.in_azure(settings) and not (settings.aks.cluster and not settings.aks.size)
    cpus = chosen.cpus or pod.threads or 1
    gpus = (chosen.gpus or 1) if gpu else 0
    named = settings.aks.size or fitting(cpus, pod.memory_gb, gpus) if own_nodes else None
    fits = (item for item in choices if is_pod(item.size, cpus, gpus) and named in {None, item.size.id})
    found = next(fits, None)
    if found is None:
        return None
    scale = autoscaling(found.sized.sizing)
    usual = replicas(workload.stage)
    pods: dict[str, Any] = {}
    if chosen.replicas is None:  # a number that is given stays, with as many at most as are given
        most = chosen.max_replicas or scale.most
        least = min(max(scale.least, usual), chosen.max_replicas or max(scale.least, usual))
        pods = {"replicas": least} if least != usual else {}
        pods |= {"max_replicas": most} if most > least and chosen.max_replicas is None else {}
    many = _numbers(settings, pods, usual)
    new: dict[str, Any] = {"kubernetes": chosen.model_copy(update=pods)}
    if own_nodes and pods and settings.aks.min_nodes is None and settings.aks.max_nodes is None:
        # A pod has a node of its own, and that of a new version needs one beside those of the old.
        nodes = {"min_nodes": many[0], "max_nodes": many[1] + (0 if gpu else 1)}
        new["aks"] = settings.aks.model_copy(update=nodes)
    in_flight = scale.in_flight if gpu and many[0] < many[1] else None
    if not pods and in_flight is None:
        return None
    said = _said(
        found.size, pods.get("replicas", usual if "max_replicas" in pods else None), pods.get("max_replicas"),
        in_flight, firm=scale.firm,
    )  # fmt: skip
    return Taken(settings.model_copy(update=new), in_flight, said)


def _numbers(settings: Deploy, pods: dict[str, Any], usual: int) -> tuple[int, int]:
    """Return how many pods there are at least and at most."""
    least = pods.get("replicas") or settings.kubernetes.replicas or usual
    return least, max(least, pods.get("max_replicas") or settings.kubernetes.max_replicas or 0)


def is_pod(size: Size, cpus: float, gpus: int) -> bool:
    """Tell whether a pod has what an instance of a size has: all its GPUs, or one thread of each core at least."""
    return size.gpus == gpus if gpus else size.cores <= cpus <= size.shape.vcpus


def _said(size: Size, least: int | None, most: int | None, in_flight: float | None, *, firm: bool) -> str:
    """Say what was taken, of how many instances there are and when another is started."""
    return f"from the recommendation for {size.id}: {', '.join(_parts(least, most, in_flight))}{'' if firm else _GUESS}"


_GUESS = "; it is an estimate, which opdeploy test-local makes firm"


def _parts(least: int | None, most: int | None, in_flight: float | None) -> Iterator[str]:
    if least is not None and most is not None and least != most:
        yield f"{least} to {most} instances"
    elif most is not None:
        yield f"{_instances(most)}{'' if least == most else ' at most'}"
    elif least is not None:
        yield f"{_instances(least)} at least"
    if in_flight is not None:
        yield f"{in_flight:g} request{'' if in_flight == 1 else 's'} in flight each"


def _instances(count: int) -> str:
    return f"{count} instance{'' if count == 1 else 's'}"
