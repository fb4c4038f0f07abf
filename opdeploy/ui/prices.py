"""Prices as tables."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, get_args

from opdeploy.market.checked import Finding
from opdeploy.ui import new_table, show_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from rich.console import Console

    from opdeploy.market.checked import Checked
    from opdeploy.market.prices import Price


def show_prices(console: Console, found: Sequence[Checked], region: str, day: date) -> None:
    """Print the price that counts for each meter."""
    console.print(f"US dollars in {region}, as of {day.isoformat()}", style="bold", markup=False)
    _rows(console, found)


def show_check(console: Console, found: Sequence[Checked], region: str, day: date) -> None:
    """Print the prices of which something is to be said, and how many are good."""
    counts = Counter(item.finding for item in found)
    told = ", ".join(f"{counts[name]} {name}" for name in get_args(Finding) if name in counts)
    console.print(f"{len(found)} prices in {region}, as of {day.isoformat()}: {told}", style="bold", markup=False)
    _rows(console, [item for item in found if item.finding != "good"])


def show_all(console: Console, prices: Sequence[Price]) -> None:
    """Print prices with their sources."""
    from rich.text import Text

    table = new_table("meter", "region", "price", "date", "state", "source", right=("price",))
    for item in prices:
        cells = (item.meter, item.region, _amount(float(item.each)), item.date, item.state, item.source)
        table.add_row(*map(Text, cells))
    show_table(console, table)


def _rows(console: Console, found: Sequence[Checked]) -> None:
    from rich.text import Text

    if not found:
        return
    table = new_table("meter", "price", "for a", "date", "", right=("price",))
    for item in found:
        price = item.price
        said = item.finding if item.finding != "good" else ""
        cells = (
            item.meter,
            _amount(float(price.each)) if price else "-",
            item.unit,
            price.date if price else "",
            f"{said}: {item.why}" if said and item.why else said,
        )
        table.add_row(*map(Text, cells))
    show_table(console, table)


def _amount(usd: float) -> str:
    """Write an amount as a price list does: without an exponent, and without zeros at its end."""
    return f"{usd:.12f}".rstrip("0").rstrip(".")
