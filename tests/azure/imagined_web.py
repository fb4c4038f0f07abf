"""A site in an imagined cloud: values that steps of plans change as App Service would, without a request."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from opdeploy.clients.azure import seen
from opdeploy.clients.azure.sites import Sites
from opdeploy.deploy_settings import Deploy
from opdeploy.targets.azure import web
from opdeploy.targets.azure.names import completed, where
from opdeploy.targets.azure.record import NAME as NAMED
from opdeploy.targets.azure.record import TARGET, Kept, Made, Record
from opdeploy.targets.base import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opdeploy.deployment import Observed
    from opdeploy.plan import Step

NAME = "net"
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"


def wanted(
    model: str = "a",
    memory: float = 1.0,
    keep: int = 3,
    ready_s: float = 60.0,
    **chosen: Any,  # noqa: ANN401 - settings
) -> Wanted:
    """Return what is wanted: a model, for which a letter stands, and what is chosen of `deploy.webapp`."""
    azure = {"subscription": SUBSCRIPTION, "resource_group": "models", "location": "westeurope"}
    settings = completed(Deploy.model_validate({"target": "webapp", "azure": azure, "webapp": chosen}), NAME)
    return Wanted(
        deployment=NAME,
        settings=settings,
        artefact=model * 64,
        bundle=model * 64,
        image=f"{settings.registry}/opdeploy-{NAME}:{model * 12}",
        platform="linux/amd64",
        port=8000,
        memory_gb=memory,
        public=True,
        keyed=True,
        tls=True,
        keep=keep,
        ready_s=ready_s,
    )


class Imagined:
    """What is there, and what the record has."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.there: dict[str, dict[str, Any]] = {}
        self.record: Record | None = None

    @property
    def known(self) -> Record:
        """The record, or one with nothing in it."""
        return self.record or Record(deployment=NAME, target="webapp")

    def observe(self) -> Observed:
        """Return what is there, as a plan is made for it."""
        at = where(wanted().settings, NAME)
        own = seen._is_own  # noqa: SLF001 - what belongs to it is told apart as in a cloud
        there = {key: item for key, item in self.there.items() if own(item, {NAMED: NAME, TARGET: "webapp"})}
        found = seen.observed(at, "webapp", self.record, there, Sites(None))  # type: ignore[arg-type]  # asks nothing
        plan = next((item for item in there.values() if "/serverfarms/" in item["id"]), None)
        facts: dict[str, Any] = {"builds": "registry", "registry": None, **found.facts}
        if plan:
            facts["plan"] = {"size": plan["sku"]["name"], "linux": True, "location": "westeurope"}
        return found.model_copy(update={"facts": facts})

    def carry_out(self, steps: Iterable[Step]) -> None:
        """Do what steps say."""
        for step in steps:
            method = getattr(self, step.call.partition(".")[2], None)
            if step.call.startswith("azure.") and method:
                method(**step.args)

    def put(self, *, resource: str, body: dict[str, Any], **_secrets: object) -> None:
        """Have a resource; its app settings are not told."""
        made = copy.deepcopy(body)
        if "siteConfig" in made.get("properties", {}):
            made["properties"] |= {"state": "Running", "defaultHostName": f"{NAME}.azurewebsites.net"}
            made["properties"]["siteConfig"].pop("appSettings")
        self.there[resource.lower()] = {**made, "id": resource}
        self.record = self.known.with_made(Made(id=resource, body=body))

    def delete(self, *, resource: str) -> None:
        """Have it no more."""
        self.there.pop(resource.lower(), None)
        self.record = self.known.without(resource)

    def note(self, *, version: dict[str, Any]) -> None:
        """Note a version."""
        kept = Kept.model_validate({**version, "at": datetime(2026, 11, 26, tzinfo=UTC), "by": "me"})
        self.record = self.known.with_version(kept)

    def prove(self, *, number: int) -> None:
        """Note that a version works."""
        kept = self.known.version(number)
        assert kept
        proven = self.known.with_version(kept.model_copy(update={"proven": True}))
        self.record = proven.model_copy(update={"current": number})

    def forget(self, *, numbers: list[int], images: list[str] | None = None) -> None:  # noqa: ARG002 - of no registry here
        """Drop versions."""
        kept = tuple(item for item in self.known.versions if item.number not in numbers)
        self.record = self.known.model_copy(update={"versions": kept})

    def start(self, *, resource: str) -> None:
        """Start what was stopped."""
        self.there[resource.lower()]["properties"]["state"] = "Running"

    def swap(self, *, resource: str, slot: str, image: str) -> None:
        """Exchange what the site and its slot run."""
        other = f"{resource}/slots/{slot}"
        one, another = (self.there[item.lower()]["properties"]["siteConfig"] for item in (resource, other))
        one["linuxFxVersion"], another["linuxFxVersion"] = another["linuxFxVersion"], one["linuxFxVersion"]
        assert one["linuxFxVersion"] == f"{web.DOCKER}{image}"
