"""`opdeploy apply` of a plan that was edited: it is not what would be done now, and so nothing is."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_plan_command import OFFLINE, changed
from tests.deploy.daemon import Daemon, listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Opdeploy, Ran

    OneLine = Callable[[Ran], str]

MADE = "was changed, made by another opdeploy, or made for what ran before; make it again"
EXISTS = "what exists has changed since the plan was made; make it again"
BUNDLE = "the model or its files have changed since the plan was made; make it again"


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """Return an engine that answers, has nothing, and changes nothing."""
    with listening() as found:
        found.refuses = True
        yield found


@pytest.fixture(scope="module")
def digits(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the digits' workload file, model, and plan."""
    folder = tmp_path_factory.mktemp("digits")
    for name in ("workload.yaml", "model.onnx"):
        shutil.copy(root / "examples" / "digits" / name, folder)
    return folder


@pytest.fixture(scope="module")
def plan(opdeploy: Opdeploy, digits: Path) -> str:
    """Return a plan of a first deployment."""
    ran = opdeploy(*OFFLINE, "--out", "plan.json", cwd=digits)
    assert ran.code == 0, ran.err
    return (digits / "plan.json").read_text(encoding="utf-8")


def without_a_step(text: str) -> str:
    """Return a plan that does not prove that the server works."""
    plan = json.loads(text)
    steps = [step for step in plan["steps"] if step["call"] != "check.server"]
    assert len(steps) < len(plan["steps"])
    return json.dumps({**plan, "steps": steps})


def with_another_step(text: str) -> str:
    """Return a plan that removes a container of somebody else."""
    plan = json.loads(text)
    more = {
        "id": "more",
        "title": "build the image",
        "action": "create",
        "kind": "container",
        "name": "database",
        "call": "docker.remove_container",
        "args": {"name": "database"},
    }
    return json.dumps({**plan, "steps": [more, *plan["steps"]]})


def in_step(step: str, *at: str | int, value: object) -> Callable[[str], str]:
    """Return what changes a step of a plan."""

    def edit(text: str) -> str:
        names = [item["id"] for item in json.loads(text)["steps"]]
        return changed(text, "steps", names.index(step), *at, value=value)

    return edit


def of_all(*at: str | int, value: object) -> Callable[[str], str]:
    """Return what changes a plan."""
    return lambda text: changed(text, *at, value=value)


EDITS: dict[str, tuple[Callable[[str], str], str]] = {
    "another call": (in_step("network", "call", value="docker.remove_network"), MADE),
    "a call that is none": (in_step("network", "call", value="docker.__init__"), MADE),
    "another client": (in_step("network", "call", value="os.system"), MADE),
    "another name": (in_step("network", "name", value="database"), MADE),
    "another name in the call": (in_step("server-1", "args", "name", value="database"), MADE),
    "another argument": (in_step("server-1", "args", "wanted", "memory_mb", value=1), MADE),
    "another image": (in_step("server-1", "args", "wanted", "image", value="evil:1"), MADE),
    "a secret": (in_step("network", "args", "deployment", value={"secret": "api-key"}), MADE),
    "another title": (in_step("network", "title", value="do nothing"), MADE),
    "another order": (lambda text: changed(text, "steps", value=json.loads(text)["steps"][::-1]), MADE),
    "a step less": (without_a_step, MADE),
    "a step more": (with_another_step, MADE),
    "another version": (of_all("version", value=7), MADE),
    "another version before": (of_all("before", value=7), MADE),
    "another operation": (of_all("operation", value="remove"), MADE),
    "another deployment": (of_all("deployment", value="other"), MADE),
    "no return": (of_all("first", value=False), MADE),
    "other settings": (of_all("settings", "deploy", "local", value={"port": 9999}), MADE),
    "another state": (of_all("observed", value="0" * 64), EXISTS),
    "another model": (of_all("bundle", value="0" * 64), BUNDLE),
}


@pytest.fixture
def apply(opdeploy: Opdeploy, digits: Path, daemon: Daemon) -> Callable[[str], Ran]:
    """Return a function that applies a plan."""

    def run(text: str) -> Ran:
        (digits / "edited.json").write_text(text, encoding="utf-8")
        return opdeploy("apply", "edited.json", cwd=digits, DOCKER_HOST=daemon.address)

    return run


@pytest.mark.parametrize(("edit", "said"), EDITS.values(), ids=list(EDITS))
def test_an_edited_plan_is_refused(
    apply: Callable[[str], Ran], one_line: OneLine, plan: str, daemon: Daemon, edit: Callable[[str], str], said: str
) -> None:
    """With 7 and one line; the engine is asked for nothing, not even for the lock."""
    edited = edit(plan)
    assert json.loads(edited) != json.loads(plan)
    ran = apply(edited)
    assert (ran.code, ran.out, daemon.changes) == (7, "", [])
    assert one_line(ran).endswith(said)


def test_a_plan_as_it_was_made_is_begun(apply: Callable[[str], Ran], plan: str, daemon: Daemon) -> None:
    """It gets as far as an engine that changes nothing lets it: to the lock."""
    ran = apply(plan)
    assert (ran.code, daemon.changes) == (1, ["POST volumes/create"])
    assert "was not locked" in ran.err


def test_a_plan_that_would_serve_in_the_open_is_refused(
    apply: Callable[[str], Ran], one_line: OneLine, plan: str, daemon: Daemon
) -> None:
    """With 2, as without a plan: it has to be allowed where it is carried out."""
    ran = apply(changed(plan, "settings", "deploy", "local", value={"host": "0.0.0.0"}))  # noqa: S104
    assert (ran.code, ran.out, daemon.changes) == (2, "", [])
    assert "--allow-plain-http" in one_line(ran)
