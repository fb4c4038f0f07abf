"""Whether a server gives the answers that it must: tensors as they are, and records through its processing."""

from __future__ import annotations

import http.client
import json
import math
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from opdeploy.artifact.samples import fixed_batch
from opdeploy.errors import OpdeployError, TransientError
from opdeploy.local import inference
from opdeploy.local.requests import JSON, SCORE, requests
from opdeploy.local.server import Reply, ask
from opdeploy.runtime.golden import compare
from opdeploy.runtime.processing.answers import answers
from opdeploy.runtime.tolerance import Tolerance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opdeploy.local.server import Address
    from opdeploy.local.subject import Subject
    from opdeploy.runtime.manifest import Variant
    from opdeploy.runtime.processing.answers import Answer
    from opdeploy.runtime.session import Arrays

MOST_TENSORS_MB = 32.0
"""Of a request with golden records as tensors, but for one that a single record makes larger: servers bound it."""
MOST_JSON_MB = 8.0
"""Of a request with all golden records; larger ones are asked for one by one: servers bound their JSON."""
PREPARED = Tolerance(rtol=1e-3, atol=1e-4)
"""What answers to records may differ by beyond their tensors: images are decoded by another build of the library."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How the answers to some records compare with those that they must get."""

    route: str
    records: str
    agrees: bool
    largest: float
    """The largest absolute difference of numbers; infinite where they are not comparable."""
    where: str
    """What differs, or how well it agrees, in words."""


@dataclass(frozen=True, slots=True)
class About:
    """What a server says of itself."""

    name: str
    version: str
    variant: str | None
    onnxruntime: str
    opdeploy: str
    max_batch: int | None
    """Records that it computes together at most."""
    provider: str = "CPUExecutionProvider"
    """What runs the model, as ONNX Runtime names it."""


def about(address: Address) -> About:
    """Ask a server what it is; raises OpdeployError where it does not say."""
    reply = asked(address, "/version")
    try:
        told = json.loads(reply.body)
        return About(
            name=str(told["model_name"]),
            version=str(told["model_version"]),
            variant=told.get("model_variant"),
            onnxruntime=str(told["onnxruntime"]),
            opdeploy=str(told["version"]),
            max_batch=told.get("model_max_batch"),
            provider=str(told.get("model_provider", "CPUExecutionProvider")),
        )
    except (ValueError, KeyError, TypeError):
        raise OpdeployError(f"the server does not say what it is: GET /version: {reply}; is it opdeploy's?") from None


def check(address: Address, told: About, subject: Subject, variant: Variant) -> list[Asked]:
    """Send the golden records, as tensors and where processing is declared as records too, and compare the answers.

    Raises OpdeployError where the server refuses them.
    """
    path = inference.path(told.name)
    outputs = _outputs(address, path, subject)
    found = [_tensors(path, outputs, subject, variant)]
    manifest = subject.package.manifest
    if manifest.processing and manifest.golden.examples:
        after = answers(manifest.processing, subject.inputs, subject.outputs, subject.package.folder)
        wanted = after(outputs, subject.golden.inputs)
        found.append(_records(address, subject, wanted, variant))
    return found


def _outputs(address: Address, path: str, subject: Subject) -> Arrays:
    """Ask for the outputs of all golden records, in as few requests as a server takes."""
    import numpy as np

    inputs = subject.golden.inputs
    headers, body = inference.request(inputs, subject.inputs)
    count = len(next(iter(inputs.values())))
    size = count if fixed_batch(subject.inputs) else max(1, int(count * MOST_TENSORS_MB * 1e6 / len(body)))
    if size >= count:
        return inference.outputs(asked(address, path, body, headers), subject.outputs)
    found = []
    for start in range(0, count, size):
        part = {name: array[start : start + size] for name, array in inputs.items()}
        headers, body = inference.request(part, subject.inputs)
        found.append(inference.outputs(asked(address, path, body, headers), subject.outputs))
    try:
        return {name: np.concatenate([part[name] for part in found]) for name in found[0]}
    except (KeyError, ValueError) as error:  # an output without an axis of records, or one that some answers lack
        raise OpdeployError(f"POST {path}: the answers to {len(found)} requests do not fit together: {error}") from None


def _tensors(path: str, outputs: Arrays, subject: Subject, variant: Variant) -> Asked:
    wanted = subject.golden.outputs
    missing = wanted.keys() - outputs.keys()
    if missing:
        raise OpdeployError(f"POST {path}: the answer has no output {min(missing)!r}; the server runs another model")
    found = compare(outputs, wanted, variant.tolerance)
    worst = next((item for item in found if not item.agrees), max(found, key=lambda item: item.largest))
    largest = max(item.largest for item in found)
    return Asked(path, subject.records, all(item.agrees for item in found), largest, str(worst))


def _records(address: Address, subject: Subject, wanted: list[Answer], variant: Variant) -> Asked:
    """Compare the answers to records with what post-processing here makes of the tensors that were right."""
    made = requests(subject, "records", len(wanted))
    if made.megabytes > MOST_JSON_MB:
        made = requests(subject, "records", None)
    bodies = [body for _, body in made.made] if made.size < len(wanted) else [made.made[0][1]]
    given = [prediction for body in bodies for prediction in _predictions(asked(address, SCORE, body, JSON))]
    largest, where = _farthest(given, wanted, _loosest(variant.tolerance), "predictions")
    said = where or f"agrees; the largest difference is {largest:.2g}"
    return Asked(SCORE, f"{len(wanted)} golden records", not where, largest, said)


def _predictions(reply: Reply) -> list[object]:
    try:
        return list(json.loads(reply.body)["predictions"])
    except (ValueError, KeyError, TypeError):
        raise OpdeployError(f"POST {SCORE}: {reply}: is no list of predictions; is it opdeploy's server?") from None


def _loosest(tolerances: Mapping[str, Tolerance]) -> Tolerance:
    held = [PREPARED, *tolerances.values()]
    return Tolerance(rtol=max(item.rtol for item in held), atol=max(item.atol for item in held))


def _farthest(given: Any, wanted: Any, allowed: Tolerance, where: str) -> tuple[float, str]:  # noqa: ANN401 - JSON
    """Return the largest difference of numbers, and the first place in words where two documents differ."""
    theirs, mine = _parts(given), _parts(wanted)
    if mine is not None and theirs is not None and theirs.keys() == mine.keys():
        found = [_farthest(theirs[key], mine[key], allowed, f"{where}[{key!r}]") for key in mine]
        return max((item[0] for item in found), default=0.0), next((item[1] for item in found if item[1]), "")
    if _is_number(given) and _is_number(wanted):
        distance = abs(given - wanted) if given != wanted else 0.0
        wrong = not distance <= allowed.atol + allowed.rtol * abs(wanted)  # also where one is no number
        far = math.inf if math.isnan(distance) else distance
        return far, f"{where}: differs: {given:.7g}, not {wanted:.7g}" if wrong else ""
    if given == wanted and isinstance(given, bool) == isinstance(wanted, bool):
        return 0.0, ""
    return math.inf, f"{where}: differs: {json.dumps(given)[:60]}, not {json.dumps(wanted)[:60]}"


def _is_number(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)


def _parts(document: Any) -> dict[Any, Any] | None:  # noqa: ANN401 - JSON
    """Return what an object or a list holds, by key or place; None for anything else."""
    if isinstance(document, list):
        return dict(enumerate(document))
    return document if isinstance(document, dict) else None


def asked(address: Address, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
    """Ask; raises OpdeployError where there is no good answer, TransientError where there is none at all."""
    method = "GET" if body is None else "POST"
    try:
        reply = ask(address, path, body, headers)
    except (OSError, http.client.HTTPException) as error:
        raise TransientError(f"{method} {path}: got no answer: {error or type(error).__name__}; see its log") from None
    if reply.status == HTTPStatus.SERVICE_UNAVAILABLE:
        raise TransientError(f"{method} {path}: the server has no room for it: {reply}; try it again later")
    if reply.status != HTTPStatus.OK:
        raise OpdeployError(f"{method} {path}: the server refuses it: {reply}; see what it takes at /openapi.json")
    return reply
