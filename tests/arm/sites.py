"""Microsoft.Web: plans, and sites with their slots, which run here."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from tests.arm import engine, identities, lists, site_config
from tests.arm.answers import Answer, Refused, web_error
from tests.arm.forms import taken
from tests.arm.fronts import Front
from tests.arm.kinds import LOCATION, NOW, REGIONS, Kind, Long, Resource
from tests.arm.machines import Machine, Spec
from tests.arm.operations import Operation
from tests.arm.registries import may_pull
from tests.arm.vaults import referred

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.arm.arm import Arm
    from tests.arm.kinds import Action, Request, Route

PREMIUM = dict.fromkeys(("Premium", "PremiumV2", "PremiumV3", "PremiumV4"), 20)
VERSIONS = ("2022-09-01", "2023-12-01", "2024-04-01", "2024-11-01", "2025-03-01", "2025-05-01")
SLOTS = {"Free": 0, "Shared": 0, "Basic": 0, "Standard": 5, **PREMIUM}
"""How many a site may have (learn.microsoft.com/azure/app-service/deploy-staging-slots)."""
SKUS = {"F": "Free", "D": "Shared", "B": "Basic", "S": "Standard", "P": "Premium"}
SWAPPED = (
    "linuxFxVersion", "windowsFxVersion", "appCommandLine", "use32BitWorkerProcess", "handlerMappings",
    "virtualApplications", "azureStorageAccounts",
)  # fmt: skip
"""What of its configuration goes along in a swap (learn.microsoft.com/azure/app-service/deploy-staging-slots, "Which
settings are swapped?": neither always on, nor identities, nor general settings that are not named there)."""
SHOWN = (
    "linuxFxVersion", "windowsFxVersion", "numberOfWorkers", "alwaysOn", "http20Enabled",
    "minimumElasticInstanceCount", "acrUseManagedIdentityCreds", "acrUserManagedIdentityID",
)  # fmt: skip
"""What a site tells of its configuration; all of it is told by `config/web`."""


def _refused(status: int, code: str, message: str) -> Refused:
    return Refused(web_error(status, code, message))


def tier(sku: str) -> str:
    """Return the tier of a size, such as P1v3."""
    version = sku[2:].upper()
    return SKUS.get(sku[:1].upper(), "") + (version if version.startswith("V") else "")


def _check_plan(_arm: Arm, old: Resource | None, new: Resource) -> None:
    sku = new.body.setdefault("sku", {"name": "F1"})
    sku |= {
        "tier": tier(sku["name"]),
        "size": sku["name"],
        "family": sku["name"][:1],
        "capacity": sku.get("capacity") or 1,
    }
    if not SKUS.get(sku["name"][:1].upper()):
        raise _refused(400, "BadRequest", f"Cannot find SkuDescription with name {sku['name']}.")
    own = new.body["properties"] = new.body.get("properties") or {}
    if old and bool(old.properties.get("reserved")) != bool(own.get("reserved")):
        raise _refused(409, "Conflict", "You cannot change the OS hosting your app at this time.")
    own |= {"reserved": bool(own.get("reserved")), "status": "Ready", "maximumNumberOfWorkers": 30}


def _view_plan(arm: Arm, plan: Resource) -> dict[str, Any]:
    sites = [each for each in arm.resources.values() if each.kind is SITE and _plan_of(each) == plan.id.lower()]
    counts = {"numberOfSites": len(sites), "numberOfWorkers": plan.body["sku"]["capacity"], "geoRegion": "West Europe"}
    return {**plan.body, "properties": {**plan.properties, **counts}}


def _plan_of(site: Resource) -> str:
    return str(site.properties.get("serverFarmId") or "").lower()


def _check_site(arm: Arm, old: Resource | None, new: Resource) -> None:
    """Refuse what has no plan, or a name that somebody has, and add what the service adds."""
    main = arm.find(new.id.rsplit("/slots/", 1)[0]) if "/slots/" in new.id else None
    plan_id = new.properties.get("serverFarmId") or (main.properties["serverFarmId"] if main else "")
    plan = arm.find(plan_id)
    if plan is None:
        name = plan_id.rsplit("/", 1)[-1]
        raise _refused(404, "NotFound", f"Cannot find AppServicePlan with name {name}.")
    new.properties["serverFarmId"] = plan_id
    host = f"{main.name}-{new.name}" if main else new.name
    others = [each for each in arm.resources.values() if each.private.get("host") == host.lower() and not each.deleted]
    if old is None and others:
        raise _refused(409, "Conflict", f"Website with given name {host} already exists.")
    slots = [each for each in arm.below(main.id) if each.kind is SLOT] if main else []
    if main and old is None and len(slots) >= SLOTS[plan.body["sku"]["tier"]]:
        message = "Cannot complete the operation because the site will exceed the number of slots allowed for the "
        raise _refused(409, "Conflict", f"{message}'{plan.body['sku']['tier']}' SKU.")
    identities.attach(arm, new)
    new.private.setdefault("host", host.lower())
    given = new.properties.pop("siteConfig", None) or {}
    settings = given.pop("appSettings", None)
    new.private["config"] = {**site_config.DEFAULTS, **(old.private["config"] if old else {}), **given}
    new.private.setdefault("settings", {})
    if settings is not None:
        new.private["settings"] = {each["name"]: each.get("value") or "" for each in settings}
    new.properties.setdefault("httpsOnly", False)
    new.private.setdefault("state", "Running")
    new.private.setdefault("sticky", {"appSettingNames": [], "connectionStringNames": []})
    new.private.setdefault("logs", {})


def _made_site(arm: Arm, site: Resource) -> None:
    if "front" not in site.private:
        site.private["address"] = arm.machines.address()
        site.private["front"] = Front(arm.authority, site.private["address"], lambda: _behind(arm, site.id))
        arm.machines.at_end(site.private["front"].close)
    run(arm, site)


def _behind(arm: Arm, path: str) -> tuple[str, int] | None:
    site = arm.find(path)
    machine: Machine | None = site.private.get("machine") if site and site.private["state"] == "Running" else None
    return (machine.address, site.private["port"]) if site and machine else None


def run(arm: Arm, site: Resource) -> None:
    """Start the container anew; an image that cannot be had is told in the log, and the site answers 503."""
    if machine := site.private.pop("machine", None):
        machine.end()
    name = site.private["config"]["linuxFxVersion"].partition("|")[2]
    image = arm.images.get(name)
    site.private["said"] = ""
    if site.private["state"] != "Running" or not name:
        return
    if image is None or not may_pull(arm, name, _puller(arm, site)):
        kind = "ImageNotFoundFailure" if image is None else "ImagePullUnauthorizedFailure"
        site.private["said"] = f"ERROR - Image pull failed. Image pull failed with {kind}. Image: {name}\n"
        return
    settings = site.private["settings"]
    port = int(settings.get("WEBSITES_PORT") or settings.get("PORT") or image.port or 80)
    given = {
        "PORT": str(port),
        "WEBSITE_SITE_NAME": site.name,
        "WEBSITE_HOSTNAME": site.private["front"].name,
        **{name: referred(arm, value) for name, value in settings.items()},
    }
    arguments = (site.private["config"].get("appCommandLine") or "").split()
    inside = arm.machines.address()
    place = image.at(inside)
    spec = Spec(site.name, place.words(None, arguments), place.environment(given), name)
    site.private["port"] = port
    folder = arm.folder / "sites" / inside
    site.private["machine"] = arm.machines.start(folder, inside, [spec], policy="Always", pace=arm.pace)


def _puller(arm: Arm, site: Resource) -> str | None:
    """Return the principal that pulls: that of a client id which the site has, or the site's own."""
    config = site.private["config"]
    if not config["acrUseManagedIdentityCreds"]:
        return None
    client = config.get("acrUserManagedIdentityID")
    found = [arm.find(each) for each in identities.assigned(site.body)]
    named = (each.properties["principalId"] for each in found if each and each.properties["clientId"] == client)
    return next(named, None) if client else site.private.get("principal")


def _view_site(_arm: Arm, site: Resource) -> dict[str, Any]:
    config = site.private["config"]
    host = site.private["front"].name if "front" in site.private else ""
    told = {
        "state": site.private["state"],
        "enabled": True,
        "defaultHostName": host,
        "hostNames": [host],
        "enabledHostNames": [host],
        "availabilityState": "Normal",
        "usageState": "Normal",
        "outboundIpAddresses": "20.0.0.1,20.0.0.2",
        "lastModifiedTimeUtc": "2026-11-26T12:00:00",
        "siteConfig": {name: config.get(name) for name in SHOWN} | {"appSettings": None},
    }
    return {**site.body, "properties": {**site.properties, **told}}


def _gone_site(_arm: Arm, site: Resource) -> None:
    for name, end in (("machine", "end"), ("front", "close")):
        if site.private.get(name):
            getattr(site.private[name], end)()


def _container_logs(_arm: Arm, site: Resource, _request: Request, _names: tuple[str, ...]) -> Answer:
    machine: Machine | None = site.private.get("machine")
    text = site.private.get("said", "") + (machine.containers[0].text() if machine else "")
    return Answer(200, text.encode(), {"Content-Type": "application/octet-stream"}) if text else Answer(204)


def _restart(arm: Arm, site: Resource, _request: Request, _names: tuple[str, ...]) -> Answer:
    run(arm, site)
    return Answer(200)


def _start_or_stop(state: str) -> Action:
    def change(arm: Arm, site: Resource, _request: Request, _names: tuple[str, ...]) -> Answer:
        site.private["state"] = state
        run(arm, site)
        return Answer(200)

    return change


def _swap(arm: Arm, site: Resource, request: Request, _names: tuple[str, ...]) -> Answer:
    """Exchange what two slots run, little by little; settings that belong to a slot stay where they are."""
    asked = taken(engine.body_of(request), {"targetSlot!": str, "preserveVnet!": bool})
    main_id, target = site.id.split("/slots/", maxsplit=1)[0], asked["targetSlot"]
    main = arm.find(main_id)
    other = main if target == "production" else arm.find(f"{main_id}/slots/{target}")
    if other is None or main is None:
        raise _refused(404, "NotFound", f"Cannot find slot {target} for site {main_id.rsplit('/', 1)[1]}.")
    if any(each.operation and each.operation.status == "InProgress" for each in (site, other)):
        message = f"Cannot modify this site because another operation is in progress. Details: Site: {site.name}"
        raise _refused(409, "Conflict", message)
    sticky = set(main.private["sticky"].get("appSettingNames") or [])

    def finish() -> None:
        settings, configs = (
            [copy.copy(each.private[part]) for each in (site, other)] for part in ("settings", "config")
        )
        for mine, theirs, each in ((0, 1, site), (1, 0, other)):
            each.private["settings"] = _mixed(settings[theirs], settings[mine], sticky)
            each.private["config"] |= {name: configs[theirs].get(name) for name in SWAPPED}
        for part in ("machine", "port", "said"):  # what was warmed up goes on, where it is asked for then
            site.private[part], other.private[part] = other.private.get(part), site.private.get(part)
        for number, each in enumerate((other, site)):
            if each.private["settings"] != settings[number]:
                run(arm, each)

    operation = Operation(arm.polls, finish, None, lambda: Answer(200, engine.shown(arm, site)), site)
    site.operation = operation
    return engine.begin(arm, request, LOCATION, operation)


def _mixed(new: Mapping[str, str], own: Mapping[str, str], sticky: set[str]) -> dict[str, str]:
    moved = {name: value for name, value in new.items() if name not in sticky}
    return moved | {name: value for name, value in own.items() if name in sticky}


def _name(arm: Arm, request: Request, _names: tuple[str, ...]) -> Answer:
    asked = taken(engine.body_of(request), {"name!": str, "type!": str, "isFqdn": bool, "environmentId": str})
    taken_ = any(each.private.get("host") == asked["name"].lower() for each in arm.resources.values())
    message = f"Hostname '{asked['name']}' already exists. Please select a different name." if taken_ else ""
    return Answer(200, {"nameAvailable": not taken_, "reason": "AlreadyExists" if taken_ else "", "message": message})


def _regions(arm: Arm, request: Request, _names: tuple[str, ...]) -> Answer:
    base = f"{arm.scope}/providers/Microsoft.Web/geoRegions"
    found = [{"id": f"{base}/{shown}", "name": shown, "properties": {"name": shown}} for shown in REGIONS.values()]
    return lists.listed(arm, request, found)


def _skus(_arm: Arm, _request: Request, _names: tuple[str, ...]) -> Answer:
    names = ("F1", "B1", "B2", "B3", "S1", "P0v3", "P1v3", "P2v3", "P3v3")
    skus = [{"name": each, "tier": tier(each), "locations": list(REGIONS.values())} for each in names]
    return Answer(200, {"resourceType": "Microsoft.Web/sites", "skus": skus})


ACTIONS: dict[str, Action] = {
    **site_config.actions(run),
    "POST containerlogs": _container_logs,
    "POST restart": _restart,
    "POST start": _start_or_stop("Running"),
    "POST stop": _start_or_stop("Stopped"),
    "POST slotsswap": _swap,
}
PLAN = Kind(
    type="Microsoft.Web/serverfarms",
    versions=VERSIONS,
    form=lambda: site_config.model("AppServicePlan"),
    name=r"[A-Za-z0-9-]{1,60}",
    put=Long(200, ""),
    lenient=True,
    in_use=("Conflict", "Server farm '{name}' cannot be deleted because it has web app(s) {users} assigned to it."),
    check=_check_plan,
    view=_view_plan,
)


def _site(kind: str, name: str) -> Kind:
    return Kind(
        type=kind,
        versions=VERSIONS,
        form=lambda: site_config.model("Site"),
        name=name,
        put=Long(200, ""),
        patch=NOW,
        lenient=True,
        state="",
        check=_check_site,
        made=_made_site,
        gone=_gone_site,
        view=_view_site,
        needs=identities.needs,
        actions=ACTIONS,
    )


SITE = _site("Microsoft.Web/sites", r"[A-Za-z0-9]([A-Za-z0-9-]{0,58}[A-Za-z0-9])?")
SLOT = _site("Microsoft.Web/sites/slots", r"[A-Za-z0-9]([A-Za-z0-9-]{0,57}[A-Za-z0-9])?")
KINDS = (PLAN, SITE, SLOT)
_WEB = "/subscriptions/*/providers/Microsoft.Web"
ROUTES: dict[tuple[str, str], tuple[Route, str]] = {
    ("POST", f"{_WEB}/checknameavailability"): (_name, "Microsoft.Web/checknameavailability/read"),
    ("GET", f"{_WEB}/geoRegions"): (_regions, "Microsoft.Web/geoRegions/read"),
    ("GET", f"{_WEB}/skus"): (_skus, "Microsoft.Web/skus/read"),
}
