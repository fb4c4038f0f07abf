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


class Meter(Frozen):
    """A meter."""

    title: str
    unit: str
    free: Free | None = None


def meter(known: dict[str, Meter], name: str) -> Meter:
    """Return a meter by name; those of machines follow from their kind. Raises KeyError for one that is not known."""
    kind, _, size = name.partition("/")
    if kind in MACHINES:
        return Meter(title=f"{MACHINES[kind]} {size}", unit="hour")
    return known[name]
