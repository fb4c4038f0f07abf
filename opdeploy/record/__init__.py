"""The record of a decision, in Markdown: what was asked, the answer, and how old each fact is. Pure text."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opdeploy import __version__, report
from opdeploy.costs import turns
from opdeploy.markdown import line, text
from opdeploy.record.choice import alternatives, answered
from opdeploy.record.figures import given, usd
from opdeploy.record.freshness import freshness
from opdeploy.record.question import MARK, question

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from opdeploy.catalogue import Catalogue
    from opdeploy.market.sizes import Size
    from opdeploy.recommendation import Assumption, Ranked, Recommendation
    from opdeploy.speed import Measured
    from opdeploy.workload import Workload

LIMITS = "limits."
"""Start of the assumptions that tell of limits which are not known."""


@dataclass(frozen=True)
class Asked:
    """What an answer was given to, and from what."""

    workload: Workload
    catalogue: Catalogue
    as_of: date
    sizes: dict[str, Size]
    measured: tuple[Measured, ...]
    command: tuple[str, ...]
    """The words of a command line that asks again."""


def markdown(answer: Recommendation, asked: Asked) -> str:
    """Write the record of an answer, about a page long; the same answer has the same bytes."""
    return "\n".join(_record(answer, asked)) + "\n"


def _record(answer: Recommendation, asked: Asked) -> Iterator[str]:
    best = answer.ranked[0] if answer.ranked else None
    yield from (f"# {_title(answer)}", "", f"Date: {answer.as_of}. Status: {_status(answer)}.", "")
    yield from ("## Question", "", *_items(question(asked.workload, answer.assumptions)), "")
    if best:
        title = asked.catalogue.by_id[best.platform].title
        yield from ("## Answer", "", *_items(answered(best, title, answer.region)), "")
        if len(answer.ranked) > 1:
            yield from ("## Alternatives", "", *alternatives(answer), "")
        yield from ("## What would change it", "", *_items(_changes(answer, best)), "")
    else:
        yield from ("## Answer", "", line(_no_answer(answer)), "")
    if answer.excluded:
        yield from ("## Excluded", "", *_items(_excluded(answer)), "")
    if best:
        size = asked.sizes.get(best.sizing.size) if best.sizing else None
        profile = asked.catalogue.by_id[best.platform]
        facts = freshness(best, profile, size, asked.measured, answer.region, asked.as_of)
        yield from ("## Freshness", "", *facts, "")
    if answer.assumptions:
        yield from (
            "## Assumed",
            "",
            f"{line('; '.join(_assumed(answer.assumptions)))}. Marked {MARK} in the question.",
            "",
        )
    yield from ("## Replay", "", *_replay(answer, asked))


def _items(sentences: Iterable[str]) -> Iterator[str]:
    """Make a list of what is Markdown already."""
    yield from (f"- {sentence}" for sentence in sentences)


def _title(answer: Recommendation) -> str:
    if answer.status == "out-of-scope":
        return f"{line(answer.workload)} is out of scope"
    if answer.best is None:
        return f"No platform for {text(answer.workload)}"
    return f"Run {text(answer.workload)} on {answer.best}"


def _no_answer(answer: Recommendation) -> str:
    if answer.status == "out-of-scope":
        reason = answer.excluded[0].reasons[0]
        return f"None: {reason.text}. Go to {reason.would_need}."
    return "None: no platform can run it. What would have to change stands below."


def _status(answer: Recommendation) -> str:
    if answer.status == "tie":
        return f"proposed, in a tie with {', '.join(each for each in answer.ties if each != answer.best)}"
    return {
        "recommended": "proposed",
        "no-viable-platform": "open, no platform can run it",
        "out-of-scope": "open, out of scope",
    }[answer.status]


def _changes(answer: Recommendation, best: Ranked) -> Iterator[str]:
    yield line(" ".join(report.firmness(answer)))
    yield from map(line, turns(answer))
    if best.cost and best.cost.lines:
        least = best.cost.monthly_usd if best.cost.status == "complete" else best.cost.low
        yield f"A budget below {usd(least)} a month would exclude {best.platform}."
    if answer.pareto:
        other = "" if best.platform in answer.pareto else f", not {best.platform}"
        yield f"Cheapest for their time, of those whose cost is known whole: {', '.join(answer.pareto)}{other}."
    yield from map(line, answer.notes)


def _excluded(answer: Recommendation) -> Iterator[str]:
    """Yield a line for each platform, or for several that are out for the same.

    What has ended has one for all, and so has each plain reason, whatever else speaks against a platform.
    """
    plain = report.plainly_excluded(answer)
    grouped = {platform for platforms in plain.values() for platform in platforms}
    others: dict[str, list[str]] = {}
    ended: list[str] = []
    for item in answer.excluded:
        first = item.reasons[0]
        if first.constraint == "retired":
            ended.append(f"**{item.platform}** {text(first.short)} ({text(first.would_need)})")
        elif item.platform not in grouped:
            reasons = "; ".join(f"{reason.short} (would need {reason.would_need})" for reason in item.reasons)
            others.setdefault(reasons, []).append(item.platform)
    yield from (f"**{', '.join(platforms)}:** {text(why)}" for why, platforms in (others | plain).items())
    if ended:
        yield "; ".join(ended)


def _assumed(assumptions: Sequence[Assumption]) -> Iterator[str]:
    """Yield each assumption in few words; those of limits that are not known together."""
    for item in assumptions:
        if not item.field.startswith(LIMITS):
            value = "" if item.value in (None, ()) else f" {given(item.value)}"
            yield f"{item.field}{value} ({item.why})"
    limits = [item.field.removeprefix(LIMITS) for item in assumptions if item.field.startswith(LIMITS)]
    if limits:
        yield f"a limit that is not known of a platform excludes nothing there (limits: {', '.join(limits)})"


def _replay(answer: Recommendation, asked: Asked) -> Iterator[str]:
    words = shlex.join(asked.command)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", words)), default=0))
    priced = ", prices of that day and measurements" if asked.sizes else ""
    yield (
        f"opdeploy {__version__}, edition {answer.edition}, as of {answer.as_of}; workload, size of the model, "
        f"catalogue{priced}: `{answer.inputs}`. The same version and hash give the same record:"
    )
    yield from ("", f"{fence}sh", words, fence)
