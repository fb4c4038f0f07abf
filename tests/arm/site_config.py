"""The configuration of sites, which is a part of its own: `config/web`, `config/appsettings` and others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.arm import engine, sdk
from tests.arm.answers import Answer
from tests.arm.forms import taken

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.arm.arm import Arm
    from tests.arm.kinds import Action, Request, Resource

DEFAULTS = {
    "alwaysOn": False, "numberOfWorkers": 1, "http20Enabled": False, "minTlsVersion": "1.2", "ftpsState": "FtpsOnly",
    "acrUseManagedIdentityCreds": False, "linuxFxVersion": "",
}  # fmt: skip


def model(name: str) -> Any:  # noqa: ANN401 - a form
    """Return the form of a model of App Service."""
    from azure.mgmt.web import models

    return sdk.form(getattr(models, name))


def _part(site: Resource, name: str, properties: object) -> Answer:
    kind = f"{site.kind.type}/config"
    return Answer(200, {"id": f"{site.id}/config/{name}", "name": name, "type": kind, "properties": properties})


def _get_web(_arm: Arm, site: Resource, _request: Request, _names: tuple[str, ...]) -> Answer:
    return _part(site, "web", {**site.private["config"], "appSettings": None})


def _put_web(arm: Arm, site: Resource, request: Request, _names: tuple[str, ...]) -> Answer:
    given = taken(request.body, model("SiteConfigResource"), lenient=True).get("properties") or {}
    settings = given.pop("appSettings", None)
    if settings is not None:
        site.private["settings"] = {each["name"]: each.get("value") or "" for each in settings}
    kept = DEFAULTS if request.method == "PUT" else site.private["config"]
    site.private["config"] = {**kept, **given}
    return _get_web(arm, site, request, ())


def _put_settings(_arm: Arm, site: Resource, request: Request, _names: tuple[str, ...]) -> Answer:
    given = engine.body_of(request).get("properties") or {}
    site.private["settings"] = taken(given, {"*": str})
    return _part(site, "appsettings", site.private["settings"])


def _list_settings(_arm: Arm, site: Resource, _request: Request, _names: tuple[str, ...]) -> Answer:
    return _part(site, "appsettings", site.private["settings"])


def _get_sticky(_arm: Arm, site: Resource, _request: Request, _names: tuple[str, ...]) -> Answer:
    return _part(site, "slotConfigNames", site.private["sticky"])


def _put_sticky(_arm: Arm, site: Resource, request: Request, _names: tuple[str, ...]) -> Answer:
    given = taken(request.body, model("SlotConfigNamesResource"), lenient=True).get("properties") or {}
    site.private["sticky"] = {**site.private["sticky"], **given}
    return _part(site, "slotConfigNames", site.private["sticky"])


def _logs(_arm: Arm, site: Resource, request: Request, _names: tuple[str, ...]) -> Answer:
    if request.method == "PUT":
        site.private["logs"] = taken(request.body, model("SiteLogsConfig"), lenient=True).get("properties") or {}
    return _part(site, "logs", site.private["logs"])


def actions(run: Callable[[Arm, Resource], None]) -> dict[str, Action]:
    """Return what can be asked and changed; after some changes the container is started anew."""

    def again(change: Action) -> Action:
        def changed(arm: Arm, site: Resource, request: Request, names: tuple[str, ...]) -> Answer:
            answer = change(arm, site, request, names)
            run(arm, site)
            return answer

        return changed

    return {
        "GET config/web": _get_web,
        "PUT config/web": again(_put_web),
        "PATCH config/web": again(_put_web),
        "PUT config/appsettings": again(_put_settings),
        "POST config/appsettings/list": _list_settings,
        "GET config/slotConfigNames": _get_sticky,
        "PUT config/slotConfigNames": _put_sticky,
        "GET config/logs": _logs,
        "PUT config/logs": _logs,
    }
