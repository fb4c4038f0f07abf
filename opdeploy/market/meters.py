"""What is billed: the unit of each meter, and what is free of it each month."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from opdeploy.frozen import Frozen
from opdeploy.market.sizes import Sourced

MACHINES = {"vm": "Virtual machine", "vm-spot": "Spot virtual machine"}
"""Kinds of meters of which each size of machine has one, in hours."""


class Free(Sourced):
    """What is free each month, once for a whole subscription."""

    quantity: Annotated[float, Field(gt=0)]


class Api(Frozen):
    """How the Retail Prices API tells a meter."""

    service: str
    product: str
    sku: str
    meter: str


class Meter(Frozen):
    """A meter."""

    title: str
    unit: str
    api: Api | None = None
    """None of machines, which all are told in one way, and of those that are not known."""
    free: Free | None = None
    everywhere: bool = False
    """Whether it has one price in all regions."""
    disputed: str | None = None
    """Why what the API tells of it is not taken for its price."""


def meter(known: dict[str, Meter], name: str) -> Meter:
    """Return a meter by name; those of machines follow from their kind. Raises KeyError for one that is not known."""
    kind, _, size = name.partition("/")
    if kind in MACHINES:
        return Meter(title=f"{MACHINES[kind]} {size}", unit="hour")
    return known[name]


def is_known(known: dict[str, Meter], name: str) -> bool:
    """Tell whether there is a meter of a name."""
    kind, _, size = name.partition("/")
    return name in known or (kind in MACHINES and bool(size))
