"""Whatever stands in a workload file, it is read or refused in one line."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from opdeploy.errors import InputError
from opdeploy.workload import Workload
from opdeploy.workload_file import json_schema, load_workload


def _keys(schema: Any) -> set[str]:  # noqa: ANN401  any JSON value
    if isinstance(schema, dict):
        return set(schema.get("properties", ())).union(*map(_keys, schema.values()))
    return set().union(*map(_keys, schema)) if isinstance(schema, list) else set()


KEYS = st.sampled_from(sorted(_keys(json_schema())))
WORDS = st.sampled_from(["llm", "onnx", "demo", "request-response", "4h", "aci", "westeurope", "no", ""])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.text(max_size=5))
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))
LIKELY = {
    "name": st.just("a") | VALUES,
    "serving": st.dictionaries(KEYS, VALUES) | st.just({"pattern": "stream"}) | VALUES,
    "model": st.just({"framework": "llm"}) | VALUES,
}
"""What brings a file past the first checks often enough."""
FILES = st.fixed_dictionaries({}, optional=dict.fromkeys(Workload.model_fields, VALUES) | LIKELY)


@given(FILES)
@settings(max_examples=400, deadline=None)
def test_any_shape_is_read_or_refused_in_one_line(value: dict[str, Any]) -> None:
    """Known keys with values of any kind, in any place, give a workload or one line that names file and line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "workload.yaml")
        path.write_text(json.dumps(value).replace("NaN", ".nan").replace("Infinity", ".inf"), encoding="utf-8")
        try:
            load_workload(path, ["aci"])
        except InputError as error:
            line = str(error)
            assert line.startswith(f"{path}:")
            assert len(line.splitlines()) == 1
