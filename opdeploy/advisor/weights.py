"""How much each criterion counts, from 0 to 5, by written rules. `docs/scoring.md` tells them to users.

The stage speaks first; the team counts only where the stage leaves room.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opdeploy.workload import CRITERIA

if TYPE_CHECKING:
    from opdeploy.advisor.needs import Needs
    from opdeploy.workload import Priorities, Stage

FIT = "fit"
"""The sixth criterion: how well the platform suits this workload, beside its ratings."""

FIT_WEIGHT = 5.0
BIG_DATA_GB = 100.0


@dataclass(frozen=True, slots=True)
class Weight:
    """A raw weight from 0 to 5, and the rule that gave it."""

    value: float
    why: str


def weights(needs: Needs, priorities: Priorities) -> dict[str, Weight]:
    """Return the weight of every criterion, `fit` last; a named priority replaces the derived weight."""
    derived = {
        "speed": _speed(needs),
        "scalability": _by_stage(needs, {"demo": 0.5, "pilot": 1, "production": 3}, "how far it must scale"),
        "data_proximity": _data_proximity(needs),
        "debuggability": _by_stage(needs, {"demo": 2, "pilot": 3, "production": 2}, "how much is still tried out"),
        "ease_of_deployment": _ease(needs),
    }
    for criterion in CRITERIA:
        given = getattr(priorities, criterion)
        if given is not None:
            derived[criterion] = Weight(given, f"priorities.{criterion}")
    return derived | {FIT: Weight(FIT_WEIGHT, "always counts most")}


def _by_stage(needs: Needs, values: dict[Stage, float], why: str) -> Weight:
    return Weight(values[needs.stage], f"{needs.stage}: {why}")


def _speed(needs: Needs) -> Weight:
    if needs.gpu == "none":
        return Weight(1, "no GPU is needed")
    if needs.gpu == "required" and needs.stage != "demo":
        return Weight(4, "a GPU is required")
    if needs.gpu == "preferred" and needs.stage == "production":
        return Weight(4, "production, and a GPU is preferred")
    return _by_stage(needs, {"demo": 1, "pilot": 3, "production": 3}, "how much speed matters")


def _data_proximity(needs: Needs) -> Weight:
    if not needs.may_move:
        return Weight(5, "the data may not move")
    if needs.size_gb >= BIG_DATA_GB:
        return Weight(3, f"{needs.size_gb:g} GB of data, {BIG_DATA_GB:g} or more")
    if needs.sensitive:
        return Weight(2, "sensitive data should travel little")
    return Weight(1, "little data, which may move")


def _ease(needs: Needs) -> Weight:
    if needs.stage == "production" and needs.knows:
        return Weight(1, "production, by a team that says what it knows")
    return _by_stage(needs, {"demo": 5, "pilot": 4, "production": 2}, "how quickly it must stand")
