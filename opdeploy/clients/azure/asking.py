"""Questions that Azure is asked before anything is made."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from opdeploy.clients.azure.refused import RefusedError
from opdeploy.targets.azure.questions import Question, note

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.targets.azure.questions import Said


def asked(arm: Arm, questions: Iterable[Question | Said]) -> list[Said]:
    """Ask every question, and those that answers lead to; return all that was found out, in that order.

    What may not be looked at is a note: whoever may not read it may be able to make things all the same.
    """
    found: list[Said] = []
    answers: dict[tuple[str, str], Any] = {}
    left = [*questions]
    while left:
        first, *left = left
        if not isinstance(first, Question):
            found.extend(() if first in found else (first,))
            continue
        try:
            answer = _answer(arm, first, answers)
        except RefusedError as error:
            found.append(note(f"{first.about} was not looked at: {error}"))
            continue
        left = [*first.judge(answer), *left]
    return found


def _answer(arm: Arm, question: Question, known: dict[tuple[str, str], Any]) -> Any:  # noqa: ANN401 - any JSON
    """Return the answer to a question, which is asked once where several have it."""
    key = (question.path, str(question.query or question.body))
    if key not in known:
        known[key] = _ask(arm, question)
    return known[key]


def _ask(arm: Arm, question: Question) -> Any:  # noqa: ANN401 - any JSON
    path, api = question.path, question.api
    try:
        if question.is_list:
            return [*arm.every(path, api, question.query)]
        if question.body is not None:
            return arm.told(path, api, question.body, question.query)
        return arm.ask("GET", path, api, query=question.query)
    except RefusedError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise
