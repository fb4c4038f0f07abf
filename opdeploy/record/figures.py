"""Figures of a record in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy import report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opdeploy.recommendation import Cost


def given(value: object) -> str:
    """Write a value as it was given."""
    return report.written(value) if isinstance(value, bool) or not isinstance(value, int | float) else exact(value)


def figure(value: float) -> str:
    """Write what was computed, which is no finer than three digits."""
    return exact(float(f"{value:.3g}"))


def exact(value: float) -> str:
    """Write a number without an exponent."""
    return f"{value:,.12f}".rstrip("0").rstrip(".")


def usd(value: float) -> str:
    """Write an amount."""
    return f"${value:,.2f}"


def monthly(cost: Cost | None) -> str:
    """Write what a month costs, or the least of it where a part has no price."""
    if cost is None or not (cost.lines or not cost.missing):
        return report.NOTHING
    return f"≥{usd(cost.monthly_usd)}" if cost.missing else usd(cost.monthly_usd)


def joined(words: Iterable[str], mark: str = ", ") -> str:
    """Join what is not empty."""
    return mark.join(word for word in words if word)
