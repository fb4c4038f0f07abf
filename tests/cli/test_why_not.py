"""`recommend --why-not ID`: why a platform is not the recommended one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Asked
    from tests.conftest import Opdeploy, Ran

Answers = dict[tuple[str, str], "Asked"]


def ask(opdeploy: Opdeploy, asked: Asked, platform: str) -> Ran:
    """Ask why not a platform, on the day of the answers."""
    options = ["--edition", asked.edition, "--as-of=2026-11-02", "--why-not", platform]
    return opdeploy("recommend", asked.path, *options, COLUMNS="500")


def test_the_best_platform_is_the_recommended_one(opdeploy: Opdeploy, answers: Answers) -> None:
    """There is nothing to say against the best."""
    asked = answers["heavy", "2018"]
    ran = ask(opdeploy, asked, asked.answer["best"])
    assert (ran.code, ran.out.splitlines()[1:]) == (0, [f"{asked.answer['best']} is the recommended platform."])


def test_a_lower_platform_is_told_its_losses_and_gains(opdeploy: Opdeploy, answers: Answers) -> None:
    """The rank, and the points lost and gained in each criterion, which sum to the distance."""
    asked = answers["bare", "2018"]
    best, *_, last = asked.answer["ranked"]
    ran = ask(opdeploy, asked, last["platform"])
    number = len(asked.answer["ranked"])
    gap = best["score"] - last["score"]
    assert ran.code == 0
    assert ran.out.splitlines()[1] == (
        f"{last['platform']} is number {number} of {number}, {gap:.0f} points behind {best['platform']}."
    )
    changes = re.findall(r"^(loses|gains) ([\d.]+) in (\w+) \(([\d.]+) against ([\d.]+)\)", ran.out, re.MULTILINE)
    total = sum(float(points) * (1 if word == "loses" else -1) for word, points, *_ in changes)
    assert total == pytest.approx(gap, abs=0.05 * len(changes))
    differing = {
        ours["criterion"]
        for ours, theirs in zip(last["contributions"], best["contributions"], strict=True)
        if ours["points"] != theirs["points"]
    }
    assert {criterion for _, _, criterion, *_ in changes} == differing


@pytest.mark.parametrize("key", [("bare", "2026"), ("nothing", "2026"), ("llm", "2018")], ids="-".join)
def test_an_excluded_platform_is_told_every_reason(opdeploy: Opdeploy, answers: Answers, key: tuple[str, str]) -> None:
    """Each reason is a sentence, followed by what would have to change."""
    excluded = answers[key].answer["excluded"][-1]
    ran = ask(opdeploy, answers[key], excluded["platform"])
    lines = ran.out.splitlines()[1:]
    assert len(lines) == len(excluded["reasons"])
    for line, reason in zip(lines, excluded["reasons"], strict=True):
        text, need = line.removeprefix(f"{excluded['platform']} is excluded: ").split(" Would need ")
        assert text == reason["text"].rstrip(".") + "."
        assert need == reason["would_need"].rstrip(".") + "."


@pytest.mark.parametrize(("key", "code"), [(("bare", "2026"), 0), (("nothing", "2026"), 4), (("llm", "2026"), 4)])
def test_the_exit_code_is_that_of_the_answer(
    opdeploy: Opdeploy, answers: Answers, key: tuple[str, str], code: int
) -> None:
    """Asking why not does not change whether there is a viable platform."""
    assert ask(opdeploy, answers[key], "local").code == code


MISTAKES = {
    "misspelt": ("2026", "azure-bacth", "no platform 'azure-bacth'; did you mean \"azure-batch\"?"),
    "only in the other edition": ("2018", "azure-batch", "azure-batch is not in edition 2018; ask with --edition 2026"),
    "nothing like it": ("2026", "zzz", "no platform 'zzz'; valid: aci, aks-cpu, "),
    "empty": ("2026", "", "no platform ''; valid: aci, aks-cpu, "),
}


@pytest.mark.parametrize(("edition", "platform", "said"), MISTAKES.values(), ids=list(MISTAKES))
def test_a_platform_that_is_none_is_bad_input(
    opdeploy: Opdeploy,
    answers: Answers,
    one_line: Callable[[Ran], str],
    edition: str,
    platform: str,
    said: str,
) -> None:
    """An id that is not in the edition ends with 2, and the nearest one is named."""
    ran = ask(opdeploy, answers["bare", edition], platform)
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran).startswith(f"error: --why-not: {said}")
