"""What others wrote on a target is shown as it stands: no markup, no control characters, and addresses whole."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from opdeploy.deploy.checks import Checks, Readiness, readiness
from opdeploy.deploy.example import Example
from opdeploy.deployment import Found, Observed, Version
from opdeploy.plan import Plan, Step
from opdeploy.ui.deployment import show_done, show_drift, show_list, show_status, show_versions
from opdeploy.ui.plan import show_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import JsonValue

WORDS = "[/foo] [link=http://a.example]x \x1b[31m"
SHOWN = "[/foo] [link=http://a.example]x  [31m"
ENDPOINT = "http://[::1]:8000"
VERSION = Version(
    number=1,
    state="running",
    current=True,
    proven=True,
    at=datetime(2026, 11, 25, 8, tzinfo=UTC),
    by=WORDS,
    artefact="a" * 64,
    config="c",
    image="m:1",
    resource="opdeploy-m.v1",
)
FOUND = Found(kind="container", name=WORDS, properties={"image": WORDS, "port": 8000}, wanted={"image": "m:1"})
OBSERVED = Observed(
    target="local", deployment="m", versions=(VERSION,), found=(FOUND,), endpoint=ENDPOINT, events=(f"Pod m: {WORDS}",)
)
UNPROVEN = OBSERVED.model_copy(update={"versions": (VERSION.model_copy(update={"proven": False}),)})
VIEWS: dict[str, Callable[[Console], None]] = {
    "status": lambda console: show_status(console, OBSERVED, Readiness(is_ready=True, said="ready")),
    "not ready": lambda console: show_status(console, OBSERVED, Readiness(is_ready=False, said=WORDS)),
    "versions": lambda console: show_versions(console, OBSERVED),
    "drift": lambda console: show_drift(console, OBSERVED, (FOUND,)),
    "list": lambda console: show_list(console, "local", [OBSERVED]),
}


def test_a_resource_is_shown_in_its_own_words() -> None:
    """Where it has some: then its properties are for programs, and so are what keeps a version, and an id as a name."""
    right = "6b05817c-603c-5856-af1c-f69a64a49d89"
    found = (
        Found(kind="role assignment", name=right, about="lets a pull from b", properties={"principalType": "x"}),
        Found(kind="version", name="m.v1", properties={"keyed": True}, shown=False),
    )
    written = io.StringIO()
    console = Console(file=written, width=110, force_terminal=False)
    show_status(console, OBSERVED.model_copy(update={"found": found}), Readiness(is_ready=True, said="ready"))
    text = written.getvalue()
    assert "lets a pull from b" in text
    assert not [word for word in (right, "principalType", "m.v1", "keyed") if word in text]


def test_a_deployment_that_was_stopped_is_told_as_that() -> None:
    """Nobody asks what is not there to answer."""
    stopped = VERSION.model_copy(update={"state": "stopped", "resource": "m"})
    group = Found(kind="container group", name="m")
    observed = OBSERVED.model_copy(update={"versions": (stopped,), "found": (group,), "front": "m"})
    found = readiness(None, observed)  # type: ignore[arg-type]
    assert not found.is_ready
    assert found.said == "the container group m is stopped; deploy again to start it"


@pytest.mark.parametrize("view", VIEWS)
def test_words_of_others_are_shown_as_they_stand(view: str) -> None:
    """Square brackets and escapes are no instructions to the terminal."""
    written = io.StringIO()
    VIEWS[view](Console(file=written, width=400, force_terminal=False))
    text = written.getvalue()
    assert SHOWN in text
    assert "\x1b" not in text
    if view in {"status", "not ready", "list"}:
        assert ENDPOINT in text
    assert "8,000" not in text
    if view in {"status", "not ready"}:
        assert f"what went wrong of late:\n  Pod m: {SHOWN}" in text


@pytest.mark.parametrize("width", [60, 110])
def test_a_narrow_terminal_cuts_no_words(width: int) -> None:
    """There, each deployment has lines of its own; elsewhere one."""
    there = OBSERVED.model_copy(update={"group": "opdeploy-m-local", "endpoint": "http://" + "a" * 36 + ":8000"})
    written = io.StringIO()
    show_list(Console(file=written, width=width, force_terminal=False), "local", [there, there])
    lines = [line.rstrip() for line in written.getvalue().splitlines()]
    if width == 60:
        assert lines.count(f"endpoint  {there.endpoint}") == 2
        assert lines.count("state     running") == 2
        assert lines.count("") == 1
    else:
        assert lines[0].split() == ["name", "group", "version", "state", "endpoint", "made", "by"]


def test_long_lines_of_a_plan_go_on_where_they_began() -> None:
    """Behind the sign that tells what is done."""
    title = f"build the image {'x' * 30} in the registry"
    step = Step(id="a", title=title, action="create", kind="i", name="i", call="c")
    about = {"operation": "deploy", "target": "aci", "deployment": "m", "version": 1, "before": None, "observed": ""}
    plan = Plan.model_validate({**about, "steps": (step,)})
    written = io.StringIO()
    show_plan(Console(file=written, width=40, force_terminal=False), plan)
    text = written.getvalue()
    assert f"  + build the image\n    {'x' * 30} in\n    the registry\n" in text


def written(view: Callable[[Console], None]) -> str:
    """Return what a view prints, with single blanks."""
    file = io.StringIO()
    view(Console(file=file, width=400, force_terminal=False))
    return " ".join(file.getvalue().split())


@pytest.mark.parametrize(("state", "shown"), [("running", "1 unproven running"), ("stopped", "1 unproven not running")])
def test_a_version_that_never_worked_is_not_called_current(state: str, shown: str) -> None:
    """Nor is it said to have stopped what may never have been started."""
    (version,) = UNPROVEN.versions
    there = UNPROVEN.model_copy(update={"versions": (version.model_copy(update={"state": state}),)})
    assert shown in written(lambda console: show_versions(console, there))
    said = written(lambda console: show_status(console, there, Readiness(is_ready=False, said="")))
    assert "m on local: version 1, unproven at" in said


def test_there_are_no_empty_tables() -> None:
    """Of what was interrupted before anything was made, there is one line."""
    there = Observed(target="aci", deployment="m", group="g")
    said = written(lambda console: show_status(console, there, Readiness(is_ready=False, said="has no endpoint")))
    assert said == "m on aci in g: no version answers: NOT READY has no endpoint"


VAULT: dict[str, JsonValue] = {"key": {"vault": "https://team.vault.azure.net", "secret": "opdeploy-m-1"}}
READS = '"$(az keyvault secret show --vault-name team --name opdeploy-m-1 --query value -o tsv)"'


@pytest.mark.parametrize(
    ("facts", "has_key", "keyed", "said"),
    [
        ({}, False, True, "key: export OPDEPLOY_API_KEY=..., the key that was shown when it was made"),
        (VAULT, False, True, f"key: export OPDEPLOY_API_KEY={READS} logs:"),
        ({}, True, True, None),
        (VAULT, False, False, None),
    ],
    ids=["shown", "in a vault", "in the environment", "none"],
)
def test_clients_are_told_where_the_key_is(
    facts: dict[str, JsonValue],
    *,
    has_key: bool,
    keyed: bool,
    said: str | None,
) -> None:
    """In the Key Vault where one has it; nothing is said where it is in the environment, or none is asked for."""
    checks = Checks(None, lambda: None, None)  # type: ignore[arg-type]
    checks.example = Example("/score", "{}", keyed)
    there = OBSERVED.model_copy(update={"facts": facts})
    text = written(lambda console: show_done(console, there, checks, has_key=has_key))
    assert (said in text) if said else ("key: " not in text)
