"""Where regions are, and how far from each other."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from io import StringIO

EARTH_KM = 6371.0
"""Mean radius of the Earth (R1 of the International Union of Geodesy and Geophysics)."""


@dataclass(frozen=True, slots=True)
class Region:
    """A region, and the place that its provider tells of it, in degrees."""

    name: str
    title: str
    geography: str
    latitude: float
    longitude: float

    def distance(self, other: Region) -> float:
        """Return the kilometres to another region along a great circle, by the haversine formula (Sinnott 1984)."""
        here, there = math.radians(self.latitude), math.radians(other.latitude)
        east = math.radians(other.longitude - self.longitude)
        half = math.sin((there - here) / 2) ** 2 + math.cos(here) * math.cos(there) * math.sin(east / 2) ** 2
        return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(half)))


def parse(text: str) -> dict[str, Region]:
    """Read the catalogue's regions, by name."""
    return {
        row["region"]: Region(
            row["region"], row["title"], row["geography"], float(row["latitude"]), float(row["longitude"])
        )
        for row in csv.DictReader(StringIO(text), strict=True)
    }
