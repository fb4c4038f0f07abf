"""What is wanted of Container Apps, and a subscription that is imagined: it keeps what Azure keeps of a deployment."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from opdeploy.deploy.prepare import exposure
from opdeploy.deploy_settings import Deploy
from opdeploy.deployment import Found, Observed, Version
from opdeploy.targets.azure.compare import flat, told
from opdeploy.targets.azure.kinds import kind_of, name_of
from opdeploy.targets.azure.names import completed
from opdeploy.targets.azure.target import VERSION, kept
from opdeploy.targets.base import Wanted
from opdeploy.targets.container_apps.bodies import APP, REVISION, TARGET, settled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import JsonValue

    from opdeploy.plan import Step

NAME = "net"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
_AT = datetime(2026, 11, 26, tzinfo=UTC)


def wanted(
    bundle: str = "1" * 64, *, gpu: bool = False, memory_gb: float = 1.0, keyed: bool = True, **chosen: object
) -> Wanted:
    """Return what is wanted; other names are settings of Container Apps."""
    azure = {"subscription": SUBSCRIPTION, "resource_group": "models", "location": "westeurope"}
    made = Deploy.model_validate({"target": TARGET, "azure": azure, "container_apps": chosen})
    settings = completed(made, NAME)
    public, tls = exposure(settings)
    return Wanted(
        deployment=NAME,
        settings=settings,
        artefact="a" * 64,
        bundle=bundle,
        image=f"{settings.registry}/opdeploy-{NAME}:{bundle[:12]}",
        platform="linux/amd64",
        port=8000,
        gpu=gpu,
        memory_gb=memory_gb,
        public=public,
        keyed=keyed,
        tls=tls,
        keep=2,
        ready_s=120.0,
    )


@dataclass
class Imagined:
    """A subscription with one deployment, or none."""

    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[int, dict[str, Any]] = field(default_factory=dict)
    revisions: dict[str, dict[str, JsonValue]] = field(default_factory=dict)
    facts: dict[str, JsonValue] = field(default_factory=lambda: {"builds": "registry"})

    def observe(self) -> Observed:
        """Return everything as it is."""
        shares = self.traffic()
        found = [self._found(name, body) for name, body in self.resources.items()]
        found += [
            Found(kind=REVISION, name=name, properties={**each, "traffic": shares.get(name, 0)}, passing=True)
            for name, each in self.revisions.items()
        ]
        found += [
            Found(
                kind=VERSION,
                name=kept(NAME, number),
                properties={"keyed": each["keyed"]},
                made={"id": each["resource"], "body": each["body"]},
            )
            for number, each in self.versions.items()
        ]
        current = next((int(name.partition("--v")[2].split("-")[0]) for name in shares if "--v" in name), None)
        versions = tuple(self._version(each, current) for each in self.versions.values())
        return Observed(
            target=TARGET,
            deployment=NAME,
            found=tuple(found),
            versions=versions,
            facts=self.facts,
            upstream=current,
            rolls=True,
        )

    def app(self) -> dict[str, Any]:
        """Return the app as it is."""
        return next(body for name, body in self.resources.items() if "/containerApps/" in name)

    def traffic(self) -> dict[str, int]:
        """Return which revisions get requests."""
        for name, body in self.resources.items():
            if "/containerApps/" in name:
                return {each["revisionName"]: each["weight"] for each in _traffic(body) if each["weight"]}
        return {}

    def active(self) -> list[str]:
        """Return the revisions that are active."""
        return [name for name, each in self.revisions.items() if each["active"]]

    def carry_out(self, steps: Iterable[Step]) -> None:
        """Do what steps say."""
        for step in steps:
            call = step.call.partition(".")[2]
            if step.call.startswith("azure.") and hasattr(self, f"_{call}"):
                getattr(self, f"_{call}")(**{key: deepcopy(each) for key, each in step.args.items()})

    def _found(self, name: str, body: dict[str, Any]) -> Found:
        kind, made = kind_of(name), self.made.get(name)
        assert kind
        return Found(
            kind=kind.name,
            name=name_of(name),
            properties=told(made, body) if made else {},
            wanted=flat(made) if made else {},
            made={"id": name, **({"body": made} if made else {})},
        )

    def _version(self, each: dict[str, Any], current: int | None) -> Version:
        number = each["number"]
        mine = [name for name in self.revisions if name.startswith(f"{NAME}--v{number}-")]
        active = [name for name in mine if self.revisions[name]["active"]]
        resource = (active or mine or [kept(NAME, number)])[-1]
        return Version(
            number=number,
            resource=resource,
            config=each["config"],
            artefact=each["artefact"],
            image=each["image"],
            at=_AT,
            by="somebody@machine",
            state="running" if active else "stopped",
            current=number == current,
            proven=each.get("proven", False),
        )

    # What steps call

    def _put(self, resource: str, body: dict[str, Any], **_: object) -> None:
        self.resources[resource] = body
        self.made[resource] = deepcopy(body)

    def _revise(self, resource: str, body: dict[str, Any], revision: str, **_: object) -> None:
        assert revision not in self.revisions, "Azure refuses a name that another revision has"
        self.resources[resource], self.made[resource] = body, deepcopy(settled(body))
        self.revisions[revision] = {"active": True}

    def _serve(self, resource: str, body: dict[str, Any], number: int) -> None:
        (share,) = _traffic(body)
        assert self.revisions[share["revisionName"]]["active"], "requests would reach nothing"
        properties = {**body["properties"], "template": self.resources[resource]["properties"]["template"]}
        self.resources[resource], self.made[resource] = {**body, "properties": properties}, deepcopy(body)
        self.versions[number]["body"] = {
            **body,
            "properties": {
                **body["properties"],
                "template": self.versions[number]["body"]["properties"]["template"],
            },
        }

    def _activate(self, revision: str, **_: object) -> None:
        self.revisions[revision]["active"] = True

    def _deactivate(self, revision: str, **_: object) -> None:
        assert revision not in self.traffic(), "it has requests"
        self.revisions[revision]["active"] = False

    def _note(self, version: dict[str, Any]) -> None:
        self.versions[version["number"]] = version

    def _prove(self, number: int) -> None:
        self.versions[number]["proven"] = True

    def _forget(self, numbers: list[int], **_: object) -> None:
        for number in numbers:
            del self.versions[number]

    def _delete(self, resource: str) -> None:
        self.resources.pop(resource, None)
        self.made.pop(resource, None)
        if kind_of(resource) and kind_of(resource).name == APP:  # type: ignore[union-attr]  # just looked at
            self.revisions.clear()


def _traffic(body: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body["properties"]["configuration"]["ingress"]["traffic"]
    return found
