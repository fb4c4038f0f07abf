"""Facts for the advisor's tests: prices of one's own, and measurements that nobody made."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from advice import catalogue

from opdeploy.catalogue import Catalogue, load_market
from opdeploy.market.prices import Price, PriceList
from opdeploy.speed import Carrying, Machine, Point, Run, Speeds, Variant

if TYPE_CHECKING:
    from opdeploy.market import Market
    from opdeploy.speed import Measured

AVX512 = ("fma", "avx2", "avx512f", "avx512bw", "avx512_vnni")
"""Instruction sets of a server of today."""


@cache
def market() -> Market:
    """Load what comes with opdeploy once."""
    return load_market()


def prices(table: str) -> tuple[Price, ...]:
    """Read prices of a day in 2026: lines of meter, region, US dollars, and how many units they are for."""
    rows = (line.split() for line in table.strip().splitlines())
    return tuple(
        Price(meter, region, Decimal(usd), Decimal(per), "2026-09-01", "listed", "a test", "")
        for meter, region, usd, per in rows
    )


def with_prices(*of: Price) -> Market:
    """Return the market with no prices but these."""
    return replace(market(), prices=PriceList(of))


def only(platform: str, *sizes: str) -> Catalogue:
    """Return the edition of today with one platform, which has no sizes but these."""
    profile = catalogue("2026").by_id[platform]
    if sizes and profile.offer:
        profile = profile.model_copy(update={"offer": profile.offer.model_copy(update={"sizes": sizes})})
    return Catalogue("2026", (profile,), (platform,))


def run(  # noqa: PLR0913  each is a fact of a measurement
    rate: float,
    *,
    cores: int = 1,
    size: str | None = None,
    gpu: str | None = None,
    sets: tuple[str, ...] = AVX512,
    beside_ms: float | None = 10.0,
    spread: float = 1.0,
    sha256: str = "1",
) -> Run:
    """Return a measurement of so many records a second, one at a time, without scatter; on all cores at once.

    A busy server takes `beside_ms` more for a request than for a run alone; None where that was not measured. Of that,
    8 % of the run are what runs take longer there. `spread` is p95 over p50.
    """
    milliseconds = 1000 / rate
    carrying_ms = None if beside_ms is None else beside_ms - 0.08 * milliseconds
    return Run(
        date="2026-11-20",
        model="model.onnx",
        sha256=sha256,
        provider="CUDAExecutionProvider" if gpu else "CPUExecutionProvider",
        machine=Machine(
            cpu="a processor",
            cores=cores,
            threads_per_core=1,
            usable_cpus=cores,
            instruction_sets=sets,
            gpus=(gpu,) if gpu else (),
            size=size,
        ),
        points=(
            Point(
                batch=1,
                threads=1 if gpu else cores,
                records_per_second=rate,
                low=rate,
                high=rate,
                latency_ms={"p50": milliseconds, "p95": spread * milliseconds},
            ),
        ),
        carrying=()
        if carrying_ms is None
        else (Carrying(records=1, cpus=cores, ms=carrying_ms, low=carrying_ms, high=carrying_ms),),
    )


def measured(*runs: Measured, variants: tuple[Variant, ...] = (), images: bool = False) -> Speeds:
    """Return what was measured."""
    return Speeds(runs, variants, images=images)
