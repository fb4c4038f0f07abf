"""A plan as data: what is written is what is read, and digests tell apart what differs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from opdeploy.plan import Change, Plan, Ref, Resource, Secret, Step, fingerprint

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = (
    st.builds(Ref, ref=TEXT)
    | st.builds(Secret, secret=TEXT)
    | JSON.filter(lambda value: not isinstance(value, dict) or set(value) not in ({"ref"}, {"secret"}))
)
"""What calls are given; a mapping with `ref` alone is what a reference looks like."""
SECONDS = st.floats(0, 1e6)
STEPS = st.builds(
    Step,
    id=TEXT,
    title=TEXT,
    kind=TEXT,
    name=TEXT,
    call=TEXT,
    args=st.dictionaries(TEXT, ARGUMENTS, max_size=3),
    changes=st.lists(st.builds(Change, property=TEXT, before=JSON, after=JSON), max_size=2).map(tuple),
    timeout_s=SECONDS,
)
PLANS = st.builds(
    Plan,
    target=TEXT,
    deployment=TEXT,
    version=st.none() | st.integers(0, 9999),
    before=st.none() | st.integers(0, 9999),
    observed=TEXT,
    notes=st.lists(TEXT, max_size=2).map(tuple),
    keeps=st.lists(
        st.builds(Resource, kind=TEXT, name=TEXT, properties=st.dictionaries(TEXT, JSON, max_size=2)), max_size=2
    ).map(tuple),
    steps=st.lists(STEPS, max_size=3).map(tuple),
    settings=st.dictionaries(TEXT, JSON, max_size=3),
)

STEP = Step(id="a", title="make a", action="create", kind="thing", name="a", call="place.make")
PLAN = Plan(operation="deploy", target="local", deployment="m", version=1, before=None, observed="0", steps=(STEP,))


@given(PLANS)
def test_what_is_written_is_what_is_read(plan: Plan) -> None:
    """Every value of a plan, in text that a person may indent."""
    assert Plan.model_validate_json(plan.model_dump_json(indent=2)) == plan
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


@pytest.mark.parametrize(
    "argument",
    [Ref(ref="image.id"), Secret(secret="api-key"), None, "text", 8000, 0.5, True, ["a"], {"image": "a", "ref": "b"}],  # noqa: S106
    ids=repr,
)
def test_an_argument_stays_what_it_is(argument: Any) -> None:  # noqa: ANN401 - any argument
    """A reference is read as one, a secret as one, and any other value as itself, of its own type."""
    step = STEP.model_copy(update={"args": {"it": argument}})
    (read,) = Plan.model_validate_json(PLAN.model_copy(update={"steps": (step,)}).model_dump_json()).steps
    assert (read.args["it"], type(read.args["it"])) == (argument, type(argument))


def changed(at: tuple[str | int, ...], value: object) -> str:
    """Return a plan as JSON, with another value somewhere."""
    whole = inner = json.loads(PLAN.model_dump_json())
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return json.dumps(whole)


REFUSED: dict[str, tuple[tuple[str | int, ...], object]] = {
    "an unknown key": (("more",), 1),
    "an unknown key of a step": (("steps", 0, "shell"), "rm"),
    "an unknown action": (("steps", 0, "action"), "destroy"),
    "an unknown operation": (("operation",), "apply"),
    "another format": (("format",), 2),
    "a number as text": (("version",), "1"),
    "no list": (("steps",), {}),
    "no step": (("steps", 0), "make a"),
    "a time that never ends": (("steps", 0, "timeout_s"), float("inf")),
}


@pytest.mark.parametrize(("at", "value"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_plan_is_refused(at: tuple[str | int, ...], value: object) -> None:
    """A key that is not known may be one that matters; nothing is guessed."""
    with pytest.raises(ValidationError):
        Plan.model_validate_json(changed(at, value))
    assert Plan.model_validate_json(PLAN.model_dump_json()) == PLAN


@pytest.mark.parametrize(
    ("actions", "changes"),
    [((), False), (("check",), False), (("check", "create"), True), (("change",), True), (("delete",), True)],
    ids=str,
)
def test_only_checks_change_nothing(actions: tuple[str, ...], *, changes: bool) -> None:
    """Whether a plan would change anything is what --detailed-exitcode tells."""
    steps = tuple(STEP.model_copy(update={"action": action}) for action in actions)
    assert PLAN.model_copy(update={"steps": steps}).changes == changes


def shuffled(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return the same JSON with the keys of every mapping the other way round."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


@given(JSON)
def test_the_order_of_keys_makes_no_other_digest(value: Any) -> None:  # noqa: ANN401 - any JSON
    """The same content has the same digest, of 64 hexadecimal digits."""
    digest = fingerprint(value)
    assert digest == fingerprint(shuffled(value))
    assert (len(digest), int(digest, 16) >= 0) == (64, True)


@given(st.lists(JSON, min_size=2, max_size=2, unique_by=lambda value: json.dumps(value, sort_keys=True)))
def test_other_content_has_another_digest(pair: list[Any]) -> None:
    """1, "1", true and [1] are four contents."""
    assert fingerprint(pair[0]) != fingerprint(pair[1])


def test_digests_stay_the_same_over_time() -> None:
    """They are on targets, in labels: another way to make them would make every deployment a changed one."""
    assert fingerprint({"b": [1, None, True], "a": "é"}) == (
        "9f7d338ad91483cf3fce982c954777f9009f687e66fdc4b8033df92f8f341cf6"
    )
