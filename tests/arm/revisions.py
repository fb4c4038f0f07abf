"""Revisions of container apps: each runs here, and has its share of what comes."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from tests.arm import lists
from tests.arm.answers import Answer, refused
from tests.arm.fronts import Front
from tests.arm.machines import Container, Machine, Spec
from tests.arm.probes import Probe
from tests.arm.vaults import value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.arm.arm import Arm
    from tests.arm.kinds import Action, Request, Resource


def start(arm: Arm, app: Resource, name: str) -> None:
    """Run a revision."""
    revision, inside = app.private["revisions"][name], arm.machines.address()
    specs = list(_specs(arm, app, revision["template"], inside))
    folder = arm.folder / "apps" / inside
    revision["active"] = True
    if "front" not in revision and app.properties["configuration"].get("ingress"):
        revision["front"] = Front(arm.authority, arm.machines.address(), lambda: _alone(arm, app.id, name))
        arm.machines.at_end(revision["front"].close)
    if arm.no_gpu and "gpu" in app.properties["workloadProfileName"].lower():
        app.private.setdefault("events", []).append(("Normal", "AssigningReplica", name))
        return
    revision["machine"] = arm.machines.start(folder, inside, specs, policy="Always", pace=arm.pace)


def end(revision: dict[str, Any]) -> None:
    """Run a revision no more."""
    revision["active"] = False
    if machine := revision.pop("machine", None):
        machine.end()


def _specs(arm: Arm, app: Resource, template: dict[str, Any], inside: str) -> Iterator[Spec]:
    known = {
        each["name"]: value(arm, each.get("keyVaultUrl") or "") or each.get("value") or ""
        for each in app.properties["configuration"].get("secrets") or []
    }
    for each in template["containers"]:
        image = arm.images.get(each["image"])
        assert image is not None  # it was there when the app was accepted
        given = {
            one["name"]: known.get(one.get("secretRef", ""), one.get("value") or "") for one in each.get("env") or []
        }
        given |= {"CONTAINER_APP_NAME": app.name}
        place = image.at(inside)
        words, environment = place.words(each.get("command"), each.get("args")), place.environment(given)
        probes = {one["type"]: Probe.of(one, arm.pace) for one in each.get("probes") or [] if "httpGet" in one}
        yield Spec(each["name"], words, environment, each["image"], probes.get("Liveness"), probes.get("Readiness"))


def weights(app: Resource) -> dict[str, int]:
    """Return the share of each revision."""
    revisions = app.private.get("revisions", {})
    found = dict.fromkeys(revisions, 0)
    for each in (app.properties["configuration"].get("ingress") or {}).get("traffic", []):
        name = list(revisions)[-1] if each.get("latestRevision") else each.get("revisionName")
        if name in found:
            found[name] += each.get("weight") or 0
    return found


def behind(arm: Arm, path: str) -> tuple[str, int] | None:
    """Return whose turn it is: of a hundred connections each revision that is ready has its share."""
    app = arm.find(path)
    if app is None:
        return None
    place = next(app.private["turn"]) * 61 % 100  # 61 and 100 have no divisor in common: shares are mixed
    for name, weight in weights(app).items():
        machine: Machine | None = app.private["revisions"][name].get("machine")
        if place < weight:
            port = app.properties["configuration"]["ingress"].get("targetPort") or 80
            return (machine.address, port) if machine and machine.ready else None
        place -= weight
    return None


def _alone(arm: Arm, path: str, name: str) -> tuple[str, int] | None:
    """Return where a revision answers at an address of its own."""
    app = arm.find(path)
    machine: Machine | None = app.private["revisions"][name].get("machine") if app else None
    if app is None or machine is None or not machine.ready:
        return None
    return machine.address, app.properties["configuration"]["ingress"].get("targetPort") or 80


def _revision(app: Resource, name: str) -> dict[str, Any]:
    if name not in app.private.get("revisions", {}):
        raise refused(404, "RevisionNotFound", f"Revision '{name}' of container app '{app.name}' was not found.")
    revision = app.private["revisions"][name]
    machine: Machine | None = revision.get("machine")
    crashed = machine and any(each.restarts > 1 or each.state["state"] != "Running" for each in machine.containers)
    health = "Unhealthy" if crashed else "Healthy" if machine and machine.ready else "None"
    running = "Failed" if crashed else "Running" if machine else "Activating" if revision["active"] else "Stopped"
    own = {
        "active": revision["active"], "createdTime": revision["created"], "template": revision["template"],
        "trafficWeight": weights(app)[name], "replicas": 1 if machine else 0, "healthState": health,
        "provisioningState": "Provisioned", "runningState": running,
    }  # fmt: skip
    if "front" in revision:
        own["fqdn"] = revision["front"].name
    return {"id": f"{app.id}/revisions/{name}", "name": name, "type": f"{app.kind.type}/revisions", "properties": own}


def _revisions(arm: Arm, app: Resource, request: Request, _names: tuple[str, ...]) -> Answer:
    return lists.listed(arm, request, [_revision(app, name) for name in app.private.get("revisions", {})])


def _one_revision(_arm: Arm, app: Resource, _request: Request, names: tuple[str, ...]) -> Answer:
    return Answer(200, _revision(app, names[0]))


def _change(arm: Arm, app: Resource, names: tuple[str, ...], *, active: bool) -> Answer:
    _revision(app, names[0])
    end(app.private["revisions"][names[0]])
    if active:
        start(arm, app, names[0])
    return Answer(200)


def _activate(arm: Arm, app: Resource, _request: Request, names: tuple[str, ...]) -> Answer:
    return _change(arm, app, names, active=True)


def _deactivate(arm: Arm, app: Resource, _request: Request, names: tuple[str, ...]) -> Answer:
    return _change(arm, app, names, active=False)


def _replicas(arm: Arm, app: Resource, request: Request, names: tuple[str, ...]) -> Answer:
    _revision(app, names[0])
    machine: Machine | None = app.private["revisions"][names[0]].get("machine")
    live = machine.containers if machine else []
    told = [
        {"name": each.spec.name, "ready": each.ready, "started": True, "restartCount": each.restarts,
         "runningState": each.state["state"], "runningStateDetails": _details(each),
         "logStreamEndpoint": f"{arm.url}{app.id}/revisions/{names[0]}/containers/{each.spec.name}/logstream"}
        for each in live
    ]  # fmt: skip
    replica = {"name": f"{names[0]}-0", "properties": {"runningState": "Running", "containers": told}}
    return lists.listed(arm, request, [replica] if machine else [])


def _details(container: Container) -> str:
    """Return what is told of a container that does not run."""
    if container.state["state"] == "Terminated":
        return f"Container terminated with exit code '{container.state['exitCode']}'"
    return str(container.state.get("detailStatus", ""))


def _token(_arm: Arm, app: Resource, _request: Request, _names: tuple[str, ...]) -> Answer:
    token = app.private.setdefault("token", secrets.token_hex(16))
    return Answer(200, {"location": app.body["location"], "properties": {"token": token}})


def stream(arm: Arm, path: str, query: Mapping[str, str], authorization: str) -> Answer | None:
    """Answer with a log, which is told to who shows the app's token; None for what is no log."""
    resource, _, rest = path.partition("/revisions/")
    if not path.endswith(("/logstream", "/eventstream")):
        return None
    app = arm.find(resource.removesuffix("/eventstream"))
    if app is None or authorization != f"Bearer {app.private.get('token')}":
        return Answer(401, {"error": "invalid token"})
    if rest:
        name, _, container, _ = rest.split("/")
        machine: Machine | None = app.private["revisions"][name].get("machine")
        live = [each.text() for each in machine.containers if each.spec.name == container] if machine else []
    else:
        live = [json.dumps({"Type": kind, "Reason": reason, "RevisionName": name, "Msg": f"{reason} of {name}"}) + "\n"
                for kind, reason, name in app.private.get("events", ())]  # fmt: skip
    lines = "".join(live).splitlines(keepends=True)
    told = "".join(lines[-int(query.get("tailLines", "20")) :])
    return Answer(200, told.encode(), {"Content-Type": "text/plain"})


ACTIONS: dict[str, Action] = {
    "GET revisions": _revisions,
    "GET revisions/*": _one_revision,
    "POST revisions/*/activate": _activate,
    "POST revisions/*/deactivate": _deactivate,
    "POST revisions/*/restart": _activate,
    "GET revisions/*/replicas": _replicas,
    "POST getAuthtoken": _token,
}
