"""Plans for a machine that is made in Azure, as data."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy import targets
from opdeploy.clients.ssh.destination import Destination, Known
from opdeploy.deploy.planning import to_deploy, to_remove, to_roll_back
from opdeploy.deploy_settings import Deploy, OnVm
from opdeploy.deployment import Found, Observed
from opdeploy.errors import OpdeployError
from opdeploy.targets.azure.before import Before
from opdeploy.targets.azure.before_machine import questions
from opdeploy.targets.azure.compare import flat, told
from opdeploy.targets.azure.first_boot import first_boot
from opdeploy.targets.azure.machine import KIND, RULES, fixed, names, resources
from opdeploy.targets.azure.names import where
from opdeploy.targets.azure.questions import Said
from opdeploy.targets.azure.sizes import is_arm, refusals, remarks, retired
from opdeploy.targets.azure.template import template
from tests.deploy.imagined import NAME, wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opdeploy.plan import Plan
    from opdeploy.targets.azure.questions import Question
    from opdeploy.targets.base import Wanted

KEY = "ssh-ed25519 AAAAkey"
GROUPS = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups"
OWN = f"{GROUPS}/models/providers/Microsoft.Network/virtualNetworks/{NAME}-net/subnets/machines"
SUBNET = f"{GROUPS}/n/providers/Microsoft.Network/virtualNetworks/n/subnets/s"
DAY = date(2026, 11, 26)
FACTS: dict[str, Any] = {"ssh_key": KEY, "machine": None}


def asked(gpu: bool = False, **vm: Any) -> Wanted:  # noqa: ANN401, FBT001, FBT002 - values of settings
    """Return what is wanted of a machine in Azure."""
    chosen = {"size": "Standard_D2s_v5", "ssh_from": "203.0.113.7", **vm}
    azure = {"resource_group": "models", "location": "westeurope"}
    settings = Deploy.model_validate({"target": "vm", "vm": chosen, "azure": azure})
    return wanted().model_copy(update={"settings": settings, "gpu": gpu})


def there(of: Wanted, state: str = "running", known: str | None = "ready", unreached: str | None = None) -> Observed:
    """Return everything in Azure as it was made, and nothing on the machine."""
    found = [
        Found(
            kind=item.kind,
            name=item.id.rpartition("/")[2],
            properties=told(item.body, item.body) | ({"state": state} if item.kind == KIND else {}),
            wanted=flat(item.body),
            made={"id": item.id, "body": item.body},
        )
        for item in resources(of, FACTS)
    ]
    facts = {**FACTS, "machine": known}
    return Observed(target="vm", deployment=NAME, found=tuple(found), facts=facts, unreached=unreached)


def planned(of: Wanted, observed: Observed | None = None) -> Plan:
    """Return the plan of a deployment."""
    seen = observed or Observed(target="vm", deployment=NAME, facts=FACTS)
    return to_deploy(targets.find("vm", settings=of.settings), of, seen, ())


def in_azure(plan: Plan) -> list[str]:
    """Return the calls that make a machine, each with what it is about."""
    return [f"{step.call} {step.kind}" for step in plan.steps if step.call.startswith(("azure.", "machine."))]


def body(of: Wanted, kind: str) -> dict[str, Any]:
    """Return the properties that a resource is made of."""
    return next(item.body["properties"] for item in resources(of, FACTS) if item.kind == kind)


def test_a_machine_is_made_before_what_runs_on_it() -> None:
    """In one plan, in the order in which each names what was made before."""
    plan = planned(asked())
    assert in_azure(plan) == [
        "azure.put resource group",
        "azure.put network security group",
        "azure.put virtual network",
        "azure.put public address",
        "azure.put network interface",
        "azure.put virtual machine",
        "machine.learn virtual machine",
        "machine.ready virtual machine",
    ]
    calls = [step.call for step in plan.steps]
    assert calls.index("machine.ready") < calls.index("image.build") < calls.index("docker.run_server")
    assert plan.first


def test_settings_say_whose_machine_it_is() -> None:
    """A host that is named is the user's own; else one is made where Azure is named."""
    made = Deploy.model_validate({"target": "vm", "azure": {"location": "westeurope"}})
    own = Deploy.model_validate({"target": "vm", "azure": {"location": "westeurope"}, "vm": {"host": "box"}})
    assert (made.makes_machine, own.makes_machine) == (True, False)
    assert not Deploy.model_validate({"target": "vm"}).makes_machine
    assert not Deploy.model_validate({"target": "aci", "azure": {"location": "westeurope"}}).makes_machine


@pytest.mark.parametrize(
    ("vm", "rules"),
    [
        ({}, {"ssh": ("22", "203.0.113.7")}),
        ({"ssh_port": 2222}, {"ssh": ("2222", "203.0.113.7")}),
        ({"ssh_from": None}, {"ssh": ("22", "VirtualNetwork")}),
        ({"listen": "0.0.0.0"}, {"ssh": ("22", "203.0.113.7"), "port": ("8000", "*")}),  # noqa: S104 - of the machine
        (
            {"listen": "0.0.0.0", "port": 80, "clients": "203.0.113.0/24"},  # noqa: S104 - likewise
            {"ssh": ("22", "203.0.113.7"), "port": ("80", "203.0.113.0/24")},
        ),
    ],
)
def test_nobody_is_let_in_but_who_is_named(vm: dict[str, Any], rules: dict[str, tuple[str, str]]) -> None:
    """The port is closed while it listens on 127.0.0.1 there; SSH is never open to everybody."""
    found = body(asked(**vm), RULES)["securityRules"]
    assert {
        rule["name"]: (rule["properties"]["destinationPortRange"], rule["properties"]["sourceAddressPrefix"])
        for rule in found
    } == rules


def test_a_machine_in_a_subnet_has_no_address_outside() -> None:
    """And no network of its own."""
    kinds = [item.kind for item in resources(asked(subnet=SUBNET, listen="0.0.0.0"), FACTS)]  # noqa: S104 - likewise
    assert kinds == ["resource group", "network security group", "network interface", "virtual machine"]


def test_the_machine_takes_its_disk_with_it() -> None:
    """It is Ubuntu 24.04, which only the user's key lets in, and has no identity."""
    of = asked()
    found = body(of, KIND)
    assert found["storageProfile"]["osDisk"]["deleteOption"] == "Delete"
    assert found["storageProfile"]["imageReference"] == {
        "publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"
    }  # fmt: skip
    linux = found["osProfile"]["linuxConfiguration"]
    assert linux["disablePasswordAuthentication"]
    assert linux["ssh"]["publicKeys"] == [{"path": "/home/azureuser/.ssh/authorized_keys", "keyData": KEY}]
    assert "identity" not in next(item.body for item in resources(of, FACTS) if item.kind == KIND)
    assert body(asked(size="Standard_D2ps_v5"), KIND)["storageProfile"]["imageReference"]["sku"] == "server-arm64"
    spot = body(asked(priority="Spot"), KIND)
    assert (spot["priority"], spot["evictionPolicy"], spot["billingProfile"]) == (
        "Spot",
        "Deallocate",
        {"maxPrice": -1},
    )


def test_the_first_start_installs_what_is_needed() -> None:
    """Docker; on a GPU its driver and the toolkit, and a second start; names are data, and no shell reads them."""
    text = b64decode(body(asked(user="ann"), KIND)["osProfile"]["customData"]).decode()
    assert text.startswith("#cloud-config\n")
    plain = json.loads(text.partition("\n")[2])
    assert plain["packages"] == ["docker.io", "docker-buildx"]
    assert plain["runcmd"] == [["usermod", "-aG", "docker", "ann"]]
    on_gpu = json.loads(first_boot("ann", ssh_port=2222, gpu=True).partition("\n")[2])
    assert ["ubuntu-drivers", "install"] in on_gpu["runcmd"]
    assert ["nvidia-ctk", "runtime", "configure", "--runtime=docker"] in on_gpu["runcmd"]
    assert on_gpu["power_state"]["mode"] == "reboot"
    assert on_gpu["write_files"][0]["content"] == "Port 2222\n"


def test_an_unchanged_machine_is_left_alone() -> None:
    """Whoever deploys now, with whichever key."""
    of = asked()
    seen = there(of)
    other = seen.model_copy(update={"facts": {**seen.facts, "ssh_key": "ssh-ed25519 another"}})
    assert in_azure(planned(of, seen)) == []
    assert in_azure(planned(of, other)) == []


def test_another_size_is_waited_for() -> None:
    """The machine starts again with it, and stays otherwise as it was made."""
    plan = planned(asked(size="Standard_D4s_v5"), there(asked()))
    assert in_azure(plan) == ["azure.put virtual machine", "machine.ready virtual machine"]
    (change,) = plan.steps[0].changes
    assert (change.property, change.after) == ("properties.hardwareProfile.vmSize", "Standard_D4s_v5")


@pytest.mark.parametrize(
    ("vm", "said"),
    [
        ({"disk_gb": 128}, "disk_gb: the machine was made with 64, which cannot become 128"),
        ({"user": "ann"}, "user: the machine was made with azureuser"),
        ({"priority": "Spot"}, "priority: the machine was made with Regular"),
        ({"size": "Standard_D2ps_v5"}, "has processors of another kind"),
        ({"ssh_port": 2222}, "ssh_port: the machine was made with 22, which cannot become 2222"),
        ({"subnet": SUBNET}, f"subnet: the machine is in {OWN}, and cannot move to another"),
        ({"gpu": True}, "gpu: the machine was made without the driver of a GPU"),
    ],
)
def test_what_cannot_be_changed_is_told(vm: dict[str, Any], said: str) -> None:
    """With what to do."""
    (line,) = fixed(asked(**vm), there(asked()))
    assert said in line
    assert line.endswith("remove the deployment, and deploy it again")


@pytest.mark.parametrize(
    "vm", [{}, {"ssh_port": 2222}, {"subnet": SUBNET}, {"gpu": True, "size": "Standard_NC4as_T4_v3"}]
)
def test_what_stays_is_not_told(vm: dict[str, Any]) -> None:
    """However ids are spelt; and a GPU's driver may stay unused."""
    assert [*fixed(asked(**vm), there(asked(**vm)))] == []
    assert [*fixed(asked(**{**vm, "gpu": False}), there(asked(**vm)))] == []
    if "subnet" in vm:
        assert [*fixed(asked(subnet=SUBNET.replace("/n/", "/N/")), there(asked(**vm)))] == []
    assert [*fixed(asked(**vm), Observed(target="vm", deployment=NAME))] == []


SKUS = [
    {
        "resourceType": "virtualMachines",
        "name": name,
        "family": "f",
        "capabilities": [{"name": "vCPUs", "value": "2"}, {"name": "MemoryGB", "value": memory}],
    }
    for name, memory in (("Standard_D2s_v5", "8"), ("Standard_D4s_v5", "16"), ("Standard_B1s", "1"))
]
FULL = [{"name": {"value": "f"}, "currentValue": 3, "limit": 3}]
SIZED: dict[str, tuple[dict[str, Any], bool, list[str]]] = {
    "as it is": ({}, True, []),
    "one that can be had": ({"size": "Standard_D4s_v5"}, True, []),
    "none there, and no quota": ({}, False, ["take 2 processors, and of the quota f in westeurope 0 of 3 are left"]),
    "retired": ({"size": "Standard_NC6"}, True, ["Standard_NC6 is retired since 2023-09-06"]),
    "not offered": ({"size": "Standard_D2s_v4"}, True, ["Standard_D2s_v4 is not offered in westeurope"]),
    "too little memory": ({"size": "Standard_B1s"}, True, ["has 1 GB of memory, and 2 are needed"]),
}


@pytest.mark.parametrize("case", SIZED)
def test_a_size_is_looked_at_before_a_machine_gets_it(case: str) -> None:
    """Whether it is a new machine or not; one of the same size keeps what it has."""
    vm, is_there, expected = SIZED[case]
    of = asked(**vm)
    observed = there(asked()) if is_there else Observed(target="vm", deployment=NAME, facts=FACTS)
    before = Before(of, where(of.settings, NAME), (), observed)
    problems = [said.text for said in answered(questions(before)) if said.stops]
    assert len(problems) == len(expected)
    assert all(part in text for part, text in zip(expected, problems, strict=True))


@pytest.mark.parametrize(
    ("ssh_from", "says"),
    [
        ("203.0.113.7", "SSH is let in from 203.0.113.7 alone"),
        ("0.0.0.0/0", "SSH is open to the whole internet"),
    ],
)
def test_who_may_log_in_is_said(ssh_from: str, says: str) -> None:
    """Everybody is not one address alone."""
    of = asked(ssh_from=ssh_from)
    before = Before(of, where(of.settings, NAME), (), there(asked()))
    assert [item.text for item in answered(questions(before)) if item.text.startswith(says)]


def answered(found: Iterable[Question | Said]) -> Iterator[Said]:
    """Yield what is said once everything is asked: of sizes, quotas and images."""
    for each in found:
        if isinstance(each, Said):
            yield each
        else:
            answer = next(known for end, known in ANSWERS.items() if each.path.endswith(end))
            yield from answered(each.judge(answer))


ANSWERS: dict[str, Any] = {"/skus": SKUS, "/usages": FULL, "/versions": [{"name": "1"}]}


@pytest.mark.parametrize(
    ("known", "calls"),
    [
        (None, ["machine.learn virtual machine", "machine.ready virtual machine"]),
        ("known", ["machine.ready virtual machine"]),
        ("ready", []),
    ],
)
def test_what_was_done_is_not_done_again(known: str | None, calls: list[str]) -> None:
    """However far an interrupted command came."""
    assert in_azure(planned(asked(), there(asked(), known=known))) == calls


def test_a_machine_that_is_not_reached_is_not_taken_for_an_empty_one() -> None:
    """What keeps it from being reached is mended, and nothing more: a failure would else remove all of it."""
    off = there(asked(), state="deallocated", unreached="it does not answer; see that it runs")
    plan = planned(asked(), off)
    assert [step.call for step in plan.steps] == ["machine.start", "machine.ready", "machine.again"]
    assert (plan.first, plan.before) == (False, None)
    moved = planned(asked(ssh_from="198.51.100.1"), there(asked(), unreached="it does not answer; see that it runs"))
    assert [step.call for step in moved.steps] == ["azure.put", "machine.again"]
    on = there(asked(), unreached="it does not answer; see that it runs")
    with pytest.raises(OpdeployError, match="it does not answer"):
        planned(asked(), on)
    with pytest.raises(OpdeployError, match="it does not answer"):
        to_roll_back(targets.find("vm", settings=asked().settings), on, None)


def test_a_removal_begins_with_what_answers() -> None:
    """And ends with the group; what is on the machine goes with it."""
    of = asked()
    made = there(of)
    disk = Found(kind="disk", name=f"{NAME}-disk", made={"id": names(where(of.settings, NAME))["disk"]})
    observed = made.model_copy(update={"found": (*made.found, disk)})
    plan = to_remove(targets.find("vm", settings=of.settings), observed)
    assert [(step.call, step.kind) for step in plan.steps] == [
        ("azure.delete", "virtual machine"),
        ("azure.delete", "disk"),
        ("azure.delete", "network interface"),
        ("azure.delete", "public address"),
        ("azure.delete", "virtual network"),
        ("azure.delete", "network security group"),
        ("copy.clear", "image here"),
        ("azure.close", "note"),
        ("azure.delete", "resource group"),
    ]


def test_drift_names_what_others_changed() -> None:
    """Each property; a machine that does not run, and what is gone."""
    of = asked()
    made = there(of, state="stopped", unreached="it does not answer; see that it runs")
    rules = made.of(RULES, f"{NAME}-rules")
    assert rules
    path = "properties.securityRules[ssh].properties.sourceAddressPrefix"
    wide = rules.model_copy(update={"properties": {**rules.properties, path: "*"}})
    gone = names(where(of.settings, NAME))["public address"]
    observed = made.model_copy(
        update={
            "found": tuple(wide if item is rules else item for item in made.found),
            "facts": {**made.facts, "missing": [gone]},
        }
    )
    found = [
        (item.name, change.property, change.after)
        for item in targets.find("vm", settings=of.settings).drift(observed)
        for change in item.drift()
    ]
    assert found == [(f"{NAME}-ip", "exists", False), (NAME, "state", "stopped"), (f"{NAME}-rules", path, "*")]


def test_the_template_makes_the_same() -> None:
    """Without opdeploy: the key is its parameter, and a subnet is named by its network."""
    made = template(resources(asked(), {}))
    assert made["parameters"] == {"sshKey": {"type": "secureString"}}
    interface = next(item for item in made["resources"] if item["type"].endswith("networkInterfaces"))
    subnet = interface["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"]
    assert subnet == f"[resourceId('Microsoft.Network/virtualNetworks/subnets', '{NAME}-net', 'machines')]"
    assert len(interface["dependsOn"]) == 3


@pytest.mark.parametrize(
    ("size", "day", "instead"),
    [
        ("Standard_NC6", "2023-09-06", "Standard_NC4as_T4_v3"),
        ("Standard_NC6s_v3", "2025-09-30", "Standard_NC24ads_A100_v4"),
        ("Standard_NC24rs_v3", "2025-09-30", "Standard_NC24ads_A100_v4"),
        ("Standard_NV12s_v3", "2026-09-30", "Standard_NV6ads_A10_v5"),
        ("Standard_NV4as_v4", "2026-09-30", "Standard_NV6ads_A10_v5"),
    ],
)
def test_a_retired_size_is_refused_with_its_successor(size: str, day: str, instead: str) -> None:
    """From the day on which it is retired."""
    (line,) = refusals(size, DAY, gpu=False)
    assert f"is retired since {day}; take {instead}" in line


@pytest.mark.parametrize(
    "size", ["Standard_DS15_v2", "Standard_F8s_v2", "Standard_B2s", "Standard_A2_v2", "Standard_L8s"]
)
def test_a_size_that_will_be_retired_is_told(size: str) -> None:
    """It can be had until then."""
    assert refusals(size, DAY, gpu=False) == []
    (line,) = remarks(size, DAY)
    assert "is retired from 2028" in line
    assert refusals(size, date(2029, 1, 1), gpu=False)


@pytest.mark.parametrize(
    "size",
    ["Standard_D2s_v5", "Standard_D2ps_v6", "Standard_B2s_v2", "Standard_NC4as_T4_v3", "Standard_F2as_v6",
     "Standard_E4s_v5", "Standard_NC24ads_A100_v4", "Standard_NV6ads_A10_v5", "Standard_D2s_v3", "Standard_L8s_v3"],
)  # fmt: skip
def test_nothing_is_said_of_a_size_that_stays(size: str) -> None:
    """No pattern of a retired one takes it as well."""
    assert retired(size) is None


@pytest.mark.parametrize(
    ("size", "can"),
    [
        ("Standard_NC4as_T4_v3", True),
        ("Standard_NC24ads_A100_v4", True),
        ("Standard_NC40ads_H100_v5", True),
        ("Standard_NV6ads_A10_v5", False),
        ("Standard_ND96isr_H100_v5", False),
        ("Standard_NC24lds_xl_RTXPRO6000BSE_v6", False),
        ("Standard_D2s_v5", False),
    ],
)
def test_a_gpu_is_one_whose_driver_is_installed(size: str, *, can: bool) -> None:
    """Else it says what to do."""
    said = refusals(size, DAY, gpu=True)
    assert (said == []) is can
    assert all("name it with deploy.vm.host" in line for line in said)


def test_a_size_tells_its_processors() -> None:
    """By its name alone."""
    sizes = ("Standard_D2ps_v5", "Standard_B2pls_v2", "Standard_D2s_v5", "Standard_E8-2ps_v6", "Standard_NP10s")
    assert [is_arm(size) for size in sizes] == [True, True, False, True, False]


def test_ssh_looks_for_the_host_key_in_one_file_alone() -> None:
    """Whose path may have spaces and percent signs; a person is told the same."""
    to = Destination.at("203.0.113.9", OnVm(user="ann"), Known(Path("/a b/50%/known_hosts"), "id-of-it"))
    said = to.options()
    assert 'UserKnownHostsFile="/a b/50%%/known_hosts"' in said
    assert {"GlobalKnownHostsFile=/dev/null", "HostKeyAlias=id-of-it", "HostKeyAlgorithms=ssh-ed25519"} <= {*said}
    assert "HostKeyAlias=id-of-it" in to.command("-N")
