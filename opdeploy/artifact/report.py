"""What was found, as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def finite(value: DataclassInstance) -> dict[str, Any]:
    """Return a value's fields as JSON has them: infinities are null, files are their names, structs are objects."""
    return {key: _plain(item) for key, item in asdict(value).items()}


def written(value: DataclassInstance) -> str:
    """Return a value as the text of JSON that is printed, and kept in artefacts."""
    return json.dumps(finite(value), indent=1) + "\n"


def _plain(value: Any) -> Any:  # noqa: ANN401  any value of a field, any JSON value
    import msgspec

    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case Path():
            return value.name
        case msgspec.Struct():
            return {key: _plain(item) for key, item in msgspec.structs.asdict(value).items()}  # defaults too
        case _:
            return value
