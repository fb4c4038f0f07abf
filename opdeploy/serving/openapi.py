"""The OpenAPI document: every route of the server, with the tensors, records and answers of this very model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from opdeploy.serving import schemas
from opdeploy.serving.score import FORM, JSON, media_types

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opdeploy.serving.schemas import Schema
    from opdeploy.serving.score import Model
    from opdeploy.serving.settings import Settings

OPENAPI = "3.1.0"
BINARY = "application/octet-stream"
_HEADER_LENGTH = "Inference-Header-Content-Length"
_ERRORS = {
    "400": "The request does not fit the model.",
    "401": "An API key is needed.",
    "403": "The API key is none of this server's.",
    "408": "The body came too slowly.",
    "413": "The body is too large.",
    "415": "The content type or encoding is none that is taken.",
    "503": "Not ready, or too busy; send it again later.",
}


def document(model: Model, settings: Settings) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of a server."""
    guarded = bool(settings.keys)
    paths = _health(settings) | _metadata(model) | _own()
    for path, post in (*_infer(model).items(), (settings.score_route, _score(model))):
        paths[path] = {"post": post | ({"security": [{"key": []}]} if guarded else {})}
        post["responses"] |= _errors("401", "403") if guarded else {}
    components: dict[str, Any] = {"schemas": _schemas(model), "responses": _responses()}
    if guarded:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    info = {"title": model.name, "version": model.version, "description": "A model, served by opdeploy."}
    return {"openapi": OPENAPI, "info": info, "paths": paths, "components": components}


def _health(settings: Settings) -> dict[str, Any]:
    live = _get("Tell whether the process lives", _json({"live": {"const": True}}))
    ready = _get("Tell whether the model is ready", _json({"ready": {"const": True}}), "503")
    return dict.fromkeys(("/v2/health/live", settings.live_route), live) | dict.fromkeys(
        ("/v2/health/ready", settings.ready_route), ready
    )


def _metadata(model: Model) -> dict[str, Any]:
    text: Schema = {"type": "string"}
    texts: Schema = {"type": "array", "items": text}
    tensor = {"name": text, "datatype": text, "shape": {"type": "array", "items": {"type": "integer"}}}
    tensors = {"type": "array", "items": _object(tensor)}
    lists = {"inputs": tensors, "outputs": tensors}
    known = _json({"name": {"const": model.name}, "versions": texts, "platform": text, **lists})
    ready = _json({"name": {"const": model.name}, "ready": {"const": True}})
    paths = {"/v2": _get("Describe the server", _json({"name": text, "version": text, "extensions": texts}), "503")}
    for path in _model_paths(model):
        paths[path] = _get("Describe the model", known, "503")
        paths[f"{path}/ready"] = _get("Tell whether the model is ready", ready, "503")
    return paths


def _own() -> dict[str, Any]:
    text: Schema = {"type": "string"}
    return {
        "/": _get("Show what runs here, to a person", {"text/html": {"schema": text}}, "503"),
        "/version": _get("Tell the versions of server and model", {JSON: {"schema": {"type": "object"}}}),
        "/openapi.json": _get("Describe the routes: this document", {JSON: {"schema": {"type": "object"}}}, "503"),
        "/metrics": _get("Give metrics in the text format of Prometheus", {"text/plain": {"schema": text}}),
    }


def _infer(model: Model) -> dict[str, Any]:
    header = {"name": _HEADER_LENGTH, "in": "header", "schema": {"type": "integer", "minimum": 0}}
    header["description"] = "Bytes of JSON in front of the binary tensors."
    content = {JSON: {"schema": _ref("InferRequest")}, BINARY: {"schema": {"type": "string", "format": "binary"}}}
    answer = {JSON: {"schema": _ref("InferResponse")}, BINARY: {"schema": {"type": "string", "format": "binary"}}}
    return {
        f"{path}/infer": {
            "summary": "Run the model on tensors, by the Open Inference Protocol",
            "parameters": [header],
            "requestBody": {"required": True, "content": content},
            "responses": {"200": {"description": "The outputs.", "content": answer}}
            | _errors("400", "408", "413", "415", "503"),
        }
        for path in _model_paths(model)
    }


def _score(model: Model) -> dict[str, Any]:
    binary: Schema = {"schema": {"type": "string", "format": "binary"}}
    content: dict[str, Any] = dict.fromkeys(media_types(model), binary)
    content[JSON] = {"schema": _ref("ScoreRequest")}
    if model.processing is not None:
        content[FORM] = {"schema": schemas.parts(model.processing.input)}
    return {
        "summary": "Score records",
        "requestBody": {"required": True, "content": content},
        "responses": {"200": {"description": "The answers.", "content": {JSON: {"schema": _ref("ScoreResponse")}}}}
        | _errors("400", "408", "413", "415", "503"),
    }


def _schemas(model: Model) -> dict[str, Any]:
    given = [schemas.request_tensor(spec) for spec in model.inputs]
    made = [schemas.response_tensor(spec) for spec in model.outputs]
    text: Schema = {"type": "string"}
    wanted = _object({"name": {"enum": [spec.name for spec in model.outputs]}, "parameters": {"type": "object"}})
    wanted["required"] = ["name"]
    request = _object({"inputs": {**_items(given), "minItems": len(given), "maxItems": len(given)}})
    request["properties"] |= {
        "id": text,
        "parameters": {"type": "object"},
        "outputs": {"type": "array", "items": wanted},
    }
    names = {"model_name": {"const": model.name}, "model_version": {"const": model.version}}
    response = _object({**names, "outputs": _items(made)})
    response["properties"]["id"] = text
    processing = model.processing
    return {
        "Error": _object({"error": text}),
        "InferRequest": request,
        "InferResponse": response,
        "ScoreRequest": schemas.records(processing.input, model.inputs)
        if processing
        else schemas.tensors(model.inputs),
        "ScoreResponse": schemas.answers(processing, model.outputs),
    }


def _items(each: list[Schema]) -> Schema:
    return {"type": "array", "items": each[0] if len(each) == 1 else {"anyOf": each}}


def _responses() -> dict[str, Any]:
    content = {JSON: {"schema": _ref("Error")}}
    responses: dict[str, Any] = {status: {"description": why, "content": content} for status, why in _ERRORS.items()}
    seconds = {"description": "Seconds to wait.", "required": True, "schema": {"type": "integer", "minimum": 1}}
    responses["503"]["headers"] = {"Retry-After": seconds}
    responses["401"]["headers"] = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
    return responses


def _errors(*statuses: str) -> dict[str, Any]:
    return {status: {"$ref": f"#/components/responses/{status}"} for status in statuses}


def _get(summary: str, content: Mapping[str, Any], *errors: str) -> dict[str, Any]:
    done = {"200": {"description": "As asked.", "content": content}}
    return {"get": {"summary": summary, "responses": done | _errors(*errors)}}


def _json(properties: Schema) -> dict[str, Any]:
    return {JSON: {"schema": _object(properties)}}


def _object(properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _model_paths(model: Model) -> tuple[str, str]:
    path = f"/v2/models/{quote(model.name, safe='')}"
    return path, f"{path}/versions/{model.version}"
