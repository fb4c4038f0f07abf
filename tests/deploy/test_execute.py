"""Steps are carried out in order, each noted before and after, and tried again only where that is safe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.deploy.execute import Progress, execute
from opdeploy.deploy.journal import Journal
from opdeploy.errors import OpdeployError, TransientError
from opdeploy.plan import Plan, Ref, Secret, Step

if TYPE_CHECKING:
    from pathlib import Path

KEY = "a-key-that-nobody-may-read"


class Client:
    """Makes things, after as many failures as it is told of; it looks into the journal whenever it is called."""

    def __init__(self, folder: Path, failures: list[BaseException]) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.journal: list[list[str]] = []
        """What the journal said at each call."""
        self._folder = folder
        self._failures = failures

    def make(self, name: str, **more: object) -> dict[str, Any]:
        """Make a thing, and tell of it."""
        self.calls.append((name, more))
        self.journal.append([f"{event['step']} {event['state']}" for event in lines(self._folder)])
        if self._failures:
            raise self._failures.pop(0)
        return {"id": f"id of {name}", "size": 3}

    def look(self) -> None:
        """Tell nothing."""
        self.make("look")


class Clock:
    """Counts the pauses in place of making them."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Make a pause."""
        self.pauses.append(seconds)


def lines(folder: Path) -> list[dict[str, Any]]:
    """Return what is in the journal."""
    path = folder / "local" / "m" / "journal.jsonl"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def step(name: str, *, repeatable: bool = True, timeout_s: float = 60.0, **args: Any) -> Step:  # noqa: ANN401
    """Return a step that makes a thing."""
    return Step(
        id=name,
        title=f"make {name}",
        action="create",
        kind="thing",
        name=name,
        call="place.make",
        args={"name": name, **args},
        repeatable=repeatable,
        timeout_s=timeout_s,
    )


class Run:
    """One run of steps: what was called, noted, shown and waited for."""

    def __init__(self, folder: Path, *failures: BaseException) -> None:
        self.client = Client(folder, [*failures])
        self.clock = Clock()
        self.shown: list[Progress] = []
        self._folder = folder

    def carry_out(self, *steps: Step) -> list[str]:
        """Carry out steps, and return which cleaning up failed."""
        plan = Plan(
            operation="deploy", target="local", deployment="m", version=1, before=None, observed="", steps=steps
        )
        journal = Journal(self._folder, "local", "m")
        secrets = {"api-key": KEY}
        return execute(plan, {"place": self.client}, secrets.__getitem__, journal, self.shown.append, self.clock.sleep)

    @property
    def noted(self) -> list[str]:
        """What the journal says of steps."""
        return [f"{event['step']} {event['state']}" for event in lines(self._folder)]


def test_each_step_is_noted_before_and_after(tmp_path: Path) -> None:
    """When a call is made, the journal on disk says so; what it gave is noted before the next begins."""
    run = Run(tmp_path)
    run.carry_out(step("a"), step("b"))
    assert [name for name, _ in run.client.calls] == ["a", "b"]
    assert run.client.journal == [["a begun"], ["a begun", "a done", "b begun"]]
    assert run.noted == ["a begun", "a done", "b begun", "b done"]
    assert lines(tmp_path)[1]["output"] == {"id": "id of a", "size": 3}


def test_progress_is_shown(tmp_path: Path) -> None:
    """Each step as it begins, and with its time when it is done."""
    run = Run(tmp_path)
    run.carry_out(step("a"), step("b"))
    shown = [(item.number, item.steps, item.step.id, item.seconds is not None) for item in run.shown]
    assert shown == [(1, 2, "a", False), (1, 2, "a", True), (2, 2, "b", False), (2, 2, "b", True)]
    assert all(item.seconds is None or item.seconds >= 0 for item in run.shown)


@pytest.mark.parametrize("error", [OpdeployError("no room"), KeyboardInterrupt(), ValueError("odd")], ids=repr)
def test_a_failure_ends_it(tmp_path: Path, error: BaseException) -> None:
    """The error is raised as it is and noted; the steps that follow are not begun, and nothing is tried again."""
    run = Run(tmp_path, error)
    with pytest.raises(type(error)) as caught:
        run.carry_out(step("a"), step("b"))
    assert caught.value is error
    assert run.noted == ["a begun", "a failed"]
    assert lines(tmp_path)[-1]["why"] == (str(error) or type(error).__name__)
    assert (len(run.client.calls), run.clock.pauses) == (1, [])


def cleanup(name: str) -> Step:
    """Return a step that clears away."""
    return step(name).model_copy(update={"cleanup": True})


def test_cleaning_up_may_fail(tmp_path: Path) -> None:
    """What was reached stays: the other steps are carried out, and it is noted and told what failed."""
    run = Run(tmp_path, OpdeployError("in use"), OpdeployError("locked"))
    assert run.carry_out(cleanup("a"), cleanup("b"), cleanup("c")) == ["make a: in use", "make b: locked"]
    assert run.noted == ["a begun", "a failed", "b begun", "b failed", "c begun", "c done"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("odd")], ids=repr)
def test_cleaning_up_is_interrupted_all_the_same(tmp_path: Path, error: BaseException) -> None:
    """What is no error of a platform ends it, as it does any step."""
    run = Run(tmp_path, error)
    with pytest.raises(type(error)):
        run.carry_out(cleanup("a"), cleanup("b"))
    assert run.noted == ["a begun", "a failed"]


PAUSES = [0.5, 1, 2, 4, 4, 4, 4]


@pytest.mark.parametrize("failures", [1, 2, len(PAUSES)])
def test_a_failed_connection_is_tried_again(tmp_path: Path, failures: int) -> None:
    """After pauses that grow up to a limit, 20 s in all; the journal has the step once."""
    run = Run(tmp_path, *(TransientError("reset") for _ in range(failures)))
    run.carry_out(step("a"), step("b"))
    assert [name for name, _ in run.client.calls] == ["a"] * (failures + 1) + ["b"]
    assert len(run.clock.pauses) == failures
    assert run.clock.pauses == PAUSES[:failures]
    assert run.noted == ["a begun", "a done", "b begun", "b done"]


GIVEN_UP: dict[str, tuple[Step, int]] = {
    "doing it twice is not doing it once": (step("a", repeatable=False), 1),
    "it fails every time": (step("a"), 8),
    "there is no time left": (step("a", timeout_s=0.1), 1),
    "there is time for one pause": (step("a", timeout_s=0.9), 2),
}


@pytest.mark.parametrize(("given", "calls"), GIVEN_UP.values(), ids=list(GIVEN_UP))
def test_it_is_given_up(tmp_path: Path, given: Step, calls: int) -> None:
    """With the error of the last time."""
    errors = [TransientError(f"reset {number}") for number in range(1, 10)]
    run = Run(tmp_path, *errors)
    with pytest.raises(TransientError, match=f"^reset {calls}$"):
        run.carry_out(given)
    assert (len(run.client.calls), len(run.clock.pauses)) == (calls, calls - 1)
    assert run.noted == ["a begun", "a failed"]


def test_a_reference_is_what_an_earlier_step_gave(tmp_path: Path) -> None:
    """By the step's id and the name of the value, of any type."""
    run = Run(tmp_path)
    run.carry_out(step("a"), step("b"), step("c", of=Ref(ref="a.id"), size=Ref(ref="b.size"), plain=["a.id"]))
    assert run.client.calls[-1] == ("c", {"of": "id of a", "size": 3, "plain": ["a.id"]})


def test_a_secret_is_told_to_the_call_alone(tmp_path: Path) -> None:
    """It is in no line of the journal, and in nothing that is shown."""
    run = Run(tmp_path, TransientError("reset"))
    run.carry_out(step("a", key=Secret(secret="api-key")))  # noqa: S106 - its name
    assert run.client.calls == [("a", {"key": KEY})] * 2
    kept = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert not any(KEY in text for text in (*kept, repr(run.shown)))


def test_a_step_may_give_nothing(tmp_path: Path) -> None:
    """Which is noted as nothing."""
    run = Run(tmp_path)
    run.carry_out(step("a").model_copy(update={"call": "place.look", "args": {}}))
    assert run.noted == ["a begun", "a done"]
    assert lines(tmp_path)[-1]["output"] is None


def test_there_may_be_nothing_to_do(tmp_path: Path) -> None:
    """A plan without steps writes nothing."""
    run = Run(tmp_path)
    run.carry_out()
    assert (run.noted, run.shown) == ([], [])
