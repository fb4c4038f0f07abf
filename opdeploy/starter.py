"""The text of a workload file to start from: what is known is set, the rest stands as commented examples."""

from __future__ import annotations

import json
import re
import unicodedata
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from opdeploy import workload_file
from opdeploy.catalogue import data
from opdeploy.errors import InputError
from opdeploy.workload import BATCH, USUAL_LOCATION

if TYPE_CHECKING:
    from opdeploy.artifact.inspect import ModelFacts

Value = str | int | float | list[str]
Known = dict[str, Value]
"""Values by field, such as `serving.pattern`."""

MAX_NAME = 40


def label(text: str) -> str:
    """Make a name for a workload out of any text: a DNS label of at most 40 characters."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub("[^a-z0-9]+", "-", plain).strip("-")[:MAX_NAME].strip("-") or "my-model"


def facts_of(model: ModelFacts) -> Known:
    """Return the fields that a model's file tells."""
    facts = {"framework": model.framework, "size_mb": model.size_mb, "gflops": model.gflops}
    return {f"model.{name}": value for name, value in facts.items() if value is not None}


def refusal(field: str, value: Value) -> str | None:
    """Return why a value of a field is refused, None when it is accepted."""
    return workload_file.refusal(nested({"name": "a", "serving.pattern": "request-response", field: value}))


def starter(known: Known, record_mb: float | None = None) -> str:
    """Return the text of a workload file in which the known fields are set, and all others commented.

    `record_mb` is the size of a record in MB (10^6 bytes), where it is known; it is set where records are counted.
    Raises InputError when the fields do not make a valid file.
    """
    from jinja2 import Environment, StrictUndefined

    pattern: Any = known["serving.pattern"]
    if record_mb is not None and pattern in BATCH:
        known = {**known, "batch.record_mb": record_mb}
    why = workload_file.refusal(nested(known))
    if why:
        raise InputError(f"no workload file can be made of this: {why}")
    # Not HTML: what enters is made safe by the filter `yaml`.
    environment = Environment(  # noqa: S701
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined
    )
    environment.filters["yaml"] = _yaml
    template = environment.from_string((data("templates") / "workload.yaml.j2").read_text(encoding="utf-8"))
    return template.render(known=known, record_mb=record_mb or 0.1, location=USUAL_LOCATION[pattern])


def nested(known: Known) -> dict[str, Any]:
    """Return fields as a workload file has them, in its sections."""
    nested: dict[str, Any] = {}
    for field, value in known.items():
        *sections, key = field.split(".")
        inner = nested
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[key] = value
    return nested


_PLAIN = re.compile(
    "(?!(?:true|false|yes|no|on|off|null|y|n)$)(?:\\.\\./)*[a-z][a-z0-9]*(?:[-_./][a-z0-9]+)*|[0-9]+[smhd]",
    re.IGNORECASE,
)
"""Text that readers of YAML 1.1 and 1.2 take for text without quotes."""


def _yaml(value: object) -> str:
    """Write a value on one line of YAML: nothing in it can end the line, or mean anything but itself."""
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, float):  # without an exponent, which readers of YAML 1.1 take for text
        return format(Decimal(f"{value:.12g}").normalize(), "f")
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    text = json.dumps(value, ensure_ascii=False)
    # JSON leaves line ends of Unicode as they are, and would write what is beyond 16 bits in halves.
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in text)
