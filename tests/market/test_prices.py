"""Which of several prices counts, and what is no list of prices."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from opdeploy.errors import InputError
from opdeploy.market.prices import COLUMNS, GLOBAL, Price, PriceList, parse, write

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 11, 26)
HEAD = ",".join(COLUMNS)
FAR = {"here": 0.0, "near": 1.0, "far": 2.0}


def price(usd: str, day: str, region: str = "here", state: str = "listed", per: str = "1") -> Price:
    """Return a price of one meter."""
    return parse(f"{HEAD}\nvm/small,{region},{usd},{per},{day},{state},somebody,\n", "test.csv")[0]


def far(region: str) -> float:
    """Tell how far a region is from `here`."""
    return FAR[region]


NEWEST = {
    "the newest": (["1 2026-01-01", "2 2026-08-20", "3 2026-06"], "2"),
    "none that is newer than the day": (["1 2026-01-01", "2 2026-11-27"], "1"),
    "the day itself": (["1 2026-01-01", "2 2026-11-26"], "2"),
    "a month from its first day on": (["1 2026-10-31", "2 2026-11"], "2"),
    "a date before none": (["1 2020-01-01", "2 "], "1"),
    "none before what came later": (["1 ", "2 2026-12-01"], "1"),
    "the oldest of what came later": (["1 2027-01-01", "2 2026-12-01"], "2"),
    "of two on one day the later row": (["1 2026-01-01", "2 2026-01-01"], "2"),
}


@pytest.mark.parametrize(("rows", "wanted"), NEWEST.values(), ids=NEWEST)
def test_which_price_counts(rows: list[str], wanted: str) -> None:
    """Of the prices of one meter in one region."""
    found = PriceList(price(*row.split(" ")) for row in rows).find("vm/small", "here", TODAY, far)
    assert found is not None
    assert found.price.usd == Decimal(wanted)
    assert not found.borrowed


BORROWED = {
    "that of the region": (["here", "near", "far"], "here", False),
    "that of the nearest region": (["far", "near"], "near", True),
    "one that holds everywhere": (["near", GLOBAL], GLOBAL, False),
    "the region's own before one that holds everywhere": ([GLOBAL, "here"], "here", False),
}


@pytest.mark.parametrize(("regions", "wanted", "borrowed"), BORROWED.values(), ids=BORROWED)
def test_whose_price_counts(regions: list[str], wanted: str, borrowed: bool) -> None:  # noqa: FBT001  a case
    """A region that has no price of its own borrows one, and says so."""
    found = PriceList(price("1", "2026-08-15", region) for region in regions).find("vm/small", "here", TODAY, far)
    assert found is not None
    assert (found.price.region, found.borrowed) == (wanted, borrowed)


@pytest.mark.parametrize("state", ["unverified", "superseded", "disputed"])
def test_what_is_not_vouched_for_does_not_count(state: str) -> None:
    """However new it is; what is disputed can be asked for."""
    prices = PriceList([price("1", "2026-01-01"), price("9", "2026-11-01", state=state)])
    found, disputed = (ask("vm/small", "here", TODAY, far) for ask in (prices.find, prices.disputed))
    assert found is not None
    assert found.price.usd == 1
    assert (disputed is not None) == (state == "disputed")
    assert PriceList([price("9", "2026-11-01", state=state)]).find("vm/small", "here", TODAY, far) is None


def test_a_price_is_for_so_many_units() -> None:
    """Forty cents for a million."""
    assert price("0.4", "2026-08-15", per="1000000").each == Decimal("0.0000004")


STALE = {"2026-05-30": False, "2026-05-29": True, "2026-06": False, "2026-05": True, "": True}


@pytest.mark.parametrize(("day", "stale"), STALE.items())
def test_what_is_stale(day: str, stale: bool) -> None:  # noqa: FBT001  a case
    """What is older than 180 days, or has no date; a month counts from its first day."""
    assert price("1", day).is_stale(TODAY) is stale


REFUSED: dict[str, tuple[str, str]] = {
    "no columns": ("", "test.csv:1: is no list of prices: its columns must be meter, region"),
    "other columns": ("meter,usd\n", "test.csv:1: is no list of prices"),
    "too few": (f"{HEAD}\na,b,1\n", "test.csv:2: has not 8 columns"),
    "too many": (f"{HEAD}\na,b,1,1,,listed,s,n,more\n", "test.csv:2: has not 8 columns"),
    "no meter": (f"{HEAD}\n,b,1,1,,listed,s,\n", "test.csv:2: names no meter, region or source"),
    "no source": (f"{HEAD}\na,b,1,1,,listed,,\n", "test.csv:2: names no meter, region or source"),
    "no amount": (f"{HEAD}\na,b,one,1,,listed,s,\n", "test.csv:2: 'one' is no amount"),
    "a negative amount": (f"{HEAD}\na,b,-1,1,,listed,s,\n", "test.csv:2: '-1' is no amount"),
    "an infinite amount": (f"{HEAD}\na,b,Infinity,1,,listed,s,\n", "'Infinity' is no amount"),
    "not a number": (f"{HEAD}\na,b,NaN,1,,listed,s,\n", "'NaN' is no amount"),
    "for nothing": (f"{HEAD}\na,b,1,0,,listed,s,\n", "test.csv:2: per: is 0"),
    "another state": (f"{HEAD}\na,b,1,1,,sure,s,\n", "test.csv:2: state: is 'sure', not listed, unverified"),
    "no day": (f"{HEAD}\na,b,1,1,autumn,listed,s,\n", "test.csv:2: date: is 'autumn'"),
    "a day that is none": (f"{HEAD}\na,b,1,1,2026-02-30,listed,s,\n", "test.csv:2: date: is '2026-02-30'"),
    "a quote that does not end": (f'{HEAD}\na,b,1,1,,listed,s,"n\n', "is not valid CSV"),
    "the line of the second": (f"{HEAD}\na,b,1,1,,listed,s,\na,b,x,1,,listed,s,\n", "test.csv:3: 'x'"),
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_list_of_prices(text: str, said: str) -> None:
    """The line says where it is wrong."""
    with pytest.raises(InputError) as raised:
        parse(text, "test.csv")
    assert said in str(raised.value)


def test_prices_are_written_as_they_are_read(root: Path) -> None:
    """All that is in the catalogue, with commas and quotes in sources and notes."""
    text = (root / "profiles" / "azure" / "prices.csv").read_text(encoding="utf-8")
    assert write(parse(text, "prices.csv")) == text
    tricky = Price("a", "b", Decimal("0.00001"), Decimal(10000), "", "listed", 'who, "where"', "a\nb")
    assert parse(write([tricky]), "x") == [tricky]
