"""Plans of Azure App Service, and the sites and slots that run a container on them, as bodies of requests. Pure.

A slot is a site beside the site, with an address of its own. Two slots are swapped: then each has what the other ran,
its image and app settings, and all else stays where it was (learn.microsoft.com/azure/app-service/deploy-staging-slots,
read 2026-11-26).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from opdeploy.targets.azure import steps
from opdeploy.targets.azure.compare import ref, secret
from opdeploy.targets.azure.names import tags, where
from opdeploy.targets.azure.shared import Resource, identity, registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue

    from opdeploy.deploy_settings import PlanSize
    from opdeploy.targets.azure.record import Record
    from opdeploy.targets.base import Wanted

SITE = "site"
SLOT = "slot"
PLAN = "app service plan"
NEXT = "next"
"""The name of the slot in which a version is tried, and in which the one before stays after a swap."""
DOCKER = "DOCKER|"
"""What stands before the name of an image where Linux runs it."""
READY = "/v2/health/ready"
_SWAPPED = ("linuxFxVersion", "appSettings")
"""What of a site's configuration goes with a swap."""
_WARM_S, _LONGEST_WARM_S = 230, 1800
"""Seconds that a container is waited for by itself, and at most
(learn.microsoft.com/azure/app-service/faq-app-service-linux, read 2026-11-26)."""
_START_LIMIT = "WEBSITES_CONTAINER_START_TIME_LIMIT"
_LOG_MB = 35
"""Of logs that are kept: what Azure itself begins with."""


class Tier(NamedTuple):
    """What plans of a tier have."""

    title: str
    slots: int
    """Beside the site itself."""
    instances: int
    """At most."""


_BASIC, _STANDARD = Tier("Basic", 0, 3), Tier("Standard", 5, 10)
_PREMIUM = Tier("Premium", 20, 30)
TIERS = {
    "F": Tier("Free", 0, 1),
    "D": Tier("Shared", 0, 1),
    "B": _BASIC,
    "S": _STANDARD,
    "P": _PREMIUM,
    "I": Tier("Isolated", 20, 100),
}
"""By the first letter of a size (learn.microsoft.com/azure/app-service/manage-scale-up, 2025-08-29, and
learn.microsoft.com/azure/azure-resource-manager/management/azure-subscription-service-limits, whose part on App Service
is of 2020-03-17; read 2026-11-26)."""
MEMORY_GB: dict[PlanSize, float] = {
    "B1": 1.75,
    "B2": 3.5,
    "B3": 7,
    "S1": 1.75,
    "S2": 3.5,
    "S3": 7,
    "P0v3": 4,
    "P1v3": 8,
    "P2v3": 16,
    "P3v3": 32,
    "P1mv3": 16,
    "P2mv3": 32,
    "P3mv3": 64,
    "P4mv3": 128,
    "P5mv3": 256,
}
"""Of an instance of a size (Premium: learn.microsoft.com/azure/app-service/overview-hosting-plans, of 2023-05-26; Basic
and Standard: redkitecloud.com/docs/azure-app-service/app-service-plans; read 2026-11-26)."""
_USUAL: tuple[PlanSize, ...] = ("P0v3", "P1v3", "P2v3", "P3v3", "P3mv3", "P4mv3", "P5mv3")
"""Sizes that are taken where none is named, the first that fits: with slots, and none dearer than a larger one."""


class Offer(NamedTuple):
    """The plan that a site is to run on."""

    size: str
    """Such as P0v3."""
    id: str
    is_own: bool
    """Whether the deployment makes it."""

    @property
    def tier(self) -> Tier:
        """What plans of its tier have."""
        return TIERS.get(self.size[:1].upper(), _PREMIUM)


def offer(wanted: Wanted, facts: Mapping[str, JsonValue]) -> Offer:
    """Return the plan that a site is to run on: the one that is named, else the deployment's own."""
    chosen = wanted.settings.webapp
    if chosen.plan:
        return Offer(size_of(facts) or "P", chosen.plan, is_own=False)
    at = where(wanted.settings, wanted.deployment)
    needed = wanted.memory_gb * (1 if chosen.slots is False else 2)
    fitting = (size for size in _USUAL if MEMORY_GB[size] >= needed)
    return Offer(chosen.sku or next(fitting, _USUAL[-1]), at.id(PLAN, at.deployment), is_own=True)


def size_of(facts: Mapping[str, JsonValue]) -> str | None:
    """Return the size of the plan that is named, or that a site runs on, as it is; None where there is none."""
    found = facts.get("plan")
    return str(found["size"]) if isinstance(found, dict) else None


def is_tried(size: str, slots: bool | None) -> bool:  # noqa: FBT001 - a setting as it is
    """Tell whether a new version is tried in a slot: where plans of a size have slots, and that is not put aside."""
    return slots is not False and TIERS.get(size[:1].upper(), _PREMIUM).slots > 0


def plan(wanted: Wanted, of: Offer) -> Resource:
    """Return the plan of a site.

    learn.microsoft.com/rest/api/appservice/app-service-plans/create-or-update, version 2025-05-01.
    """
    at = where(wanted.settings, wanted.deployment)
    body: dict[str, Any] = {
        "location": at.location,
        "tags": tags(wanted.settings, wanted.deployment, "webapp"),
        "kind": "linux",
        "sku": {"name": of.size, "capacity": wanted.settings.webapp.instances or 1},
        "properties": {"reserved": True},
    }
    return Resource(PLAN, of.id, body)


def site(wanted: Wanted, facts: Mapping[str, JsonValue], number: int | None = None) -> Resource:
    """Return a site that runs what is wanted; its server is told the number of its version, where there is one.

    It has no tag with that number: tags stay where they are when slots are swapped. The image's name tells it.
    learn.microsoft.com/rest/api/appservice/web-apps/create-or-update, version 2025-05-01.
    """
    at = where(wanted.settings, wanted.deployment)
    source, puller = registry(wanted, facts), identity(wanted)
    chosen = wanted.settings.webapp
    configuration: dict[str, Any] = {
        "linuxFxVersion": f"{DOCKER}{wanted.image}",
        "alwaysOn": chosen.always_on is not False,
        "healthCheckPath": READY,
        "http20Enabled": True,
        "minTlsVersion": "1.2",
        "ftpsState": "Disabled",
        "httpLoggingEnabled": True,
        "logsDirectorySizeLimit": _LOG_MB,
        "appSettings": _settings(wanted, number),
    }
    body: dict[str, Any] = {
        "location": at.location,
        "tags": tags(wanted.settings, wanted.deployment, "webapp"),
        "kind": "app,linux,container",
        "properties": {
            "serverFarmId": offer(wanted, facts).id,
            "httpsOnly": True,
            "clientAffinityEnabled": False,
            "siteConfig": configuration,
        },
    }
    if source.id:
        body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {puller: {}}}
        configuration["acrUseManagedIdentityCreds"] = True
        configuration["acrUserManagedIdentityID"] = ref(puller, "properties.clientId")
    return Resource(SITE, at.id(SITE, at.deployment), body)


def _settings(wanted: Wanted, number: int | None) -> list[dict[str, Any]]:
    """Return the app settings, which are the environment of the container."""
    values = {**wanted.settings.webapp.app_settings, **_ours(wanted, number)}
    listed: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in values.items()]
    return [*listed, *([_key()] if wanted.keyed else [])]


def _ours(wanted: Wanted, number: int | None) -> dict[str, str]:
    """Return the app settings that App Service and the server need, but for the API key."""
    warm_s = min(_LONGEST_WARM_S, max(_WARM_S, round(wanted.ready_s)))
    return {
        "WEBSITES_PORT": str(wanted.port),
        "WEBSITES_ENABLE_APP_SERVICE_STORAGE": "false",
        _START_LIMIT: str(warm_s),
        "WEBSITE_SWAP_WARMUP_PING_PATH": READY,
        "WEBSITE_SWAP_WARMUP_PING_STATUSES": "200",
        "OPDEPLOY_NAME": wanted.deployment,
        **({"OPDEPLOY_VERSION": str(number)} if number else {}),
    }


def _key() -> dict[str, Any]:
    """Return the app setting with the API key."""
    return {"name": "OPDEPLOY_API_KEYS", "value": secret(steps.API_KEY)}


def obstacles(wanted: Wanted, facts: Mapping[str, JsonValue]) -> Iterator[str]:
    """Yield what keeps a site from being made, a sentence each with what to do."""
    chosen = wanted.settings.webapp
    of, found, taken = offer(wanted, facts), facts.get("plan"), facts.get("taken")
    for kind in taken if isinstance(taken, list) else ():
        if kind != PLAN or of.is_own:
            yield f"{kind} {wanted.deployment}: is there already, and opdeploy did not make it; take another --name"
    if chosen.plan and (chosen.sku or chosen.instances):
        yield "deploy.webapp.plan: a plan that is named keeps its size and instances; leave out sku and instances"
    if chosen.plan and not isinstance(found, dict):
        yield f"deploy.webapp.plan: {chosen.plan}: is not there; name one that az appservice plan list shows"
    elif chosen.plan and isinstance(found, dict):
        yield from _unfit(found, of.tier, wanted.settings.azure.location or "")
    if (chosen.instances or 1) > of.tier.instances:
        yield (
            f"deploy.webapp.instances: the {of.tier.title} tier has {of.tier.instances} at most; take fewer, or a "
            "larger deploy.webapp.sku"
        )
    yield from _too_small(wanted, of)
    ours = {name.lower() for name in (*_ours(wanted, 1), _key()["name"])}
    for name in chosen.app_settings:
        if name.lower() in ours:
            yield f"deploy.webapp.app_settings: {name}: is set by opdeploy itself; leave it out"


def _unfit(found: Mapping[str, JsonValue], tier: Tier, location: str) -> Iterator[str]:
    """Yield why a plan that is there takes no site of ours."""
    region = str(found["location"]).lower().replace(" ", "")
    if not found["linux"]:
        yield "deploy.webapp.plan: is one of Windows machines, which run no Linux image; name a Linux plan"
    if region != location.lower():
        yield f"deploy.webapp.plan: is in {region}, and a site is where its plan is; say --location {region}"
    if tier.instances == 1:
        yield f"deploy.webapp.plan: the {tier.title} tier keeps no container running; name one of Basic or above"


def _too_small(wanted: Wanted, of: Offer) -> Iterator[str]:
    """Yield that a plan's machines have too little memory: a new version that is tried there needs as much again."""
    has_gb = next((value for size, value in MEMORY_GB.items() if size.lower() == of.size.lower()), None)
    servers = 2 if is_tried(of.size, wanted.settings.webapp.slots) else 1
    if has_gb is None or has_gb >= wanted.memory_gb * servers:
        return
    todo = "take a larger deploy.webapp.sku" if of.is_own else "name a larger plan"
    if servers == 1 or has_gb < wanted.memory_gb:
        yield f"the model needs {wanted.memory_gb:g} GB, and an instance of {of.size} has {has_gb:g}; {todo}"
    else:
        yield (
            f"the model needs {wanted.memory_gb:g} GB, twice as a new version is tried in a slot, and an instance of "
            f"{of.size} has {has_gb:g}; {todo}, or do without that: --set webapp.slots=false"
        )


def start_s(body: Mapping[str, Any]) -> float | None:
    """Return how many seconds a site gives its container to start, by the body it was made of."""
    listed = body["properties"]["siteConfig"].get("appSettings") or ()
    return next((float(item["value"]) for item in listed if item["name"] == _START_LIMIT), None)


def slot(of: Resource) -> Resource:
    """Return the slot in which what a site would run is tried."""
    return Resource(SLOT, f"{of.id}/slots/{NEXT}", of.body)


def numbered(image: str, number: int) -> str:
    """Return the name of a version's image: a tag for each, since what runs tells which it is by nothing else."""
    return f"{image}-{number}"


def image_of(body: Mapping[str, Any]) -> str:
    """Return the image that a site or a slot runs, by its body."""
    configuration = (body.get("properties") or {}).get("siteConfig") or {}
    return str(configuration.get("linuxFxVersion") or "").removeprefix(DOCKER)


def number_of(body: Mapping[str, Any]) -> int | None:
    """Return the number of the version that a site or a slot runs; None where its image is none of ours."""
    last = image_of(body).rpartition(":")[2].rpartition("-")[2]
    return int(last) if last.isdecimal() else None


def swapped(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of one slot once it was swapped with another."""
    mine, theirs = (body["properties"]["siteConfig"] for body in (one, other))
    configuration = {**mine, **{name: theirs[name] for name in _SWAPPED}}
    return {**one, "properties": {**one["properties"], "siteConfig": configuration}}


def as_made(found: Mapping[str, Any], record: Record) -> dict[str, Any] | None:
    """Return what a resource was made as: of a site or a slot, what a swap takes along is that of the version it runs.

    So a swap needs no note, and who goes on after an interruption takes nothing for changed.
    """
    body, number = record.body(found["id"]), number_of(found)
    version = record.version(number) if number is not None else None
    return swapped(body, version.body) if body and version and image_of(version.body) else body
