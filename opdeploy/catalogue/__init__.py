"""Finds and loads `profiles/`: what each platform can do, in each edition."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opdeploy.errors import InputError, nearest
from opdeploy.platform import EDITIONS, Edition, Profile

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from opdeploy.market import Market
    from opdeploy.market.prices import Price

COMPILED, COMPILED_MARKET = "catalogue.json", "market.json"
"""All profiles in one file, and what the cloud offers in another, made when the wheel is built: JSON loads in a
thirtieth of the time of YAML (0.5 ms against 17, measured 2026-11-23)."""


@dataclass(frozen=True)
class Catalogue:
    """The platforms of one edition, by id."""

    edition: Edition
    profiles: tuple[Profile, ...]
    all_ids: tuple[str, ...]
    """Ids of every edition."""

    @cached_property
    def by_id(self) -> dict[str, Profile]:
        """The profiles by id."""
        return {profile.id: profile for profile in self.profiles}

    def editions_of(self, platform: str) -> tuple[Edition, ...]:
        """Return the editions in which a platform stands."""
        return tuple(edition for edition in EDITIONS if platform in load_catalogue(edition).by_id)

    def find(self, platform: str, option: str = "") -> Profile:
        """Return the profile of a platform that the user named, with an option if not plainly.

        Raises InputError for one that is not in this edition: with the edition that has it, or with the nearest id.
        """
        if platform in self.by_id:
            return self.by_id[platform]
        named = f"{option}: " if option else ""
        if platform in self.all_ids:
            where = " and ".join(self.editions_of(platform))
            raise InputError(f"{named}{platform} is not in edition {self.edition}; ask with --edition {where}")
        raise InputError(f"{named}no platform {platform!r}{nearest(platform, sorted(self.by_id))}")


def load_catalogue(edition: Edition = "2026") -> Catalogue:
    """Load one edition: the compiled catalogue of a wheel, or the YAML files of a checkout."""
    sources = _sources()
    profiles = [
        Profile.model_validate_json(
            json.dumps({"id": source["id"], "title": source["title"], **source["editions"][edition]})
        )
        for source in sources
        if edition in source["editions"]
    ]
    return Catalogue(edition, tuple(profiles), tuple(source["id"] for source in sources))


def load_market(own: Path | None = None) -> Market:
    """Load what the cloud offers: sizes, meters, regions, and prices: those that come with opdeploy, and others.

    Raises InputError where a file of other prices is none, or names a meter that is not known.
    """
    from opdeploy.market import Market, meters, prices, regions, sizes, speeds

    found = _market()
    folder = data("profiles") / "azure"
    listed = (folder / "prices.csv").read_text(encoding="utf-8")
    known = prices.parse(listed, "prices.csv")
    named = {name: meters.Meter.model_validate(each) for name, each in found["meters"].items()}
    if own is not None:
        for price in read_prices(own):
            if not meters.is_known(named, price.meter):
                raise InputError(f"{own}: no meter is called {price.meter!r}{nearest(price.meter, sorted(named))}")
            known.append(price)
    hardware = sizes.Hardware.model_validate_json(json.dumps(found["sizes"]))
    return Market(
        sizes=hardware.sizes(),
        meters=named,
        regions=regions.parse((folder / "regions.csv").read_text(encoding="utf-8")),
        prices=prices.PriceList(known),
        gpus={str(name): gpu for name, gpu in hardware.gpus.items()},
        speeds=tuple(speeds.Known.model_validate_json(json.dumps(each)) for each in found["speeds"]),
    )


def read_prices(path: Path) -> list[Price]:
    """Read a file of prices; raises InputError for one that cannot be read, or is none."""
    from opdeploy.market.prices import parse

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise InputError(f"{path}: cannot be read: {why}; name another file with OPDEPLOY_PRICES") from None
    return parse(text, str(path))


def own_prices() -> Path:
    """Return where a user's own prices are kept: what OPDEPLOY_PRICES names, else a file among the user's data."""
    import os

    named = os.environ.get("OPDEPLOY_PRICES")
    if named:
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("opdeploy", appauthor=False) / "prices.csv"


def data(name: str) -> Traversable:
    """Return a folder or file of opdeploy's data: packaged in a wheel, at the top of a checkout."""
    packaged = files("opdeploy") / "_data" / name
    return packaged if packaged.is_file() or packaged.is_dir() else Path(__file__).parents[2] / name


def about(platform: str) -> str:
    """Return what the head of a platform's file tells of it, beyond its editions: the comments before its id."""
    head = (data("profiles") / f"{platform}.yaml").read_text(encoding="utf-8").partition("\nid:")[0]
    return " ".join(line.lstrip("# ") for line in head.splitlines() if line.startswith("#"))


@cache
def _sources() -> list[dict[str, Any]]:
    compiled = files("opdeploy") / "_data" / COMPILED
    if compiled.is_file():
        sources: list[dict[str, Any]] = json.loads(compiled.read_bytes())
        return sources
    from opdeploy.document import read_profiles

    return read_profiles(Path(str(data("profiles"))))


@cache
def _market() -> dict[str, Any]:
    compiled = files("opdeploy") / "_data" / COMPILED_MARKET
    if compiled.is_file():
        found: dict[str, Any] = json.loads(compiled.read_bytes())
        return found
    from opdeploy.document import read_market

    return read_market(Path(str(data("profiles"))) / "azure")
