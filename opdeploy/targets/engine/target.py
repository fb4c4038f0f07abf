"""What every target on a Docker engine does, wherever that runs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.deploy_settings import HOST, PORT
from opdeploy.deployment import Found
from opdeploy.plan import fingerprint
from opdeploy.targets.base import Reach, is_public
from opdeploy.targets.engine import clearing, making, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pydantic import JsonValue

    from opdeploy.deployment import Observed
    from opdeploy.plan import Plan, Step
    from opdeploy.platform import NameRule
    from opdeploy.targets.base import Wanted

_READY_S = 300.0
"""Seconds within which a version that worked once must be ready again."""


class EngineTarget:
    """A Docker engine; what differs from one to another is how an image gets there, and what that leaves elsewhere."""

    ids: tuple[str, ...] = ()
    rule: NameRule | None = None
    is_public: Callable[[str], bool] = staticmethod(is_public)
    """Whether an address to listen on may be reached from anywhere."""

    def image(self, wanted: Wanted, observed: Observed, *, is_needed: bool) -> Iterator[Step]:
        """Yield the steps that bring the image there, where it is not."""
        return making.image(wanted, observed, is_needed=is_needed)

    def elsewhere(self, observed: Observed, keep: str | None) -> Iterator[Step]:  # noqa: ARG002 - there is nothing here
        """Yield the steps that remove what images left on other engines, but the one that is kept."""
        yield from ()

    def config(self, wanted: Wanted) -> str:
        """Return the digest of everything that decides how a version runs."""
        return fingerprint([wanted.bundle, making.server(wanted), wanted.keyed])

    def plan(self, wanted: Wanted, observed: Observed, number: int) -> Iterator[Step]:
        """Yield the steps that make a version current: a new one, or one that is there."""
        is_new = observed.version(number) is None
        there = clearing.without_dead_fronts(observed)
        front = tuple(making.front(there, number, making.listens(wanted)))
        yield from self.image(wanted, observed, is_needed=is_new or bool(front))
        yield from _room(observed, there)
        if is_new:
            yield making.run(wanted, number, self.config(wanted))
        yield from making.activate(observed, number, ready_s=wanted.ready_s)
        yield from _opened(there, front, making.switch(there, number, wanted.port), keyed=wanted.keyed)
        yield making.check_endpoint(wanted.deployment, number, auth=wanted.keyed)
        retired = tuple(clearing.retire(observed, number, keep=wanted.keep))
        yield from retired
        yield from clearing.leftovers(there, (*front, *retired), {wanted.image})
        if is_new:
            yield from self.elsewhere(observed, wanted.image)

    def back(self, observed: Observed, to: int, undone: Plan | None = None) -> Iterator[Step]:
        """Yield the steps that make a kept version current again, after a plan that failed or on demand."""
        there = clearing.without_dead_fronts(observed)
        yield from _room(observed, there)
        yield from making.activate(observed, to, ready_s=_READY_S)
        front = tuple(making.front(there, to, self._where(observed, to, undone)))
        switch = making.switch(there, to, _port(observed, to))
        yield from _opened(there, front, switch, keyed=_is_keyed(observed, to))
        yield making.check_endpoint(observed.deployment, to, auth=_is_keyed(observed, to))
        failed = undone.version if undone and undone.unproven else None
        retired = tuple(clearing.retire(observed, to, failed=failed))
        yield from retired
        yield from clearing.leftovers(there, (*front, *retired), set())

    def reach(self, observed: Observed, to: int) -> Reach:
        """Tell who reaches a kept version once it answers again."""
        return Reach(self.is_public(str(self._where(observed, to, None)["host"])), _is_keyed(observed, to))

    def _where(self, observed: Observed, to: int, undone: Plan | None) -> dict[str, JsonValue]:
        """Return where the front listened before: before the plan, else as it does now, else when the version was made.

        A version that asks for no key goes back to where it was made for, if others reach the front now.
        """
        found = observed.of("container", names.base(observed.deployment))
        server = observed.of("container", names.server_name(observed.deployment, to))
        recorded = server.properties.get("front") if server else None
        made: dict[str, JsonValue] = {"host": HOST, "port": PORT}
        if isinstance(recorded, dict):
            made |= recorded
        where = {key: found.properties.get(key) for key in made} if found else made
        for step in undone.steps if undone else ():
            where |= {change.property: change.before for change in step.changes if change.property in where}
        return where if _is_keyed(observed, to) or not self.is_public(str(where["host"])) else made

    def drift(self, observed: Observed) -> Iterator[Found]:
        """Yield what is not as it was made, and what is missing, as it should be."""
        name = names.base(observed.deployment)
        current = observed.current
        running = {name, current.resource} if current else {name}
        for found in observed.found:
            wanted = dict(found.wanted)
            if found.kind == "container" and (current or found.name == name):  # else nobody knows which is to run
                wanted["state"] = "running" if found.name in running else "stopped"
                if found.name in running:
                    wanted["restart"] = names.RESTART
            with_state = found.model_copy(update={"wanted": wanted})
            if with_state.drift():
                yield with_state
        for kind in ("network", "volume", "container"):
            if not observed.of(kind, name):
                yield Found(kind=kind, name=name, wanted={"exists": True}, properties={"exists": False})
        if current is None and observed.of("container", name):
            yield Found(kind="container", name=name, wanted={"upstream": "a version"}, properties={"upstream": None})

    def teardown(self, observed: Observed) -> Iterator[Step]:
        """Yield the steps that delete everything that the deployment made, and nothing else."""
        yield from clearing.remove_all(observed)
        yield from self.elsewhere(observed, None)


def _room(observed: Observed, there: Observed) -> Iterator[Step]:
    """Yield the steps that remove fronts that do not run, and make what containers share."""
    yield from clearing.dead_fronts(observed)
    yield from making.room(there)


def _opened(observed: Observed, front: Iterable[Step], switch: Iterable[Step], *, keyed: bool) -> Iterator[Step]:
    """Yield the steps in the order in which no version is reached that asks for no key where it should."""
    is_there = observed.of("container", names.base(observed.deployment)) is not None
    yield from (*switch, *front) if keyed and is_there else (*front, *switch)


def _is_keyed(observed: Observed, number: int) -> bool:
    """Tell whether a version asks for an API key."""
    found = observed.of("container", names.server_name(observed.deployment, number))
    return found is not None and found.properties.get("keyed") is True


def _port(observed: Observed, number: int) -> int:
    found = observed.of("container", names.server_name(observed.deployment, number))
    port = found.properties.get("port") if found else None
    return port if isinstance(port, int) else PORT
