"""Asks the advisor about a workload file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from opdeploy.advisor import Facts
    from opdeploy.catalogue import Catalogue
    from opdeploy.market import Market
    from opdeploy.recommendation import Recommendation
    from opdeploy.speed import Speeds
    from opdeploy.views.continuum import Own
    from opdeploy.workload import Workload

TODAY = "2026"
"""The edition that has sizes and prices."""


class Answer(NamedTuple):
    """A recommendation, and the workload's own place on the continuum, unless it is out of scope; and from what."""

    recommendation: Recommendation
    own: Own | None
    workload: Workload
    facts: Facts | None


def ask(
    workload: Path, catalogue: Catalogue, day: date, file: Path | None, measurements: Sequence[Path] = ()
) -> Answer:
    """Read a workload file and return the answer to it; warnings about the file are printed.

    What the model's artefact tells of its speed counts, and `measurements`, which are files.

    Raises InputError when `file`, where something will be written, is the workload file itself.
    """
    from opdeploy import advisor, ui
    from opdeploy.artifact.size import size_on_disk
    from opdeploy.errors import InputError
    from opdeploy.views.continuum import Own
    from opdeploy.workload_file import exists, load_workload, model_file

    if file and exists(file) and exists(workload) and file.samefile(workload):
        raise InputError(f"--file {file}: is the workload file, which is not overwritten; name another")
    request = load_workload(workload, catalogue.all_ids)
    model = model_file(workload, request)
    size_mb = size_on_disk(model) / 1e6 if model else None
    known = facts(workload, request, measurements) if catalogue.edition == TODAY else None
    if size_mb is None and known:
        size_mb = known.speeds.size_mb
    recommendation, warnings = advisor.recommend(request, catalogue, day, size_mb, known)
    for warning in warnings:
        ui.warn(f"{workload}: {warning}")
    own = None if request.generative else Own(request.name, advisor.place(request))
    return Answer(recommendation, own, request, known)


def facts(path: Path, workload: Workload, measurements: Sequence[Path]) -> Facts:
    """Return sizes, prices, and what was measured of the model."""
    from opdeploy.advisor import Facts

    return Facts(market(), _speeds(path, workload, measurements))


def market() -> Market:
    """Return sizes and prices, with those that are the user's own."""
    from opdeploy.catalogue import load_market, own_prices
    from opdeploy.workload_file import exists

    own = own_prices()
    return load_market(own if exists(own) else None)


def _speeds(path: Path, workload: Workload, measurements: Sequence[Path]) -> Speeds:
    from importlib.util import find_spec

    from opdeploy import ui
    from opdeploy.artifact.size import is_artefact
    from opdeploy.artifact.speeds import speeds
    from opdeploy.workload_file import exists

    named = path.parent / workload.model.path if workload.model.path else None
    model = named if named and exists(named) else None
    if model and is_artefact(model) and find_spec("msgspec") is None:
        ui.warn(f"{model}: what it tells of its speed is not read: pip install 'opdeploy[local]'")
        model = None
    return speeds(model, measurements)
