"""What Container Instances has in a region, and how much of it is left. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.targets.azure.kinds import KINDS
from opdeploy.targets.azure.questions import Question, problem
from opdeploy.targets.azure.subnets import subnet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.targets.azure.before import Before
    from opdeploy.targets.azure.questions import Said
    from opdeploy.targets.azure.shared import Resource

KIND = KINDS["container group"]


def questions(before: Before) -> Iterator[Question | Said]:
    """Yield what is asked of a region, and what no region gives."""
    yield from _together(before)
    groups = [item for item in before.makes if item.kind == KIND.name]
    if not (groups and before.at.location):
        return
    yield _capabilities(before, groups[0])
    if new := before.new(KIND.name):
        yield _usages(before, new)
    if chosen := before.wanted.settings.aci.subnet:
        yield subnet(chosen, "deploy.aci.subnet", KIND.type)


def _together(before: Before) -> Iterator[Said]:
    """Yield what Container Instances does not take together.

    learn.microsoft.com/azure/container-instances/: container-instances-spot-containers-overview of 2025-11-17,
    container-instances-virtual-network-concepts of 2026-07-25, read 2026-11-26.
    """
    chosen = before.wanted.settings.aci
    if chosen.priority == "Spot":
        yield problem(
            "deploy.aci.priority: Spot groups have no address, neither a public one nor one in a subnet, so nothing "
            "would reach the model; take Regular, or container-apps, which costs nothing while nobody asks"
        )
    if chosen.subnet and chosen.dns_label:
        yield problem("deploy.aci.dns_label: a group in a subnet has no public name; leave out dns_label, or subnet")
    if chosen.subnet and f"/subscriptions/{before.at.subscription}/".lower() not in chosen.subnet.lower():
        yield problem("deploy.aci.subnet: is in another subscription than the group would be; name one of its own")


def _asked(group: Resource) -> tuple[float, float]:
    """Return the processors and the memory in GB that a group asks for."""
    wants = [item["properties"]["resources"]["requests"] for item in group.body["properties"]["containers"]]
    return sum(item["cpu"] for item in wants), sum(item["memoryInGB"] for item in wants)


def _capabilities(before: Before, group: Resource) -> Question:
    location = before.at.location
    cpus, memory = _asked(group)
    address = str(group.body["properties"]["ipAddress"]["type"])

    def judge(answer: list[dict[str, Any]] | None) -> Iterator[Said]:
        linux = [item for item in answer or () if item.get("osType") == "Linux" and item.get("gpu") in {"None", None}]
        fitting = [item for item in linux if item.get("ipAddressType") == address] or linux
        if not fitting:
            yield problem(f"container groups: {location} has none for Linux; take another region with --location")
            return
        most = fitting[0].get("capabilities") or {}
        if cpus > float(most.get("maxCpu", cpus)):
            yield problem(f"deploy.aci.cpus: {cpus:g} are wanted, and {location} gives {most['maxCpu']:g}; lower it")
        if memory > float(most.get("maxMemoryInGB", memory)):
            yield problem(
                f"hardware.memory_gb: {memory:g} are wanted, and {location} gives {most['maxMemoryInGB']:g} to a "
                "container group; take a platform that gives more, such as vm"
            )

    return Question(
        f"what {location} gives to a container group", _path(before, "capabilities"), KIND.api, judge, is_list=True
    )


def _usages(before: Before, new: list[Resource]) -> Question:
    """Return the question whether the quota is enough: for one group at a time, since a trial goes before it stays."""
    location = before.at.location
    cpus = max(_asked(item)[0] for item in new)
    needs = {"ContainerGroups": (1.0, "container groups"), "StandardCores": (cpus, "processors of container groups")}

    def judge(answer: list[dict[str, Any]] | None) -> Iterator[Said]:
        for item in answer or ():
            want, said = needs.get(str((item.get("name") or {}).get("value")), (0.0, ""))
            limit, used = float(item["limit"]), float(item["currentValue"])
            if want > limit - used:
                left = f"{max(0.0, limit - used):g} of {limit:g}"
                yield problem(
                    f"quota of {said} in {location}: {want:g} more are wanted, and {left} are left; ask for more "
                    "in the portal, remove what is not needed, or take another region"
                )

    return Question(f"the quota of {location}", _path(before, "usages"), KIND.api, judge, is_list=True)


def _path(before: Before, what: str) -> str:
    return f"/subscriptions/{before.at.subscription}/providers/{KIND.provider}/locations/{before.at.location}/{what}"
