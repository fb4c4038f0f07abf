"""A workload file that is wrong: for each way, the whole line that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.errors import InputError
from opdeploy.workload_file import load_workload

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[[str | dict[str, Any]], Path]

PLATFORMS = ("aci", "aks-gpu", "webapp", "webapp-windows")
BASE = "name: a\nserving:\n  pattern: request-response\n"
"""What precedes each of the texts below, which start on line 4."""

PATTERNS = "request-response, stream, scheduled-batch, triggered-batch, in-database, on-device"
FRAMEWORKS = "onnx, pytorch, tensorflow, keras, sklearn, lightgbm, xgboost, llm"
SKILLS = "docker, kubernetes, spark, sql, azure-ml, service-fabric, iot-edge"
KEYS = (
    "name, model, serving, batch, data, hardware, stage, lifetime, team, budget, region, "
    "constraints, priorities, deploy"
)
TIME = "write a time such as 90s, 15m, 4h or 7d"
LABEL = "write a DNS label: lower-case letters, digits and dashes, such as animal-classifier"
REGION = "write an Azure region as Azure does, such as westeurope"
MAPPING = "must be a mapping with keys such as"

UNKNOWN_KEYS = {
    "modle:": 'modle: unknown key "modle"; did you mean "model"?',
    "data: {locaton: ~}": 'data.locaton: unknown key "locaton"; did you mean "location"?',
    "modle: {}": 'modle: unknown key "modle"; did you mean "model"?',
    "zzz: 1": f'zzz: unknown key "zzz"; valid: {KEYS}',
    "model: {framwork: onnx}": 'model.framwork: unknown key "framwork"; did you mean "framework"?',
    "  latency: {p95: 1}": 'serving.latency: unknown key "latency"; did you mean "latency_ms"?',
    "  latency_ms: {p99: 1}": 'serving.latency_ms.p99: unknown key "p99"; did you mean "p95"?',
    "  requests_per_second: {usual: 1}": (
        'serving.requests_per_second.usual: unknown key "usual"; valid: average, peak'
    ),
    "  traffic: {shap: steady}": 'serving.traffic.shap: unknown key "shap"; did you mean "shape"?',
    "batch: {record: 1}": 'batch.record: unknown key "record"; did you mean "records"?',
    "data: {locaton: blob}": 'data.locaton: unknown key "locaton"; did you mean "location"?',
    "hardware: {gpus: none}": 'hardware.gpus: unknown key "gpus"; did you mean "gpu"?',
    "team: {know: []}": 'team.know: unknown key "know"; did you mean "knows"?',
    "budget: {usd: 1}": 'budget.usd: unknown key "usd"; valid: monthly_usd',
    "constraints: {onyl: []}": 'constraints.onyl: unknown key "onyl"; did you mean "only"?',
    "priorities: {spped: 1}": 'priorities.spped: unknown key "spped"; did you mean "speed"?',
    '"k\\nl\\e[31m": 1': f'k l [31m: unknown key "k\\nl\\u001b[31m"; valid: {KEYS}',
    "modl: 1\nteamm: 2\nregoin: 3": 'modl: unknown key "modl"; did you mean "model"? (and 2 more)',
}
TYPES = {
    "model: onnx": f'model: {MAPPING} path, not "onnx"',
    "model: [a]": f'model: {MAPPING} path, not ["a"]',
    "team: [docker]": f'team: {MAPPING} knows, not ["docker"]',
    "budget: 200": f"budget: {MAPPING} monthly_usd, not 200",
    "deploy: []": "deploy: must be a mapping with keys such as target, not []",
    "  latency_ms: 300": f"serving.latency_ms: {MAPPING} p95, not 300",
    "  traffic: steady": f'serving.traffic: {MAPPING} shape, not "steady"',
    "  requests_per_second: 5": f"serving.requests_per_second: {MAPPING} average, not 5",
    "model: {path: 5}": "model.path: must be text, not 5",
    "model: {path: true}": "model.path: must be text, not true",
    "batch: {every: 24}": "batch.every: must be text, not 24",
    "region: [westeurope]": 'region: must be text, not ["westeurope"]',
    "model: {size_mb: '5'}": 'model.size_mb: must be a number, not "5"',
    "model: {size_mb: 5 MB}": 'model.size_mb: must be a number, not "5 MB"',
    "model: {size_mb: true}": "model.size_mb: must be a number, not true",
    "model: {size_mb: [1]}": "model.size_mb: must be a number, not [1]",
    "  availability: 99.9%": 'serving.availability: must be a number, not "99.9%"',
    "priorities: {speed: false}": "priorities.speed: must be a number, not false",
    "  records_per_request: 1.5": "serving.records_per_request: must be a whole number, not 1.5",
    "  records_per_request: 1.0": "serving.records_per_request: must be a whole number, not 1.0",
    "  records_per_request: true": "serving.records_per_request: must be a whole number, not true",
    "batch: {records: '1'}": 'batch.records: must be a whole number, not "1"',
    "batch: {records: 1e6}": "batch.records: must be a whole number, not 1000000.0",
    "batch: {records: {a: 1}}": 'batch.records: must be a whole number, not {"a": 1}',
    "data: {may_move: no}": 'data.may_move: must be true or false, not "no"',
    "data: {may_move: 1}": "data.may_move: must be true or false, not 1",
    "constraints: {private_network: 'true'}": 'constraints.private_network: must be true or false, not "true"',
    "team: {knows: docker}": 'team.knows: must be a list, such as [a, b], not "docker"',
    "constraints: {only: aci}": 'constraints.only: must be a list, such as [a, b], not "aci"',
    "constraints:\n  only:\n    - aci\n    - 5": "7|constraints.only[1]: must be text, not 5",
    "constraints: {never: [~]}": "constraints.never[0]: must be text, not null",
}
RANGES = {
    "model: {size_mb: 0}": "model.size_mb: must be more than 0, not 0",
    "model: {gflops: -1}": "model.gflops: must be more than 0, not -1",
    "model: {size_mb: 1e13}": "model.size_mb: must be at most 1000000000000, not 10000000000000.0",
    "model: {size_mb: .inf}": "model.size_mb: must be a finite number, not Infinity",
    "model: {size_mb: -.inf}": "model.size_mb: must be a finite number, not -Infinity",
    "model: {size_mb: .nan}": "model.size_mb: must be a finite number, not NaN",
    "model: {size_mb: 1e999}": "model.size_mb: must be a finite number, not Infinity",
    "  records_per_request: .inf": "serving.records_per_request: must be a whole number, not Infinity",
    "  records_per_request: 0": "serving.records_per_request: must be at least 1, not 0",
    "  records_per_request: 2_000_000_000": ("serving.records_per_request: must be at most 1000000000, not 2000000000"),
    "  records_per_request: 99999999999999999999": (
        "serving.records_per_request: must be at most 1000000000, not 99999999999999999999"
    ),
    "  requests_per_second: {average: -1}": "serving.requests_per_second.average: must be at least 0, not -1",
    "  requests_per_second: {average: 9, peak: 3}": (
        "serving.requests_per_second: peak 3 is below average 9; exchange them or mend one"
    ),
    "  traffic: {bursts_per_day: 0}": "serving.traffic.bursts_per_day: must be more than 0, not 0",
    "  traffic: {burst_minutes: 1441}": "serving.traffic.burst_minutes: must be at most 1440, not 1441",
    "  traffic: {bursts_per_day: 100, burst_minutes: 15}": (
        "serving.traffic: bursts_per_day x burst_minutes is more than a day; make one smaller, or shape: steady"
    ),
    "  latency_ms: {p95: 0}": "serving.latency_ms.p95: must be more than 0, not 0",
    "  max_payload_mb: 0": "serving.max_payload_mb: must be more than 0, not 0",
    "  availability: 100": "serving.availability: must be less than 100, not 100",
    "  availability: 0": "serving.availability: must be more than 0, not 0",
    "hardware: {memory_gb: -4}": "hardware.memory_gb: must be more than 0, not -4",
    "budget: {monthly_usd: 0}": "budget.monthly_usd: must be more than 0, not 0",
    "priorities: {speed: 5.01}": "priorities.speed: must be at most 5, not 5.01",
    "priorities: {speed: -1}": "priorities.speed: must be at least 0, not -1",
    "priorities: {speed: .nan}": "priorities.speed: must be a finite number, not NaN",
}
VALUES = {
    "model: {framework: ONNX}": f'model.framework: "ONNX" is not one of {FRAMEWORKS}; did you mean "onnx"?',
    "model: {framework: pytorhc}": f'model.framework: "pytorhc" is not one of {FRAMEWORKS}; did you mean "pytorch"?',
    "  traffic: {shape: spiky}": ('serving.traffic.shape: "spiky" is not one of steady, office-hours, bursts'),
    "batch: {needs: Spark}": 'batch.needs: "Spark" is not one of none, spark; did you mean "spark"?',
    "data: {location: s3}": (
        'data.location: "s3" is not one of client, blob, files, sql-server, postgres, spark, device'
    ),
    "data: {service: sqlserver}": (
        'data.service: "sqlserver" is not one of sql-server, sql-managed-instance, azure-sql-database, '
        'postgres, postgres-flexible; did you mean "sql-server"?'
    ),
    "data: {sensitivity: secret}": (
        'data.sensitivity: "secret" is not one of public, internal, confidential, regulated'
    ),
    "hardware: {gpu: true}": "hardware.gpu: true is not one of required, preferred, auto, none",
    "stage: prod": 'stage: "prod" is not one of demo, pilot, production; did you mean "production"?',
    "team: {knows: [docker, dokcer]}": f'team.knows[1]: "dokcer" is not one of {SKILLS}; did you mean "docker"?',
    "team: {knows: [5]}": f"team.knows[0]: 5 is not one of {SKILLS}",
    "lifetime: 2 hours": f'lifetime: "2 hours" does not fit; {TIME}',
    "lifetime: 1w": f'lifetime: "1w" does not fit; {TIME}',
    "lifetime: -1h": f'lifetime: "-1h" does not fit; {TIME}',
    "batch: {every: ''}": f'batch.every: "" does not fit; {TIME}',
    "batch: {window: 4 h}": f'batch.window: "4 h" does not fit; {TIME}',
    "region: West Europe": f'region: "West Europe" does not fit; {REGION}',
    "constraints: {only: [acl]}": 'constraints.only[0]: "acl" is no platform; did you mean "aci"?',
    "constraints: {never: [aci, webap]}": 'constraints.never[1]: "webap" is no platform; did you mean "webapp"?',
    "constraints: {never: [zzz]}": (
        'constraints.never[0]: "zzz" is no platform; valid: aci, aks-gpu, webapp, webapp-windows'
    ),
}
"""What follows the base, and the message after file and line 4, or after another line that stands before a `|`."""


@pytest.mark.parametrize(
    ("text", "message"),
    [pytest.param(text, message, id=text) for text, message in {**UNKNOWN_KEYS, **TYPES, **RANGES, **VALUES}.items()],
)
def test_a_wrong_field_is_named_with_what_to_do(write: Write, text: str, message: str) -> None:
    """One line says which field of which line is wrong, and what is right."""
    path = write(BASE + text)
    line, _, said = message.rpartition("|")
    assert _error(path) == f"{path}:{line or 4}: {said}"


WHOLE = {
    "name: a": "1: serving: is missing; add it",
    "name: a\nserving: {}": "2: serving.pattern: is missing; add it",
    "name: a\nserving:\n": "2: serving: is missing; add it",
    "name:\nserving: {pattern: stream}": "1: name: is missing; add it",
    "serving: {pattern: stream}": "1: name: is missing; add it",
    "name: a\nserving: 5\nmodel: {framework: llm}": f"2: serving: {MAPPING} pattern, not 5",
    "name: a\nserving: {tokens: 5}\nmodel: [llm]": f'3: model: {MAPPING} path, not ["llm"] (and 1 more)',
    "name: a\nserving: stream": f'2: serving: {MAPPING} pattern, not "stream"',
    "nam: a\nserving: {pattern: stream}": '1: nam: unknown key "nam"; did you mean "name"? (and 1 more)',
    "name: a\nserving: {patern: stream}": (
        '2: serving.patern: unknown key "patern"; did you mean "pattern"? (and 1 more)'
    ),
    "name: a\nserving: {pattern: strem}": (
        f'2: serving.pattern: "strem" is not one of {PATTERNS}; did you mean "stream"?'
    ),
    "name: a\nserving: {pattern: 5}": f"2: serving.pattern: 5 is not one of {PATTERNS}",
    "name: 5\nserving: {pattern: stream}": "1: name: must be text, not 5",
    "name: Upper\nserving: {pattern: stream}": f'1: name: "Upper" does not fit; {LABEL}',
    "name: -a\nserving: {pattern: stream}": f'1: name: "-a" does not fit; {LABEL}',
    "name: a-\nserving: {pattern: stream}": f'1: name: "a-" does not fit; {LABEL}',
    "name: ''\nserving: {pattern: stream}": f'1: name: "" does not fit; {LABEL}',
    'name: "a\\n"\nserving: {pattern: stream}': f'1: name: "a\\n" does not fit; {LABEL}',
    f"name: {'a' * 41}\nserving: {{pattern: stream}}": "1: name: is longer than 40 characters; shorten it",
    "just text": "1: is not a mapping; write keys and values, such as `name: my-model`",
    "\n- a\n- b": "2: is not a mapping; write keys and values, such as `name: my-model`",
    "--- ~\n": "1: is not a mapping; write keys and values, such as `name: my-model`",
}
"""A whole file, and the message after its name."""


@pytest.mark.parametrize(("text", "message"), WHOLE.items(), ids=list(WHOLE))
def test_a_wrong_file_is_named_with_what_to_do(write: Write, text: str, message: str) -> None:
    """One line says what the file lacks."""
    path = write(text)
    assert _error(path) == f"{path}:{message}"


LONG = {
    "key": "k" * 900 + ": 1",
    "very long key": "? " + "k" * 90_000 + "\n: 1",
    "value": "stage: " + "s" * 90_000,
    "text for a number": "model: {size_mb: " + "x" * 90_000 + "}",
    "list for a number": "model: {size_mb: [" + "1, " * 9_000 + "]}",
    "path": "model: {path: " + "x" * 5_000 + "}",
    "platform": "constraints: {only: [" + "x" * 90_000 + "]}",
    "duration": "lifetime: " + "1" * 20 + "h" * 90_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=list(LONG))
def test_a_message_stays_one_short_line(write: Write, text: str) -> None:
    """However long what it quotes: it is cut."""
    path = write(BASE + text)
    message = _error(path).removeprefix(str(path))
    assert message.isprintable()
    assert len(message) < 300


def test_a_missing_model_is_named(write: Write) -> None:
    """However deep the folder, the message says which file is missing, and from where its path counts."""
    path = write(BASE + "model: {path: none.onnx}")
    message = _error(path)
    assert message.startswith(f"{path}:4: model.path: no file ")
    assert message.endswith('none.onnx"; mend the path, which is relative to this file')


def test_an_empty_path_is_refused_with_what_to_do(write: Write) -> None:
    """`model.path: ''` is explained in the same words as everything else."""
    path = write(BASE + "model: {path: ''}")
    assert _error(path).startswith(f"{path}:4: model.path: ")
    assert "String should" not in _error(path)


def test_a_path_that_cannot_exist_is_missing(write: Write) -> None:
    """A path that no file can have is told like one that no file has."""
    path = write(BASE + 'model: {path: "a\\0b"}')
    assert _error(path).startswith(f"{path}:4: model.path: no file ")
    assert _error(path).isprintable()


def _error(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_workload(path, PLATFORMS)
    return str(caught.value)
