"""What is asked before anything is made in Azure, whatever the platform: a table of questions. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from opdeploy.errors import nearest
from opdeploy.targets.azure import rights, rules, wants
from opdeploy.targets.azure.kinds import GROUP, KINDS, kind_of, name_of
from opdeploy.targets.azure.questions import Question, note, problem
from opdeploy.targets.azure.record import OWNER
from opdeploy.targets.azure.shared import ACR_PULL, REPOSITORY_READER, Resource, registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opdeploy.deploy_settings import Deploy
    from opdeploy.deployment import Observed
    from opdeploy.plan import Step
    from opdeploy.targets.azure.names import Where
    from opdeploy.targets.azure.questions import Said
    from opdeploy.targets.azure.shared import Registry
    from opdeploy.targets.base import Wanted

_SUBSCRIPTIONS = "2022-12-01"
"""The version of the interface to subscriptions (azure-mgmt-resource-subscriptions 1.0.0, read 2026-11-26)."""
_LOCKS = "2016-09-01"
"""That to locks (learn.microsoft.com/rest/api/resources/management-locks, read 2026-11-26)."""
_REGISTRIES = (".azurecr.io", ".azurecr.us", ".azurecr.cn")
"""How the names of Azure's registries end."""
_PULLS_TOO = (
    "8311e382-0749-4cb8-b61a-304f252e45ec",
    "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
)
"""Ids of AcrPush, Contributor and Owner, who may pull as well (learn.microsoft.com/azure/role-based-access-control/
built-in-roles, of 2025-06-30, read 2026-11-26)."""
_FIXED = ("location", "properties.environmentId")
"""What no resource can change (learn.microsoft.com/azure/azure-resource-manager/troubleshooting/
common-deployment-errors, of 2024-06-20, InvalidResourceLocation and PropertyChangeNotAllowed, read 2026-11-26)."""
_TAG = re.compile(r"(?:properties\.)?tags\.(.+)")
"""A property that is a tag; those of nodes are in another place."""
_FREE = frozenset({"Microsoft.Authorization", "Microsoft.Resources"})
"""Providers that need no registration (learn.microsoft.com/azure/azure-resource-manager/management/
resource-providers-and-types, read 2026-11-26)."""


class Asking(Protocol):
    """What makes a deployment of steps, and has questions of its own."""

    def config(self, wanted: Wanted) -> str:
        """Return the digest of everything that decides how a version runs."""

    def plan(self, wanted: Wanted, observed: Observed, number: int) -> Iterator[Step]:
        """Yield the steps that make a version current."""

    def asks(self, before: Before) -> Iterator[Question | Said]:
        """Yield what is asked of Azure before anything is made, beside what is asked for every platform."""


class Before(NamedTuple):
    """What is planned, before anything of it is made."""

    wanted: Wanted
    at: Where
    steps: tuple[Step, ...]
    observed: Observed

    @property
    def makes(self) -> list[Resource]:
        """The resources that the steps make, or change."""
        puts = [step for step in self.steps if step.call in rights.PUTS]
        return [_resource(step.kind, step.args) for step in puts]

    @property
    def fresh(self) -> list[Resource]:
        """The resources that are made, and are not there yet."""
        made = {step.args["resource"] for step in self.steps if step.call in rights.PUTS and step.action == "create"}
        return [item for item in self.makes if item.id in made]

    def new(self, kind: str) -> list[Resource]:
        """Return those of a kind."""
        return [item for item in self.fresh if item.kind == kind]

    @property
    def is_there(self) -> bool:
        """Whether the group is there."""
        return isinstance(self.observed.facts.get("group"), dict)


def _resource(kind: str, args: Mapping[str, Any]) -> Resource:
    return Resource(kind, str(args["resource"]), args["body"])


def keeps_in_group(settings: Deploy) -> bool:
    """Tell whether notes and lock are kept in the resource group, and not where `deploy.state` is an address."""
    return "://" not in (settings.state or "")


def to_ask(target: Asking, wanted: Wanted, at: Where, observed: Observed) -> Iterator[Question | Said]:
    """Yield everything that is asked before a target's steps, and what is known without asking."""
    steps = target.plan(wanted, observed, observed.number_of(target.config(wanted)))
    before = Before(wanted, at, tuple(steps), observed)
    for each in _TABLE:
        yield from each(before)
    for each in (_wants, target.asks):
        yield from _in_region(before, each)


def _subscription(before: Before) -> Iterator[Question]:
    name = before.at.subscription

    def judge(answer: dict[str, Any] | None) -> Iterator[Said]:
        state = (answer or {}).get("state")
        if state in {"Disabled", "Warned", "PastDue", "Deleted"}:
            todo = "enable it in the portal, or name another with --subscription"
            stops = state in {"Disabled", "Deleted"}
            yield (problem if stops else note)(f"subscription {name}: is {str(state).lower()}; {todo}")

    yield Question(f"subscription {name}", f"/subscriptions/{name}", _SUBSCRIPTIONS, judge)


def _region(before: Before) -> Iterator[Question | Said]:
    location = before.at.location
    if not location:
        yield problem("deploy.azure.location: no region is named; name one with --location, such as westeurope")
        return

    def judge(answer: list[dict[str, Any]] | None) -> Iterator[Question | Said]:
        known = [str(item["name"]) for item in answer or ()]
        if known and location not in known:
            yield problem(f"deploy.azure.location: {location} is no region of yours{nearest(location, known)}")
        else:
            yield from _providers(before)

    yield _regions(before, judge)


def _regions(before: Before, judge: Callable[[Any], Iterator[Question | Said]]) -> Question:
    path = f"/subscriptions/{before.at.subscription}/locations"
    return Question("which regions there are", path, _SUBSCRIPTIONS, judge, is_list=True)


def _in_region(before: Before, asks: Callable[[Before], Iterator[Question | Said]]) -> Iterator[Question | Said]:
    """Yield what is asked; of a region that there is not, nothing: what it offers is not worth a line."""

    def judge(answer: list[dict[str, Any]] | None) -> Iterator[Question | Said]:
        known = [str(item["name"]) for item in answer or ()]
        is_there = not known or before.at.location in known
        yield from asks(before if is_there else before._replace(at=before.at._replace(location="")))

    if before.at.location:
        yield _regions(before, judge)
    else:
        yield from asks(before)


def _group(before: Before) -> Iterator[Question | Said]:
    at = before.at

    def judge(answer: dict[str, Any] | None) -> Iterator[Question | Said]:
        if answer is None:
            return
        if (answer.get("properties") or {}).get("provisioningState") == "Deleting":
            yield problem(
                f"resource group {at.group}: is being removed; wait until it is gone, or take another with "
                f"--resource-group"
            )
            return
        yield from _locks(before)

    yield Question(f"resource group {at.group}", at.group_id, GROUP.api, judge)


def _locks(before: Before) -> Iterator[Question]:
    at = before.at
    removes = [step for step in before.steps if step.call == "azure.delete"]

    def judge(answer: list[dict[str, Any]] | None) -> Iterator[Said]:
        for item in answer or ():
            level = str((item.get("properties") or {}).get("level"))
            said = f"resource group {at.group}: the lock {item.get('name')} ({level})"
            todo = f"remove it with: az lock delete --ids {item.get('id')}, or take another group"
            if level == "ReadOnly":
                yield problem(f"{said} lets nothing be made there; {todo}")
            elif level == "CanNotDelete" and removes:
                yield problem(f"{said} lets nothing be removed there, and the plan has to {removes[0].title}; {todo}")
            elif level == "CanNotDelete":
                yield note(f"{said} lets nothing be removed there again; {todo}")

    path = f"{at.group_id}/providers/Microsoft.Authorization/locks"
    yield Question(f"which locks resource group {at.group} has", path, _LOCKS, judge, is_list=True)


def _providers(before: Before) -> Iterator[Question]:
    at = before.at
    kinds: dict[str, set[str]] = {}
    for item in before.makes:
        kind = KINDS[item.kind]
        if kind.provider not in _FREE:
            kinds.setdefault(kind.provider, set()).add(kind.type.partition("/")[2])
    for provider, types in sorted(kinds.items()):
        path = f"/subscriptions/{at.subscription}/providers/{provider}"
        judge = _judge_provider(provider, types, at)
        yield Question(f"provider {provider}", path, GROUP.api, judge)


def _judge_provider(provider: str, types: set[str], at: Where) -> Callable[[Any], Iterator[Question | Said]]:
    def judge(answer: dict[str, Any] | None) -> Iterator[Question | Said]:
        if answer is None:
            yield problem(f"provider {provider}: this cloud does not have it; take another platform")
            return
        if answer.get("registrationState") not in {"Registered", "Registering"}:
            yield _registers(provider, at)
        offers = {str(item["resourceType"]).lower(): item for item in answer.get("resourceTypes") or ()}
        for name in sorted(types):
            places = [str(place) for place in (offers.get(name.lower()) or {}).get("locations") or ()]
            regions = {place.lower().replace(" ", ""): place for place in places}
            if at.location and regions and at.location not in regions:
                offered = ", ".join(sorted(regions))
                yield problem(f"{provider}/{name}: is not offered in {at.location}; take one of: {offered}")

    return judge


def _registers(provider: str, at: Where) -> Question:
    """Return the question whether a provider may be registered: SDKs of Azure do so with the first thing they make."""
    scope, action = f"/subscriptions/{at.subscription}", f"{provider}/register/action"

    def judge(answer: list[dict[str, Any]] | None) -> Iterator[Said]:
        if rights.allowed(answer or [], action):
            yield note(f"provider {provider}: is not registered in the subscription yet; it is with the first write")
        else:
            yield problem(
                f"provider {provider}: is not registered in the subscription, and you may not register it; have "
                f"somebody do it who is a Contributor there: az provider register --namespace {provider}"
            )

    return rights.question(scope, ())._replace(judge=judge)


def _stays(before: Before) -> Iterator[Said]:
    """Yield what of a deployment would have to move, once for all of its resources."""
    name = before.observed.deployment
    for change in (change for step in before.steps for change in step.changes):
        if change.property in _FIXED and change.before is not None:
            what = change.property.rpartition(".")[2]
            back = f"say --location {change.before}, or " if what == "location" else ""
            yield problem(
                f"{name}: {what} is {change.before} and cannot become {change.after}; {back}remove it first, or deploy "
                "it under another --name"
            )


def _untagged(before: Before) -> Iterator[Said]:
    """Yield which tags are taken away, as they are of whoever does not give them again."""
    gone = (change.property for step in before.steps for change in step.changes if change.after is None)
    names = sorted({tag[1] for tag in map(_TAG.fullmatch, gone) if tag})
    if names:
        yield note(
            f"tags are taken away that are there: {', '.join(names)}; to keep them, say them again (--tags, and "
            f"azure.owner for {OWNER}), or write them into the workload file"
        )


def _names(before: Before) -> Iterator[Question | Said]:
    for item in before.makes:
        yield from rules.misnamed(item)
    for kind in rules.SHARED:
        for item in before.new(kind):
            yield from rules.taken(item, before.at)


def _registry(before: Before) -> Iterator[Said]:
    """Yield that the image would be in a registry of Azure that the subscription does not have."""
    found = registry(before.wanted, before.observed.facts)
    builds = any(step.call == "azure.build" for step in before.steps)
    if found.id is None and (builds or found.server.endswith(_REGISTRIES)):
        does = "builds the image" if builds else "gives it its image"
        yield problem(
            f"deploy.registry: {found.server} is no registry of the subscription that you may see, and so none that "
            f"{does}; name one that is, with --registry, or leave it out: one is made"
        )


def _named(before: Before) -> Iterator[Question]:
    """Yield whether what is named in the settings is there."""
    for name in _foreign(before):
        kind = kind_of(name)
        if kind is None or kind is GROUP:
            continue
        yield Question(f"{kind.name} {name_of(name)}", name, kind.api, _judge_named(name, before))


def _foreign(before: Before) -> list[str]:
    own = {item.id.lower() for item in before.makes} | {
        str(item.made.get("id", "")).lower() for item in before.observed.found
    }
    chosen = [before.wanted.settings.azure.identity]
    return [name for name in chosen if name and name.lower() not in own]


def _judge_named(name: str, before: Before) -> Callable[[Any], Iterator[Question | Said]]:
    def judge(answer: dict[str, Any] | None) -> Iterator[Question | Said]:
        if answer is None:
            yield problem(f"deploy.azure.identity: {name} is not there, or you may not see it; name another")
            return
        found = registry(before.wanted, before.observed.facts)
        principal = (answer.get("properties") or {}).get("principalId")
        if found.id and principal:
            yield _pulls(name_of(name), str(principal), found)

    return judge


def _pulls(identity: str, principal: str, at: Registry) -> Question:
    """Return the question whether an identity may pull from a registry, of which nobody else would see to it."""
    fitting = {REPOSITORY_READER} if at.by_attributes else {ACR_PULL, *_PULLS_TOO}
    role = "Container Registry Repository Reader" if at.by_attributes else "AcrPull"

    def judge(answer: list[dict[str, Any]] | None) -> Iterator[Said]:
        given = {name_of(str((item.get("properties") or {}).get("roleDefinitionId"))) for item in answer or ()}
        if not given & fitting:
            todo = f'az role assignment create --assignee {principal} --role "{role}" --scope {at.id}'
            yield note(f"identity {identity}: has no role that lets it pull from {at.server}; give it one: {todo}")

    path = f"{at.id}/providers/Microsoft.Authorization/roleAssignments"
    query = {"$filter": f"assignedTo('{principal}')"}
    return Question(f"what identity {identity} may do in {at.server}", path, rights.API, judge, query, is_list=True)


def _wants(before: Before) -> Iterator[Question]:
    return wants.questions(before.fresh, before.at) if before.at.location else iter(())


def _rights(before: Before) -> Iterator[Question]:
    in_group = keeps_in_group(before.wanted.settings)
    wanted = rights.needed(before.steps, before.at, is_there=before.is_there, in_group=in_group)
    yield from rights.questions(wanted, before.at, is_there=before.is_there)


_TABLE: tuple[Callable[[Before], Iterator[Question | Said]], ...] = (
    _subscription,
    _region,
    _group,
    _stays,
    _untagged,
    _names,
    _registry,
    _named,
    _rights,
)
