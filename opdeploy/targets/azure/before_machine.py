"""What is asked before a machine is made in Azure, and what of its settings cannot be. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from opdeploy.targets.azure import machines
from opdeploy.targets.azure.kinds import KINDS
from opdeploy.targets.azure.machine import INTERFACE, KIND, NOT_ALLOWED, OFFER, PUBLISHER, USER, body_of, fixed, image
from opdeploy.targets.azure.questions import Question, note, problem
from opdeploy.targets.azure.sizes import proposed, refusals, remarks
from opdeploy.targets.azure.subnets import subnet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from opdeploy.targets.azure.before import Before
    from opdeploy.targets.azure.questions import Said
    from opdeploy.targets.base import Wanted

_SYSTEM_GB = 1.0
"""Memory that the system and the engine have for themselves: a choice, as neither Ubuntu nor Docker says what it needs.
It keeps a machine from being taken whose memory the model would have to share with them to the last byte."""
_SIZE = "deploy.vm.size"
_ANYWHERE = {"0.0.0.0/0", "::/0"}
"""Ranges of all addresses."""


def questions(before: Before) -> Iterator[Question | Said]:
    """Yield what is asked of Azure, and what is known without asking."""
    vm = before.wanted.settings.vm
    if not vm.subnet and not vm.ssh_from:
        yield problem(
            "deploy.vm.ssh_from: Azure does not tell from which address you sign in; say which one SSH is let in from: "
            "--set vm.ssh_from=ADDRESS"
        )
    elif vm.ssh_from:
        open_to = "open to the whole internet" if vm.ssh_from in _ANYWHERE else f"let in from {vm.ssh_from} alone"
        yield note(f"SSH is {open_to}: another address with --set vm.ssh_from=ADDRESS")
    if vm.subnet and any(item.kind == INTERFACE for item in before.makes):
        yield subnet(vm.subnet, "deploy.vm.subnet")
    if vm.size is None:
        cpus, memory_gb = vm.cpus or 1.0, before.wanted.memory_gb + _SYSTEM_GB
        example = proposed(cpus, memory_gb, gpu=before.wanted.gpu)
        yield problem(f"{_SIZE}: names no size of a machine; name one: --set vm.size={example}")
        return
    yield from map(note, remarks(vm.size, _today()))
    made = body_of(before.observed, KIND, before.observed.deployment)
    was = made["properties"]["hardwareProfile"]["vmSize"] if made else None
    yield from map(problem, fixed(before.wanted, before.observed))
    if made is None and (vm.user or "").lower() in NOT_ALLOWED:
        yield problem(f"deploy.vm.user: Azure lets nobody be called {vm.user}; take another name, such as {USER}")
    if vm.size != was:
        yield from _sized(before, vm.size, was)


def _today() -> date:
    return datetime.now(UTC).date()


def _sized(before: Before, size: str, was: str | None) -> Iterator[Question | Said]:
    """Yield what is asked of the size that a machine is to have; `was` is that which it has, where it is there."""
    refused = refusals(size, _today(), gpu=before.wanted.gpu)
    yield from map(problem, refused)
    if refused or not before.at.location:
        return
    spot = before.wanted.settings.vm.priority == "Spot"
    offered = machines.question(before.at, [machines.Machines(size, 1, _SIZE, spot=spot, instead=was)])
    yield offered

    def able(answer: list[dict[str, Any]] | None) -> Iterator[Said]:
        for item in answer or ():
            if item.get("resourceType") == "virtualMachines" and item.get("name") == size:
                told = {str(each.get("name")): str(each.get("value")) for each in item.get("capabilities") or ()}
                yield from _incapable(before.wanted, size, told)

    yield offered._replace(about=f"what a {size} can do", judge=able)
    if was is None:
        yield _image(before, size)


def _incapable(wanted: Wanted, size: str, can: dict[str, str]) -> Iterator[Said]:
    if "V2" not in can.get("HyperVGenerations", "V2"):
        yield problem(f"{_SIZE}: {size} starts no image of the second generation, as Ubuntu's is; take a newer size")
    memory, needed = float(can.get("MemoryGB", "inf")), wanted.memory_gb + _SYSTEM_GB
    if memory < needed:
        yield problem(f"{_SIZE}: {size} has {memory:g} GB of memory, and {needed:g} are needed; take a larger one")
    if wanted.gpu and int(can.get("GPUs", "0")) < 1:
        yield problem(f"{_SIZE}: {size} has no GPU; take one such as Standard_NC4as_T4_v3")


def _image(before: Before, size: str) -> Question:
    location, sku = before.at.location, image(size)

    def judge(answer: list[dict[str, Any]] | None) -> Iterator[Said]:
        if not answer:
            shown = f"{PUBLISHER} {OFFER} {sku}"
            yield problem(f"{location} has no image of Ubuntu 24.04 ({shown}); take another region")

    compute = f"/subscriptions/{before.at.subscription}/providers/Microsoft.Compute/locations/{location}"
    path = f"{compute}/publishers/{PUBLISHER}/artifacttypes/vmimage/offers/{OFFER}/skus/{sku}/versions"
    return Question(f"the image of {location}", path, KINDS[KIND].api, judge, {"$top": "1"})
