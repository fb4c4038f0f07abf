"""The containers, networks, volumes and images of deployments on an engine; their labels are the record of them."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from opdeploy.clients.docker.containers import hardened
from opdeploy.clients.docker.explained import explained, within
from opdeploy.clients.docker.obstacles import obstacles, shortages
from opdeploy.clients.docker.records import (
    ARTEFACT,
    ASIDE,
    AT,
    BY,
    CONFIG,
    DEPLOYMENT,
    FRONT,
    KEYS,
    LOCK,
    MB,
    NUMBER,
    ROLE,
    WANTED,
    is_own,
    lock_name,
)
from opdeploy.clients.docker.seen import Seen
from opdeploy.deployment import Lock
from opdeploy.errors import NotFoundError, OpdeployError, TransientError
from opdeploy.targets.engine.names import RESTART

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docker import DockerClient
    from docker.models.containers import Container
    from pydantic import JsonValue

    from opdeploy.clients.docker.engine import About, Engine
    from opdeploy.clients.docker.machine import Machine
    from opdeploy.targets.base import Wanted

_STATE = "/state"
_INSIDE = 8000
"""The port that the front listens on in its container."""
_GRACE_S = 30
"""Seconds that what is stopped has to end: more than the front, and a server, give their requests."""
_EXEC_S = 30.0
"""For the engine to run a command in a container, beside the time that the command itself takes."""
_NO_GPU = (
    "where it has no driver for GPUs, install the NVIDIA Container Toolkit on the engine's machine, or set vm.gpu=false"
)
_PYTHON = ["python3", "-m", "opdeploy.serving.front"]


class Host(Seen):
    """What deployments are made of on an engine; every method names what it works on, and may be called again."""

    def __init__(self, client: DockerClient, engine: Engine, by: str, machine: Machine, *, makes: bool) -> None:
        """Take a connected client, its engine, who is at work, where it runs, and whether something is to be made."""
        super().__init__(client, machine)
        self._engine = engine
        self._by = by
        self._makes = makes

    def about(self) -> About:
        """Return what the engine runs on."""
        return self._engine.about()

    def obstacles(self, wanted: Wanted) -> Iterator[str]:
        """Yield what would keep a deployment from being made, a sentence each with what to do."""
        return obstacles(wanted, self)

    def shortages(self, wanted: Wanted) -> Iterator[str]:
        """Yield what may not be enough."""
        return shortages(wanted, self)

    def create_network(self, name: str, deployment: str) -> None:
        """Make a network of a deployment's own."""
        with explained(f"{name}: the network was not made", "see the engine's reason"):
            self._require_names(deployment)
            found = self._networks(name)
            # Of two processes, each may have made one: no container starts in either while both are there.
            for spare in found[1:]:
                spare.remove()
            if not found:
                labels = self._labels(deployment)
                self._client.networks.create(name, driver="bridge", check_duplicate=True, labels=labels)

    def create_volume(self, name: str, deployment: str) -> None:
        """Make a volume of a deployment's own; one that is there stays as it is."""
        with explained(f"{name}: the volume was not made", "see the engine's reason"):
            self._require_names(deployment)
            self._client.volumes.create(name, labels=self._labels(deployment))

    def empty_volume(self, name: str, deployment: str) -> None:
        """Make a volume anew, without what was in it."""
        self.remove_volume(name)
        self.create_volume(name, deployment)

    def run_server(
        self, name: str, *, record: Mapping[str, Any], wanted: Mapping[str, Any], api_key: str | None = None
    ) -> None:
        """Start a version of a model: it may write nowhere, and gains no right.

        It is published on a free port of 127.0.0.1 too, where it is asked before the front sends anyone there.
        """
        options = hardened(wanted["cpus"], wanted["memory_mb"] * MB, gpu=wanted.get("gpu", False)) | {
            "image": wanted["image"],
            "labels": self._labels(record["deployment"])
            | {
                ROLE: "server",
                NUMBER: str(record["version"]),
                CONFIG: record["config"],
                ARTEFACT: record["artefact"],
                FRONT: json.dumps(record["front"], sort_keys=True),
                WANTED: json.dumps(dict(wanted), sort_keys=True),
            },
            # Under the deployment's name, whatever that of the artefact is: a URL that clients have stays.
            "environment": {"OPDEPLOY_NAME": record["deployment"], "OPDEPLOY_VERSION": str(record["version"])}
            | ({KEYS: api_key} if api_key else {}),
            "ports": {f"{wanted['port']}/tcp": ("127.0.0.1", None)},
        }
        self._run(name, wanted["networks"][0], f"v{record['version']}", options)

    def run_front(self, name: str, *, deployment: str, image: str, wanted: Mapping[str, Any]) -> None:
        """Start the front of a deployment, of the image of one of its containers; one that is there gives way.

        Where the new one does not start, as on a port that is taken, the old one goes on.
        """
        options = hardened(None, wanted["memory_mb"] * MB) | {
            "image": self._get(image).attrs["Config"]["Image"],
            "labels": self._labels(deployment) | {ROLE: "front", WANTED: json.dumps(dict(wanted), sort_keys=True)},
            "environment": {"OPDEPLOY_PORT": str(_INSIDE)},
            "ports": {f"{_INSIDE}/tcp": (wanted["host"], wanted["port"])},
            "restart_policy": {"Name": wanted["restart"]},
            "volumes": {name: {"bind": _STATE, "mode": "rw"}},
            "entrypoint": _PYTHON,
            "command": ["--host", "0.0.0.0", "--port", str(_INSIDE), "--state", _STATE],  # noqa: S104  its own network
        }
        with self._giving_way(name, deployment):
            self._run(name, wanted["networks"][0], "front", options)

    @contextmanager
    def _giving_way(self, name: str, deployment: str) -> Iterator[None]:
        """Stop a container, and remove it once the block has put another in its place; else start it again."""
        aside = f"{name}{ASIDE}"
        old, new = self._own(aside, deployment), self._own(name, deployment)
        with explained(f"{name}: did not give way", "see the engine's reason"):
            if old and new:  # a process was killed before the new one had started, or before the old one was removed
                self.remove_container(aside if new.status == "running" else name)
                old, new = (None, new) if new.status == "running" else (old, None)
        try:
            if new:
                with explained(f"{name}: did not give way", "see the engine's reason"):
                    new.stop(timeout=_GRACE_S)
                    new.rename(aside)
            yield
        except BaseException:  # an interrupt too: until the old one is back, nobody is answered
            if old or new:
                self._put_back(name, deployment)
            raise
        self.remove_container(aside)

    def _put_back(self, name: str, deployment: str) -> None:
        """Start a front that was to give way, under its own name, instead of what took its place."""
        with explained(f"{name}: was not put back", "deploy again"):
            aside = self._own(f"{name}{ASIDE}", deployment)
            if aside:
                self.remove_container(name)
                aside.rename(name)
            front = aside or self._own(name, deployment)
            if front:
                front.start()

    def _own(self, name: str, deployment: str) -> Container | None:
        """Return a container of a deployment; raises OpdeployError where somebody else made it."""
        try:
            found = self._get(name)
        except NotFoundError:
            return None
        if found.labels.get(DEPLOYMENT) != deployment:
            raise OpdeployError(f"{name}: opdeploy did not make the container of this name; rename or remove it")
        return found

    def _run(self, name: str, network: str, alias: str, options: dict[str, Any]) -> None:
        """Create a container and start it; one that was created before is started."""
        advice = _NO_GPU if "device_requests" in options else "see the engine's reason"
        with explained(f"{name}: the container was not started", advice):
            container = self._own(name, options["labels"][DEPLOYMENT])
            if container is None:
                joined = {network: self._client.api.create_endpoint_config(aliases=[alias])}
                container = self._client.containers.create(
                    name=name, network=network, networking_config=joined, **options
                )
            _start(container)

    def restart_always(self, name: str) -> None:
        """Have the engine start a container again whenever it ends but by `stop`."""
        with explained(f"{name}: was not changed", "see the engine's reason"):
            policy: Any = {"Name": RESTART, "MaximumRetryCount": 0}  # the SDK's types lack this policy
            self._client.api.update_container(str(self._get(name).id), restart_policy=policy)

    def switch(self, name: str, *, to: str, grace_s: float) -> dict[str, JsonValue]:
        """Have the front send requests to another server, and wait until those on the old one have ended."""
        command = [*_PYTHON, "switch", "--state", _STATE, "--to", to, "--grace", str(grace_s)]
        with explained(f"{name}: was not switched to {to}", "see the front's log"):
            ran = within(grace_s + _EXEC_S, name, lambda: self._get(name).exec_run(command))
        output = ran.output if isinstance(ran.output, bytes) else b""
        text = output.decode("utf-8", "replace").strip()
        if ran.exit_code:  # a front that was just started may not listen yet
            raise TransientError(f"{name}: was not switched to {to}: {text[-300:]}; see its log")
        answer: dict[str, JsonValue] = json.loads(text.splitlines()[-1])
        return answer

    def start(self, name: str) -> None:
        """Start a container that was stopped, or let one go on that was paused."""
        with explained(f"{name}: was not started", "see the engine's reason"):
            container = self._get(name)
            if container.status != "paused":
                self._join_again(container)
            _start(container)

    def _join_again(self, container: Container) -> None:
        """Join the networks that were made anew under their names meanwhile: an engine knows them by their ids."""
        for name, joined in container.attrs["NetworkSettings"]["Networks"].items():
            found = self._networks(name)
            if found and joined["NetworkID"] != found[0].id:
                found[0].disconnect(container, force=True)
                found[0].connect(container, aliases=[f"v{container.labels[NUMBER]}"])

    def stop(self, name: str, *, grace_s: float) -> None:
        """Stop a container once it has answered what it was asked."""
        with explained(f"{name}: was not stopped", "see the engine's reason"):
            self._get(name).stop(timeout=round(grace_s))

    def remove_container(self, name: str) -> None:
        """Stop and remove a container; none is no error."""
        with explained(f"{name}: was not removed", "see the engine's reason"), suppress(NotFoundError):
            container = self._get(name)
            container.stop(timeout=_GRACE_S)
            container.remove(v=True, force=True)

    def remove_network(self, name: str) -> None:
        """Remove a network of a deployment; none is no error."""
        with explained(f"{name}: was not removed", "see what uses it"):
            for network in self._networks(name):
                if is_own(name, network.attrs.get("Labels")):
                    network.remove()

    def remove_image(self, name: str) -> None:
        """Remove an image by its name; none is no error."""
        self._engine.remove_image(name)

    def remove_volume(self, name: str) -> None:
        """Remove a volume of a deployment; none is no error."""
        from docker.errors import NotFound

        with explained(f"{name}: was not removed", "see what uses it"), suppress(NotFound):
            volume = self._client.volumes.get(name)
            if is_own(name, volume.attrs.get("Labels")):
                volume.remove()

    def lock(self, deployment: str, lock: Lock) -> Lock:
        """Take the lock of a deployment, and return the lock that holds: another's, where that was first.

        A volume is made under one name by one only; who comes second gets what is there, with its first labels. Raises
        OpdeployError where somebody else has a name that is needed, so that this is known before anything is built.
        """
        name = lock_name(deployment)
        labels = self._labels(deployment) | {LOCK: lock.model_dump_json()}
        with explained(f"{deployment}: was not locked", "see the engine's reason"):
            if self._makes:
                self._require_names(deployment)
            found = self._client.volumes.create(name, labels=labels)
            found.reload()
        held = (found.attrs["Labels"] or {}).get(LOCK)
        if held is None:
            raise OpdeployError(f"{name}: opdeploy did not make the volume of this name; rename or remove it")
        return Lock.model_validate_json(held)

    def unlock(self, deployment: str, lock: Lock) -> None:
        """Give a lock back, unless another is in its place."""
        from docker.errors import NotFound

        with explained(f"{deployment}: was not unlocked", "see the engine's reason"), suppress(NotFound):
            found = self._client.volumes.get(lock_name(deployment))
            held = (found.attrs["Labels"] or {}).get(LOCK)
            if held and Lock.model_validate_json(held).process == lock.process:
                found.remove()

    def _labels(self, deployment: str) -> dict[str, str]:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        return {
            DEPLOYMENT: deployment,
            "app.kubernetes.io/managed-by": "opdeploy",
            AT: at,
            BY: self._by,
        }


def _start(container: Container) -> None:
    if container.status == "paused":  # the engine starts none of these
        container.unpause()
    else:
        container.start()
