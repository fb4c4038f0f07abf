"""What the targets of Azure have in common. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from opdeploy.deployment import Found
from opdeploy.errors import NotFoundError
from opdeploy.targets.azure import steps
from opdeploy.targets.azure.kinds import GROUP, kind_of, name_of
from opdeploy.targets.azure.names import where
from opdeploy.targets.azure.shared import Resource, registry, shared
from opdeploy.targets.azure.staying import others
from opdeploy.targets.azure.vault import KIND as SECRET
from opdeploy.targets.azure.vault import secret_name
from opdeploy.targets.engine import making
from opdeploy.targets.engine.steps import HERE, cleared_here

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from pydantic import JsonValue

    from opdeploy.deployment import Observed
    from opdeploy.plan import Plan, Step
    from opdeploy.platform import NameRule
    from opdeploy.targets.azure.before import Before
    from opdeploy.targets.azure.questions import Question, Said
    from opdeploy.targets.azure.shared import Registry
    from opdeploy.targets.base import Reach, Wanted

VERSION = "version"
"""The kind of a version that is kept in the record, to be made so again."""


def kept(deployment: str, number: int) -> str:
    """Return the name of a version that is kept in the record."""
    return f"{deployment}.v{number}"


class AzureTarget(ABC):
    """A platform of Azure; a subclass says what it makes there, and in which order a version takes over."""

    ids: tuple[str, ...]
    rule: NameRule | None

    @abstractmethod
    def config(self, wanted: Wanted) -> str:
        """Return the digest of everything that decides how a version runs."""

    @abstractmethod
    def plan(self, wanted: Wanted, observed: Observed, number: int) -> Iterator[Step]:
        """Yield the steps that make a version current: a new one, or one that is there."""

    @abstractmethod
    def resources(self, wanted: Wanted) -> Iterator[Resource]:
        """Yield everything that a first version is made of."""

    def ground(self, wanted: Wanted, observed: Observed, version: Mapping[str, JsonValue] | None) -> Iterator[Step]:
        """Yield the steps after which that is there which every platform needs, and the image.

        `version` is what the record is to have of one that is not proven.
        """
        (target,) = self.ids
        facts = observed.facts
        needed = [*shared(wanted, target, facts)]
        yield from _put(needed, observed, is_group=True)
        if version:
            yield steps.begun(observed.deployment, version)
        yield from _key(wanted, observed, target)
        yield from _put(needed, observed, is_group=False)
        yield from image(wanted, registry(wanted, facts), facts, is_new=version is not None)

    def asks(self, before: Before) -> Iterator[Question | Said]:  # noqa: ARG002 - of subclasses
        """Yield what is asked of Azure before anything is made, beside what is asked for every platform."""
        yield from ()

    @abstractmethod
    def reach(self, observed: Observed, to: int) -> Reach:
        """Tell who reaches a kept version once it answers again."""

    def drift(self, observed: Observed) -> Iterator[Found]:
        """Yield what is not as it was made, and what is missing, as it should be."""
        for found in observed.found:
            if found.drift() and found.kind != VERSION:
                yield found
        yield from missing(observed)

    def teardown(self, observed: Observed) -> Iterator[Step]:
        """Yield the steps that delete everything that the deployment made, and nothing else."""
        return removed(observed)


def removed(observed: Observed) -> Iterator[Step]:
    """Yield the steps that delete everything that a deployment made in Azure, and nothing else."""
    made = [item for item in observed.found if item.made.get("id") and item.kind != VERSION]
    ordered = steps.order([item for item in made if item.kind != SECRET])
    yield from (steps.delete(item) for item in ordered if item.kind != GROUP.name)
    yield from (_dropped(item) for item in made if item.kind == SECRET)
    yield from closed(observed, made)


def closed(observed: Observed, made: Sequence[Found]) -> Iterator[Step]:
    """Yield the last steps of a removal, once all but the group is gone: that goes too, unless others use it."""
    if made:  # while there still is something by which an interrupted removal goes on
        yield from cleared_here(observed, None)
        yield steps.act(("note", observed.deployment), "azure.close", "remove the record", {}, action="delete")
    if not others(observed):
        yield from (steps.delete(item) for item in made if item.kind == GROUP.name)


def missing(observed: Observed) -> Iterator[Found]:
    """Yield what was made and is not there any more, as it should be."""
    gone = observed.facts.get("missing")
    for resource in gone if isinstance(gone, list) else ():
        kind = kind_of(str(resource))
        if kind:
            name = name_of(str(resource))
            yield Found(kind=kind.name, name=name, wanted={"exists": True}, properties={"exists": False})


def running(observed: Observed, kind: str) -> Observed:
    """Return a deployment as it should be, whose resources of a kind run."""
    found = (
        item.model_copy(update={"wanted": {**item.wanted, "state": "running"}}) if item.kind == kind else item
        for item in observed.found
    )
    return observed.model_copy(update={"found": tuple(found)})


def failed(undone: Plan | None, to: int) -> set[int]:
    """Return the number of the version whose plan failed before it had shown that it works, in a return to another."""
    number = undone.version if undone and undone.unproven else None
    return set() if number in {to, None} else {number or 0}


def returned(observed: Observed, to: int, undone: Plan | None, freed: Iterable[Step] = ()) -> Iterator[Step]:
    """Yield the last steps of a return to a version: it is noted, and one that failed is forgotten.

    `freed` are those that remove what had the version which failed.
    """
    current = observed.current
    if undone or not (current and current.number == to):
        yield steps.proven(observed.deployment, to, worked(observed))
    yield from freed
    yield from forgotten(observed, failed(undone, to))


def version_of(wanted: Wanted, number: int, config: str, runs: Resource) -> dict[str, JsonValue]:
    """Return what the record has of a version, which a resource runs."""
    return {
        "number": number,
        "config": config,
        "artefact": wanted.artefact,
        "image": wanted.image,
        "keyed": wanted.keyed,
        "resource": runs.id,
        "body": runs.body,
    }


def kept_as(observed: Observed, kind: str, number: int) -> Resource:
    """Return the resource that runs a version, as it was made.

    Raises NotFoundError where the record does not have it any more.
    """
    found = observed.of(VERSION, kept(observed.deployment, number))
    if found is None:
        raise NotFoundError(f"{observed.deployment}: the record has nothing of version {number} any more; deploy again")
    made: dict[str, Any] = found.made
    return Resource(kind, made["id"], made["body"])


def worked(observed: Observed) -> int | None:
    """Return the number of the version that has the requests; None where none has, or that never worked."""
    current = observed.current
    return current.number if current and current.proven else None


def rekeyed(observed: Observed) -> bool:
    """Tell whether what has the requests asks for another API key than the one that is known."""
    return _told(observed).get("fits") is False


def is_keyed(observed: Observed, number: int) -> bool:
    """Tell whether a version asks for an API key."""
    found = observed.of(VERSION, kept(observed.deployment, number))
    return found is not None and found.properties.get("keyed") is True


def forgotten(observed: Observed, numbers: Collection[int], image: str = "") -> Iterator[Step]:
    """Yield the step after which versions are kept no longer, with their images in the deployment's own registry.

    What another version has stays, and so does `image`, that of a version which is made now.
    """
    own = {item.name.lower() for item in observed.found if item.kind == "container registry"}
    gone = {item.image for item in observed.versions if item.number in numbers}
    stay = {image, *(item.image for item in observed.versions if item.number not in numbers)}
    if numbers:
        images = sorted(name for name in gone - stay if name.partition(".")[0].lower() in own)
        yield steps.forget(observed.deployment, sorted(numbers), images)


def old(observed: Observed, number: int, keep: int) -> list[int]:
    """Return the numbers of versions that are kept no longer once a version is current: the oldest, and failed ones."""
    others = [item.number for item in observed.versions if item.number != number and item.proven]
    dropped = others[: max(0, len(others) - keep + 1)]
    failed = [item.number for item in observed.versions if item.number != number and not item.proven]
    return sorted({*dropped, *failed})


def _put(needed: list[Resource], observed: Observed, *, is_group: bool) -> Iterator[Step]:
    for resource in needed:
        if (resource.kind == GROUP.name) == is_group:
            yield from steps.put(resource, observed.of(resource.kind, resource.id.rpartition("/")[2]))


def _key(wanted: Wanted, observed: Observed, target: str) -> Iterator[Step]:
    """Yield the steps after which the Key Vault has the API key, and the one before has it no more.

    It is the vault that is named, else the one that the record knows: what asks for a key, and where that is kept, are
    of one mind.
    """
    told = _told(observed)
    vault = wanted.settings.azure.key_vault or told.get("vault")
    if not (vault and wanted.keyed):
        return
    before = [item for item in observed.found if item.kind == SECRET and item.made["vault"] != vault]
    if before or told.get("kept") is not True:
        name = secret_name(where(wanted.settings, observed.deployment), target)
        yield _kept_in(str(vault), name, before=before[0].made["vault"] if before else None)
    yield from map(_dropped, before)


def keys(observed: Observed, to: int, undone: Plan | None) -> Iterator[Step]:
    """Yield the step after which the Key Vault has the API key that a version is rolled back with.

    In a return from what failed it has the key: what failed was made with it, if anything was.
    """
    told = _told(observed)
    if undone is None and told.get("vault") and told.get("kept") is False and is_keyed(observed, to):
        yield _kept_in(str(told["vault"]), str(told["secret"]))


def _told(observed: Observed) -> Mapping[str, JsonValue]:
    """Return what is known of the API key."""
    found = observed.facts.get("key")
    return found if isinstance(found, dict) else {}


def _kept_in(vault: str, name: str, *, before: JsonValue = None) -> Step:
    args: dict[str, JsonValue] = {"vault": vault, "name": name, **({"before": before} if before else {})}
    title = f"keep the API key in {vault}, as {name}"
    return steps.act((SECRET, name), "azure.keep_key", title, args, action="create")


def _dropped(secret: Found) -> Step:
    vault = secret.made["vault"]
    title = f"delete the API key from {vault}"
    args = {"vault": vault, "name": secret.name}
    return steps.act((SECRET, secret.name), "azure.drop_key", title, args, action="delete", timeout_s=steps.GONE_S)


def image(wanted: Wanted, at: Registry, facts: Mapping[str, JsonValue], *, is_new: bool) -> Iterator[Step]:
    """Yield the steps that build the image and bring it to its registry, unless that has it.

    Where nobody knows what the registry has, it is built for a new version alone.
    """
    name = wanted.image
    stored = facts.get("images")
    is_there = stored.get(name) if isinstance(stored, dict) else None
    if is_there or (is_there is None and not is_new):
        return
    if facts.get("builds") == "registry":
        title = f"build the image {name.partition('/')[2]} in {at.server}"
        args: dict[str, JsonValue] = {"name": name, "registry": at.id, "platform": wanted.platform}
        yield steps.act(("image", name), "azure.build", title, args, action="create", timeout_s=steps.BUILT_S)
        return
    yield making.build(name, f"build the image {name} here", HERE)
    if at.id is None:
        yield making.push(name, wanted.settings.registry or "a registry")
    else:
        title = f"push the image to {at.server}"
        args = {"name": name, "registry": at.id}
        yield steps.act(("registry", name), "azure.push", title, args, action="create", timeout_s=steps.BUILT_S)
