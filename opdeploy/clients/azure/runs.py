"""What a platform of Azure runs versions with, such as a container group: a place asks it for all of that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from pydantic import JsonValue

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.deploy_settings import Deploy
    from opdeploy.deployment import Found, State
    from opdeploy.targets.azure.names import Where


class Event(NamedTuple):
    """Something that went wrong."""

    text: str
    at: datetime | None = None
    """When it did so last, where that is told."""


class Running(NamedTuple):
    """What runs, and what has the requests."""

    current: int | None
    """Number of the version that requests go to."""
    servers: Mapping[int, tuple[str, State]]
    """Of each version that is there: the name of what runs it, and how it stands; any other is in the record alone."""
    endpoint: str | None
    """Where requests go, such as https://net.azurewebsites.net."""
    events: tuple[Event, ...] = ()
    """What went wrong of late, the newest last."""
    more: tuple[Found, ...] = ()
    """What belongs to the resource that runs it and is none of its own, such as a revision."""


class Runs(Protocol):
    """Servers of one platform, by the names that checks call them."""

    tls: bool
    """Whether they are asked over TLS."""

    def running(self, at: Where, there: Mapping[str, dict[str, Any]]) -> Running:
        """Return what runs; `there` has the deployment's resources by their ids in small letters."""

    def state(self, found: Mapping[str, Any]) -> State | None:
        """Return how a resource stands; None for one that runs nothing."""

    def address(self, at: Where, name: str) -> tuple[str, int]:
        """Return host and port of a server; raises OpdeployError where it has none."""

    def exit_code(self, at: Where, name: str) -> int | None:
        """Return how a server ended; None while it runs."""

    def out_of_memory(self, at: Where, name: str) -> bool:
        """Tell whether a server was ended because its memory was used up."""

    def logs(self, at: Where, name: str, tail: int) -> list[str]:
        """Return the last lines that a server wrote."""

    def follow(self, at: Where, name: str, tail: int) -> Iterator[str]:
        """Yield the last lines that a server wrote, and what it writes until it ends."""

    def image(self, at: Where, name: str) -> str:
        """Return the image that a server runs."""

    # What not every platform has.

    def facts(self, at: Where, settings: Deploy) -> dict[str, JsonValue]:  # noqa: ARG002 - of those that have some
        """Return what the platform has that a plan depends on."""
        return {}

    def api_key(self, at: Where) -> str | None:  # noqa: ARG002 - of those that tell it
        """Return the API key of what runs, where the platform tells it."""
        return None


def runs(arm: Arm, target: str) -> Runs:
    """Return what runs versions on a platform."""
    from opdeploy.clients.azure.apps import Apps
    from opdeploy.clients.azure.group import Groups
    from opdeploy.clients.azure.sites import Sites

    found: dict[str, Callable[[Arm], Runs]] = {"aci": Groups, "container-apps": Apps, "webapp": Sites}
    return found[target](arm)
