"""Machines in Azure that cannot be made: each is told before anything is written, with what to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.arm import computers
from tests.azure.clouded import NOTES, Clouded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.arm.arm import Arm

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFCDKS7XaCB1BvyjdteKs5VX3F8VTHXfqCICnQ5nCq5w me@here\n"


@pytest.fixture
def project(tmp_path: Path, arm: Arm) -> Clouded:
    """Return a project with a key, whose machine is to be built on."""
    (tmp_path / "id").write_text("private")
    (tmp_path / "id.pub").write_text(KEY)
    vm = {"size": "Standard_D2s_v3", "ssh_from": "203.0.113.7", "build": "there", "identity_file": str(tmp_path / "id")}
    return Clouded(tmp_path, arm, "vm", {"vm": vm})


def refused(project: Clouded, **vm: Any) -> str:  # noqa: ANN401 - values of settings
    """Return how a deployment is refused; nothing was written before."""
    chosen = {**project.settings["vm"], **vm}
    project.workload(vm={name: value for name, value in chosen.items() if value is not None})
    before = len(project.arm.seen)
    done = project.run("deploy", "--yes", "--allow-plain-http")
    assert done.code, done.out
    writes = [item for item in project.arm.seen[before:] if item.method != "GET" and "/oauth2/" not in item.path]
    assert writes == []
    return done.err


@pytest.mark.parametrize(
    ("vm", "said"),
    [
        ({"identity_file": "/nowhere/id"}, "/nowhere/id.pub: no public key is there; make one with ssh-keygen"),
        ({"build": None}, "no Docker engine answers"),
    ],
)
def test_a_plan_tells_of_what_is_missing_here(project: Clouded, vm: dict[str, Any], said: str) -> None:
    """As a deployment does, which it would refuse: the key that is let in, and an engine that builds the image."""
    chosen = {**project.settings["vm"], **vm}
    project.workload(vm={name: value for name, value in chosen.items() if value is not None})
    project.variables["DOCKER_HOST"] = "unix:///nowhere"
    told = json.loads(project.run("plan", "-o", "json").out)
    assert said in " ".join(told["blocked"])
    assert len(told["blocked"]) == 1


@pytest.mark.parametrize(
    ("vm", "said"),
    [
        ({"size": None}, "deploy.vm.size: names no size of a machine; name one: --set vm.size=Standard_D2as_v5"),
        ({"size": "Standard_NC6"}, "Standard_NC6 is retired since 2023-09-06; take Standard_NC4as_T4_v3"),
        ({"size": "Standard_D2s_v33"}, "deploy.vm.size: Standard_D2s_v33 is not offered in westeurope; there are: "),
        ({"gpu": True}, "has no GPU whose driver opdeploy installs"),
        ({"user": "root"}, "deploy.vm.user: Azure lets nobody be called root"),
        ({"ssh_from": None}, "deploy.vm.ssh_from: Azure does not tell from which address you sign in"),
        ({"identity_file": "/nowhere/id"}, "/nowhere/id.pub: no public key is there; make one with ssh-keygen"),
    ],
)
def test_settings_are_refused(project: Clouded, vm: dict[str, Any], said: str) -> None:
    """By what they say, and by what Azure tells of sizes and of who signs in."""
    assert said in refused(project, **vm)


def test_a_plan_of_a_new_machine_is_carried_out_as_it_stands(project: Clouded) -> None:
    """For it has the public key that the machine is given."""
    planned = project.run("plan", "--out", "plan.json")
    assert planned.code == 0, planned.err
    done = project.run("apply", "plan.json")
    assert "[6/17] make the virtual machine net (Standard_D2s_v3, a disk of 64 GB): " in done.err
    assert "its host key" in done.err.splitlines()[-1]  # which the stand-in does not tell without a machine of its own


def test_a_size_that_is_not_for_the_subscription_is_refused(project: Clouded) -> None:
    """With what to do."""
    project.arm.restricted.add("Standard_D2s_v3")
    assert (
        "deploy.vm.size: Standard_D2s_v3 in westeurope: your subscription gets none of them; take another size"
        in refused(project)
    )


def test_a_quota_that_is_used_up_is_told(project: Clouded, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of GPUs at first, and as that of all sizes together."""
    monkeypatch.setattr(computers, "CORES", 1)
    said = refused(project)
    assert "1 of Standard_D2s_v3 take 2 processors" in said
    assert "1 of 1 are left; ask for more in the portal" in said


def test_too_little_memory_is_told(project: Clouded, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system takes some for itself."""
    monkeypatch.setitem(computers.SIZES, "Standard_D2s_v3", ("standardDSv3Family", 2, 1, 0))
    assert "has 1 GB of memory, and 1.5 are needed; take a larger one" in refused(project)


def test_a_key_that_azure_does_not_take_is_refused(project: Clouded) -> None:
    """Before anything is made."""
    (project.folder / "id.pub").write_text("ecdsa-sha2-nistp256 AAAA\n")
    assert "is no key that Azure takes; make one with ssh-keygen -t ed25519" in refused(project)


def test_ssh_is_let_in_from_where_the_user_signed_in(project: Clouded) -> None:
    """As the token tells it; the plan says so."""
    project.arm.signed_in_from = "198.51.100.7"
    project.workload(vm={name: value for name, value in project.settings["vm"].items() if name != "ssh_from"})
    told = project.run("plan", "-o", "json")
    assert told.code == 0, told.err
    (rules,) = (step for step in told.json["steps"] if step["kind"] == "network security group")
    (rule,) = rules["args"]["body"]["properties"]["securityRules"]
    assert rule["properties"]["sourceAddressPrefix"] == "198.51.100.7"
    assert any(note.startswith("SSH is let in from 198.51.100.7 alone") for note in told.json["notes"])


def test_files_are_made_of_it(project: Clouded) -> None:
    """Without asking Azure: a template with the machine, and how to use it."""
    done = project.run("render", "-d", "files")
    assert done.code == 0, done.err
    assert "virtualMachines" in (project.folder / "files" / "template.json").read_text()
    assert "az deployment group create" in (project.folder / "files" / "README.md").read_text()


def test_doctor_looks_for_what_a_machine_is_made_with(project: Clouded) -> None:
    """The key, and what builds."""
    found = {item["what"]: item["state"] for item in project.run("doctor", "-o", "json").json}
    assert found["public key"] == "ok"
    (project.folder / "id.pub").unlink()
    assert project.run("doctor").code == 1


def test_what_is_asked_for_every_platform_is_asked_too(project: Clouded) -> None:
    """Whether one may make machines, and have their agents tell something."""
    project.arm.allow("*", but=("Microsoft.Compute/virtualMachines/runCommand/action",))
    assert "Microsoft.Compute/virtualMachines/runCommand/action" in refused(project)


def test_a_plan_shows_every_request(project: Clouded) -> None:
    """In order, with the command that does the same; the record is written before each resource is made."""
    project.workload(vm=project.settings["vm"])
    told = project.run("plan", "--calls", "-o", "json")
    assert told.code == 0, told.err
    made = [call for call in told.json if NOTES not in call["path"].lower()]
    assert [(call["method"], call["path"].split("/")[-2]) for call in made[1:]] == [
        ("PUT", "resourceGroups"),
        ("PUT", "networkSecurityGroups"),
        ("PUT", "virtualNetworks"),
        ("PUT", "publicIPAddresses"),
        ("PUT", "networkInterfaces"),
        ("PUT", "virtualMachines"),
        ("POST", "net"),
    ]
    assert made[-1]["body"]["script"] == ["cat /etc/ssh/ssh_host_ed25519_key.pub"]
    assert made[-1]["az"].startswith("az rest --method post")
