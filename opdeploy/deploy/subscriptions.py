"""Whether a subscription of Azure is ready for a deployment."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Literal

from opdeploy.catalogue import load_catalogue
from opdeploy.deploy import engines
from opdeploy.deploy.finding import Finding, problem
from opdeploy.deploy.locking import owner
from opdeploy.deploy.prepare import CLUSTER, Asked, imagined, located, on_gpu
from opdeploy.errors import OpdeployError
from opdeploy.image import ImageSettings
from opdeploy.local.demand import demand

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opdeploy.clients import azure
    from opdeploy.clients.kubernetes import Api
    from opdeploy.deploy_settings import Deploy
    from opdeploy.targets.base import Wanted
    from opdeploy.workload import Workload

_BY_REGISTRY = "the registry builds images"


def subscription(deploy: Deploy, workload: Workload | None, name: str | None, state: Path) -> Iterator[Finding]:
    """Yield what is found of a subscription, of one's rights there, and of what builds images.

    For a machine that is made there, also of what is here to reach it; `state` is the folder with its host key.
    """
    from opdeploy.clients import azure

    deploy = located(deploy, workload)
    built = [*(engines.to_make(deploy) if deploy.makes_machine else _builders(deploy))]
    try:
        with azure.connected(deploy.azure.cloud, deploy.azure.subscription) as session:
            arm = azure.Arm(session)
            yield Finding("sign-in", "ok", f"as {session.who()}")
            yield _about(arm)
            if workload is None or name is None:
                said = "no workload is here: rights, names and quotas were not looked at"
                yield Finding("deployment", "note", said, "name one")
            else:
                here = any(item.what == engines.HERE_BUILDS and item.state == "ok" for item in built)
                with _place(arm, deploy, state, here=here) as place:
                    yield from _ready(place, workload, name)
    except OpdeployError as error:
        yield problem("Azure", error)
    yield from built


def _about(arm: azure.Arm) -> Finding:
    named = arm.session.subscription
    told = arm.ask("GET", f"/subscriptions/{named}", "2022-12-01")
    return Finding("subscription", "ok", f"{told.get('displayName')} ({named}), in {arm.session.cloud.name}")


@contextmanager
def _place(arm: azure.Arm, deploy: Deploy, state: Path, *, here: bool) -> Iterator[azure.Place]:
    """Give where deployments of the platform live, in which nothing is made."""
    from opdeploy.clients import azure

    images = azure.Registries(arm, lambda: None, None, builds_here=here)  # type: ignore[arg-type,return-value]
    if deploy.makes_machine:
        way = azure.Way(arm, deploy.vm, state, lambda: None, owner(), makes=False)  # type: ignore[arg-type,return-value]
        with closing(way):
            yield azure.MachinePlace(arm, deploy, images, way)
    elif deploy.target in CLUSTER:
        deploy = azure.named_cluster(arm, deploy)

        def within(api: Api) -> azure.Within:
            return azure.Within(api, deploy.kubernetes.namespace, owner())

        with closing(azure.Clusters(arm, deploy, within)) as clusters:
            yield azure.Clustered(arm, deploy, deploy.target, images, run=clusters)
    else:
        yield azure.Place(arm, deploy, deploy.target or "", images)


def _ready(place: azure.Place, workload: Workload, name: str) -> Iterator[Finding]:
    """Yield what stands in the way of a deployment of the name, and what may."""
    wanted = _wanted(place.completed(name), workload)
    problems = [*place.obstacles(wanted)]
    yield from (_finding(text, "problem") for text in problems)
    yield from (_finding(text, "note") for text in place.shortages(wanted))
    at = place.where(name)
    if not problems:
        yield Finding("deployment", "ok", f"nothing stands in its way in group {at.group} of {at.location}")
    named, server = wanted.settings.registry, at.registry.rpartition("/")[2]
    if named and named.partition(".")[0] == server:
        yield Finding("registry", "ok", f"{named} is the deployment's own")
    elif not wanted.settings.makes_machine:  # of which that was looked at with what is here
        yield from engines.registry(wanted.settings)


def _finding(text: str, state: Literal["note", "problem"]) -> Finding:
    """Return a line as what it is about, what it says, and what to do."""
    what, colon, rest = text.partition(": ")
    said, _, todo = (rest if colon else text).partition("; ")
    return Finding(what if colon else "deployment", state, said, todo)


def _wanted(settings: Deploy, workload: Workload) -> Wanted:
    """Return what a deployment would be of a model that is not looked at."""
    platform = settings.target or ""
    return imagined(
        Asked(
            workload=workload,
            settings=settings,
            profile=load_catalogue().by_id[platform],
            image=ImageSettings(gpu=on_gpu(platform, settings, workload)),
            memory_gb=demand(workload, 0.0).memory_gb,
            public_no_auth=False,
            ready_s=0.0,
        )
    )


def _builders(deploy: Deploy) -> Iterator[Finding]:
    """Yield what is found of what builds images: the engine here, else the registry."""
    if deploy.azure.build == "registry":
        yield Finding("builder", "ok", _BY_REGISTRY)
        return
    for item in engines.builder():
        if item.state == "problem" and deploy.azure.build is None:
            yield Finding("builder", "ok", f"{_BY_REGISTRY}, as no Docker answers here")
        else:
            yield item
