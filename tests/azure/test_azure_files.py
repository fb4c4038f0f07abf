"""The resources of a plan as a template of Azure Resource Manager, and as Bicep: both say the same."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from opdeploy.deployment import Found, Observed
from opdeploy.plan import Plan, Step
from opdeploy.targets.azure.bicep import bicep
from opdeploy.targets.azure.compare import KEYS, ref, secret
from opdeploy.targets.azure.kinds import KINDS
from opdeploy.targets.azure.planned import apart, resources
from opdeploy.targets.azure.shared import Resource
from opdeploy.targets.azure.template import template
from tests.azure.bicep_form import Expression, File, read

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/models"
OTHER = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shared"
IDENTITY = KINDS["identity"].id(GROUP, "net-pull")
REGISTRY = KINDS["container registry"].id(GROUP, "reg1")
HOSTILE = [
    "it's",
    "a\\b",
    "${subscription().id}",
    "\\${x}",
    "line\nbreak\ttab\r",
    "[parameters('x')]",
    "[info] x",
    "[",
    "\x00\u2028é🐕",
    "",
    "'",
]


def role(scope: str, principal: str = IDENTITY) -> Resource:
    """Return a role of an identity on a resource."""
    body = {
        "properties": {
            "roleDefinitionId": "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/r",
            "principalId": ref(principal, "properties.principalId"),
            "principalType": "ServicePrincipal",
        }
    }
    return Resource("role assignment", KINDS["role assignment"].id(scope, "6a0b"), body)


def group(**properties: Any) -> Resource:  # noqa: ANN401 - any JSON
    """Return a container group with an identity."""
    own = {"imageRegistryCredentials": [{"server": "reg1.azurecr.io", "identity": IDENTITY}], **properties}
    body = {
        "location": "westeurope",
        "properties": own,
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}},
    }
    return Resource("container group", KINDS["container group"].id(GROUP, "net"), body)


PLACE = {"location": "westeurope", "tags": {"managed-by": "opdeploy", "null": "x", "Ünï": "y"}}
CASES = {
    "a first container group": [
        Resource("container registry", REGISTRY, {**PLACE, "sku": {"name": "Basic"}}),
        Resource("identity", IDENTITY, dict(PLACE)),
        role(REGISTRY),
        group(cpu=1.5, count=2, on=True, off=False, none=None, empty={}, nothing=[], key=secret("api-key")),
    ],
    "a registry that is there": [Resource("identity", IDENTITY, dict(PLACE)), role(REGISTRY), group()],
    "an identity that is there": [group(principal=ref(IDENTITY, "properties.principalId"))],
    "an identity of another group": [group(principal=ref(KINDS["identity"].id(OTHER, "it's"), "properties.clientId"))],
    "no region": [group(), Resource("identity", IDENTITY, {"location": "", "tags": {"location": ""}})],
    "hostile texts": [group(texts=HOSTILE, **{text or "empty": index for index, text in enumerate(HOSTILE)})],
    "two of one kind": [
        Resource("identity", IDENTITY, dict(PLACE)),
        Resource("identity", KINDS["identity"].id(GROUP, "other"), dict(PLACE)),
    ],
}


def expression(found: Expression, file: File) -> Any:  # noqa: ANN401 - any JSON
    """Return an expression of Bicep as a template has it."""
    if match := re.fullmatch(r"json\((.*)\)", found.text):
        return json.loads(match[1])
    if found.text == "resourceGroup().location":
        return f"[{found.text}]"
    name, _, path = found.text.partition(".")
    if name in file.parameters:
        return f"[parameters('{name}')]"
    (item,) = (each for each in file.resources if each.symbol == name)
    place = f"resourceId('{item.type}', '{item.body['name']}')"
    if item.existing:
        subscription, group = item.body["scope"].text[len("resourceGroup(") : -1].split(", ")
        whole = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{item.type}/{item.body['name']}"
        if path == "id":
            return whole
        place = "'" + whole.replace("'", "''") + "'"
    if path == "id":
        return f"[{place}]"
    return f"[reference({place}, '{item.api}', 'full').{path}]"


def as_template(value: Any, file: File) -> Any:  # noqa: ANN401 - any JSON
    """Return a value of Bicep as a template has it."""
    if isinstance(value, Expression):
        return expression(value, file)
    if isinstance(value, dict):
        return {as_template(key, file): as_template(item, file) for key, item in value.items()}
    if isinstance(value, list):
        return [as_template(item, file) for item in value]
    return f"[{value}" if isinstance(value, str) and re.fullmatch(r"\[.*\]", value) else value


@pytest.mark.parametrize("case", CASES)
def test_bicep_declares_what_the_template_has(case: str) -> None:
    """Resource by resource and property by property, read by a strict reader; only who waits for whom is said apart."""
    made = template(CASES[case])
    file = read(bicep(CASES[case]))
    assert file.scope == "resourceGroup"
    assert file.parameters == dict.fromkeys(made["parameters"], ("string", True))
    declared = [item for item in file.resources if not item.existing]
    for item, expected in zip(declared, made["resources"], strict=True):
        body = {key: value for key, value in item.body.items() if key not in {"scope", "dependsOn"}}
        told = {"type": item.type, "apiVersion": item.api, **as_template(body, file)}
        if "scope" in item.body:
            (of,) = (each for each in file.resources if each.symbol == item.body["scope"].text)
            told["scope"] = f"[resourceId('{of.type}', '{of.body['name']}')]"
        assert told == {key: value for key, value in expected.items() if key != "dependsOn"}


def test_what_runs_waits_for_the_right_to_pull() -> None:
    """In both files: without it the image could not be pulled."""
    made = CASES["a first container group"]
    *_, last = template(made)["resources"]
    assert last["dependsOn"][-1] == (
        "[extensionResourceId(resourceId('Microsoft.ContainerRegistry/registries', 'reg1'), "
        "'Microsoft.Authorization/roleAssignments', '6a0b')]"
    )
    assert read(bicep(made)).resources[-1].body["dependsOn"] == [Expression("roleAssignment")]


def test_a_key_of_another_resource_is_asked_for() -> None:
    """When the file is deployed; it is in no file."""
    made = [group(key={KEYS: REGISTRY, "path": "primaryKey"})]
    file = read(bicep(made))
    assert [item.existing for item in file.resources] == [True, False]
    found = file.resources[-1].body["properties"]["key"]
    assert found == Expression("existingContainerRegistry.listKeys().primaryKey")
    told = template(made)["resources"][0]["properties"]["key"]
    assert told == f"[listKeys('{REGISTRY}', '{KINDS['container registry'].api}').primaryKey]"


@pytest.mark.parametrize(
    ("text", "told"), [("[x]", "[[x]"), ("[[x]]", "[[[x]]"), ("[info] x", "[info] x"), ("[", "["), ("x]", "x]")]
)
def test_a_text_in_brackets_is_no_expression(text: str, told: str) -> None:
    """And keeps those that it has: another is added where it would be one."""
    assert template([group(text=text)])["resources"][0]["properties"]["text"] == told


def test_what_is_a_part_of_another_resource_is_named_by_that() -> None:
    """So it is made after that: a subnet with its network."""
    network = KINDS["identity"].id(GROUP, "network")  # any kind that has parts in this way
    parts = [group(subnetIds=[{"id": f"{network}/subnets/it's ${{x}}"}])]
    text = bicep([Resource("identity", network, {}), *parts])
    assert "id: '${identity.id}/subnets/it\\'s \\${x}'" in text
    assert read(text).resources[-1].body["properties"]["subnetIds"] == [
        {"id": Expression("identity.id/subnets/it's ${x}")}
    ]


def test_what_is_in_no_region_is_made_in_that_of_its_group() -> None:
    """In both files; a text of that name elsewhere is what it is."""
    made = CASES["no region"]
    assert [item["location"] for item in template(made)["resources"]] == ["westeurope", "[resourceGroup().location]"]
    assert template(made)["resources"][-1]["tags"] == {"location": ""}
    assert "\n  location: resourceGroup().location\n" in bicep(made)


def test_files_have_no_secret_but_a_secure_parameter_for_it() -> None:
    """It is given when the file is deployed."""
    made = CASES["a first container group"]
    assert template(made)["parameters"] == {"apiKey": {"type": "secureString"}}
    assert "@secure()\nparam apiKey string" in bicep(made)


def put(item: Resource, action: str = "create") -> Step:
    """Return the step that makes a resource."""
    args: dict[str, Any] = {"resource": item.id, "body": item.body}
    values = {"id": item.id, "title": "t", "action": action, "kind": item.kind, "name": "n", "call": "azure.put"}
    return Step.model_validate({**values, "args": args})


def test_a_file_has_what_is_made_and_what_stays_as_it_is() -> None:
    """Not what is there for a while, nor what goes, nor the group."""
    registry, identity, _, run = CASES["a first container group"]
    there = Observed(
        target="aci",
        deployment="net",
        found=(
            Found(kind=run.kind, name="net", made={"id": run.id, "body": {**run.body, "tags": {"old": "1"}}}),
            Found(kind=identity.kind, name="net-pull", made={"id": identity.id, "body": identity.body}),
            Found(kind=registry.kind, name="reg1", made={"id": registry.id, "body": registry.body}),
            Found(kind="version", name="net.v1", made={"id": run.id, "body": run.body}),
        ),
    )
    trial = run._replace(id=f"{run.id}-trial", body={**run.body, "tags": {"opdeploy-role": "trial"}})
    steps = (put(Resource("resource group", GROUP, dict(PLACE))), put(trial), put(run, "change"))
    plan = Plan(operation="deploy", target="aci", deployment="net", version=2, before=1, observed="o", steps=steps)
    assert resources(plan, there) == [registry, identity, run]


def test_what_belongs_to_another_group_is_told_apart() -> None:
    """No file of one group can make it."""
    elsewhere = role(KINDS["container registry"].id(OTHER, "reg1"))
    inside, outside = apart([*CASES["a registry that is there"], elsewhere], GROUP)
    assert outside == [elsewhere]
    assert inside == CASES["a registry that is there"]


NO_BICEP = {
    "a comma": "resource a 'T/t@1' = {\n  x: [1, 2]\n}",
    "two properties on a line": "resource a 'T/t@1' = {\n  x: 1 y: 2\n}",
    "a fraction": "resource a 'T/t@1' = {\n  x: 1.5\n}",
    "a name that nothing declares": "resource a 'T/t@1' = {\n  x: b.id\n}",
    "a quote": "resource a 'T/t@1' = {\n  x: 'it's'\n}",
    "a key in double quotes": "resource a 'T/t@1' = {\n  \"x\": 1\n}",
    "no version": "resource a 'T/t' = {\n  x: 1\n}",
    "a property twice": "resource a 'T/t@1' = {\n  x: 1\n  x: 2\n}",
}


@pytest.mark.parametrize("case", NO_BICEP)
def test_the_reader_is_strict(case: str) -> None:
    """What is no Bicep is not read, so that what is read is some."""
    with pytest.raises(ValueError, match=r"\w"):
        read(NO_BICEP[case])
