"""What comes after a first look: the places that lead, and the questions that could change them. Pure."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from opdeploy import advisor
from opdeploy.starter import nested
from opdeploy.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from opdeploy.advisor import Facts
    from opdeploy.artifact.inspection import Inspection
    from opdeploy.catalogue import Catalogue
    from opdeploy.recommendation import Recommendation
    from opdeploy.starter import Known

PEAK = "serving.requests_per_second.peak"
SHOWN = 3
"""Platforms that are shown."""
ASKED = 4
"""Questions that are asked."""


@dataclass(frozen=True, slots=True)
class Question:
    """What to find out, and what it could change."""

    text: str
    fields: tuple[str, ...]
    """Of the workload file."""
    answer: str
    """One that could be given, in words."""
    then: tuple[str, ...]
    """The platforms that would lead with it, the best first."""
    changes: int
    """2 where another one would lead, 1 where others would follow."""


class _Answer(NamedTuple):
    words: str
    known: Known


_QUESTIONS: tuple[tuple[str, tuple[_Answer, ...]], ...] = (
    (
        "How many requests come, and how over the day?",
        (
            _Answer(
                "300 a second, in bursts",
                {PEAK: 300, "serving.traffic.shape": "bursts"},
            ),
        ),
    ),
    (
        "How soon must 95 of 100 be answered?",
        (_Answer("within 50 ms", {"serving.latency_ms.p95": 50}),),
    ),
    (
        "How much of the time must it answer?",
        (_Answer("99.95 %", {"serving.availability": 99.95}), _Answer("99.99 %", {"serving.availability": 99.99})),
    ),
    (
        "Where is the data, and may it leave?",
        (
            _Answer("PostgreSQL, and it stays", {"data.location": "postgres", "data.may_move": False}),
            _Answer("it is regulated", {"data.sensitivity": "regulated"}),
        ),
    ),
    (
        "What may it cost?",
        (_Answer("50 US dollars a month", {"budget.monthly_usd": 50}),),
    ),
)


def learnt(name: str, seen: Inspection, given: Known) -> Known:
    """Return the fields of a workload that a model tells, with those that were given."""
    facts = {"framework": seen.framework, "size_mb": seen.size_mb or None, "gflops": seen.gflops}
    known: Known = {f"model.{field}": value for field, value in facts.items() if value is not None}
    return {"name": name, "serving.pattern": "request-response", "stage": "pilot", **known, **given}


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks the advisor, on a day, about a model of which all is known that there is to know."""

    catalogue: Catalogue
    facts: Facts
    day: date

    def recommended(self, known: Known) -> Recommendation:
        """Return the advisor's answer for a workload of these fields."""
        workload = Workload.model_validate_json(json.dumps(nested(known)))
        return advisor.recommend(workload, self.catalogue, self.day, facts=self.facts)[0]


def peak(known: Known, answer: Recommendation) -> float:
    """Return the requests in the busiest second, as they were given, else as the advisor takes them."""
    assumed = {item.field: item.value for item in answer.assumptions}
    return float(str(known.get(PEAK, assumed.get(PEAK))))


def questions(known: Known, asker: Asker) -> list[Question]:
    """Return what is worth asking: first what could change the platforms that lead, as asking the advisor shows."""
    now = _leading(asker.recommended(known))

    def asked(text: str, answer: _Answer) -> Question:
        then = _leading(asker.recommended(known | answer.known))
        return Question(text, tuple(answer.known), answer.words, then, (then[:1] != now[:1]) + (then != now))

    found = [
        max((asked(text, answer) for answer in answers), key=lambda item: item.changes)
        for text, answers in _QUESTIONS
        if not any(known.keys() & answer.known.keys() for answer in answers)
    ]
    return sorted(found, key=lambda item: -item.changes)[:ASKED]


def _leading(answer: Recommendation) -> tuple[str, ...]:
    return tuple(item.platform for item in answer.ranked[:SHOWN])


def command(*words: str) -> str:
    """Return a command of opdeploy as one types it."""
    return shlex.join(["opdeploy", *words])


def commands(artefact: str, workload: str, target: str | None) -> list[str]:
    """Return what brings an artefact to a platform, one command after the other."""
    return [
        command("init", artefact, *([] if workload == "workload.yaml" else ["--file", workload])),
        command("recommend", workload),
        command("deploy", workload, *(["--target", target] if target else [])),
    ]


def deployable(answer: Recommendation, able: Sequence[str]) -> str | None:
    """Return the best platform that opdeploy deploys to; None where there is none."""
    return next((item.platform for item in answer.ranked if item.platform in able), None)
