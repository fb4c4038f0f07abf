"""How much of a machine a server gets: what was asked for, within what the target and the machine have. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opdeploy.errors import InputError
from opdeploy.local.served import Limits, Runtime

if TYPE_CHECKING:
    from opdeploy.platform import NumberLimit, Profile


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for; None where nothing was."""

    cpus: float | None
    memory_gb: float | None
    needed_gb: float
    """Memory of one instance as the workload says, or as it is assumed of it."""


@dataclass(frozen=True, slots=True)
class Room:
    """What there is to give."""

    cpus: float
    memory_gb: float


def limits(runtime: Runtime, wanted: Wanted, profile: Profile | None, room: Room) -> tuple[Limits, list[str]]:
    """Return what a server gets, and what has to be said of it.

    Raises InputError for a target that answers no requests or has not so much, and for what no process can be held to.
    """
    if profile:
        _check_serves(profile)
    cpus, said = _cpus(runtime, wanted.cpus, profile, room)
    memory, more = _memory(runtime, wanted, profile, room)
    if profile is None:
        return Limits(cpus, memory, None), said + more
    unknown = [name for name in ("cpus", "memory_gb") if getattr(profile.limits, name) is None]
    return Limits(cpus, memory, profile.id, unknown), said + more


def _check_serves(profile: Profile) -> None:
    if "request-response" not in profile.patterns.value:
        takes = ", ".join(profile.patterns.value)
        raise InputError(f"--target {profile.id}: answers no requests, it takes {takes}; name one that serves")
    if not profile.docker.value:
        raise InputError(f"--target {profile.id}: takes no image, and so not this server: {profile.docker.why}")


def _cpus(runtime: Runtime, cpus: float | None, profile: Profile | None, room: Room) -> tuple[float, list[str]]:
    whole = runtime == "process"
    most = float(max(1, int(room.cpus))) if whole else room.cpus
    if cpus is None:
        return _all_cpus(most, profile)
    if whole and cpus != int(cpus):
        raise InputError(f"--cpus {cpus:g}: a process gets whole processors; take --runtime docker for a part of one")
    if profile:
        _check_offered(f"--cpus {cpus:g}", cpus, profile, profile.limits.cpus)
    if cpus > most:
        return most, [f"--cpus {cpus:g}: this machine has {most:g}, so that it is tried with {most:g}"]
    return cpus, []


def _all_cpus(most: float, profile: Profile | None) -> tuple[float, list[str]]:
    """Return what a server gets that was not told, of `most` that this machine gives, and what has to be said of it."""
    if profile is None:
        return most, []
    offer = profile.limits.cpus
    if offer is None:
        return most, [f"--cpus: not known of {profile.id}, so that it is tried with the {most:g} of this machine"]
    got = min(most, offer.value)
    here = "" if got == offer.value else f" and this machine {most:g}"
    return got, [f"--cpus: {profile.id} has {offer.value:g} at most{here}, so that it is tried with {got:g}"]


def _check_offered(asked: str, amount: float, profile: Profile, offer: NumberLimit | None) -> None:
    """Raise InputError for more than a target gives, as far as that is known."""
    if offer and amount > offer.value:
        raise InputError(f"{asked}: {profile.id} has {offer.value:g} at most: {offer.why}")


def _memory(runtime: Runtime, wanted: Wanted, profile: Profile | None, room: Room) -> tuple[float | None, list[str]]:
    memory = wanted.memory_gb or wanted.needed_gb
    if profile:
        _check_offered(f"{memory:g} GB of memory", memory, profile, profile.limits.memory_gb)
    if runtime == "process":
        if wanted.memory_gb is not None:
            raise InputError("--memory: a process cannot be held to it; take --runtime docker")
        return None, []
    if memory > room.memory_gb:
        return room.memory_gb, [f"{memory:g} GB of memory: this machine has {room.memory_gb:g}, and that is the limit"]
    return memory, []


def too_large(profile: Profile, request_mb: float) -> str | None:
    """Return what has to be said of a request that a target does not take; None where it does, as far as is known."""
    most = profile.limits.payload_mb
    if most is None or request_mb <= most.value:
        return None
    return f"a request has {request_mb:.3g} MB, and {profile.id} takes {most.value:g} at most: {most.why}"
