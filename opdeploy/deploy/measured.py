"""What an artefact tells of measurements of its best variant."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from opdeploy.targets.base import Measured

if TYPE_CHECKING:
    from opdeploy.runtime.package import Package


def measured(package: Package) -> Measured:
    """Return how long its server takes to get ready, what memory it holds, and with how many threads it is best.

    What was measured of the whole server, by test-local, goes before what was measured of the model alone; the largest
    figure counts. Of a deployment that was loaded none of this was measured.
    """
    best = package.manifest.files[package.manifest.variants[0].file]
    found = [item for item in map(_read, [package.path(file) for file in package.manifest.measurements]) if item]
    own = [item for item in found if item.get("sha256") == best and item.get("runtime") != "deployed"]
    served = [item for item in own if item.get("kind") == "served"]
    loading = [step for item in own for step in _dicts(item.get("loading"))]
    knees = [knee for item in own if item not in served for knee in _dicts([item.get("knee")])]
    return Measured(
        ready_s=_largest([item.get("ready_s") for item in served])
        or _largest([step.get("load_s") for step in loading]),
        peak_memory_mb=_largest([item.get("peak_memory_mb") for item in (served or loading)]),
        threads=next((knee.get("threads") for knee in knees), None)
        or package.manifest.variants[0].settings.threads
        or None,
        knee=next((knee.get("batch") for knee in knees), None),
    )


def _read(file: Any) -> dict[str, Any]:  # noqa: ANN401 - a path
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _dicts(values: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _largest(values: list[Any]) -> float | None:
    return max((value for value in values if isinstance(value, int | float) and math.isfinite(value)), default=None)
