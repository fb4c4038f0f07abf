"""The record of a deployment, which lives where it does: its versions, and what its resources were made as. Pure."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from opdeploy.frozen import Frozen

MANAGED_BY = "managed-by"
NAME = "opdeploy-name"
"""The tag of everything that a deployment made, with its name."""
TARGET = "opdeploy-target"
VERSION = "opdeploy-version"
CONTENT = "opdeploy-content"
"""The tag with the digest of everything that decides how a version runs."""
OWNER = "opdeploy-owner"
ROLE = "opdeploy-role"
"""The tag of what is there for a while: `trial`."""


class Made(Frozen):
    """A resource as it was made."""

    id: str
    body: dict[str, Any] = Field(default_factory=dict)
    """Without secrets."""


class Kept(Frozen):
    """A version, as the record has it."""

    number: int
    config: str
    artefact: str
    image: str
    at: AwareDatetime
    by: str
    keyed: bool
    proven: bool = False
    ready: AwareDatetime | None = None
    """When it was last found to be ready and right."""
    resource: str
    """Id of what runs it, or ran it."""
    body: dict[str, Any] = Field(default_factory=dict)
    """Of that resource, to be made so again."""


class Machine(Frozen):
    """What is known of a machine that was made."""

    id: str
    """That Azure gave it: another one has another."""
    host_key: str
    """That its SSH server shows."""
    user: str
    """Who logs in there."""
    port: int
    """Of its SSH server."""
    ready: bool = False
    """Whether it was ready once for what runs on it."""


class Record(Frozen):
    """Everything that is known of a deployment beside its resources themselves."""

    format: Literal[1] = 1
    deployment: str
    target: str
    current: int | None = None
    """Number of the version that requests were last sent to."""
    versions: tuple[Kept, ...] = ()
    """The oldest first."""
    swapping: str | None = None
    """Image that a swap of slots is to bring to the requests, from before it begins until it has ended."""
    vault: str | None = None
    """Address of the Key Vault in which the API key was kept."""
    made: tuple[Made, ...] = ()
    """What belongs to all versions, or to the current one."""
    machine: Machine | None = None
    """On which everything runs, where that is one machine."""

    def version(self, number: int) -> Kept | None:
        """Return the version with a number."""
        return next((item for item in self.versions if item.number == number), None)

    def body(self, resource: str) -> dict[str, Any] | None:
        """Return what a resource was made as; None where the record does not have it."""
        return next((item.body for item in self.made if item.id.lower() == resource.lower()), None)

    def with_made(self, *made: Made) -> Record:
        """Return a record that has these resources as well, in the place of what it had of them."""
        ids = {item.id.lower() for item in made}
        kept = (item for item in self.made if item.id.lower() not in ids)
        return self.model_copy(update={"made": (*kept, *made)})

    def without(self, *ids: str) -> Record:
        """Return a record that does not have some resources."""
        gone = {item.lower() for item in ids}
        return self.model_copy(update={"made": tuple(item for item in self.made if item.id.lower() not in gone)})

    def with_version(self, kept: Kept) -> Record:
        """Return a record that has a version as well, in the place of what it had of it."""
        others = [item for item in self.versions if item.number != kept.number]
        return self.model_copy(update={"versions": tuple(sorted((*others, kept), key=lambda item: item.number))})
