"""The OpenAPI document is valid, and says of this model's tensors, records and answers what is so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator

from opdeploy.runtime.tensors import BY_ONNX
from opdeploy.serving import openapi, schemas, score
from opdeploy.serving.exchange import RequestError
from opdeploy.serving.settings import read
from tests.runtime.processed import tensor
from tests.serving import scored
from tests.serving.scored import Model, png
from tests.serving.test_score import CELLS, JSON, LOGITS, ROW, answered, b64

if TYPE_CHECKING:
    from pathlib import Path

    from schemathesis.specs.openapi.schemas import OpenApiSchema

    from opdeploy.runtime.tensors import TensorSpec

KEY = "0123456789abcdef"
KINDS = ("image", "table", "text", "bare", "pair", "every")


def made(kind: str, folder: Path) -> Model:
    """Return a model of a kind; every: with a vector of each datatype."""
    if kind == "every":
        given = [tensor(f"in_{datatype.name}", datatype.name, "n") for datatype in BY_ONNX.values()]
        return scored.model(given, [tensor("y", "BF16")])
    return {"image": scored.images, "table": scored.table, "bare": scored.bare, "pair": scored.pair}.get(
        kind, lambda: scored.texts(folder)
    )()


def document(model: Model, *options: str, keys: str = "") -> dict[str, Any]:
    """Return the document of a server with options, as a client reads it."""
    told = read(["--model=m.onnx", *options], {"OPDEPLOY_API_KEYS": keys} if keys else {})
    found: dict[str, Any] = json.loads(json.dumps(openapi.document(model, told)))
    return found


def loaded(described: dict[str, Any]) -> OpenApiSchema:
    """Return the document as schemathesis reads it."""
    return schemathesis.openapi.from_dict(described)


def judge(described: dict[str, Any], name: str) -> Draft202012Validator:
    """Return what judges values by one of the document's schemas."""
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": described["components"]})


@pytest.mark.parametrize("keys", ["", KEY])
@pytest.mark.parametrize("kind", KINDS)
def test_the_document_is_valid(tmp_path: Path, kind: str, keys: str) -> None:
    """It is OpenAPI 3.1, each schema in it is one of draft 2020-12, and each reference leads to something."""
    described = document(made(kind, tmp_path), keys=keys)
    loaded(described).validate()
    for schema in described["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in references(described):
        found: Any = described
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
    assert described["openapi"] == "3.1.0"


def references(value: object) -> list[str]:
    """Return every reference in a document."""
    if isinstance(value, list):
        return [found for each in value for found in references(each)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    return own + [found for each in value.values() for found in references(each)]


def test_every_route_is_in_it() -> None:
    """The protocol's, those that settings name, and the server's own."""
    options = ("--score-route=/invocations", "--live-route=/healthz", "--ready-route=/ping", "--version=7")
    model = scored.model([tensor("x", "FP32")], [tensor("y", "FP32")], name="digits", version="7")
    paths = document(model, *options)["paths"]
    model_paths = ["/v2/models/digits", "/v2/models/digits/versions/7"]
    assert {(path, method) for path, methods in paths.items() for method in methods} == {
        *((path, "get") for path in ("/", "/version", "/openapi.json", "/metrics", "/v2")),
        *((path, "get") for path in ("/v2/health/live", "/v2/health/ready", "/healthz", "/ping")),
        *((path + end, "get") for path in model_paths for end in ("", "/ready")),
        *((path + "/infer", "post") for path in model_paths),
        ("/invocations", "post"),
    }


def test_a_key_is_asked_for_where_one_is_set() -> None:
    """Scores and inference take a bearer token then, and may answer 401 and 403; health does not."""
    described = document(scored.images(), keys=KEY)
    assert described["components"]["securitySchemes"] == {"key": {"type": "http", "scheme": "bearer"}}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            guarded = method == "post"
            assert operation.get("security") == ([{"key": []}] if guarded else None), path
            assert ({"401", "403"} <= operation["responses"].keys()) == guarded, path
    open_to_all = document(scored.images())
    assert "securitySchemes" not in open_to_all["components"]
    assert "security" not in json.dumps(open_to_all["paths"])


def test_unavailable_says_when_to_come_again() -> None:
    """503 is documented with Retry-After wherever a request may be refused for now."""
    described = document(scored.images())
    assert described["components"]["responses"]["503"]["headers"]["Retry-After"]["required"]
    assert all(
        "503" in operation["responses"]
        for methods in described["paths"].values()
        for operation in methods.values()
        if "requestBody" in operation
    )


IMAGE = b64(png())
ACCEPTED: dict[str, list[object]] = {
    "image": [
        {"image": IMAGE}, [IMAGE], {"data": [IMAGE, {"image": IMAGE}]}, {"records": [IMAGE]}, {"input": {"a": IMAGE}},
    ],
    "table": [
        ROW, [ROW, CELLS], {"data": [CELLS]}, {"records": [ROW]}, {**ROW, "more": [1]}, {**ROW, "age": None},
        {**ROW, "age": "", "fare": "1e3", "port": "X", "alone": "TRUE"},
    ],
    "text": ["the cat", {"text": ""}, ["a", {"text": "b"}], {"data": ["a"]}, {"records": [{"text": "a"}]}],
    "bare": [{"data": [[1, 2], [3, 4]]}, {"data": {"x": [[1, 2]]}}],
    "pair": [{"data": {"a": [[1, 2]], "b": [1]}}],
}  # fmt: skip
REFUSED: dict[str, list[object]] = {
    "image": [{}, [], {"input": {}}, {"input": [IMAGE]}, {"image": "no base64"}, {"image": 1}, 1, {"data": IMAGE}],
    "table": [
        {}, [], 1, "a", {**ROW, "fare": "x"}, {**ROW, "fare": None}, {**ROW, "alone": "yes"}, [CELLS[:3]],
        {"data": ROW}, {**ROW, "port": None}, {**ROW, "fare": [1]},
    ],
    "text": [{}, [], 1, {"text": 1}, {"texts": ["a"]}, ["a", 1], "a" * 100_001],
    "bare": [{}, [[1, 2]], {"data": 1}, {"data": [1, 2]}, {"data": [[1, 2, 3]]}, {"data": {"y": [[1, 2]]}},
             {"data": [["1", 2]]}, {"data": [[1e39, 2]]}],
    "pair": [{"data": [[1, 2]]}, {"data": {"a": [[1, 2]]}}, {"data": {"a": [[1, 2]], "b": [1.5]}}],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "body"), [(kind, body) for kind, bodies in ACCEPTED.items() for body in bodies])
def test_what_is_scored_fits_the_schema(tmp_path: Path, kind: str, body: object) -> None:
    """Each form of a request is described."""
    model = made(kind, tmp_path)
    score.tensors(score.parse(JSON, json.dumps(body).encode(), model), model)
    judge(document(model), "ScoreRequest").validate(body)


@pytest.mark.parametrize(("kind", "body"), [(kind, body) for kind, bodies in REFUSED.items() for body in bodies])
def test_what_is_refused_does_not_fit_the_schema(tmp_path: Path, kind: str, body: object) -> None:
    """The schema tells a wrong request from a right one, as far as schemas can."""
    model = made(kind, tmp_path)
    with pytest.raises(RequestError):
        score.tensors(score.parse(JSON, json.dumps(body).encode(), model), model)
    assert not judge(document(model), "ScoreRequest").is_valid(body)


def test_answers_fit_the_schema(models: dict[str, Model]) -> None:
    """Each form of an answer is described, and another model's answer is not."""
    answers = {
        "image": answered(models["image"], [IMAGE], logits=LOGITS[:1]),
        "table": answered(models["table"], ROW, y=np.ones((1, 1), np.float32)),
        "text": answered(models["text"], "cat", v=np.ones((1, 2), np.float32)),
        "bare": answered(
            models["bare"],
            {"data": [[1, 2]]},
            y=np.array([[np.nan, 1]], np.float32),
            word=np.array(["a"], np.object_),
        ),
    }
    judges = {kind: judge(document(models[kind]), "ScoreResponse") for kind in answers}
    for kind, answer in answers.items():
        assert [other for other in judges if judges[other].is_valid(answer)] == [kind]
    named = answered(models["image"], {"input": {"a": IMAGE}}, logits=LOGITS[:1])
    judges["image"].validate(named)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    """Return a model of each kind."""
    return {kind: made(kind, tmp_path_factory.mktemp("package")) for kind in KINDS}


@pytest.mark.parametrize("kind", ["table", "text", "bare"])
def test_whatever_fits_the_schema_is_scored(models: dict[str, Model], kind: str) -> None:
    """Bodies that are drawn from the schema are taken, but where a number is too large for its tensor."""
    model = models[kind]
    operation = loaded(document(model))["/score"]["POST"]

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy())
    def drawn(case: schemathesis.Case[Any]) -> None:
        if case.media_type != JSON:
            return
        try:
            score.tensors(score.parse(JSON, json.dumps(case.body).encode(), model), model)
        except RequestError as error:
            assert "no finite number" in str(error), case.body  # noqa: PT017 - what is refused is judged too

    drawn()


@pytest.mark.parametrize(
    ("spec", "fits", "unfit"),
    [
        (tensor("x", "FP32", "n", 2), [[[1, 2]], [1, 2], []], [[[1]], [["1", 2]], [True, 1], 1, [[[1, 2]]]]),
        (tensor("x", "FP32", 1, 3, 224, 224), [[1], [[[[1]]]]], [[[1]], ["1"]]),
        (tensor("x", "UINT8", "n"), [[0, 255]], [[256], [-1], [1.5]]),
        (tensor("x", "BOOL", "n"), [[True]], [[1], ["true"]]),
        (tensor("x", "BYTES", "n"), [["a"]], [[1]]),
        (tensor("x", "FP32"), [[1]], [["a"], 1]),
    ],
)
def test_the_data_of_a_tensor(spec: TensorSpec, fits: list[object], unfit: list[object]) -> None:
    """Nested or flat, of the datatype's elements; lists of fixed length where a tensor is small."""
    judge = Draft202012Validator(schemas.request_tensor(spec)["properties"]["data"])
    assert [value for value in (*fits, *unfit) if judge.is_valid(value)] == fits
