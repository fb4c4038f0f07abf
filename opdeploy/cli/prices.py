"""`opdeploy prices`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from opdeploy.cli.options import AsOf, File, day, format_of

if TYPE_CHECKING:
    from datetime import date

    from opdeploy.market import Market
    from opdeploy.market.checked import Checked
    from opdeploy.market.prices import Price

Output = Literal["table", "json", "csv"]
Region = Annotated[str | None, typer.Option("--region", metavar="REGION", help="Azure region.", show_default="eastus2")]
Meters = Annotated[
    list[str] | None, typer.Argument(metavar="METER", help="Meters, or starts of their names, such as vm/Standard_D.")
]
Form = Annotated[Output | None, typer.Option("--output", "-o", help="Format.", show_default="table")]

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def _group(context: typer.Context) -> None:
    """Show the dated prices that costs are made of, say how good they are, and fetch today's."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("show")
def show(
    meters: Meters = None,
    *,
    region: Region = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Every price that is known, of all regions and days, with its source.")
    ] = False,
    output: Form = None,
    file: File = None,
    as_of: AsOf = None,
) -> None:
    """Show the price that counts for each meter in a region, with its day; borrowed, stale or disputed ones say so."""
    from opdeploy import ui
    from opdeploy.market.checked import checked

    form = format_of(output, file, get_args(Output))
    market = _market()
    where = _region(region, market)
    wanted = _wanted(meters, market)
    found = [item for item in checked(market, where, day(as_of)) if item.meter in wanted]
    if all_ or form == "csv":
        rows = [price for price in market.prices.prices if price.meter in wanted]
        counting = [item.price for item in found if item.price]
        _deliver_all(rows if all_ else counting, form, file)
    elif form == "json":
        ui.deliver(json.dumps([_as_data(item) for item in found], indent=2), file)
    else:
        from opdeploy.ui.prices import show_prices

        ui.tables(lambda console: show_prices(console, found, where, day(as_of)), file)
    if not found and not all_:
        ui.warn("no price is known of that; opdeploy prices show lists all")


@app.command("check")
def check(
    *,
    region: Region = None,
    output: Annotated[
        Literal["table", "json"] | None, typer.Option("--output", "-o", help="Format.", show_default="table")
    ] = None,
    as_of: AsOf = None,
) -> None:
    """Say which prices of a region are stale, missing, borrowed from another region, or disputed.

    Exits with 1 when one is older than 180 days, has no date, or is missing: opdeploy prices refresh fetches today's.
    """
    from opdeploy import ui
    from opdeploy.errors import OpdeployError
    from opdeploy.market.checked import WRONG, checked

    market = _market()
    where = _region(region, market)
    found = list(checked(market, where, day(as_of)))
    if output == "json":
        ui.deliver(json.dumps([_as_data(item) for item in found if item.finding != "good"], indent=2))
    else:
        from opdeploy.ui.prices import show_check

        ui.tables(lambda console: show_check(console, found, where, day(as_of)))
    wrong = [item for item in found if item.finding in WRONG]
    if wrong:
        many = "1 price is" if len(wrong) == 1 else f"{len(wrong)} prices are"
        raise OpdeployError(f"{many} stale or missing; fetch today's with: opdeploy prices refresh --region {where}")


@app.command("refresh")
def refresh(
    *,
    regions: Annotated[
        list[str] | None,
        typer.Option("--region", metavar="REGION", help="Azure region; may be repeated.", show_default="eastus2"),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", metavar="FILE", help="Where they are kept.", show_default="OPDEPLOY_PRICES, else the user's data"
        ),
    ] = None,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="Another address of the service.")] = None,
) -> None:
    """Fetch today's prices from the public Azure Retail Prices API, and keep them beside those that are there.

    No credentials are needed. Older prices stay, so that `--as-of` gives the answers of before.
    """
    from opdeploy import files, ui
    from opdeploy.catalogue import own_prices, read_prices
    from opdeploy.clients import retail as client
    from opdeploy.errors import OpdeployError
    from opdeploy.market import REFERENCE_REGION, retail
    from opdeploy.market.prices import GLOBAL, write

    target = file or own_prices()
    if file is None:
        target.parent.mkdir(parents=True, exist_ok=True)
    files.check_place(target)
    kept = read_prices(target) if target.is_file() else []
    market = _market(own=False)
    wanted = [_region(region, market) for region in regions or [REFERENCE_REGION]]
    items: list[dict[str, Any]] = []
    with ui.progress("asking") as watch:
        for service, everywhere in retail.services(market).items():
            for region in [*wanted, GLOBAL] if everywhere else wanted:
                items += client.items(service, region, watch, url or client.URL)
    today = day(None)
    found = retail.prices(items, market, today)
    if not found:
        raise OpdeployError(f"{', '.join(wanted)}: the service tells no price of any meter; {target} is as it was")
    files.write(target, write(_together(kept, found, today)).encode())
    ui.say(f"{len(found)} prices of {len(items):,} rows, kept in {target}")
    for name in _missing(market, found, wanted):
        ui.warn(f"no price of {name}: the service tells none, or tells it otherwise than before")


def _together(kept: list[Price], found: list[Price], today: date) -> list[Price]:
    """Return older prices and today's, of which those that were fetched earlier today are replaced."""
    new = {(price.meter, price.region) for price in found}
    old = [item for item in kept if (item.meter, item.region) not in new or item.date != today.isoformat()]
    return [*old, *found]


def _missing(market: Market, found: list[Price], regions: list[str]) -> list[str]:
    """Return what has a price of these regions in the catalogue, and none any more."""
    told = {(price.meter, price.region) for price in found}
    known = {(price.meter, price.region) for price in market.prices.prices if price.state == "listed"}
    gone = {(meter, region) for meter, region in known - told if region in regions}
    return sorted(f"{market.meter(meter).title} in {region}" for meter, region in gone)


def _deliver_all(rows: list[Price], form: Output, file: Path | None) -> None:
    from opdeploy import ui
    from opdeploy.market.prices import write

    if form == "csv":
        ui.deliver(write(rows), file)
    elif form == "json":
        from dataclasses import asdict

        told = [{**asdict(price), "usd": float(price.usd), "per": float(price.per)} for price in rows]
        ui.deliver(json.dumps(told, indent=2), file)
    else:
        from opdeploy.ui.prices import show_all

        ui.tables(lambda console: show_all(console, rows), file)


def _as_data(item: Checked) -> dict[str, Any]:
    price = item.price
    return {
        "meter": item.meter,
        "title": item.title,
        "unit": item.unit,
        "usd": float(price.each) if price else None,
        "region": price.region if price else None,
        "date": price.date or None if price else None,
        "source": price.source if price else None,
        "finding": item.finding,
        "why": item.why or None,
    }


def _market(*, own: bool = True) -> Market:
    from opdeploy.catalogue import load_market
    from opdeploy.cli.answer import market

    return market() if own else load_market()


def _region(region: str | None, market: Market) -> str:
    """Return the region that is meant; raises InputError for one that is not known."""
    from opdeploy.errors import InputError, nearest
    from opdeploy.market import REFERENCE_REGION

    if region is None or region in market.regions:
        return region or REFERENCE_REGION
    raise InputError(f"--region: no region {region!r}{nearest(region, sorted(market.regions))}")


def _wanted(meters: list[str] | None, market: Market) -> set[str]:
    """Return the meters that are meant; raises InputError for what starts none."""
    from opdeploy.errors import InputError, did_you_mean, nearest

    known = {price.meter for price in market.prices.prices}
    for start in meters or ():
        if not any(name.startswith(start) for name in known):
            kinds = sorted({name.partition("/")[0] for name in known})
            raise InputError(
                f"no meter starts with {start!r}{did_you_mean(start, sorted(known)) or nearest(start, kinds)}"
            )
    return {name for name in known if not meters or name.startswith(tuple(meters))}
