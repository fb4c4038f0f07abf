"""Asks the advisor about a workload file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from opdeploy.catalogue import Catalogue
    from opdeploy.recommendation import Recommendation
    from opdeploy.views.continuum import Own


class Answer(NamedTuple):
    """A recommendation, and the workload's own place on the continuum, unless it is out of scope."""

    recommendation: Recommendation
    own: Own | None


def ask(workload: Path, catalogue: Catalogue, day: date, file: Path | None) -> Answer:
    """Read a workload file and return the answer to it; warnings about the file are printed.

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
    recommendation, warnings = advisor.recommend(request, catalogue, day, size_mb)
    for warning in warnings:
        ui.warn(f"{workload}: {warning}")
    own = None if request.generative else Own(request.name, advisor.place(request))
    return Answer(recommendation, own)
