"""What a person should know before a plan is carried out, the gravest first. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opdeploy.errors import InputError, NoPlatformError
from opdeploy.targets.base import Reach

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opdeploy.deploy.journal import Unfinished
    from opdeploy.platform import NameRule, Profile
    from opdeploy.recommendation import Reason
    from opdeploy.targets.base import Wanted
    from opdeploy.workload import Workload

_PLAIN = "it is reached over plain HTTP: who is on the way can read requests, answers, and the API key if there is one"
_ALLOW = "; deploy it with --allow-plain-http"
_PILOT = "single-node"
"""The reason that comes first: that production is put on a machine which nothing manages."""
_GPU = "gpu"
"""The reason that there is no GPU."""
_UNSURE = "; from memory, to be verified"
"""How the catalogue marks what no source says: who reads it wants to know, and who is refused a platform does not."""
_ASKED = {"development", "only", "never"}
"""Reasons that who names the platform has set aside."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What notes are about."""

    wanted: Wanted
    workload: Workload
    profile: Profile
    reasons: tuple[Reason, ...]
    """Why the advisor excludes the platform."""
    synthetic: bool
    """Whether the golden inputs were drawn at random."""
    unfinished: Unfinished | None
    busy: str | None = None
    """Who is at work on it."""
    useless: tuple[str, ...] = ()
    """Options that mean nothing on the platform."""
    rule: NameRule | None = None
    """What it may be called."""
    is_allowed: bool = False
    """Whether plain HTTP was allowed."""
    shows_key: bool = False
    """Whether an API key is made, and shown."""
    scaling: str | None = None
    """What of its instances comes from the recommendation."""


def notes(facts: Facts) -> tuple[str, ...]:
    """Return the notes of a plan, a sentence each."""
    return tuple(_notes(facts))


def _notes(facts: Facts) -> Iterator[str]:
    wanted, workload, name = facts.wanted, facts.workload, facts.wanted.deployment
    for reason in sorted(facts.reasons, key=lambda reason: reason.constraint != _PILOT):
        if reason.constraint not in _ASKED:
            text = f"{reason.text.rstrip('.')}; it would take {reason.would_need}"
            yield f"{facts.profile.id} is not recommended for this workload: {text}"
    yield from of_reach(
        Reach(wanted.public, wanted.keyed, wanted.tls), "" if facts.is_allowed else _ALLOW, shows_key=facts.shows_key
    )
    if facts.useless:
        yield f"{facts.profile.id} has no use for {', '.join(facts.useless)}"
    asked = wanted.settings.name or workload.name
    if name != asked:
        rules = f"the rules for names of {facts.profile.id}{_rule(facts)}"
        yield f"{asked} does not fit {rules}, and so it is called {name}"
    if facts.scaling:
        yield facts.scaling
    if facts.synthetic:
        yield "its golden answers are to inputs drawn at random: package the model with real records to prove more"
    if facts.busy:
        yield facts.busy
    elif facts.unfinished:
        yield _continued(facts.unfinished)
    if workload.lifetime:
        yield (
            f"the workload says that it lives for {workload.lifetime}: nothing removes it then by itself; "
            f"remove it with: opdeploy remove {name} --target {facts.profile.id}"
        )


def _rule(facts: Facts) -> str:
    """Return how long a name may be, where it was too long or too short."""
    asked, rule = facts.wanted.settings.name or facts.workload.name, facts.rule
    if rule is None or rule.min_length <= len(asked) <= rule.max_length:
        return ""
    return f" ({rule.min_length} to {rule.max_length} characters)"


def _continued(unfinished: Unfinished) -> str:
    """Say what was interrupted, when and at which step: only a deployment is gone on with."""
    when = f"{unfinished.at[:16].replace('T', ' ')} UTC"
    at = f", at the step: {unfinished.step}" if unfinished.step else ""
    if unfinished.operation == "deploy":
        return f"continues the deployment that was interrupted at {when}{at}"
    what = "rollback" if unfinished.operation == "rollback" else "removal"
    return f"a {what} was interrupted at {when}{at}: this takes its place"


def of_reach(reach: Reach, todo: str = "", *, shows_key: bool = False) -> Iterator[str]:
    """Yield what is to be known of who reaches a version.

    `todo` says what plain HTTP takes, `shows_key` whether an API key is made and shown.
    """
    if reach.public:
        if not reach.tls:
            yield f"{_PLAIN}{todo}"
        if reach.keyed:
            yield f"clients need an API key{', which is made, and shown once' if shows_key else ''}"
        else:
            yield "it asks for no API key: anyone who reaches it may use it"


def refuse(wanted: Wanted, workload: Workload, reasons: Iterable[Reason]) -> None:
    """Raise NoPlatformError where the workload needs what is not there; `reasons` are why the platform is excluded."""
    if workload.hardware.gpu == "required" and not wanted.gpu:
        why = next(
            (item.text for item in reasons if item.constraint == _GPU), "needs one, and containers get none here"
        )
        said = why.rstrip(".").removesuffix(_UNSURE)
        raise NoPlatformError(f"hardware.gpu: {said}; say preferred, or take a platform that has some, such as aks-gpu")


def is_plain(wanted: Wanted) -> bool:
    """Tell whether others may read along with what is asked and answered."""
    return wanted.public and not wanted.tls


def require_allowed(wanted: Wanted, *, host: str, instead: str) -> None:
    """Raise InputError for plain HTTP, which was not allowed.

    `host` says what lets others reach it, and where it was given; `instead` what would be safe.
    """
    if is_plain(wanted):
        raise InputError(
            f"{host}: others may read along, for it serves without TLS; allow it with --allow-plain-http, or {instead}"
        )
