"""Settings of deployments: the file, overridden by OPDEPLOY_… variables, overridden by options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from opdeploy.cli.settings import Chosen, InAzure, settings
from opdeploy.errors import InputError
from opdeploy.workload_file import settings_of_deploy
from tests.deploy.hostile import NAMES, WORDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[[str | dict[str, Any]], Path]


class Values(NamedTuple):
    """Values of one setting, each another."""

    file: object
    text: str
    """In a variable."""
    read: object
    """What that text means."""
    wrong: str
    """What a variable cannot mean; nothing where it takes whatever is said."""
    option: Chosen | None = None
    chosen: object = None
    """What the option gives."""


ONE_LINE = "two\nlines"
WEB = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/a/providers/Microsoft.Web/serverfarms"
_ID = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/g/providers"
_ENVIRONMENT = f"{_ID}/Microsoft.App/managedEnvironments/b"
_IDENTITY = f"{_ID}/Microsoft.ManagedIdentity/userAssignedIdentities"
_SUBNET = f"{_ID}/Microsoft.Network/virtualNetworks/n/subnets/s"
_WORKSPACE = f"{_ID}/Microsoft.OperationalInsights/workspaces/w"
SETTINGS: dict[str, Values] = {
    "target": Values("vm", "aci", "aci", ONE_LINE, Chosen(target="local"), "local"),
    "name": Values("of-file", "2026", "2026", "../x", Chosen(name="Of_Option"), "Of_Option"),
    "registry": Values("a.example", "127.0.0.1:5000", "127.0.0.1:5000", ONE_LINE, Chosen(registry="b.io"), "b.io"),
    "keep": Values(2, "5", 5, "0"),
    "local.port": Values(8001, "8002", 8002, "65536", Chosen(port=8003), 8003),
    "local.host": Values("10.0.0.1", "10.0.0.2", "10.0.0.2", ONE_LINE, Chosen(host="10.0.0.3"), "10.0.0.3"),
    "local.cpus": Values(1, "1.5", 1.5, "none"),
    "vm.host": Values("a.example", "10", "10", ONE_LINE),
    "vm.user": Values("ann", "1000", "1000", ONE_LINE),
    "vm.identity_file": Values("~/.ssh/a", "~/.ssh/b c", "~/.ssh/b c", ONE_LINE),
    "vm.ssh_port": Values(22, "2222", 2222, "0"),
    "vm.port": Values(8001, "8002", 8002, "80.5", Chosen(target="vm", port=8003), 8003),
    "vm.listen": Values("10.0.0.1", "::1", "::1", "a.example", Chosen(target="vm", host="0.0.0.0"), "0.0.0.0"),  # noqa: S104
    "vm.cpus": Values(1, "1.5", 1.5, "none"),
    "vm.gpu": Values(file=True, text="false", read=False, wrong="some"),
    "vm.build": Values("here", "there", "there", "elsewhere"),
    "vm.size": Values("Standard_D2s_v5", "Standard_NC4as_T4_v3", "Standard_NC4as_T4_v3", "D2s_v5"),
    "vm.priority": Values("Spot", "Regular", "Regular", "Low"),
    "vm.disk_gb": Values(64, "128", 128, "29"),
    "vm.ssh_from": Values("203.0.113.7", "203.0.113.0/24", "203.0.113.0/24", "me"),
    "vm.clients": Values("203.0.113.7", "2001:db8::/32", "2001:db8::/32", "203.0.113.7/24"),
    "vm.subnet": Values(_SUBNET, _SUBNET, _SUBNET, "/subscriptions/1"),
    "kubernetes.context": Values("kind", "7", "7", ONE_LINE),
    "kubernetes.namespace": Values("models", "7", "7", "Models"),
    "kubernetes.replicas": Values(2, "3", 3, "0"),
    "kubernetes.max_replicas": Values(4, "5", 5, "many"),
    "kubernetes.cpus": Values(1, "0.5", 0.5, "0"),
    "kubernetes.gpus": Values(1, "2", 2, "0"),
    "kubernetes.service_type": Values("NodePort", "LoadBalancer", "LoadBalancer", "ExternalName"),
    "kubernetes.port": Values(80, "8080", 8080, "0"),
    "kubernetes.hostname": Values("a.example", "b.example", "b.example", "A b"),
    "kubernetes.ingress_class": Values("nginx", "traefik", "traefik", "a/b"),
    "kubernetes.gateway_class": Values("istio", "nginx", "nginx", "a/b"),
    "kubernetes.tls_secret": Values("a-tls", "b-tls", "b-tls", "B"),
    "kubernetes.pull_secret": Values("a", "b", "b", "B"),
    "azure.subscription": Values("a", "0", "0", ONE_LINE),
    "azure.resource_group": Values("a", "true", "true", ONE_LINE),
    "azure.location": Values("westeurope", "northeurope", "northeurope", "West Europe"),
    "azure.tags": Values({"a": "b"}, "c=d,e=f=g", {"c": "d", "e": "f=g"}, "-y=2"),
    "azure.cloud": Values("AzureCloud", "cloud.json", "cloud.json", ONE_LINE),
    "azure.owner": Values("ann", "bob", "bob", ONE_LINE),
    "azure.identity": Values(f"{_IDENTITY}/a", f"{_IDENTITY}/b", f"{_IDENTITY}/b", "a"),
    "azure.registry_sku": Values("Basic", "Premium", "Premium", "Free"),
    "azure.key_vault": Values("keys", "https://keys.vault.azure.net", "https://keys.vault.azure.net", "a.b"),
    "azure.build": Values("here", "registry", "registry", "there"),
    "aks.cluster": Values("theirs", "7", "7", "a/b"),
    "aks.tier": Values("Free", "Standard", "Standard", "Basic"),
    "aks.kubernetes_version": Values("1.35", "1.36", "1.36", "latest"),
    "aks.system_size": Values("Standard_D2as_v5", "Standard_D4as_v5", "Standard_D4as_v5", "large"),
    "aks.system_nodes": Values(1, "3", 3, "0"),
    "aks.size": Values("Standard_D4as_v5", "Standard_NC4as_T4_v3", "Standard_NC4as_T4_v3", "large"),
    "aks.min_nodes": Values(1, "0", 0, "-1"),
    "aks.max_nodes": Values(1, "4", 4, "0"),
    "aks.priority": Values("Regular", "Spot", "Spot", "Low"),
    "aci.cpus": Values(1, "1.5", 1.5, "0"),
    "aci.dns_label": Values("models", "models-2", "models-2", "A"),
    "aci.subnet": Values(_SUBNET, _SUBNET, _SUBNET, "a"),
    "aci.priority": Values("Regular", "Spot", "Spot", "Low"),
    "aci.restart_policy": Values("Always", "Never", "Never", "Sometimes"),
    "webapp.plan": Values(f"{WEB}/a", f"{WEB}/b", f"{WEB}/b", "b"),
    "webapp.sku": Values("B1", "P0v3", "P0v3", "P9v9"),
    "webapp.instances": Values(2, "3", 3, "0"),
    "webapp.slots": Values(file=True, text="false", read=False, wrong="some"),
    "webapp.always_on": Values(file=True, text="false", read=False, wrong="some"),
    "webapp.app_settings": Values({"A": "b"}, "C=d,E=f=g", {"C": "d", "E": "f=g"}, "1=2"),
    "container_apps.environment": Values(f"{_ID}/Microsoft.App/managedEnvironments/a", _ENVIRONMENT, _ENVIRONMENT, "a"),
    "container_apps.profile": Values("D4", "Consumption", "Consumption", "D5"),
    "container_apps.cpus": Values(1, "1.5", 1.5, "0"),
    "container_apps.min_replicas": Values(1, "0", 0, "-1"),
    "container_apps.max_replicas": Values(3, "4", 4, "0"),
    "container_apps.concurrency": Values(20, "30", 30, "0"),
    "container_apps.cool_down_s": Values(60, "600", 600, "0"),
    "container_apps.external": Values(file=True, text="false", read=False, wrong="some"),
    "container_apps.subnet": Values(_SUBNET, _SUBNET, _SUBNET, "a"),
    "container_apps.workspace": Values("own", _WORKSPACE, _WORKSPACE, "mine"),
    "state": Values("kept", "null", "null", ONE_LINE, Chosen(state="elsewhere"), "elsewhere"),
}
WITH_OPTION = {path: values for path, values in SETTINGS.items() if values.option}


def variable(path: str) -> str:
    """Return the name of the variable of a setting."""
    return "OPDEPLOY_" + path.upper().replace(".", "_")


def value(file: Path | None, path: str, chosen: Chosen = Chosen()) -> object:  # noqa: B008 - it cannot be changed
    """Return what a setting comes to."""
    found: object = settings(file, chosen).deploy
    for key in path.split("."):
        found = getattr(found, key)
    return found


@pytest.fixture
def with_setting(write: Write) -> Callable[[str], Path]:
    """Return a function that writes a workload file with one setting of deployment."""

    def made(path: str) -> Path:
        written = SETTINGS[path].file
        for key in reversed(path.split(".")):
            written = {key: written}
        return write({"name": "a", "serving": {"pattern": "stream"}, "deploy": written})

    return made


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have only those variables that a test sets."""
    for path in SETTINGS:
        monkeypatch.delenv(variable(path), raising=False)


def test_every_setting_is_tried() -> None:
    """A new setting needs values here."""
    assert [*SETTINGS] == [*settings_of_deploy()]


@pytest.mark.parametrize("path", SETTINGS)
def test_a_variable_goes_before_the_file(
    with_setting: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """It is read as its setting takes it: figures stay text where text is asked for; an empty one says nothing."""
    file, values = with_setting(path), SETTINGS[path]
    assert value(file, path) == values.file
    monkeypatch.setenv(variable(path), "")
    assert value(file, path) == values.file
    monkeypatch.setenv(variable(path), values.text)
    assert value(file, path) == values.read


@pytest.mark.parametrize("path", WITH_OPTION)
def test_an_option_goes_before_both(
    with_setting: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Whatever the file and the variable say."""
    values = SETTINGS[path]
    assert values.option
    monkeypatch.setenv(variable(path), values.text)
    assert value(with_setting(path), path, values.option) == values.chosen
    monkeypatch.delenv(variable(path))
    assert value(with_setting(path), path, values.option) == values.chosen


@pytest.mark.parametrize("path", SETTINGS)
def test_a_setting_changes_no_other(
    with_setting: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """What the file says of other settings stays."""
    for other, values in SETTINGS.items():
        if other != path:
            file = with_setting(other)
            monkeypatch.setenv(variable(path), SETTINGS[path].text)
            assert value(file, other) == values.file


@pytest.mark.parametrize("path", [path for path in SETTINGS if SETTINGS[path].wrong])
def test_a_wrong_value_is_told_with_its_variable(
    with_setting: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """In one line."""
    monkeypatch.setenv(variable(path), SETTINGS[path].wrong)
    with pytest.raises(InputError, match=rf"^{variable(path)}: ") as caught:
        settings(with_setting(path), Chosen())
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (Chosen(name="a b"), '--name: "a b" does not fit; write letters, digits and dashes, such as animal-classifier'),
        (Chosen(port=0), "--port: must be at least 1, not 0"),
        (Chosen(target="vm", port=65536), "--port: must be at most 65535, not 65536"),
        (
            Chosen(host="$(id)"),
            '--host: "$(id)" does not fit; write an IP address of this machine, such as 127.0.0.1 or ::1, or localhost',
        ),
        (
            Chosen(state="a\nb"),
            '--state: "a\\nb" does not fit; write one line of printable ASCII, without a dash at its beginning',
        ),
        (
            Chosen(target="ü"),
            '--target: "ü" does not fit; write one line of printable ASCII, without a dash at its beginning',
        ),
        (
            Chosen(azure=InAzure(tags=["team=a", "@x=1"])),
            '--tags: "@x" does not fit; write a name without any of <>%&\\?/, and without a dash or @ at its beginning',
        ),
        (
            Chosen(azure=InAzure(tags=["a=1", "A=2"])),
            '--tags: "a" and "A" are the same tag in Azure; leave one out',
        ),
        (
            Chosen(azure=InAzure(tags=["OpDeploy-Name=c"])),
            '--tags: "OpDeploy-Name" is one of opdeploy\'s own tags; take another name',
        ),
        (Chosen(azure=InAzure(tags=["a=1", "a=2"])), "--tags a=2: a has another value, too; leave one out"),
        (Chosen(azure=InAzure(tags=["a"])), "--tags a: has no value; write it as --tags NAME=VALUE"),
        (Chosen(azure=InAzure(tags=[f"a={'x' * 257}"])), "--tags: is longer than 256 characters; shorten it"),
        (
            Chosen(more=("webapp.app_settings=foo",)),
            "--set webapp.app_settings foo: has no value; write it as --set webapp.app_settings NAME=VALUE",
        ),
    ],
    ids=[
        *("name", "port", "port of a machine", "host", "state", "target", "tags"),
        *("tags that are one", "an own tag", "a tag twice", "a tag without a value", "a long tag", "no app setting"),
    ],
)
def test_a_wrong_value_is_told_with_its_option(write: Write, chosen: Chosen, said: str) -> None:
    """And with what to write, whatever the file and the variables say."""
    with pytest.raises(InputError) as caught:
        settings(write({"name": "a", "serving": {"pattern": "stream"}}), chosen)
    assert str(caught.value) == said


def test_the_option_is_told_where_a_variable_is_right(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source that is told is the one that counts."""
    monkeypatch.setenv("OPDEPLOY_LOCAL_PORT", "8000")
    file = write({"name": "a", "serving": {"pattern": "stream"}})
    with pytest.raises(InputError, match=r"^--port: "):
        settings(file, Chosen(port=-1))


@pytest.mark.parametrize("name", [name for name in NAMES.values() if name], ids=[key for key in NAMES if NAMES[key]])
def test_a_hostile_name_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """With the variable, or with file and line; that of an option is tried in tests/cli/test_plan_command.py."""
    bare = {"name": "a", "serving": {"pattern": "stream"}}
    file = write({**bare, "deploy": {"name": name}})
    with pytest.raises(InputError, match=r"workload\.yaml:1: deploy\.name: "):
        settings(file, Chosen())
    write(bare)
    monkeypatch.setenv("OPDEPLOY_NAME", name)
    with pytest.raises(InputError, match=r"^OPDEPLOY_NAME: "):
        settings(file, Chosen())


@pytest.mark.parametrize(
    "registry",
    ["a.example", "A.Example:5000", "a.example/team/of-one", "127.0.0.1:5000/a_b.c", "a.example/team/", "localhost"],
)
def test_a_registry_is_as_docker_names_it(monkeypatch: pytest.MonkeyPatch, registry: str) -> None:
    """A host, a port, and a path in lower case."""
    monkeypatch.setenv("OPDEPLOY_REGISTRY", registry)
    assert value(None, "registry") == registry


@pytest.mark.parametrize(
    "registry",
    [
        "a.example/Team",
        "a.example/-team",
        "-a.example",
        "a.example//team",
        "https://a.example",
        "a.example/team-",
        "a.example:port",
        "a.example:5000:1",
        "/a",
    ],
)
def test_what_docker_takes_for_no_registry_is_refused(monkeypatch: pytest.MonkeyPatch, registry: str) -> None:
    """Before an image is built that cannot be named so."""
    monkeypatch.setenv("OPDEPLOY_REGISTRY", registry)
    with pytest.raises(InputError, match=r"^OPDEPLOY_REGISTRY: .* write a registry as Docker names it, such as "):
        settings(None, Chosen())


OPTIONS = [
    path for path, values in SETTINGS.items() if values.wrong == ONE_LINE and path not in {"registry", "local.host"}
]


@pytest.mark.parametrize("path", [*OPTIONS, "registry", "local.host", "name", "kubernetes.namespace", "azure.location"])
@pytest.mark.parametrize("text", ["-x", "-oProxyCommand=id", "--help"])
def test_nothing_can_be_taken_for_an_option(monkeypatch: pytest.MonkeyPatch, path: str, text: str) -> None:
    """Of a command that it would stand in."""
    monkeypatch.setenv(variable(path), text)
    with pytest.raises(InputError, match=f"^{variable(path)}: "):
        settings(None, Chosen())


@pytest.mark.parametrize("path", ["keep", "local.port", "local.cpus", "vm.port"])
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 1000 + "]" * 1000, "1" * 5000])
def test_deep_json_is_refused(monkeypatch: pytest.MonkeyPatch, path: str, text: str) -> None:
    """As any other wrong value: in one line, which is not as long as what was said."""
    monkeypatch.setenv(variable(path), text)
    with pytest.raises(InputError, match=f"^{variable(path)}: must be ") as caught:
        settings(None, Chosen())
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("word", WORDS.values(), ids=list(WORDS))
@pytest.mark.parametrize("path", ["registry", "local.host"])
def test_a_hostile_word_is_refused(monkeypatch: pytest.MonkeyPatch, path: str, word: str) -> None:
    """What stands in a command of a README is nothing that a shell reads otherwise, and no option."""
    monkeypatch.setenv(variable(path), word)
    with pytest.raises(InputError, match=f"^{variable(path)}: "):
        settings(None, Chosen())


USELESS: dict[str, tuple[Chosen, tuple[str, ...]]] = {
    "all of this machine": (Chosen(target="local", port=80, host="127.0.0.1", more=("keep=2",)), ()),
    "Azure here": (Chosen(target="local", azure=InAzure(location="westeurope")), ("--location",)),
    "a container group": (
        Chosen(
            target="aci",
            port=80,
            host="::1",
            context="a",
            service_type="NodePort",
            azure=InAzure("g"),
            more=("webapp.sku=B1", "aci.cpus=2"),
        ),
        ("--set webapp.sku", "--port", "--host", "--context", "--service-type"),
    ),
    "a cluster": (Chosen(target="aks-cpu", context="a", port=80, more=("aci.cpus=2",)), ("--set aci.cpus",)),
    "a cluster that is made": (Chosen(target="aks-cpu", azure=InAzure("g"), more=("aks.tier=Free",)), ()),
    "a cluster of a context": (Chosen(target="aks-cpu", context="a", more=("aks.tier=Free",)), ("--set aks.tier",)),
    "a machine": (Chosen(target="vm", azure=InAzure("g"), more=("vm.host=box",)), ("--resource-group",)),
    "a machine that is made": (Chosen(target="vm", azure=InAzure("g"), port=80), ()),
}


@pytest.mark.parametrize("case", USELESS)
def test_an_option_that_means_nothing_is_named(
    with_setting: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """On any platform; a variable may be there for others, and so may what is in the file."""
    chosen, said = USELESS[case]
    monkeypatch.setenv("OPDEPLOY_CONTAINER_APPS_CPUS", "1")
    assert settings(with_setting("webapp.sku"), chosen).useless == said
