"""What is found out before anything is made, by the product's own client, at the stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.clients import azure
from opdeploy.deploy_settings import Deploy
from opdeploy.targets.base import Wanted

if TYPE_CHECKING:
    import pytest

    from tests.arm.arm import Arm

NAME = "net"


def place(arm: Arm, monkeypatch: pytest.MonkeyPatch, target: str, settings: dict[str, Any]) -> azure.Place:
    """Return a place, signed in; `settings` are those of `deploy`."""
    for name, value in arm.environment().items():
        monkeypatch.setenv(name, value)
    chosen = {"resource_group": "models", "location": "westeurope", **settings.get("azure", {})}
    deploy = Deploy.model_validate({"target": target, **settings, "azure": chosen})
    with azure.connected(str(arm.cloud_file()), arm.subscription) as session:
        connection = azure.Arm(session)
        images = azure.Registries(connection, lambda: None, None, builds_here=False)  # type: ignore[arg-type,return-value]
        return azure.Place(connection, deploy, target, images)


def wanted(where: azure.Place) -> Wanted:
    """Return what is to run there."""
    settings = where.completed(NAME)
    return Wanted(
        deployment=NAME,
        settings=settings,
        artefact="a" * 64,
        bundle="b" * 64,
        image=f"{settings.registry}/opdeploy-{NAME}:1",
        platform="linux/amd64",
        port=8000,
        memory_gb=0.5,
        public=True,
        keyed=True,
        keep=3,
        ready_s=60.0,
    )


def said(
    arm: Arm,
    monkeypatch: pytest.MonkeyPatch,
    **settings: Any,  # noqa: ANN401 - of `deploy`
) -> tuple[list[str], list[str]]:
    """Return the problems, and the notes, of a first container group."""
    where = place(arm, monkeypatch, "aci", settings)
    asked = wanted(where)
    before = len(arm.seen)
    found = [*where.obstacles(asked)], [*where.shortages(asked)]
    changed = [item.method for item in arm.seen[before:] if item.method in {"PUT", "PATCH", "DELETE"}]
    assert changed == [], "it is found out before the first write"
    return found
