"""A place where deployments live that is kept in memory, and a target whose steps work there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.deployment import Found, Lock, Observed, Version
from opdeploy.plan import Secret, Step
from opdeploy.targets.base import Reach
from tests.deploy.imagined import AT, NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opdeploy.deployment import State
    from opdeploy.plan import Plan
    from opdeploy.platform import NameRule
    from opdeploy.targets.base import Wanted


def thing(version: int) -> str:
    """Return the name of what runs a version."""
    return f"m.v{version}"


class Place:
    """Things, each of which runs a version; `log` lists what was done there, and what was said, in order."""

    tls = False

    def __init__(self, *versions: int, current: int | None = None, key: str | None = None) -> None:
        self.versions = {version: f"config {version}" for version in versions}
        self.current = current
        self.key = key
        self.state: State = "running"
        self.held: Lock | None = None
        self.log: list[str] = []
        self.looks: list[str] = []
        """What for it was looked at, in order."""
        self.failures: dict[str, BaseException] = {}
        """What is raised, by what is done."""

    def _do(self, what: str) -> None:
        assert self.held, "nothing is done without the lock"
        self.log.append(what)
        if what in self.failures:
            raise self.failures[what]

    # What steps call

    def make(self, version: int, config: str, key: str | None) -> None:
        """Make what runs a version."""
        self.versions[version] = config
        self.key = key or self.key
        self._do(f"make {version}")

    def point(self, version: int) -> None:
        """Send requests to a version."""
        self._do(f"point to {version}")
        assert version in self.versions
        self.current = version

    def drop(self, version: int) -> None:
        """Remove what runs a version."""
        self._do(f"drop {version}")
        del self.versions[version]
        self.current = None if self.current == version else self.current

    # What is there

    def observe(self, target: str, deployment: str, *, pushed: bool = False) -> Observed:
        """Return everything that is there."""
        assert deployment == NAME
        self.looks.append("for a plan" if pushed else "")
        return Observed(
            target=target,
            deployment=deployment,
            found=tuple(Found(kind="thing", name=thing(version)) for version in self.versions),
            versions=tuple(self._version(version) for version in self.versions),
            lock=self.held,
        )

    def _version(self, version: int) -> Version:
        return Version(
            number=version,
            resource=thing(version),
            config=self.versions[version],
            artefact="0",
            image="a",
            at=AT,
            by="somebody@machine",
            state=self.state,
            current=version == self.current,
        )

    def api_key(self, deployment: str) -> str | None:
        """Return the API key."""
        assert deployment == NAME
        return self.key

    def lock(self, deployment: str, lock: Lock) -> Lock:
        """Take the lock, and return the one that holds."""
        assert deployment == NAME
        self.held = self.held or lock
        return self.held

    def unlock(self, deployment: str, lock: Lock) -> None:
        """Give it back, unless another is in its place."""
        assert deployment == NAME
        self.held = None if self.held == lock else self.held

    # What checks ask, of which no step here has any

    def address(self, name: str) -> tuple[str, int]:
        """Refuse: nothing can be reached."""
        raise AssertionError(name)

    def exit_code(self, name: str) -> int | None:
        """Refuse: nothing runs."""
        raise AssertionError(name)

    def out_of_memory(self, name: str) -> bool:
        """Refuse: nothing runs."""
        raise AssertionError(name)

    def logs(self, name: str, tail: int) -> list[str]:
        """Refuse: nothing is written."""
        raise AssertionError(name, tail)

    def artefact(self, name: str, folder: Path) -> None:
        """Refuse: nothing is held."""
        raise AssertionError(name, folder)


class Remembered:
    """The target: a version is made, and then pointed to."""

    ids: tuple[str, ...] = ("remembered",)
    rule: NameRule | None = None

    def config(self, wanted: Wanted) -> str:
        """Return what is wanted, in short: a version of a number is made by this target from a model of that number."""
        return f"config {wanted.bundle[0]}"

    def plan(self, wanted: Wanted, observed: Observed, number: int) -> Iterator[Step]:
        """Yield the steps that make a version current."""
        if observed.version(number) is None:
            key = Secret(secret="api-key") if wanted.keyed else None  # noqa: S106 - its name
            yield _step("make", "create", number, config=self.config(wanted), key=key)
        yield _step("point", "change", number)

    def back(self, observed: Observed, to: int, undone: Plan | None = None) -> Iterator[Step]:
        """Yield the steps that make a version current again, and remove the one that a plan failed to prove."""
        assert observed.version(to)
        yield _step("point", "change", to)
        for version in observed.versions:
            if undone and undone.unproven and undone.version == version.number:
                yield _step("drop", "delete", version.number)

    def reach(self, observed: Observed, to: int) -> Reach:
        """Tell that nobody reaches it from anywhere."""
        assert observed.version(to)
        return Reach(public=False, keyed=False)

    def drift(self, observed: Observed) -> Iterator[Found]:
        """Yield nothing: everything is as it was made."""
        yield from observed.found[:0]

    def teardown(self, observed: Observed) -> Iterator[Step]:
        """Yield the steps that remove everything."""
        for version in observed.versions:
            yield _step("drop", "delete", version.number)


def _step(call: str, action: Any, version: int, **args: Any) -> Step:  # noqa: ANN401 - what a step takes
    return Step(
        id=f"{call}-{version}",
        title=f"{call} version {version}",
        action=action,
        kind="thing",
        name=thing(version),
        call=f"memory.{call}",
        args={"version": version, **args},
    )
