"""The requests that a plan shows: those that its deployment sends, and commands of `az` that say the same."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.clients.azure import Making
from opdeploy.plan import Plan, Step
from opdeploy.targets.azure.az import command
from opdeploy.targets.azure.calls import NOT_SHOWN, REQUESTS, Call, calls, masked
from opdeploy.targets.azure.compare import KEYS, ref, secret
from opdeploy.targets.azure.kinds import KINDS
from opdeploy.targets.azure.names import Where

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.arm.arm import Seen
    from tests.azure.clouded import Clouded

GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/it's $(here)"
IDENTITY = KINDS["identity"].id(GROUP, "net-pull")
KEY = "a$b`c'd\\e"
PRINCIPAL = "principal"
AZ = f"""import json, os, sys
with open(os.environ["LOG"], "a") as log:
    piped = [sys.stdin.read() for text in sys.argv if text in ("@-", "/dev/stdin")]
    print(json.dumps(sys.argv[1:] + piped), file=log)
assert not any(os.environ["OPDEPLOY_API_KEY"] in text for text in sys.argv), "everybody sees it"
if sys.argv[1] == "resource":
    print("{PRINCIPAL}")
"""


def shown(project: Clouded) -> list[dict[str, Any]]:
    """Return the requests that a plan shows."""
    done = project.run("plan", "--calls", "-o", "json")
    assert done.code == 0, done.err
    found: list[dict[str, Any]] = json.loads(done.out)
    return found


def sent(seen: list[Seen]) -> list[tuple[str, str, str, Any]]:
    """Return what was sent that changes something, in the form in which it is shown."""
    writes = [item for item in seen if item.method != "GET" and item.path.startswith("/subscriptions/")]
    found = []
    for item in writes:
        path, _, query = item.path.partition("?")
        if not path.lower().endswith(READS):
            found.append((item.method, path, query.partition("api-version=")[2], hidden(item.body)))
    return found


READS = ("/checknameavailability", "/listsecrets", "/list", "/sharedkeys", "/containerlogs")
"""What is posted, and changes nothing."""
UNKNOWN = {"secureValue", "principalId", "sourceLocation", "arguments", "acrUserManagedIdentityID"}
KEYED = {"api-key", "OPDEPLOY_API_KEYS"}
"""Names of what has the API key as its value."""


def hidden(body: Any, key: str = "") -> Any:  # noqa: ANN401 - any JSON
    """Return a body without what is not known before."""
    if isinstance(body, dict) and body.get("name") in KEYED and "value" in body:
        return {**body, "value": "…"}
    if isinstance(body, dict):
        if "outputs" in body:
            return {**body, "outputs": {"note": {"type": "string", "value": NOT_SHOWN}}}
        return {name: hidden(item, name) for name, item in body.items()}
    if isinstance(body, list):
        return "…" if key == "arguments" else [hidden(item) for item in body]
    return "…" if key in UNKNOWN else body


@pytest.mark.parametrize(
    "target", ["aci", *(pytest.param(name, marks=pytest.mark.slow) for name in ("webapp", "container-apps"))]
)
def test_what_is_shown_is_what_is_sent(target: str, clouded: Callable[..., Clouded]) -> None:
    """Method, path, version and body of each, in order, of a first deployment and of an update, with their locks."""
    project = clouded(target)
    project.more = ("--allow-plain-http",) if target == "aci" else ()
    for seed in (0, 1):
        project.model(seed)
        before = shown(project)
        start = len(project.arm.seen)
        done = project.deploy()
        assert done.code == 0, done.err
        assert [(call["method"], call["path"], call["api-version"], hidden(call["body"])) for call in before] == sent(
            project.arm.seen[start:]
        )


def test_secrets_are_masked_and_what_is_not_known_is_named(clouded: Callable[..., Clouded]) -> None:
    """So a plan may be read by anybody."""
    found = shown(clouded("aci"))
    (group,) = (call for call in found if call["path"].endswith("/containerGroups/net"))
    variables = group["body"]["properties"]["containers"][0]["properties"]["environmentVariables"]
    assert {"name": "OPDEPLOY_API_KEYS", "secureValue": "***"} in variables
    (role,) = (call for call in found if "/roleAssignments/" in call["path"])
    assert role["body"]["properties"]["principalId"].startswith("(properties.principalId of /subscriptions/")


def test_a_reader_sees_each_request_once(clouded: Callable[..., Clouded]) -> None:
    """In lines those for the lock and the record are apart, and the group, which the lock needs, is there once."""
    project = clouded("aci")
    done = project.run("plan", "--calls")
    assert done.code == 0, done.err
    listed, *own = done.out.split("\nBeside these, opdeploy's own: ")
    assert listed.count(". make the resource group models\n") == 1
    assert "Microsoft.Resources/deployments/" not in listed
    assert [text.partition(",")[0] for text in own] == ["the lock", "the record"]
    assert [text.count('"template"') for text in own] == [1, 1]
    numbers = [line.partition(".")[0] for line in listed.splitlines() if line[:1].isdigit()]
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
    assert " image\n   (the folder image is the one that opdeploy render writes)\n" in listed


def test_every_step_of_azure_has_its_requests() -> None:
    """Whatever the client can be told is in the table."""
    told = {f"azure.{name}" for name in dir(Making) if not name.startswith("_")} | {"azure.push", "azure.build"}
    assert told <= REQUESTS.keys()


def test_another_platform_has_no_requests_to_azure(clouded: Callable[..., Clouded]) -> None:
    """It is said which option does not fit."""
    done = clouded("aci").run("plan", "-t", "local", "--offline", "--bicep", "a.bicep")
    assert done.code == 2
    assert "--bicep: local is not made through Azure Resource Manager; leave it out" in done.err


BODY = {
    "location": "westeurope",
    "tags": {"who": 'it\'s "$HOME" `id`'},
    "properties": {
        "key": secret("api-key"),
        "of": ref(IDENTITY, "properties.principalId"),
        "list": [1, 0.5, None, {}, []],
    },
}
ROLE = {
    "properties": {
        "roleDefinitionId": "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/r",
        "principalId": ref(IDENTITY, "properties.principalId"),
        "principalType": "ServicePrincipal",
    }
}
PLACE = {"location": "westeurope", "tags": BODY["tags"]}
TAG = 'who=it\'s "$HOME" `id`'
WHERE = ["--resource-group", "it's $(here)", "--name"]
SUBSCRIPTION = ["--subscription", "11111111-2222-3333-4444-555555555555"]
REGISTRY = KINDS["container registry"].id(GROUP, "reg1")
ORDER = {"imageNames": ["net:1"], "platform": {"os": "Linux", "architecture": "amd64"}, "timeout": 60}
COMMANDS: dict[str, tuple[Call, list[str]]] = {
    "a group": (
        Call("", "PUT", GROUP, "1", PLACE),
        ["group", "create", "--name", "it's $(here)", "--location", "westeurope", *SUBSCRIPTION, "--tags", TAG],
    ),
    "a group that goes": (
        Call("", "DELETE", GROUP, "1"),
        ["group", "delete", "--name", "it's $(here)", *SUBSCRIPTION, "--yes"],
    ),
    "a registry": (
        Call("", "PUT", REGISTRY, "1", {**PLACE, "sku": {"name": "Basic"}, "properties": {"adminUserEnabled": False}}),
        [
            *["acr", "create", *WHERE, "reg1", "--location", "westeurope", "--sku", "Basic", "--admin-enabled"],
            *["false", *SUBSCRIPTION, "--tags", TAG],
        ],
    ),
    "an identity": (
        Call("", "PUT", IDENTITY, "1", PLACE),
        ["identity", "create", *WHERE, "net-pull", "--location", "westeurope", *SUBSCRIPTION, "--tags", TAG],
    ),
    "a role": (
        Call("", "PUT", KINDS["role assignment"].id(REGISTRY, "6a0b"), "1", ROLE),
        [
            *["role", "assignment", "create", "--name", "6a0b", "--scope", REGISTRY, "--role", "r"],
            *["--assignee-object-id", PRINCIPAL, "--assignee-principal-type", "ServicePrincipal"],
        ],
    ),
    "what goes": (
        Call("", "DELETE", IDENTITY, "1"),
        ["resource", "delete", "--ids", IDENTITY, "--api-version", KINDS["identity"].api],
    ),
    "a build": (
        Call("", "POST", f"{REGISTRY}/scheduleRun", "1", ORDER),
        [
            *["acr", "build", "--registry", "reg1", *SUBSCRIPTION, "--image", "net:1", "--platform", "linux/amd64"],
            *["--timeout", "60", "image"],
        ],
    ),
    "a secret": (
        Call("", "PUT", "https://v.vault.azure.net/secrets/opdeploy-net", "", {"value": secret("api-key")}),
        ["keyvault", "secret", "set", "--vault-name", "v", "--name", "opdeploy-net", "--file", "/dev/stdin", KEY],
    ),
    "a secret that goes": (
        Call("", "DELETE", "https://v.vault.azure.net/secrets/opdeploy-net"),
        ["keyvault", "secret", "delete", "--vault-name", "v", "--name", "opdeploy-net"],
    ),
    "an image that goes": (
        Call("", "DELETE", "https://r.azurecr.io/v2/a/b/manifests/1"),
        ["acr", "repository", "delete", "--name", "r", "--image", "a/b:1", "--yes"],
    ),
    "a request without a body": (
        Call("", "POST", f"{GROUP}/x/y", "1"),
        ["rest", "--method", "post", "--url", f"{GROUP}/x/y?api-version=1"],
    ),
}  # fmt: skip


def ran(line: str, folder: Path) -> list[list[str]]:
    """Run a line of the shell with an `az` that notes how it was called."""
    folder.mkdir(exist_ok=True)
    program = folder / "az"
    program.write_text(f"#!{sys.executable}\n{AZ}")
    program.chmod(0o755)
    log = folder / "log"
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "LOG": str(log), "OPDEPLOY_API_KEY": KEY}
    subprocess.run(["/bin/sh", "-ec", line], env=environment, check=True, cwd=folder, timeout=30)
    return [json.loads(text) for text in log.read_text().splitlines()]


@pytest.mark.parametrize("case", COMMANDS)
def test_a_request_has_its_command(case: str, tmp_path: Path) -> None:
    """As a shell takes it: nothing in a name is run, and what is not known is asked for."""
    call, expected = COMMANDS[case]
    *_, last = ran(command(call), tmp_path)
    assert last == expected


def test_any_other_request_is_sent_as_it_is(tmp_path: Path) -> None:
    """With secrets from the environment, in a body that is the same JSON: piped, where it has some."""
    place = KINDS["container group"].id(GROUP, "net")
    asked, last = ran(command(Call("", "PUT", place, "2023-05-01", BODY)), tmp_path)
    assert asked == [
        *["resource", "show", "--ids", IDENTITY, "--api-version", KINDS["identity"].api],
        *["--query", "properties.principalId", "--output", "tsv"],
    ]
    *start, body = last
    assert start == ["rest", "--method", "put", "--url", f"{place}?api-version=2023-05-01", "--body", "@-"]
    whole = body.replace(KEY, "KEY")
    assert json.loads(whole) == {**BODY, "properties": {"key": "KEY", "of": PRINCIPAL, "list": [1, 0.5, None, {}, []]}}
    assert KEY not in command(Call("", "PUT", place, "2023-05-01", BODY))
    (plain,) = ran(command(Call("", "PUT", place, "2023-05-01", PLACE)), tmp_path / "plain")
    assert plain[-2] == "--body"
    assert json.loads(plain[-1]) == PLACE


@pytest.mark.parametrize("tags", [{"who": "@ann"}, {"a=b": "c"}])
def test_tags_that_az_would_take_for_something_else_are_in_a_body(tags: dict[str, str], tmp_path: Path) -> None:
    """A file, or another name."""
    (made,) = ran(command(Call("", "PUT", IDENTITY, "1", {**PLACE, "tags": tags})), tmp_path)
    assert made[:3] == ["rest", "--method", "put"]
    assert json.loads(made[-1])["tags"] == tags


def test_masking_leaves_nothing_that_stands_for_something() -> None:
    """A secret is hidden, and a property of another resource is named."""
    assert masked(BODY)["properties"] == {
        "key": "***",
        "of": f"(properties.principalId of {IDENTITY})",
        "list": [1, 0.5, None, {}, []],
    }


WHERE_IT_IS = Where("11111111-2222-3333-4444-555555555555", "models", "westeurope", "net")
APP = f"{WHERE_IT_IS.group_id}/providers/Microsoft.App/containerApps/net"
SITE = f"{WHERE_IT_IS.group_id}/providers/Microsoft.Web/sites/net"
APP_BODY = {
    "tags": {"a": "b"},
    "identity": {"type": "None"},
    "properties": {"workloadProfileName": "w", "configuration": {"ingress": {}, "secrets": []}, "template": {}},
}
STEPS: dict[str, tuple[str, dict[str, Any], list[tuple[str, str, Any]]]] = {
    "a revision": ("azure.revise", {"resource": APP, "body": APP_BODY}, [("PUT", APP, APP_BODY)]),
    "the revision that is asked": (
        "azure.serve",
        {"resource": APP, "body": APP_BODY, "number": 2},
        [
            (
                "PATCH",
                APP,
                {
                    "tags": {"a": "b"},
                    "identity": {"type": "None"},
                    "properties": {"workloadProfileName": "w", "configuration": {"ingress": {}}},
                },
            )
        ],
    ),
    "a revision that starts": (
        "azure.activate",
        {"resource": APP, "revision": "net--2"},
        [("POST", f"{APP}/revisions/net--2/activate", None)],
    ),
    "a revision that ends": (
        "azure.deactivate",
        {"resource": APP, "revision": "net--2"},
        [("POST", f"{APP}/revisions/net--2/deactivate", None)],
    ),
    "a site that starts": ("azure.start", {"resource": SITE}, [("POST", f"{SITE}/start", None)]),
    "a key that is kept": (
        "azure.keep_key",
        {"vault": "https://v.vault.azure.net", "name": "opdeploy-net"},
        [("PUT", "https://v.vault.azure.net/secrets/opdeploy-net", {"value": secret("api-key")})],
    ),
    "a key that goes": (
        "azure.drop_key",
        {"vault": "https://v.vault.azure.net", "name": "opdeploy-net"},
        [("DELETE", "https://v.vault.azure.net/secrets/opdeploy-net", None)],
    ),
    "images that go": (
        "azure.forget",
        {"numbers": [1], "images": ["r.azurecr.io/a/b:1"]},
        [("DELETE", "https://r.azurecr.io/v2/a/b/manifests/1", None)],
    ),
    "slots that are swapped": (
        "azure.swap",
        {"resource": SITE, "slot": "next", "image": "i"},
        [("POST", f"{SITE}/slotsswap", {"targetSlot": "next", "preserveVnet": True})],
    ),
}


@pytest.mark.parametrize("case", STEPS)
def test_a_step_has_its_requests(case: str) -> None:
    """Beside the notes and the lock."""
    call, args, expected = STEPS[case]
    step = Step(id="s", title="t", action="change", kind="k", name="n", call=call, args=args)
    plan = Plan(operation="deploy", target="aci", deployment="net", version=1, before=None, observed="o", steps=(step,))
    found = [each for each in calls(plan, WHERE_IT_IS) if "/Microsoft.Resources/deployments/" not in each.path]
    assert [(each.method, each.path, each.body) for each in found] == expected


def test_what_is_kept_elsewhere_takes_no_request() -> None:
    """Neither for notes nor for the lock, and the group is made once."""
    values = {"id": "s", "title": "t", "action": "create", "name": "n", "call": "azure.put"}
    group = Step.model_validate({**values, "kind": "resource group", "args": {"resource": GROUP, "body": PLACE}})
    plan = Plan(
        operation="deploy", target="aci", deployment="net", version=1, before=None, observed="o", steps=(group,)
    )
    assert [(each.method, each.path) for each in calls(plan, WHERE_IT_IS, in_group=False)] == [("PUT", GROUP)]
    methods = [(each.method, each.path.rpartition("/")[2]) for each in calls(plan, WHERE_IT_IS)]
    assert methods == [
        ("PUT", "it's $(here)"),
        ("PUT", "opdeploy.lock.net"),
        ("PUT", "it's $(here)"),
        ("PUT", "opdeploy-net"),
        ("DELETE", "opdeploy.lock.net"),
    ]


def test_a_key_of_another_resource_is_hidden_and_asked_for(tmp_path: Path) -> None:
    """As a secret it is in no plan, and as a property it is looked up."""
    workspace = KINDS["log workspace"].id(GROUP, "net-logs")
    body = {"properties": {"key": {KEYS: workspace, "path": "primarySharedKey"}}}
    assert masked(body) == {"properties": {"key": "***"}}
    asked, last = ran(command(Call("", "PUT", KINDS["container group"].id(GROUP, "net"), "1", body)), tmp_path)
    assert asked[:6] == ["resource", "invoke-action", "--action", "sharedKeys", "--ids", workspace]
    assert last[-2] == "@-"
    assert json.loads(last[-1]) == {"properties": {"key": PRINCIPAL}}
