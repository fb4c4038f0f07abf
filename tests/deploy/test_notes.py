"""What a plan says first, and what is refused before there is a plan."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import date

import pytest

from opdeploy.catalogue import load_catalogue
from opdeploy.deploy.journal import Unfinished
from opdeploy.deploy.notes import Facts, notes, refuse, require_allowed
from opdeploy.errors import InputError, NoPlatformError
from opdeploy.platform import NameRule
from opdeploy.recommendation import Reason
from opdeploy.workload import Workload
from tests.deploy.imagined import NAME, wanted

ANYWHERE = "0.0.0.0"  # noqa: S104  that is what is tried
TODAY = date(2026, 11, 25)


UNFINISHED = "continues the deployment that was interrupted at 2026-11-25 08:00 UTC, at the step: start version 2"


def facts(**changed: object) -> Facts:
    """Return the facts of a plan of which nothing need be said, but for what is changed."""
    workload = Workload.model_validate_json(
        json.dumps({"name": NAME, "serving": {"pattern": "request-response"}, **changed.pop("workload", {})})  # type: ignore[dict-item]
    )
    usual: dict[str, object] = {
        "wanted": wanted(),
        "workload": workload,
        "profile": load_catalogue().by_id["local"],
        "reasons": (),
        "synthetic": False,
        "unfinished": None,
    }
    return Facts(**{**usual, **changed})  # type: ignore[arg-type]


def test_nothing_is_said_where_nothing_need_be() -> None:
    """A plan without surprises has no notes."""
    assert notes(facts()) == ()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"reasons": (Reason("memory", "4 GB are too much.", "less memory"),)},
            "local is not recommended for this workload: 4 GB are too much; it would take less memory",
        ),
        ({"useless": ("--port", "--set aci.cpus")}, "local has no use for --port, --set aci.cpus"),
        ({"synthetic": True}, "its golden answers are to inputs drawn at random"),
        ({"unfinished": Unfinished("deploy", 2, "2026-11-25T08:00:01.234+00:00", "start version 2")}, UNFINISHED),
        (
            {"unfinished": Unfinished("remove", None, "2026-11-25T08:00:01.234+00:00", None)},
            "a removal was interrupted at 2026-11-25 08:00 UTC: this takes its place",
        ),
        ({"busy": "ann is at work on it", "unfinished": Unfinished("deploy", 2, "", None)}, "ann is at work on it"),
        ({"workload": {"lifetime": "2h"}}, "lives for 2h: nothing removes it then by itself; remove it with: opdeploy"),
        (
            {"workload": {"name": "n" * 9}, "rule": NameRule(min_length=2, max_length=8, pattern=".*")},
            "does not fit the rules for names of local (2 to 8 characters), and so it is called m",
        ),
        ({"workload": {"name": "other"}}, "other does not fit the rules for names of local, and so it is called m"),
    ],
)
def test_a_surprise_is_told(changed: dict[str, object], said: str) -> None:
    """Each in one sentence, with what to do where something can be done."""
    (note,) = notes(facts(**changed))
    assert said in note
    assert "\n" not in note


@pytest.mark.parametrize("constraint", ["development", "only", "never"])
def test_what_the_user_has_set_aside_is_not_told(constraint: str) -> None:
    """Who names a platform does not have to be told that it is one only when named."""
    assert notes(facts(reasons=(Reason(constraint, "so it is", "another"),))) == ()


def test_the_gravest_comes_first() -> None:
    """Why it is not recommended, then who may read along and whether a key is asked for, then the rest."""
    found = notes(
        facts(
            reasons=(Reason("memory", "too little", "more"),),
            wanted=wanted(host=ANYWHERE, keyed=True),
            synthetic=True,
        )
    )
    assert [note.split()[0:3] for note in found] == [
        ["local", "is", "not"],
        ["it", "is", "reached"],
        ["clients", "need", "an"],
        ["its", "golden", "answers"],
    ]


@pytest.mark.parametrize(("shows", "more"), [(True, ", which is made, and shown once"), (False, "")])
def test_a_key_is_said_to_be_shown_where_it_is(*, shows: bool, more: str) -> None:
    """Where one is known, or a Key Vault has it, none is."""
    (_, note) = notes(facts(wanted=wanted(host=ANYWHERE, keyed=True), shows_key=shows))
    assert note == f"clients need an API key{more}"


def test_plain_http_has_to_be_allowed() -> None:
    """Where others may read along; the words name the option and the way without it."""
    words = {"host": "--host 0.0.0.0", "instead": "listen on 127.0.0.1 behind a proxy"}
    with pytest.raises(InputError, match=r"^--host 0\.0\.0\.0: .* --allow-plain-http, or listen on 127\.0\.0\.1"):
        require_allowed(wanted(host=ANYWHERE, keyed=True), **words)
    require_allowed(wanted(), **words)


@pytest.mark.parametrize(("gpu", "is_refused"), [("required", True), ("preferred", False), ("none", False)])
def test_a_gpu_that_is_required_is_not_here(gpu: str, *, is_refused: bool) -> None:
    """What a workload cannot do without is refused, and not left out."""
    workload = facts(workload={"hardware": {"gpu": gpu}}).workload
    with pytest.raises(NoPlatformError, match=r"^hardware\.gpu: ") if is_refused else nullcontext():
        refuse(wanted(), workload, ())


def test_how_the_catalogue_knows_that_there_is_no_gpu_is_left_out() -> None:
    """A refusal is no place for what its source is."""
    none = Reason("gpu", "needs a GPU, and it has none: plans have none; from memory, to be verified.", "")
    workload = facts(workload={"hardware": {"gpu": "required"}}).workload
    with pytest.raises(NoPlatformError, match="it has none: plans have none; say preferred"):
        refuse(wanted(), workload, (none,))


def test_a_gpu_that_a_platform_has_no_more_is_refused_with_the_reason() -> None:
    """Since when it is so, as the catalogue knows."""
    gone = Reason("gpu", "needs a GPU, and Container Instances has none: retired on 2025-07-14.", "hardware.gpu: none")
    workload = facts(workload={"hardware": {"gpu": "required"}}).workload
    with pytest.raises(NoPlatformError) as raised:
        refuse(wanted(), workload, (gone,))
    assert str(raised.value) == (
        "hardware.gpu: needs a GPU, and Container Instances has none: retired on 2025-07-14; say preferred, or take a "
        "platform that has some, such as aks-gpu"
    )
