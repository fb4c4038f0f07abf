"""The record of deployments on an engine: the labels of containers and volumes, and what they tell. Pure."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from opdeploy.deployment import Found, Version
from opdeploy.targets.base import reached
from opdeploy.targets.engine.names import base

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker.models.containers import Container
    from pydantic import JsonValue

    from opdeploy.deployment import State

DEPLOYMENT = "opdeploy.deployment"
"""The label of everything that belongs to a deployment but images, with its name."""
ROLE = "opdeploy.role"
NUMBER = "opdeploy.number"
CONFIG = "opdeploy.config"
ARTEFACT = "opdeploy.artefact"
FRONT = "opdeploy.front"
"""The label of a server that tells where the front listened when it was made."""
WANTED = "opdeploy.wanted"
"""The label with the properties that a container was made with."""
AT = "opdeploy.at"
BY = "opdeploy.by"
LOCK = "opdeploy.lock"
KEYS = "OPDEPLOY_API_KEYS"
"""The variable of a server with its API keys."""
ASIDE = ".old"
"""Ends the name of a front that gives way to another."""
MB = 1_000_000
_SECOND = 1_000_000_000
_STATES: dict[str, State] = {
    "running": "running",
    "restarting": "failed",
    "created": "stopped",
    "exited": "stopped",
    "paused": "paused",
    "dead": "failed",
}


def is_aside(item: Container) -> bool:
    """Tell whether a container is a front that gives way to another."""
    return str(item.name).endswith(ASIDE)


def is_own(name: str, labels: Mapping[str, str] | None) -> bool:
    """Tell whether a front, network or volume of a name is that of the deployment which has the name."""
    return name == base((labels or {}).get(DEPLOYMENT, ""))


def lock_name(deployment: str) -> str:
    """Return the name of the volume that is a deployment's lock."""
    return f"{base(deployment)}.lock"


def version(item: Container, upstream: int | None) -> Version:
    """Describe a server as a version; `upstream` is the number of the one that requests go to."""
    labels = item.labels
    number = int(labels[NUMBER])
    return Version(
        number=number,
        resource=str(item.name),
        config=labels[CONFIG],
        artefact=labels[ARTEFACT],
        image=str(item.attrs["Config"]["Image"]),
        at=datetime.fromisoformat(labels[AT]),
        by=labels[BY],
        state=_STATES.get(item.attrs["State"]["Status"], "unknown"),
        current=number == upstream,
        proven=item.attrs["HostConfig"]["RestartPolicy"]["Name"] not in {"", "no"},
    )


def container(item: Container) -> Found:
    """Describe a container, as it is and as it was made."""
    attrs = item.attrs
    host = attrs["HostConfig"]
    memory, cpus = host.get("Memory") or 0, host.get("NanoCpus") or 0
    properties: dict[str, JsonValue] = {
        "role": item.labels.get(ROLE),
        "state": _STATES.get(attrs["State"]["Status"], "unknown"),
        "image": str(attrs["Config"]["Image"]),
        "cpus": cpus / _SECOND or None,
        "memory_mb": round(memory / MB) or None,
        "restart": (host.get("RestartPolicy") or {}).get("Name") or "no",
        "networks": sorted(attrs["NetworkSettings"]["Networks"]),
    }
    if any("gpu" in each for asked in host.get("DeviceRequests") or () for each in asked["Capabilities"] or ()):
        properties["gpu"] = True
    bindings = next((item for item in (host.get("PortBindings") or {}).items()), None)
    if bindings:
        inside, (outside, *_) = bindings[0], bindings[1] or [{}]
        properties["port"] = int(inside.partition("/")[0])
        if FRONT in item.labels:
            properties["front"] = json.loads(item.labels[FRONT])
            properties["keyed"] = any(pair.startswith(f"{KEYS}=") for pair in attrs["Config"]["Env"] or ())
        if item.labels.get(ROLE) == "front":
            properties |= {"host": outside.get("HostIp"), "port": int(outside.get("HostPort") or 0)}
    return Found(
        kind="container",
        name=str(item.name),
        properties=properties,
        wanted=json.loads(item.labels.get(WANTED, "{}")),
    )


def endpoint(front: Container, machine: str | None) -> str | None:
    """Return where a front is reached, as a URL; `machine` is the name of its machine, None for this one."""
    properties = container(front).properties
    listens = str(properties.get("host") or "")
    host = machine if machine and reached(listens) != listens else reached(listens)
    return f"http://{f'[{host}]' if ':' in host else host}:{properties['port']}"
