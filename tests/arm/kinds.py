"""What a type of resource is: one table for each provider is made of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.arm.answers import Answer, Ending
from tests.arm.machines import now

if TYPE_CHECKING:
    from tests.arm.arm import Arm
    from tests.arm.operations import Operation
    from tests.arm.paths import Path

REGIONS = {
    "westeurope": "West Europe",
    "northeurope": "North Europe",
    "eastus": "East US",
    "eastus2": "East US 2",
    "swedencentral": "Sweden Central",
}
TAGS = {"*": str}
IDENTITY = {
    "type": ("SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned", "None"),
    "userAssignedIdentities": {"*": {"principalId-": str, "clientId-": str}},
    "principalId-": str,
    "tenantId-": str,
}
ANYWHERE = {"id-": str, "name-": str, "type-": str, "etag-": str, "systemData-": object}
"""What clients may send back of what they read."""


@dataclass(frozen=True)
class Long:
    """How a request is answered that takes its time: the status, and the header that names where to ask."""

    status: int
    header: str


NOW = Long(0, "")
ASYNC = Long(201, "Azure-AsyncOperation")
LOCATION = Long(202, "Location")


@dataclass
class Resource:
    """A resource, with what is never told of it."""

    id: str
    kind: Kind
    body: dict[str, Any]
    private: dict[str, Any] = field(default_factory=dict)
    operation: Operation | None = None
    unseen: int = 0
    """How many reads do not find it yet."""
    lingers: int = 0
    """How many lists have it still, once it was deleted."""
    deleted: bool = False
    created: str = field(default_factory=now)

    @property
    def name(self) -> str:
        """The last name of its id."""
        return self.id.rsplit("/", 1)[1]

    @property
    def properties(self) -> dict[str, Any]:
        """The part of its own."""
        found: dict[str, Any] = self.body.get("properties") or {}
        self.body["properties"] = found
        return found


@dataclass(frozen=True)
class Request:
    """A request that was read."""

    method: str
    path: Path
    query: Mapping[str, str]
    body: Any
    headers: Mapping[str, str]
    ending: Ending | None = None
    """How a long operation is to end that it begins, where a test wants it so."""

    @property
    def version(self) -> str:
        """The API version that was asked for."""
        return self.query.get("api-version", "")


Action = Callable[["Arm", Resource, Request, tuple[str, ...]], Answer]
"""Takes the resource, the request, and what stars of its pattern stand for."""
Route = Callable[["Arm", Request, tuple[str, ...]], Answer]


def _nothing(_arm: Arm, _resource: Resource) -> None:
    """Do nothing."""


def _no_check(_arm: Arm, _old: Resource | None, _new: Resource) -> None:
    """Refuse nothing."""


def _as_it_is(_arm: Arm, resource: Resource) -> dict[str, Any]:
    return resource.body


@dataclass(frozen=True)
class Kind:
    """A type of resource, and what is particular to it."""

    type: str
    versions: tuple[str, ...]
    form: Any
    """A form, or what returns one: those that are read from Microsoft's packages are read late."""
    name: str = r"[A-Za-z0-9][A-Za-z0-9-]{0,62}"
    tracked: bool = True
    """Whether it has a location, tags, and a place in the lists of resources."""
    put: Long = NOW
    patch: Long | None = NOW
    """None where there is no PATCH, or only one of tags."""
    delete: Long | None = NOW
    lenient: bool = False
    """Whether unknown properties are dropped silently."""
    first_state: str = "Creating"
    state: str = "properties.provisioningState"
    """Where the service tells how far it is; empty where it does not."""
    busy: tuple[str, str] = ("Conflict", "The resource '{name}' has another operation in progress.")
    deleted_when_busy: bool = True
    unchangeable: tuple[int, str, str] = (400, "PropertyChangeNotAllowed", "A property cannot be changed.")
    in_use: tuple[str, str] = ("", "")
    """The error for a deletion of what another resource names; without one, it is deleted."""
    check: Callable[[Arm, Resource | None, Resource], None] = _no_check
    """Refuses what the form cannot tell, and adds what the service adds."""
    ends: Callable[[Arm, Resource], Ending | None] = lambda _arm, _resource: None
    """How a creation or an update fails that was accepted; None where it does not."""
    made: Callable[[Arm, Resource], None] = _nothing
    """Called when a creation or an update ends well."""
    gone: Callable[[Arm, Resource], None] = _nothing
    view: Callable[[Arm, Resource], dict[str, Any]] = _as_it_is
    actions: Mapping[str, Action] = field(default_factory=dict)
    """By method and the rest of the path, such as `GET containers/*/logs`."""
    needs: Callable[[Resource], list[tuple[str, str]]] = lambda _resource: []
    """What else one must be allowed to: actions at scopes of others."""

    @property
    def namespace(self) -> str:
        """The provider, such as Microsoft.Web."""
        return self.type.split("/", 1)[0]

    @property
    def short(self) -> str:
        """The type without its provider."""
        return self.type.split("/", 1)[1]
