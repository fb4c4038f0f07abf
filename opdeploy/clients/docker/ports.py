"""Whether a port can be had on the machine of an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from opdeploy.targets.base import overlap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opdeploy.clients.docker.machine import Machine
    from opdeploy.deploy_settings import Deploy
    from opdeploy.deployment import Found


class Obstacle(NamedTuple):
    """Why a port cannot be had, and what to do."""

    why: str
    todo: str


def fronts_at(deploy: Deploy, fronts: Iterable[Found]) -> list[Found]:
    """Return the fronts that have the port of a deployment."""
    host, port, _ = deploy.listening
    return [front for front in fronts if _listens(front, host, port)]


def taken(deploy: Deploy, own: str | None, fronts: Iterable[Found], machine: Machine) -> Obstacle | None:
    """Say why a port cannot be had; None where it can, or where the deployment's own front, of that name, has it."""
    host, port, _ = deploy.listening
    section, address = ("vm", "listen") if deploy.target == "vm" else ("local", "host")
    another = f"choose another with --port or deploy.{section}.port"
    there = fronts_at(deploy, fronts)
    if any(front.name == own for front in there):
        return None
    if there:
        return Obstacle(f"{there[0].name} listens there, which is another deployment", another)
    found = machine.taken(host, port)
    if found is None:
        return None
    which = f"choose an address of that machine with --host or deploy.{section}.{address}" if found.of_host else another
    return Obstacle(found.why, which)


def _listens(front: Found, host: str, port: int) -> bool:
    about = front.properties
    return about["state"] != "stopped" and about.get("port") == port and overlap(str(about.get("host")), host)
