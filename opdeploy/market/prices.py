"""Dated prices: what a meter costs in a region, and how good that figure is."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from io import StringIO
from typing import TYPE_CHECKING, Literal, get_args

from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Day = date
"""`date` by a name that the field `date` of a price does not take."""
State = Literal["listed", "unverified", "superseded", "disputed"]
COLUMNS = ("meter", "region", "usd", "per", "date", "state", "source", "note")
SMALLEST, LARGEST = Decimal("1e-12"), Decimal("1e12")
"""Amounts beyond are none, but slips."""
GLOBAL = "Global"
"""The region of meters that have one price everywhere."""
STALE = timedelta(days=180)
"""A price that is older than this, or has no date, may have changed."""
_DATE = re.compile(r"(\d{4})-(\d\d)(?:-(\d\d))?")


@dataclass(frozen=True, slots=True)
class Price:
    """What a meter cost in a region at a time."""

    meter: str
    region: str
    usd: Decimal
    per: Decimal
    """So many units of the meter cost that much."""
    date: str
    """The day or month in which it was listed; empty where nothing says."""
    state: State
    source: str
    note: str

    @property
    def each(self) -> Decimal:
        """US dollars for one unit of the meter."""
        return self.usd / self.per

    @property
    def day(self) -> Day | None:
        """The first day on which it may have been listed."""
        return first_day(self.date)

    def is_stale(self, as_of: Day) -> bool:
        """Tell whether it is too old to rely on, on a day."""
        return is_stale(self.date, as_of)


@dataclass(frozen=True, slots=True)
class Quote:
    """The price that counts for a meter in a region."""

    price: Price
    borrowed: bool
    """Whether it is that of another region, for want of one."""


def first_day(text: str) -> Day | None:
    """Return the first day of a date that is a day or a month; None for what is none. Raises ValueError for no day."""
    found = _DATE.fullmatch(text)
    return Day(int(found[1]), int(found[2]), int(found[3] or 1)) if found else None


def is_stale(text: str | None, as_of: Day) -> bool:
    """Tell whether a price of a date, or of none, is too old to rely on, on a day."""
    day = first_day(text or "")
    return day is None or as_of - day > STALE


class PriceList:
    """Prices, by meter and region."""

    def __init__(self, prices: Iterable[Price]) -> None:
        self.prices = tuple(prices)
        self._listed: dict[str, dict[str, list[Price]]] = {}
        self._disputed: dict[str, dict[str, list[Price]]] = {}
        for price in self.prices:
            if price.state in ("listed", "disputed"):
                known = self._listed if price.state == "listed" else self._disputed
                known.setdefault(price.meter, {}).setdefault(price.region, []).append(price)

    def find(self, meter: str, region: str, as_of: date, near: Callable[[str], float]) -> Quote | None:
        """Return the price of a meter in a region on a day; None where no region has one.

        Of several the newest counts that is not after the day. Where the region has none, that of the nearest is
        borrowed; `near` tells how far a region is from the one that was asked for.
        """
        return _found(self._listed.get(meter, {}), region, as_of, near)

    def disputed(self, meter: str, region: str, as_of: date, near: Callable[[str], float]) -> Quote | None:
        """Return what a meter costs according to sources that others contradict."""
        return _found(self._disputed.get(meter, {}), region, as_of, near)

    def counting(self, as_of: date) -> Iterator[Price]:
        """Yield what may count on a day, for whichever region is asked: of each meter, region and state one price."""
        for known in (self._listed, self._disputed):
            for regions in known.values():
                yield from (_newest(prices, as_of) for prices in regions.values())


def _found(known: Mapping[str, list[Price]], region: str, as_of: date, near: Callable[[str], float]) -> Quote | None:
    for name in (region, GLOBAL):
        if name in known:
            return Quote(_newest(known[name], as_of), borrowed=False)
    if not known:
        return None
    nearest = min(known, key=lambda name: (near(name), name))
    return Quote(_newest(known[nearest], as_of), borrowed=True)


def _newest(prices: Iterable[Price], as_of: date) -> Price:
    """Return the newest price that is not after a day; else one without a date, else the oldest. The later row wins."""

    def rank(price: Price) -> tuple[int, int]:
        if price.day is None:
            return 1, 0
        return (2, price.day.toordinal()) if price.day <= as_of else (0, -price.day.toordinal())

    best, *others = prices
    for price in others:
        best = price if rank(price) >= rank(best) else best
    return best


def parse(text: str, name: str) -> list[Price]:
    """Read a list of prices in CSV, with the columns of `COLUMNS`; `name` stands for it in errors.

    Raises InputError, with the line, for what is no price.
    """
    reader = csv.DictReader(StringIO(text), strict=True)
    try:
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise InputError(f"{name}:1: is no list of prices: its columns must be {', '.join(COLUMNS)}")
        return [_price(row, f"{name}:{reader.line_num}") for row in reader]
    except csv.Error as error:
        raise InputError(f"{name}:{reader.line_num}: is not valid CSV: {error}; mend that line") from None


def _price(row: Mapping[str, str | None], where: str) -> Price:
    meter, region, usd, per, day, state, source, note = (row.get(column) for column in COLUMNS)
    if None in row or meter is None or region is None or day is None or source is None or note is None:
        raise InputError(f"{where}: has not {len(COLUMNS)} columns; mend that line")
    if not meter or not region or not source:
        raise InputError(f"{where}: names no meter, region or source; mend that line")
    known = next((each for each in get_args(State) if each == state), None)
    if known is None:
        raise InputError(f"{where}: state: is {state!r}, not {', '.join(get_args(State))}; mend that line")
    price = Price(meter, region, _amount(usd, where), _amount(per, where), day, known, source, note)
    try:
        dated = price.day is not None or not day
    except ValueError:
        dated = False
    if not dated:
        raise InputError(f"{where}: date: is {day!r}, not a day such as 2026-08-15, or a month; mend that line")
    if price.per == 0:
        raise InputError(f"{where}: per: is 0, so that nothing has a price; mend that line")
    return price


def _amount(text: str | None, where: str) -> Decimal:
    try:
        value = Decimal(text or "")
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0 or (value and not SMALLEST <= value <= LARGEST):
        raise InputError(f"{where}: {text!r} is no amount; mend that line")
    return value


def write(prices: Iterable[Price]) -> str:
    """Write prices as CSV, which `parse` reads."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for price in prices:
        writer.writerow([price.meter, price.region, f"{price.usd:f}", f"{price.per:f}", price.date, price.state,
                         price.source, price.note])  # fmt: skip
    return out.getvalue()
