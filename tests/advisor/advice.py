"""Shortcuts to the advisor for its tests."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from opdeploy.advisor import Facts, recommend
from opdeploy.catalogue import Catalogue, load_catalogue
from opdeploy.workload import Workload

if TYPE_CHECKING:
    from datetime import date

    from opdeploy.recommendation import Recommendation


@cache
def catalogue(edition: str) -> Catalogue:
    """Load an edition once."""
    return load_catalogue(edition)  # type: ignore[arg-type]  # a plain string from a test's data


def workload_of(fields: dict[str, Any]) -> Workload:
    """Make a workload from the fields of its file; the name may be left out."""
    return Workload.model_validate_json(json.dumps({"name": "case", **fields}))


def answer_to(
    fields: dict[str, Any], edition: str | Catalogue, as_of: date, facts: Facts | None = None
) -> Recommendation:
    """Return the recommendation for a workload."""
    of = catalogue(edition) if isinstance(edition, str) else edition
    return recommend(workload_of(fields), of, as_of, None, facts)[0]
