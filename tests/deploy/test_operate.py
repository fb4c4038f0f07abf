"""A plan is carried out under the lock, on what it was made for; what fails returns to what worked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from opdeploy.deploy.journal import Journal
from opdeploy.deploy.operate import perform, require, unfinished
from opdeploy.deploy.planning import to_deploy, to_remove, to_roll_back
from opdeploy.deployment import Lock, Observed
from opdeploy.errors import DifferenceError, InputError, NotFoundError, OpdeployError, StaleError, TransientError
from opdeploy.plan import Plan, Secret, Step
from tests.deploy.imagined import AT, NAME, wanted
from tests.deploy.remembered import Place, Remembered, thing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pydantic import JsonValue

    from opdeploy.deploy.operate import Work
    from opdeploy.deployment import State

TARGET = Remembered()


class PlatformError(OpdeployError):
    """An error of a kind that takes more than a message."""

    exit_code = 3

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Careless(Remembered):
    """A target to which it is no failure that what did not work is still there."""

    def back(self, observed: Observed, to: int, undone: Plan | None = None) -> Iterator[Step]:
        """Yield the steps that make a version current again; whatever is removed is only cleared away."""
        for step in super().back(observed, to, undone):
            yield step.model_copy(update={"cleanup": step.action == "delete"})


def observed(place: Place) -> Observed:
    """Return what is there now."""
    return place.observe("remembered", NAME)


def deployed(place: Place, version: int, *, keyed: bool = False) -> Plan:
    """Return the plan to deploy a version, of a model that the number stands for."""
    return to_deploy(TARGET, wanted(str(version), keyed=keyed), observed(place), ())


def ends(folder: Path) -> list[str]:
    """Return how operations began and ended, as the journal has it."""
    path = folder / "remembered" / NAME / "journal.jsonl"
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    return [event.get("how", event.get("operation")) for event in events if event["event"] != "step"]


def test_a_plan_is_carried_out(work: Callable[..., Work], tmp_path: Path) -> None:
    """Under the lock, which is given back; what exists then is returned."""
    place = Place(1, current=1)
    after = perform(deployed(place, 2), work(place))
    assert place.log == ["make 2", "point to 2"]
    assert after.model_copy(update={"lock": None}) == observed(place)
    assert (place.current, place.held) == (2, None)
    assert ends(tmp_path) == ["deploy", "done"]


def test_a_plan_for_what_is_no_more_is_refused(work: Callable[..., Work], tmp_path: Path) -> None:
    """With 7; nothing is done, nothing is noted, and the lock is given back."""
    place = Place(1, current=1)
    plan = deployed(place, 2)
    place.current = None
    with pytest.raises(StaleError, match=r"^m: what exists has changed since the plan was made; make the plan again$"):
        perform(plan, work(place))
    assert (place.log, place.held, ends(tmp_path), StaleError.exit_code) == ([], None, [], 7)


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_failure_without_a_front_loses_nothing(work: Callable[..., Work], state: State) -> None:
    """Where requests go to no version, the newest that worked answers then, and no kept one is removed."""
    place = Place(1, 2)
    place.state = state
    place.failures["point to 3"] = OpdeployError("no room")
    with pytest.raises(OpdeployError, match=r"^no room; version 2 answers again$"):
        perform(deployed(place, 3), work(place))
    assert ([*place.versions], place.current) == ([1, 2], 2)


ERRORS = [
    OpdeployError("no room"),
    DifferenceError("other answers"),
    InputError("another platform"),
    TransientError("reset"),
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_failure_returns_to_what_worked(work: Callable[..., Work], tmp_path: Path, error: OpdeployError) -> None:
    """What is known is said before anything is undone; the error keeps its kind, and says what answers now."""
    place = Place(1, current=1)
    plan = deployed(place, 2)
    plan = plan.model_copy(
        update={"steps": tuple(step.model_copy(update={"repeatable": False}) for step in plan.steps)}
    )
    place.failures["point to 2"] = error
    place.looks.clear()
    with pytest.raises(type(error)) as caught:
        perform(plan, work(place))
    assert place.looks == ["", "for a plan"]
    assert place.log == [
        "make 2",
        "point to 2",
        f"say: failed: {error}",
        "say: returns to version 1",
        "point to 1",
        "drop 2",
    ]
    assert (type(caught.value), str(caught.value)) == (type(error), f"{error}; version 1 answers as before")
    assert caught.value.__cause__ is error
    assert (place.current, [*place.versions], place.held) == (1, [1], None)
    assert ends(tmp_path) == ["deploy", "returned"]


def test_evidence_is_said_first(work: Callable[..., Work]) -> None:
    """Every line of it: the probe, the exit code, the log."""
    place = Place(1, current=1)
    error = place.failures["make 2"] = OpdeployError("never got ready")
    error.add_note("GET /v2/health/ready: 503")
    error.add_note("its log: no such model")
    with pytest.raises(OpdeployError):
        perform(deployed(place, 2), work(place))
    said = [line for line in place.log if line.startswith("say: ")]
    assert said[:3] == [
        "say: failed: never got ready",
        "say: GET /v2/health/ready: 503",
        "say: its log: no such model",
    ]
    assert place.log.index(said[2]) < place.log.index("point to 1")


def test_an_error_of_a_kind_of_its_own_is_told_too(work: Callable[..., Work]) -> None:
    """Where its kind cannot be made again, it is an error like any other."""
    place = Place(1, current=1)
    place.failures["make 2"] = PlatformError("no quota", 409)
    with pytest.raises(OpdeployError, match=r"^no quota; version 1 answers as before$"):
        perform(deployed(place, 2), work(place))


def test_a_first_deployment_that_fails_leaves_nothing(work: Callable[..., Work], tmp_path: Path) -> None:
    """And says so."""
    place = Place()
    place.failures["point to 1"] = DifferenceError("other answers")
    with pytest.raises(DifferenceError, match=r"^other answers; nothing ran before, and what was made is removed$"):
        perform(deployed(place, 1), work(place))
    assert place.log[-2:] == ["say: removes what was made", "drop 1"]
    assert (observed(place).found, place.held, ends(tmp_path)) == ((), None, ["deploy", "returned"])


@pytest.mark.parametrize(
    ("before", "undone", "said"),
    [
        ((1,), "point to 1", "the return to version 1 failed too: no engine"),
        ((), "drop 1", "the removal of what was made failed too: no engine"),
    ],
    ids=["a version before", "nothing before"],
)
def test_a_return_that_fails_is_told(
    work: Callable[..., Work], tmp_path: Path, before: tuple[int, ...], undone: str, said: str
) -> None:
    """Both errors, and where to look; the first one's kind counts, and the lock is given back."""
    place = Place(*before, current=max(before, default=None))
    version = 1 + len(before)
    place.failures = {f"point to {version}": DifferenceError("other answers"), undone: OpdeployError("no engine")}
    with pytest.raises(DifferenceError) as caught:
        perform(deployed(place, version), work(place))
    assert str(caught.value) == f"other answers; and {said}; see opdeploy status m --target remembered"
    assert (place.held, ends(tmp_path)) == (None, ["deploy", "failed"])


def test_a_version_that_worked_once_is_kept_when_it_fails(work: Callable[..., Work]) -> None:
    """Only one that never worked is removed."""
    place = Place(1, 2, current=2)
    place.failures["point to 1"] = OpdeployError("no room")
    with pytest.raises(OpdeployError, match=r"^no room; version 2 answers as before$"):
        perform(to_roll_back(TARGET, observed(place), 1), work(place))
    assert ([*place.versions], place.current) == ([1, 2], 2)


def test_where_there_is_no_other_it_is_left(work: Callable[..., Work]) -> None:
    """The same version again, which fails now: nothing is removed."""
    place = Place(1, current=1)
    place.failures["point to 1"] = OpdeployError("no room")
    with pytest.raises(OpdeployError, match=r"^no room; version 1 is left as it is: there is no other that runs$"):
        perform(deployed(place, 1), work(place))
    assert ([*place.versions], place.current) == ([1], 1)


def test_a_removal_that_fails_is_not_undone(work: Callable[..., Work], tmp_path: Path) -> None:
    """What is removed stays so; the same command goes on."""
    place = Place(1, 2, current=2)
    error = place.failures["drop 2"] = OpdeployError("in use")
    with pytest.raises(OpdeployError) as caught:
        perform(to_remove(TARGET, observed(place)), work(place))
    assert (caught.value, place.log, place.held) == (error, ["drop 1", "drop 2"], None)
    assert ends(tmp_path) == ["remove", "failed"]
    place.failures.clear()
    perform(to_remove(TARGET, observed(place)), work(place))
    assert observed(place).found == ()


def test_what_cannot_be_cleared_away_undoes_nothing(work: Callable[..., Work], tmp_path: Path) -> None:
    """The new version answers, and it is said what was left; to clear it away is tried again the next time."""
    place = Place(1, current=1)
    place.failures["drop 1"] = OpdeployError("in use")
    plan = deployed(place, 2)
    (drop,) = (step for step in to_remove(TARGET, observed(place)).steps if step.call == "memory.drop")
    cleaned = plan.model_copy(update={"steps": (*plan.steps, drop.model_copy(update={"cleanup": True}))})
    after = perform(cleaned, work(place))
    left = "say: was not cleared away, and the next deploy tries again: drop version 1: in use"
    assert (place.log[-2:], place.current, ends(tmp_path)) == (["drop 1", left], 2, ["deploy", "done"])
    assert [version.number for version in after.versions] == [1, 2]


class Late(Place):
    """Where requests go to the second version before that fails."""

    def point(self, version: int) -> None:
        """Send requests to a version."""
        super().point(version)
        if version == 2:
            raise OpdeployError("no answer")


def test_a_version_that_answered_meanwhile_gives_way(work: Callable[..., Work]) -> None:
    """The one that worked is said to answer again, and not as before."""
    place = Late(1, current=1)
    with pytest.raises(OpdeployError, match=r"^no answer; version 1 answers again$"):
        perform(deployed(place, 2), work(place))
    assert place.current == 1


def test_what_a_return_cannot_clear_away_is_told(work: Callable[..., Work], tmp_path: Path) -> None:
    """The version that worked answers as before all the same."""
    place = Place(1, current=1)
    place.failures |= {"point to 2": OpdeployError("no room"), "drop 2": OpdeployError("in use")}
    with pytest.raises(OpdeployError, match=r"^no room; version 1 answers as before$"):
        perform(deployed(place, 2), work(place, Careless()))
    left = "say: was not cleared away, and the next deploy tries again: drop version 2: in use"
    assert (place.log[-2:], place.current, ends(tmp_path)) == (["drop 2", left], 1, ["deploy", "returned"])


def test_an_interrupted_removal_says_what_is_left(work: Callable[..., Work]) -> None:
    """No version is said to answer."""
    place = Place(1, 2, current=2)
    place.failures["drop 1"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        perform(to_remove(Remembered(), place.observe("remembered", NAME)), work(place))
    assert place.log[-1] == "say: m was interrupted: some of it is left; the same command goes on"


class Unlocked(Place):
    """Where whoever takes the lock is interrupted."""

    def lock(self, deployment: str, lock: Lock) -> Lock:  # noqa: ARG002 - as it is called
        """Be interrupted."""
        raise KeyboardInterrupt


REMOVES = "and opdeploy remove m --target remembered --set azure.cloud=x removes what there is of it"
INTERRUPTED: dict[str, tuple[tuple[int, ...], str, str]] = {
    "while it makes one beside another": ((1,), "make 2", "version 1 answers as before; the same command goes on"),
    "while requests move to it": ((1,), "point to 2", "version 1 answers, or 2; the same command goes on"),
    "while the same one is mended": ((1, 2), "point to 2", "version 2 may not answer; the same command goes on"),
    "while the first is made": ((), "make 1", f"it may not answer; the same command goes on, {REMOVES}"),
    "before anything is made": ((1,), "", "nothing of it was changed; the same command goes on"),
    "before anything is there": ((), "", f"nothing of it was changed; the same command goes on, {REMOVES}"),
}


@pytest.mark.parametrize("case", INTERRUPTED)
def test_an_interrupt_is_told_by_what_was_begun(work: Callable[..., Work], case: str) -> None:
    """Which version answers, and what to do: to remove all of it is said only where no version works."""
    there, at, said = INTERRUPTED[case]
    place = (Place if at else Unlocked)(*there, current=max(there, default=None))
    place.failures[at] = KeyboardInterrupt()
    doing = work(place)
    doing.more = " --set azure.cloud=x"
    with pytest.raises(KeyboardInterrupt):
        perform(deployed(place, 2), doing)
    assert place.log[-1] == f"say: m was interrupted: {said}"


def test_an_interrupted_removal_that_did_nothing_says_so(work: Callable[..., Work]) -> None:
    """As where the lock was being taken."""
    place = Unlocked(1, current=1)
    with pytest.raises(KeyboardInterrupt):
        perform(to_remove(TARGET, observed(place)), work(place))
    assert place.log == ["say: m was interrupted: nothing of it was removed; the same command goes on"]


class Unproven(Place):
    """Where one version never worked."""

    unproven = 2

    def observe(self, target: str, deployment: str, *, pushed: bool = False) -> Observed:
        """Return everything that is there."""
        found = super().observe(target, deployment, pushed=pushed)
        proven = (item.model_copy(update={"proven": item.number != self.unproven}) for item in found.versions)
        return found.model_copy(update={"versions": tuple(proven)})


@pytest.mark.parametrize(("versions", "before"), [((1, 2), 1), ((2,), 2)], ids=["another worked", "none worked"])
def test_a_version_that_never_worked_is_returned_to_last(versions: tuple[int, ...], before: int) -> None:
    """Though it has the requests, as where a command was interrupted that changed it in place."""
    assert deployed(Unproven(*versions, current=2), 3).before == before


def test_what_was_interrupted_first_is_told() -> None:
    """That nothing works, and what to do; nothing is said where one version worked, or that is not known."""
    said = "m: no version of it is known to work"
    begun = observed(Unproven(2))
    assert unfinished(begun, " -g x") == (
        f"{said}, as after an interruption; run opdeploy deploy again, or opdeploy remove m --target remembered -g x"
    )
    held = Lock(owner="ann@desk", since=AT, doing="deploy of m", process="1")
    assert str(unfinished(begun.model_copy(update={"lock": held}), "")).startswith(f"{said} yet: ann@desk is at work")
    for known in (observed(Unproven(1, 2)), begun.model_copy(update={"unreached": "no way to it"})):
        assert unfinished(known, "") is None


@pytest.mark.parametrize(
    ("group", "facts", "said"),
    [
        ("g", {"group": {"own": False}}, "on aci in the resource group g; see"),
        ("g", {}, "on aci in the resource group g, which is not there either; see"),
        ("opdeploy-m-aci", {}, "on aci; see"),
    ],
    ids=["not there", "no group", "in no group"],
)
def test_a_group_that_was_named_is_told(group: str, facts: dict[str, JsonValue], said: str) -> None:
    """And that there is none of that name."""
    with pytest.raises(NotFoundError, match=f"^m: no such deployment {said} opdeploy list"):
        require(Observed(target="aci", deployment="m", group=group, facts=facts))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)], ids=repr)
def test_an_interruption_undoes_nothing(work: Callable[..., Work], tmp_path: Path, error: BaseException) -> None:
    """The lock is given back, the journal says that it has not ended, and the same command goes on.

    Whoever interrupts it is told what is left.
    """
    place = Place(1, current=1)
    place.failures["point to 2"] = error
    with pytest.raises(type(error)):
        perform(deployed(place, 2), work(place))
    left = "say: m was interrupted: version 1 answers, or 2; the same command goes on"
    assert (place.log, place.held, ends(tmp_path)) == (["make 2", "point to 2", left], None, ["deploy"])
    assert Journal(tmp_path, "remembered", NAME).unfinished()
    place.failures.clear()
    perform(deployed(place, 2), work(place))
    assert place.log == ["make 2", "point to 2", left, "point to 2"]
    assert Journal(tmp_path, "remembered", NAME).unfinished() is None


def test_a_defect_is_undone_too(work: Callable[..., Work], tmp_path: Path) -> None:
    """What no step should raise is raised as it is, after the return to what worked."""
    place = Place(1, current=1)
    error = place.failures["point to 2"] = ValueError("odd")
    with pytest.raises(ValueError, match=r"^odd$") as caught:
        perform(deployed(place, 2), work(place))
    assert caught.value is error
    assert place.log[-1] == "say: version 1 answers as before"
    assert (place.current, [*place.versions], place.held) == (1, [1], None)
    assert ends(tmp_path) == ["deploy", "returned"]


def test_a_key_is_made_once(work: Callable[..., Work], tmp_path: Path) -> None:
    """It is long, and told at once to who deploys alone; the next deployment has the same, and is told nothing."""
    place = Place()
    first = work(place)
    perform(deployed(place, 1, keyed=True), first)
    assert place.key
    assert (first.made_key, len(place.key) >= 32) == (place.key, True)
    key, second = place.key, work(place)
    perform(deployed(place, 2, keyed=True), second)
    assert (place.key, second.made_key) == (key, None)
    told = f"say: API key: {key} (shown this once: keep it)"
    assert place.log.count(told) == 1
    assert place.log.index(told) < place.log.index("make 1")
    kept = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert not any(key in text for text in (*kept, repr(first), *(line for line in place.log if line != told)))


def test_no_key_is_made_where_none_is_asked_for(work: Callable[..., Work]) -> None:
    """Neither made nor told."""
    place = Place()
    done = work(place)
    perform(deployed(place, 1), done)
    assert (place.key, done.made_key) == (None, None)


def test_a_secret_that_is_not_known_is_refused(work: Callable[..., Work]) -> None:
    """As in a plan of a later opdeploy: what ran before goes on."""
    place = Place(1, current=1)
    plan = deployed(place, 2)
    make, point = plan.steps
    make = make.model_copy(update={"args": {**make.args, "key": Secret(secret="password")}})  # noqa: S106 - its name
    with pytest.raises(OpdeployError, match=r"^password: no such secret; make the plan again; version 1 "):
        perform(plan.model_copy(update={"steps": (make, point)}), work(place))
    assert [*place.versions] == [1]


def test_what_is_not_there_is_told() -> None:
    """With 3, and where to look."""
    require(observed(Place(1)))
    with pytest.raises(
        NotFoundError, match=r"^m: no such deployment on remembered; see opdeploy list --target remembered$"
    ):
        require(observed(Place()))
    assert thing(1) in {item.name for item in observed(Place(1)).found}
