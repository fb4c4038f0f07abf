"""Whether a subnet that is named is there, and is for what would be in it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.targets.azure.kinds import KINDS, name_of
from opdeploy.targets.azure.questions import Question, problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.targets.azure.questions import Said


def subnet(resource: str, setting: str, delegated: str | None = None) -> Question:
    """Return the question whether a subnet can be used.

    `setting` names it, such as deploy.aci.subnet; `delegated` is the type that it has to be delegated to, where one is.
    """
    name = name_of(resource)

    def judge(answer: dict[str, Any] | None) -> Iterator[Said]:
        if answer is None:
            yield problem(f"{setting}: {name} is not there, or you may not see it; name another")
            return
        own = answer.get("properties") or {}
        given = [str((item.get("properties") or {}).get("serviceName")) for item in own.get("delegations") or ()]
        if delegated and delegated.lower() not in [item.lower() for item in given]:
            todo = f"delegate it with: az network vnet subnet update --ids {resource} --delegations {delegated}"
            yield problem(f"{setting}: {name} is not delegated to {delegated}; {todo}")

    return Question(f"subnet {name}", resource, KINDS["virtual network"].api, judge)
