"""Microsoft.Resources/deployments, of templates that make nothing: their outputs are what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.arm.answers import refused
from tests.arm.kinds import ASYNC, LOCATION, Kind, Resource

if TYPE_CHECKING:
    from tests.arm.arm import Arm

TYPES = {"string": "String", "int": "Int", "bool": "Bool", "object": "Object", "array": "Array"}
"""How results write the types of outputs."""
MOST_OUTPUTS = 64
ACTIVE = (
    "Unable to edit or replace deployment '{name}': previous deployment from '11/26/2026 12:00:00 PM' is still active "
    "(expiration time is '12/3/2026 12:00:00 PM'). Please see https://aka.ms/arm-deploy for usage details."
)


def _check(_arm: Arm, _old: Resource | None, new: Resource) -> None:
    template = new.properties.get("template") or {}
    if not {"$schema", "contentVersion", "resources"} <= set(template):
        message = "Deployment template validation failed: 'Required property not found in JSON.'."
        raise refused(400, "InvalidTemplate", message)
    if template["resources"]:
        message = "Deployment template validation failed: 'the stand-in makes no resources of templates'."
        raise refused(400, "InvalidTemplate", message)
    if len(outputs := template.get("outputs", {})) > MOST_OUTPUTS:
        message = f"The number of template outputs limit exceeded. Limit: {MOST_OUTPUTS} and actual: {len(outputs)}."
        raise refused(400, "InvalidTemplate", f"Deployment template validation failed: '{message}'.")
    for each in outputs.values():
        literal(each["value"])


def literal(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return what a literal of a template is: `[[` begins a text with a bracket; raises Refused for an expression."""
    if isinstance(value, dict):
        return {name: literal(each) for name, each in value.items()}
    if isinstance(value, list):
        return [literal(each) for each in value]
    if not isinstance(value, str) or not (value.startswith("[") and value.endswith("]")):
        return value
    if value.startswith("[["):
        return value[1:]
    message = "Deployment template validation failed: 'the stand-in evaluates no expressions'."
    raise refused(400, "InvalidTemplate", message)


def _made(_arm: Arm, resource: Resource) -> None:
    outputs = resource.properties["template"].get("outputs", {})
    resource.properties["outputs"] = {
        name: {"type": TYPES[each["type"].lower()], "value": literal(each["value"])} for name, each in outputs.items()
    }


def _view(_arm: Arm, resource: Resource) -> dict[str, Any]:
    own = {name: each for name, each in resource.properties.items() if name != "template"}
    return {
        **resource.body,
        "properties": {**own, "timestamp": "2026-11-26T12:00:00.0000000Z", "duration": "PT0.1S", "correlationId": "0"},
    }


KINDS = (
    Kind(
        type="Microsoft.Resources/deployments",
        versions=("2019-10-01", "2021-04-01", "2022-09-01", "2024-03-01", "2025-04-01"),
        form={
            "properties!": {
                "mode!": ("Incremental", "Complete"),
                "template": object,
                "parameters": object,
                "debugSetting": object,
                "expressionEvaluationOptions": object,
                "outputs-": object,
                "provisioningState-": str,
            },
            "tags": {"*": str},
        },
        name=r"[A-Za-z0-9_.()-]{1,64}",
        tracked=False,
        put=ASYNC,
        delete=LOCATION,
        first_state="Accepted",
        busy=(
            "DeploymentActive",
            ACTIVE,
        ),
        check=_check,
        made=_made,
        view=_view,
    ),
)
ROUTES: dict[Any, Any] = {}
