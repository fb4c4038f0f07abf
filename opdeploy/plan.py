"""What a deployment would do, as data: it is shown, written as JSON, read again and carried out as it stands."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from opdeploy.frozen import Frozen

Operation = Literal["deploy", "rollback", "remove"]
Action = Literal["create", "change", "delete", "check"]
ACTIONS: dict[Action, str] = {"create": "+", "change": "~", "delete": "-", "check": "?"}
"""The sign before each line of a plan."""


class Ref(Frozen):
    """What an earlier step gives, and is not known before."""

    ref: str
    """The step's id."""


class Secret(Frozen):
    """A value that is made, or found where it is kept, when the plan is carried out, and that no plan holds."""

    secret: str
    """Its name."""


Arg = Annotated[Ref | Secret | JsonValue, Field(union_mode="left_to_right")]


class Change(Frozen):
    """One property of what exists, before and after."""

    property: str
    before: JsonValue
    after: JsonValue


class Resource(Frozen):
    """Something that exists where a deployment lives."""

    kind: str
    name: str
    properties: dict[str, JsonValue] = Field(default_factory=dict)
    """Those that a plan decides about; without secrets."""


class Step(Frozen):
    """One call that makes, changes, deletes or checks something."""

    id: str
    title: str
    """What is done, in the imperative."""
    action: Action
    kind: str
    name: str
    call: str
    """The method of the target's client."""
    args: dict[str, Arg] = Field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    timeout_s: float = 60.0
    """Within which it is tried again where the connection failed, or what answers was busy."""
    cleanup: bool = False
    """Whether all is well without it: where it fails, the next plan has it again."""
    repeatable: bool = True
    """Whether it may be tried again: what it makes has a name of its own."""


class Plan(Frozen):
    """Everything that is to be done, in order."""

    format: Literal[1] = 1
    operation: Operation
    target: str
    deployment: str
    """Its name where it lives."""
    version: int | None
    """That is to be current; None where nothing remains."""
    before: int | None
    """That is returned to where a step fails; None where there is none."""
    first: bool = False
    """Whether nothing answers yet: where a step fails, everything that was made is removed."""
    unproven: bool = False
    """Whether the version has yet to show that it works: where it does not, it is removed."""
    observed: str
    """Digest of what exists: another one makes the plan stale."""
    blocked: tuple[str, ...] = ()
    """What stands in the way, each with what to do: with any of it, what is planned is refused."""
    notes: tuple[str, ...] = ()
    """What a person should know first."""
    keeps: tuple[Resource, ...] = ()
    """What is there already, and stays as it is."""
    steps: tuple[Step, ...] = ()
    artefact: str | None = None
    """Digest of the model's artefact."""
    bundle: str | None = None
    """Digest of the files, and of how an image is built of them: another one makes the plan stale."""
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    """The settings that it was made with."""

    @property
    def changes(self) -> bool:
        """Whether it would change anything."""
        return any(step.action != "check" for step in self.steps)


def fingerprint(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return the digest of a JSON document, the same for the same content in whatever order of keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
