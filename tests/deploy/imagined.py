"""A Docker engine that is imagined: it keeps what a real one keeps of one deployment, changed by the same calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from opdeploy.deploy_settings import Deploy, OnThisMachine
from opdeploy.deployment import Found, Observed, State, Version
from opdeploy.targets.base import Wanted
from opdeploy.targets.engine.names import base, server_name
from opdeploy.targets.local import TARGET

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import JsonValue

    from opdeploy.plan import Step

NAME = "m"
AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
PORT = 8000


def image_of(model: str, registry: str | None = None) -> str:
    """Return the name of the image of a model, which a letter stands for."""
    return f"{registry + '/' if registry else ''}opdeploy-{NAME}:{model * 12}"


def wanted(model: str = "a", **chosen: Any) -> Wanted:  # noqa: ANN401 - values of settings
    """Return what is wanted: a model, for which a letter stands, and what else is chosen."""
    memory, keep, registry = chosen.pop("memory", 1.0), chosen.pop("keep", 3), chosen.pop("registry", None)
    keyed = chosen.pop("keyed", False)
    return Wanted(
        deployment=NAME,
        settings=Deploy.model_validate({"target": "local", "registry": registry, "local": OnThisMachine(**chosen)}),
        artefact=model * 64,
        bundle=model * 64,
        image=image_of(model, registry),
        platform="linux/amd64",
        port=PORT,
        memory_gb=memory,
        public=keyed,
        keyed=keyed,
        keep=keep,
        ready_s=60.0,
    )


@dataclass
class Container:
    """A container: what was asked for, and how it is."""

    properties: dict[str, JsonValue]
    wanted: dict[str, JsonValue]
    record: dict[str, Any] = field(default_factory=dict)


class Engine:
    """The engine; `made` lists everything that it has made, in order."""

    def __init__(self) -> None:
        self.containers: dict[str, Container] = {}
        self.networks: set[str] = set()
        self.volumes: set[str] = set()
        self.images: dict[str, bool] = {}
        self.upstream: int | None = None
        self.made: list[str] = []

    def carry_out(self, steps: Iterable[Step]) -> None:
        """Do what steps say; checks succeed."""
        for step in steps:
            if step.action != "check":
                getattr(self, step.call.rpartition(".")[2])(**step.args)

    # The calls

    def build(self, name: str) -> None:
        """Build an image."""
        self.made.append(name)
        self.images[name] = False

    def push(self, name: str) -> None:
        """Push an image."""
        self.images[name] = True

    def create_network(self, name: str, deployment: str) -> None:
        """Make a network."""
        assert deployment == NAME
        self.made.append(name)
        self.networks.add(name)

    def create_volume(self, name: str, deployment: str) -> None:
        """Make a volume."""
        assert deployment == NAME
        self.made.append(name)
        self.volumes.add(name)

    def empty_volume(self, name: str, deployment: str) -> None:
        """Make a volume anew, which no container may have."""
        assert deployment == NAME
        assert name in self.volumes
        assert all(item.properties["role"] != "front" for item in self.containers.values())
        self.upstream = None

    def run_server(
        self, name: str, *, record: dict[str, Any], wanted: Mapping[str, Any], api_key: object = None
    ) -> None:
        """Start a version, of an image and in a network that must be there; it is not restarted yet."""
        assert wanted["image"] in self.images
        assert {*wanted["networks"]} <= self.networks
        assert name not in self.containers
        self.made.append(name)
        found = {**wanted, "role": "server", "state": "running", "restart": "no", "front": record["front"]}
        found["keyed"] = api_key is not None
        self.containers[name] = Container(found, dict(wanted), record)

    def run_front(self, name: str, *, deployment: str, image: str, wanted: Mapping[str, Any]) -> None:
        """Start the front, of the image of a container that must be there, and with a volume that must be there."""
        assert deployment == NAME
        assert name in self.volumes
        of = self.containers[image].properties["image"]
        self.made.append(name)
        self.containers[name] = Container({**wanted, "image": of, "role": "front", "state": "running"}, dict(wanted))

    def restart_always(self, name: str) -> None:
        """Have a container started again whenever it ends."""
        self.containers[name].properties["restart"] = "unless-stopped"

    def switch(self, name: str, *, to: str, grace_s: float) -> None:
        """Send requests to a version, which must run."""
        assert grace_s > 0
        number = int(to.partition(":")[0].removeprefix("v"))
        assert self.containers[name].properties["state"] == "running"
        assert self.containers[server_name(NAME, number)].properties["state"] == "running"
        self.upstream = number

    def start(self, name: str) -> None:
        """Start a container."""
        self.containers[name].properties["state"] = "running"

    def stop(self, name: str, *, grace_s: float) -> None:
        """Stop a container, to which no request may go."""
        assert grace_s > 0
        assert name != server_name(NAME, self.upstream or 0)
        self.containers[name].properties["state"] = "stopped"

    def remove_container(self, name: str) -> None:
        """Remove a container."""
        del self.containers[name]

    def remove_network(self, name: str) -> None:
        """Remove a network that nothing uses any more."""
        assert all(name not in (item.properties["networks"] or ()) for item in self.containers.values())  # type: ignore[operator]
        self.networks.remove(name)

    def remove_volume(self, name: str) -> None:
        """Remove a volume."""
        assert name not in self.containers
        self.volumes.remove(name)

    def remove_image(self, name: str) -> None:
        """Remove an image that nothing uses any more."""
        assert all(item.properties["image"] != name for item in self.containers.values())
        del self.images[name]

    # What is there

    def observe(self) -> Observed:
        """Return everything that belongs to the deployment."""
        front = self.containers.get(base(NAME))
        servers = {name: item for name, item in self.containers.items() if item.record}
        versions = (self._version(name, item, to=self.upstream if front else None) for name, item in servers.items())
        return Observed(
            target="local",
            deployment=NAME,
            found=(
                *(
                    Found(kind="container", name=name, properties=dict(item.properties), wanted=item.wanted)
                    for name, item in sorted(self.containers.items())
                ),
                *(Found(kind="network", name=name) for name in sorted(self.networks)),
                *(Found(kind="volume", name=name) for name in sorted(self.volumes)),
                *(
                    Found(kind="image", name=name, properties={"pushed": pushed})
                    for name, pushed in sorted(self.images.items())
                ),
            ),
            versions=tuple(sorted(versions, key=lambda version: version.number)),
            endpoint=f"http://127.0.0.1:{front.properties['port']}" if front else None,
            front=base(NAME) if front else None,
            upstream=self.upstream if front else None,
        )

    @staticmethod
    def _version(name: str, item: Container, *, to: int | None) -> Version:
        state: Any = item.properties["state"]
        return Version(
            number=item.record["version"],
            resource=name,
            config=item.record["config"],
            artefact=item.record["artefact"],
            image=str(item.properties["image"]),
            at=AT,
            by="somebody@machine",
            state=state,
            current=item.record["version"] == to,
            proven=item.properties["restart"] == "unless-stopped",
        )


@dataclass(frozen=True)
class Kept:
    """A version that is there, in short."""

    model: str
    memory: float = 1.0
    state: State = "stopped"
    proven: bool = True
    now: Mapping[str, JsonValue] = field(default_factory=dict)
    """Properties that other hands have changed."""
    registry: str | None = None
    port: int = PORT
    """That the front listened on when it was made."""


def engine(
    versions: Mapping[int, Kept], *, to: int | None, front: Mapping[str, JsonValue] | None, images: Iterable[str] = ()
) -> Engine:
    """Return an engine with versions, of which requests go to one, and a front unless it is None."""
    made = Engine()
    made.images = dict.fromkeys(images, False)
    made.networks, made.volumes = ({base(NAME)} if versions else set() for _ in range(2))
    for number, kept in versions.items():
        asked = wanted(kept.model, memory=kept.memory, registry=kept.registry, port=kept.port)
        made.images[asked.image] = kept.registry is not None
        (step,) = (
            step
            for step in TARGET.plan(asked, Observed(target="local", deployment=NAME), number)
            if step.id == f"server-{number}"
        )
        made.carry_out([step])
        found = made.containers[server_name(NAME, number)].properties
        found |= {"state": kept.state, "restart": "unless-stopped" if kept.proven else "no", **kept.now}
    if front is not None:
        asked_of = {
            "host": "127.0.0.1",
            "port": PORT,
            "restart": "unless-stopped",
            "networks": [base(NAME)],
            "memory_mb": 256,
        }
        of = server_name(NAME, to if to and to in versions else min(versions))
        made.run_front(base(NAME), deployment=NAME, image=of, wanted=asked_of)
        made.containers[base(NAME)].properties |= front
        made.upstream = to
    made.made.clear()
    return made
