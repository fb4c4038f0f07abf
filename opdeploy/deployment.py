"""What is found where a deployment lives: its resources, its versions, and who is at work on it."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field, JsonValue

from opdeploy.frozen import Frozen
from opdeploy.plan import Change

State = Literal["running", "paused", "stopped", "failed", "unknown"]


class Found(Frozen):
    """A resource as it is now, beside what it was made to be."""

    kind: str
    name: str
    properties: dict[str, JsonValue] = Field(default_factory=dict)
    """As they are; without secrets."""
    wanted: dict[str, JsonValue] = Field(default_factory=dict)
    """As the record on the target says that they were made."""

    passing: bool = False
    """Whether it comes and goes by itself, so that no plan depends on it."""
    made: dict[str, JsonValue] = Field(default_factory=dict)
    """What it was made of, to be made so again."""
    about: str | None = None
    """What it is, in a few words for a person; None where its properties tell."""
    shown: bool = True
    """Whether a person is shown it beside the versions, some of which tell the same."""

    def drift(self) -> tuple[Change, ...]:
        """Return the properties that are not as they were made."""
        return tuple(
            Change(property=name, before=before, after=self.properties.get(name))
            for name, before in self.wanted.items()
            if self.properties.get(name) != before
        )


class Version(Frozen):
    """One version of a deployment, running or kept."""

    number: int
    resource: str
    """Name of what runs it."""
    config: str
    """Digest of everything that decides what runs: the same for the same image and settings."""
    artefact: str
    """Digest of the model's artefact."""
    image: str
    at: AwareDatetime
    """When it was made."""
    by: str
    """Who made it, and on which machine."""
    state: State
    current: bool = False
    """Whether requests go to it."""
    proven: bool = True
    """Whether it was found to be ready and right when it was made."""


class Lock(Frozen):
    """Who is at work on a deployment."""

    owner: str
    """User and machine."""
    since: AwareDatetime
    doing: str
    process: str
    """Tells one process from all others: machine, boot, process id and its start."""


class Tunnel(Frozen):
    """How an endpoint is reached that is not open to this machine."""

    command: str
    """That opens it, and runs as long as it is open."""
    url: str
    """Where the endpoint is reached meanwhile."""


class Observed(Frozen):
    """A deployment as it is now."""

    target: str
    deployment: str
    group: str | None = None
    """Resource group that it is in, where that is in Azure."""
    found: tuple[Found, ...] = ()
    versions: tuple[Version, ...] = ()
    """The oldest first."""
    endpoint: str | None = None
    """Where it is reached, such as http://127.0.0.1:8000."""
    tunnel: Tunnel | None = None
    """How it is reached from here, where that needs one."""
    events: tuple[str, ...] = ()
    """What the platform says of late that went wrong, the newest last."""
    facts: dict[str, JsonValue] = Field(default_factory=dict)
    """What the platform has that a plan depends on."""
    front: str | None = None
    """Name of what answers there."""
    upstream: int | None = None
    """Number of the version that requests are sent to, even where that is not there any more."""
    rolls: bool = False
    """Whether the platform itself decides which version that is, as those of one get ready and those of another end."""
    lock: Lock | None = None
    unreached: str | None = None
    """Why what runs is not known, with what to do, where the machine that it runs on is not reached."""

    @property
    def current(self) -> Version | None:
        """The version that requests go to."""
        return next((version for version in self.versions if version.current), None)

    def version(self, number: int) -> Version | None:
        """Return the version with a number."""
        return next((version for version in self.versions if version.number == number), None)

    def number_of(self, config: str) -> int:
        """Return the number of the version that runs as a digest says, else of one that is made.

        It is that of one which is as it was made: of the current one, else of the newest. A number that requests are
        still sent to is not used again: who has it gets them before it was checked.
        """
        same = [version for version in self.versions if version.config == config and self._is_as_made(version)]
        found = max(same, key=lambda version: (version.current, version.number), default=None)
        return found.number if found else 1 + max(self.upstream or 0, *(item.number for item in self.versions), 0)

    def _is_as_made(self, version: Version) -> bool:
        found = next((item for item in self.found if item.name == version.resource), None)
        return found is not None and not found.drift()

    def of(self, kind: str, name: str) -> Found | None:
        """Return a resource."""
        return next((found for found in self.found if (found.kind, found.name) == (kind, name)), None)
