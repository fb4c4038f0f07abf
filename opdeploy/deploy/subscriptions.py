"""Whether a subscription of Azure is ready for a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from opdeploy.deploy import engines
from opdeploy.deploy.finding import Finding, missing
from opdeploy.errors import OpdeployError
from opdeploy.targets.base import Wanted
from opdeploy.targets.engine.names import repository

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.clients import azure
    from opdeploy.deploy_settings import Deploy

_MEMORY_GB = 1.0
"""Of a server of which nothing is known."""
_PORT = 8000
_BY_REGISTRY = "the registry builds images"


def subscription(deploy: Deploy, name: str | None) -> Iterator[Finding]:
    """Yield what is found of a subscription, of one's rights there, and of what builds images."""
    from opdeploy.clients import azure

    built = [*_builders(deploy)]
    try:
        with azure.connected(deploy.azure.cloud, deploy.azure.subscription) as session:
            arm = azure.Arm(session)
            yield Finding("sign-in", "ok", f"as {session.who()}")
            yield _about(arm)
            here = any(item.what == engines.HERE_BUILDS and item.state == "ok" for item in built)
            yield from _ready(arm, deploy, name, here=here)
    except OpdeployError as error:
        yield missing("Azure", error)
    yield from built


def _about(arm: azure.Arm) -> Finding:
    named = arm.session.subscription
    told = arm.ask("GET", f"/subscriptions/{named}", "2022-12-01")
    return Finding("subscription", "ok", f"{told.get('displayName')} ({named}), in {arm.session.cloud.name}")


def _ready(arm: azure.Arm, deploy: Deploy, name: str | None, *, here: bool) -> Iterator[Finding]:
    """Yield what stands in the way of a deployment of the name, and what may."""
    from opdeploy.clients import azure

    if name is None:
        yield Finding(
            "deployment", "note", "no workload is here: rights, names and quotas were not looked at", "name one"
        )
        return
    images = azure.Registries(arm, lambda: None, None, builds_here=here)  # type: ignore[arg-type,return-value]
    place = azure.Place(arm, deploy, deploy.target or "", images)
    wanted = _wanted(place.completed(name), name)
    problems = [*place.obstacles(wanted)]
    yield from (_finding(text, "missing") for text in problems)
    yield from (_finding(text, "note") for text in place.shortages(wanted))
    at = place.where(name)
    if not problems:
        yield Finding("deployment", "ok", f"nothing stands in its way in group {at.group} of {at.location}")
    if deploy.registry:
        yield from engines.registry(deploy)
    else:
        yield Finding("registry", "ok", f"{wanted.settings.registry} is the deployment's own")


def _finding(text: str, state: Literal["note", "missing"]) -> Finding:
    """Return a line as what it is about, what it says, and what to do."""
    what, colon, rest = text.partition(": ")
    said, _, todo = (rest if colon else text).partition("; ")
    return Finding(what if colon else "deployment", state, said, todo)


def _wanted(settings: Deploy, name: str) -> Wanted:
    """Return what a deployment would be of a model of which nothing is known."""
    return Wanted(
        deployment=name,
        settings=settings,
        artefact="",
        bundle="",
        image=f"{settings.registry}/{repository(name)}:none",
        platform="linux/amd64",
        port=_PORT,
        memory_gb=_MEMORY_GB,
        public=True,
        keyed=True,
        keep=1,
        ready_s=0.0,
    )


def _builders(deploy: Deploy) -> Iterator[Finding]:
    """Yield what is found of what builds images: the engine here, else the registry."""
    if deploy.azure.build == "registry":
        yield Finding("builder", "ok", _BY_REGISTRY)
        return
    for item in engines.builder():
        if item.state == "missing" and deploy.azure.build is None:
            yield Finding("builder", "ok", f"{_BY_REGISTRY}: {engines.HERE_BUILDS} {item.said}")
        else:
            yield item
