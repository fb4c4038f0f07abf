"""Where deployments live in Azure: they are looked at, locked, and reached."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pydantic import ValidationError

from opdeploy import targets
from opdeploy.clients.azure import seen
from opdeploy.clients.azure.asking import asked
from opdeploy.clients.azure.keys import Keys
from opdeploy.clients.azure.notes import keeps
from opdeploy.clients.azure.others import contents, others
from opdeploy.clients.azure.runs import runs
from opdeploy.errors import InputError, OpdeployError, unknown_key
from opdeploy.targets.azure.before import to_ask
from opdeploy.targets.azure.kinds import KINDS, PROVIDERS, group_id, group_of, name_of
from opdeploy.targets.azure.names import Where, completed, own_group, tags, where
from opdeploy.targets.azure.record import NAME, TARGET, Record
from opdeploy.targets.azure.target import AzureTarget

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic import JsonValue

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.clients.azure.registry import Registries
    from opdeploy.clients.azure.runs import Runs
    from opdeploy.deploy_settings import Deploy
    from opdeploy.deployment import Lock, Observed
    from opdeploy.targets.azure.before import Asking
    from opdeploy.targets.azure.questions import Said
    from opdeploy.targets.base import Wanted


class Place:
    """A subscription, and what of it is looked at."""

    def __init__(
        self,
        arm: Arm,
        settings: Deploy,
        target: str,
        images: Registries,
        *,
        key: str | None = None,
        run: Runs | None = None,
    ) -> None:
        """Take a connection, the settings, the platform, where images are, a known API key, and what runs versions."""
        self._arm = arm
        self._settings = settings
        self._target = target
        self._images = images
        self._runs = run or runs(arm, target)
        self._keys = Keys(arm.session, target, key, self._runs.api_key)
        self._notes = keeps(arm, settings.state)
        self._whole = settings
        self._at: Where | None = None
        """Where the deployment is that was looked at last."""
        self._seen: Observed | None = None
        """What was there when it was looked at last."""
        self._kept: Record | None = None
        """The record that was written last, which is not always to be seen at once."""
        self._said: tuple[Wanted, list[Said]] | None = None
        """What was found out before anything was made, and for what."""
        self._has_made: str | None = None
        """Id of the resource group that was made for the lock."""

    def where(self, deployment: str) -> Where:
        """Return where a deployment is: in the group that is named, else in the one that has it, else in its own.

        Raises InputError where several groups have one of that name.
        """
        if self._at is None or self._at.deployment != deployment:
            self._at = self._enter(deployment)
        return self._at

    def _enter(self, deployment: str, group: str | None = None) -> Where:
        """Look at a deployment from now on, in a group that is known or is to be found."""
        self._whole = self.completed(deployment, group)
        self._at = where(self._whole, deployment)
        return self._at

    def completed(self, deployment: str, group: str | None = None) -> Deploy:
        """Return the settings with what is not named in them: subscription, group, region and registry."""
        chosen = self._settings.azure
        group_name = chosen.resource_group or group or self._home(deployment)
        known = {"subscription": self._arm.session.subscription, "resource_group": group_name}
        if not chosen.location and group_name:
            home = self._arm.find(group_id(known["subscription"], group_name))
            known |= {"location": home["location"]} if home else {}
        settings = self._settings.model_copy(update={"azure": chosen.model_copy(update=known)})
        cloud = self._arm.session.cloud
        return completed(settings, deployment, cloud.registries, cloud.vaults)

    def _home(self, deployment: str) -> str:
        groups = [group for name, group in self._homes() if name == deployment]
        if len(groups) > 1:
            raise InputError(
                f"{deployment}: is in several resource groups: {', '.join(groups)}; say which with --resource-group"
            )
        return groups[0] if groups else own_group(deployment, self._target)

    def _is_managed(self, group: str) -> bool:
        """Tell whether a resource made a group for itself, as a cluster does for its nodes, with its own tags."""
        found = self._arm.find(group_id(self._arm.session.subscription, group))
        return bool(found and found.get("managedBy"))

    # What is there

    def all(self, target: str) -> Iterator[Observed]:
        """Yield all deployments on the platform, of whichever group."""
        for name, group in self._homes():
            self._enter(name, group)
            yield self.observe(target, name)

    def _homes(self) -> list[tuple[str, str]]:
        """Return the names of all deployments on the platform, each with the group that it is in."""
        groups: dict[tuple[str, str], str] = {}
        lone: set[tuple[str, str]] = set()
        for item in self._arm.tagged(self._settings.azure.resource_group, {TARGET: self._target}):
            name, group = (item.get("tags") or {}).get(NAME), name_of(group_of(item["id"]))
            if name and (name, group.lower()) not in groups:
                groups[name, group.lower()] = group
                lone |= set() if PROVIDERS in item["id"] else {(name, group.lower())}  # groups come last
        return [
            (key[0], group)
            for key, group in sorted(groups.items())
            if not (self._is_managed(group) or (key in lone and self._is_left(*key)))
        ]

    def _is_left(self, deployment: str, group: str) -> bool:
        """Tell whether a group has a deployment's tag alone, and stays because others have something in it."""
        at = Where(self._arm.session.subscription, group, "", deployment)
        is_known = self._notes.read(at) is not None or self._notes.held(at) is not None
        return not is_known and bool(others(self._arm, at, self._own(at, {})))

    def observe(self, target: str, deployment: str, *, pushed: bool = False) -> Observed:
        """Return everything that belongs to a deployment.

        On demand, where a plan is to be made, its endpoint is asked whether it takes the API key that is known, and its
        registry which images it has.
        """
        at = self.where(deployment)
        record = self.record(deployment)
        there = seen.resources(self._arm, at, target, record)
        around = self._facts(at, there)
        group = around.get("group")
        if record is None and isinstance(group, dict) and group.get("others"):  # it was left, and is theirs now
            there.pop(at.group_id.lower(), None)
        found = seen.observed(at, target, record, there, self._runs)
        found = self._keys.observed(at, found, record, self._whole.azure.key_vault, shows=pushed)
        facts = {**found.facts, **around, **(self.stored(found, around["registry"]) if pushed else {})}
        self._seen = found.model_copy(update={"lock": self._notes.held(at), "facts": facts})
        return self._seen

    def record(self, deployment: str) -> Record | None:
        """Return the record of a deployment; None where there is none.

        Raises InputError where one of that name is on another platform: both would be in each other's way.
        """
        text = self._notes.read(self.where(deployment))
        try:
            found = Record.model_validate_json(text) if text else None
        except ValidationError:
            raise OpdeployError(
                f"{deployment}: its record was written by another opdeploy; use the version that made it"
            ) from None
        if found and found.target != self._target:
            group = self.where(deployment).group
            raise InputError(
                f"{deployment}: is on {found.target} in the resource group {group}; say so with --target "
                f"{found.target}, or take another group with --resource-group, or another name"
            )
        return found

    def keep(self, record: Record) -> None:
        """Write the record of a deployment."""
        self._notes.write(self.where(record.deployment), record.model_dump_json())
        self._kept = record

    def known(self) -> Record:
        """Return the record of the deployment that was looked at last, which may be one with nothing in it."""
        name = self.at.deployment
        kept = self._kept if self._kept and self._kept.deployment == name else None
        return self.record(name) or kept or Record(deployment=name, target=self._target)

    def close(self) -> None:
        """Drop the record of the deployment that was looked at last."""
        self._notes.drop(self.at)
        self._kept = None

    @property
    def at(self) -> Where:
        """Where the deployment is that was looked at last; raises OpdeployError where none was."""
        if self._at is None:
            raise OpdeployError("no deployment was looked at; run the command again")
        return self._at

    def _facts(self, at: Where, there: Mapping[str, object]) -> dict[str, JsonValue]:
        """Return what a plan depends on of where a deployment is; `there` has its resources by ids in small letters."""
        home = self._arm.find(at.group_id)
        found: dict[str, JsonValue] = {"builds": "here" if self._images.builds_here else "registry"}
        if home:
            own = {NAME: at.deployment, TARGET: self._target}
            is_own = own.items() <= (home.get("tags") or {}).items()
            group: dict[str, JsonValue] = {"own": is_own}
            if is_own:
                group["others"] = [*others(self._arm, at, self._own(at, there))]
            found["group"] = group
        found["registry"] = self._registry()
        return found | self._runs.facts(at, self._whole)

    def others(self) -> list[str]:
        """Return the ids of what others have in the group of the deployment that was looked at last."""
        at = self.at
        return others(
            self._arm, at, self._own(at, seen.resources(self._arm, at, self._target, self.record(at.deployment)))
        )

    def _own(self, at: Where, there: Mapping[str, object]) -> set[str]:
        """Return the ids, in small letters, of what is a deployment's own of what its group has."""
        return {*there} - {at.group_id.lower()}

    def _registry(self) -> dict[str, JsonValue] | None:
        """Return what is known of the registry that is named; None where it is none of the subscription's."""
        server = (self._whole.registry or "").partition("/")[0]
        if not server:
            return None
        scope = f"/subscriptions/{self._arm.session.subscription}"
        path = f"{scope}/providers/Microsoft.ContainerRegistry/registries"
        for item in self._arm.every(path, KINDS["container registry"].api):
            properties = item.get("properties") or {}
            if properties.get("loginServer", "").lower() == server.lower():
                return {"id": item["id"], "server": server, "mode": properties.get("roleAssignmentMode")}
        return None

    def stored(self, found: Observed, known: JsonValue) -> dict[str, JsonValue]:
        """Return, as a fact, whether the registry has the image of each version, where it tells.

        `known` is what is known of the registry; the deployment's own is gone where nothing is, with its images.
        """
        own = name_of(self.at.registry)
        images: dict[str, JsonValue] = {}
        for name in sorted({item.image for item in found.versions}):
            is_gone = known is None and name.partition(".")[0] == own
            has = False if is_gone else self._images.has(name)
            images |= {} if has is None else {name: has}
        return {"images": images}

    # What stands in the way

    def obstacles(self, wanted: Wanted) -> Iterator[str]:
        """Yield what would keep a deployment from being made, a sentence each with what to do."""
        yield from (item.text for item in self._found(wanted) if item.stops)
        yield from self._keyless()
        yield from self._unrecorded()

    def shortages(self, wanted: Wanted) -> Iterator[str]:
        """Yield what may not be enough, or is not there."""
        yield from (item.text for item in self._found(wanted) if not item.stops)
        if self._key().get("fits") is False and self._key().get("known"):
            yield f"{self._keys.source} differs from the server's key and replaces it; clients need the new one"
        if not wanted.settings.azure.owner:
            yield "it has no owner: say with --set azure.owner=NAME whom to ask before somebody removes it"

    def _how(self) -> Asking | None:
        """Return what makes a deployment of steps; None where that is no target of Azure."""
        found = targets.find(self._target, settings=self._settings)
        return found if isinstance(found, AzureTarget) else None

    def _found(self, wanted: Wanted) -> list[Said]:
        """Return what was found out before anything is made, which is asked once."""
        how = self._how()
        if how is None:
            return []
        if self._said is None or self._said[0] != wanted:
            name = wanted.deployment
            is_seen = self._seen is not None and self._seen.deployment == name
            observed = self._seen if self._seen and is_seen else self.observe(self._target, name, pushed=True)
            self._said = (wanted, asked(self._arm, to_ask(how, wanted, self.where(name), observed)))
        return self._said[1]

    def _key(self) -> Mapping[str, JsonValue]:
        """Return what is known of the API key of the deployment that was looked at last."""
        return told if self._seen and isinstance(told := self._seen.facts["key"], dict) else {}

    def _keyless(self) -> Iterator[str]:
        """Yield what is to be done about an API key that is asked for and not known."""
        key = self._key()
        if key.get("why"):
            yield str(key["why"])
        elif key.get("missing"):
            yield unknown_key(self.at.deployment)

    def _unrecorded(self) -> Iterator[str]:
        """Yield what is to be done where something runs versions, and none is known: it would be taken for no version.

        Azure deletes the oldest deployments of a group, which records are, where it has more than 700
        (learn.microsoft.com/azure/azure-resource-manager/templates/deployment-history-deletions, read 2026-11-26).
        """
        lost = self._seen.facts.get("unrecorded") if self._seen else None
        if self._seen and isinstance(lost, list) and lost:
            name, group = self._seen.deployment, self._seen.group
            yield (
                f"{name}: {', '.join(map(str, lost))} is there without a record: say with --state where that is kept; "
                f"or, where Azure has deleted it as one of many deployments of {group}, remove what is there (opdeploy "
                f"remove {name} --target {self._target} --resource-group {group}), and keep the next one in a "
                f"container: deploy.state"
            )

    # The lock

    def lock(self, deployment: str, lock: Lock) -> Lock:
        """Take the lock of a deployment, and return the lock that holds."""
        at = self.where(deployment)
        if held := self._notes.held(at):
            return held
        try:
            if self._notes.in_group:
                self._make_group(at)
            return self._notes.take(at, lock)
        except BaseException:
            with suppress(OpdeployError):
                held = self._notes.held(at)
                is_ours = held is None or held.process == lock.process
                if self._has_made == at.group_id and is_ours and self._is_empty(at):
                    self._arm.delete(at.group_id)
            raise

    def unlock(self, deployment: str, lock: Lock) -> None:
        """Give a lock back, unless another is in its place; a group that was made for it alone goes with it."""
        at = self.where(deployment)
        if self._has_made == at.group_id and self._is_mine(at, lock) and self._is_empty(at):
            self._arm.delete(at.group_id)
        else:
            self._notes.give_back(at, lock)

    def _is_mine(self, at: Where, lock: Lock) -> bool:
        held = self._notes.held(at)
        return held is not None and held.process == lock.process

    def _make_group(self, at: Where) -> None:
        if self._arm.settled(at.group_id) is None:
            own = tags(self._whole, at.deployment, self._target)
            self._has_made = at.group_id  # before it is: whoever is interrupted meanwhile removes it again
            self._arm.put(at.group_id, {"location": at.location, "tags": own})

    def _is_empty(self, at: Where) -> bool:
        """Tell whether nothing was made in a group but what keeps the lock."""
        return self._notes.read(at) is None and not any(contents(self._arm, at))

    # Servers

    @property
    def tls(self) -> bool:
        """Whether servers are asked over TLS."""
        return self._runs.tls

    def address(self, name: str) -> tuple[str, int]:
        """Return host and port at which a server is reached."""
        return self._runs.address(self.at, name)

    def exit_code(self, name: str) -> int | None:
        """Return how a server ended; None while it runs."""
        return self._runs.exit_code(self.at, name)

    def out_of_memory(self, name: str) -> bool:
        """Tell whether a server was ended because its memory was used up."""
        return self._runs.out_of_memory(self.at, name)

    def logs(self, name: str, tail: int) -> list[str]:
        """Return the last lines that a server wrote."""
        return self._runs.logs(self.at, name, tail)

    def follow(self, name: str, tail: int) -> Iterator[str]:
        """Yield the last lines that a server wrote, and what it writes until it ends."""
        return self._runs.follow(self.at, name, tail)

    def artefact(self, name: str, folder: Path) -> None:
        """Write the artefact that a server holds below a folder, in one called `model`."""
        self._images.artefact(self._runs.image(self.at, name), folder)

    # The API key

    def api_key(self, deployment: str) -> str | None:
        """Return the API key of a deployment: of the environment, else of its Key Vault, else where Azure tells it."""
        at = self.where(deployment)
        vault = self._whole.azure.key_vault
        record = None if vault else self.record(deployment)
        return self._keys.find(at, vault, record.vault if record else None)

    def keep_key(self, vault: str, name: str, before: str | None) -> None:
        """Keep the API key of the deployment that was looked at last in a Key Vault, where another may have it."""
        self._keys.keep(self.at, vault, name, before)

    def drop_key(self, vault: str, name: str) -> None:
        """Delete the API key of the deployment that was looked at last from a Key Vault."""
        self._keys.drop(vault, name)
