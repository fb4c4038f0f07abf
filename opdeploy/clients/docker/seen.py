"""What is there of deployments on an engine."""

from __future__ import annotations

import io
import re
import tarfile
from contextlib import suppress
from shutil import disk_usage
from typing import TYPE_CHECKING

from opdeploy.clients.docker.archive import extract
from opdeploy.clients.docker.explained import explained
from opdeploy.clients.docker.images import Registries, built_for
from opdeploy.clients.docker.records import (
    DEPLOYMENT,
    KEYS,
    LOCK,
    NUMBER,
    ROLE,
    container,
    endpoint,
    is_aside,
    is_own,
    version,
)
from opdeploy.deployment import Found, Lock, Observed, Tunnel
from opdeploy.errors import NotFoundError, OpdeployError
from opdeploy.targets.engine.names import base

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.networks import Network

    from opdeploy.clients.docker.machine import Machine

_UPSTREAM = "/state/upstream"
_POINTED = re.compile(r"v([0-9]{1,9}):[0-9]+\s*\Z")
"""What a front writes down: the alias and port of a version."""


class Seen:
    """Deployments on an engine, as they are now; nothing here changes anything."""

    tls = False

    def __init__(self, client: DockerClient, machine: Machine) -> None:
        self._client = client
        self.machine = machine

    def all(self, target: str) -> Iterator[Observed]:
        """Yield all deployments."""
        for name in self.deployments():
            yield self.observe(target, name)

    def deployments(self) -> list[str]:
        """Return the names of all deployments."""
        with explained("the deployments are not shown", "see that the engine runs"):
            found = [item.labels for item in self._containers({"label": DEPLOYMENT})]
            found += [item.attrs["Labels"] or {} for item in self._client.volumes.list(filters={"label": DEPLOYMENT})]
        return sorted({labels[DEPLOYMENT] for labels in found if LOCK not in labels})

    def fronts(self) -> list[Found]:
        """Return the fronts of all deployments."""
        with explained("the deployments are not shown", "see that the engine runs"):
            return [container(item) for item in self._containers({"label": f"{ROLE}=front"})]

    def observe(self, target: str, deployment: str, *, pushed: bool = False) -> Observed:
        """Return everything that belongs to a deployment; on demand, whether its images are in their registry."""
        label: dict[str, str | list[str] | bool] = {"label": f"{DEPLOYMENT}={deployment}"}
        with explained(f"{deployment}: is not shown", "see that the engine runs"):
            containers = self._containers(label)
            networks = self._client.networks.list(filters=label)
            volumes = [item for item in self._client.volumes.list(filters=label) if item.name]
            images = self._images(target, deployment, pushed=pushed)
            fronts = [item for item in containers if item.labels.get(ROLE) == "front" and not is_aside(item)]
            upstream = self._upstream(fronts[0]) if fronts else None
        servers = [item for item in containers if item.labels.get(ROLE) == "server"]
        versions = sorted((version(item, upstream) for item in servers), key=lambda version: version.number)
        lock = next((item for item in volumes if LOCK in (item.attrs["Labels"] or {})), None)
        return Observed(
            target=target,
            deployment=deployment,
            found=(
                *sorted((container(item) for item in containers), key=lambda item: item.name),
                *(Found(kind="network", name=name) for name in sorted({str(item.name) for item in networks})),
                *(Found(kind="volume", name=str(item.name)) for item in volumes if item is not lock),
                *images,
            ),
            versions=tuple(versions),
            endpoint=endpoint(fronts[0], self.machine.name) if fronts else None,
            tunnel=self._tunnel(fronts[0]) if fronts else None,
            front=str(fronts[0].name) if fronts else None,
            upstream=upstream,
            lock=Lock.model_validate_json(lock.attrs["Labels"][LOCK]) if lock else None,
        )

    def _tunnel(self, front: Container) -> Tunnel | None:
        listens = container(front).properties
        return self.machine.tunnel(str(listens["host"]), int(str(listens["port"])))

    def _containers(self, filters: dict[str, str | list[str] | bool]) -> list[Container]:
        from docker.errors import NotFound

        found = []
        for item in self._client.containers.list(all=True, filters=filters, sparse=True):
            with suppress(NotFound):  # it was removed meanwhile
                item.reload()
                found.append(item)
        return found

    def _images(self, target: str, deployment: str, *, pushed: bool) -> list[Found]:
        """Return the images that a deployment built: those with its label, under the names that it gives them."""
        registries = Registries(self._client)
        found = {
            name: image["RepoDigests"] or () for name, image in built_for(self._client, target, deployment).items()
        }
        return [
            Found(kind="image", name=tag, properties={"pushed": registries.have(tag, digests)} if pushed else {})
            for tag, digests in sorted(found.items())
        ]

    def _networks(self, name: str) -> list[Network]:
        """Return the networks of a name, the oldest first: the engine finds every name that this one is a part of."""
        found = [item for item in self._client.networks.list(names=[name]) if item.name == name]
        return sorted(found, key=lambda item: str(item.attrs.get("Created")))

    def foreign(self, deployment: str) -> list[str]:
        """Say what somebody else made under the name of a deployment's front, network and volume."""
        with explained(f"{deployment}: is not shown", "see that the engine runs"):
            return list(self._foreign(deployment))

    def _require_names(self, deployment: str) -> None:
        """Raise OpdeployError where somebody else made what has the name of a deployment's front, network or volume."""
        for said in self._foreign(deployment):
            raise OpdeployError(said)

    def _foreign(self, deployment: str) -> Iterator[str]:
        name = base(deployment)
        containers = self._client.containers.list(all=True, filters={"name": f"^/{name}$"}, sparse=True)
        volumes = [item for item in self._client.volumes.list(filters={"name": name}) if item.name == name]
        found = [
            *(("container", item.attrs.get("Labels")) for item in containers),
            *(("network", item.attrs.get("Labels")) for item in self._networks(name)),
            *(("volume", item.attrs.get("Labels")) for item in volumes),
        ]
        for kind, labels in found:
            if not is_own(name, labels):
                yield f"{name}: opdeploy did not make the {kind} of this name; rename or remove it"

    def _upstream(self, front: Container) -> int | None:
        """Return the number of the version that a front sends requests to."""
        from docker.errors import NotFound

        try:
            stream, _ = front.get_archive(_UPSTREAM)
            with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
                (member,) = archive.getmembers()
                file = archive.extractfile(member)
                found = _POINTED.match(file.read().decode("utf-8", "replace") if file else "")
        except (NotFound, ValueError, tarfile.TarError):
            return None
        return int(found[1]) if found else None

    def address(self, name: str) -> tuple[str, int]:
        """Return host and port at which this machine reaches a container."""
        container = self._get(name)
        ports = container.ports
        published = next((item for item in ports.values() if item), None)
        if not published:
            raise OpdeployError(f"{name}: no port of it is published: it does not run; look at its logs")
        return self.machine.address(published[0]["HostIp"], int(published[0]["HostPort"]))

    def exit_code(self, name: str) -> int | None:
        """Return how a container ended; None while it runs."""
        state = self._get(name).attrs["State"]
        return state["ExitCode"] if state["Status"] in {"exited", "dead", "restarting"} else None

    def out_of_memory(self, name: str) -> bool:
        """Tell whether a container was ended because its memory was used up."""
        return bool(self._get(name).attrs["State"].get("OOMKilled"))

    def logs(self, name: str, tail: int) -> list[str]:
        """Return the last lines that a container wrote."""
        with explained(f"{name}: has no logs", "see that the engine runs"):
            text: bytes = self._get(name).logs(tail=tail)
        return text.decode("utf-8", "replace").splitlines()

    def follow(self, name: str, tail: int) -> Iterator[str]:
        """Yield the last lines that a container wrote, and what it writes until it ends."""
        with explained(f"{name}: has no logs", "see that the engine runs"):
            rest = b""
            for piece in self._get(name).logs(tail=tail, stream=True, follow=True):
                *lines, rest = (rest + piece).split(b"\n")
                yield from (line.decode("utf-8", "replace") for line in lines)
            if rest:
                yield rest.decode("utf-8", "replace")

    def api_key(self, deployment: str) -> str | None:
        """Return the API key of a deployment, where it has one."""
        with explained(f"{deployment}: is not shown", "see that the engine runs"):
            servers = self._containers({"label": [f"{DEPLOYMENT}={deployment}", f"{ROLE}=server"]})
        servers.sort(key=lambda item: int(item.labels.get(NUMBER, 0)), reverse=True)
        for item in servers:
            variables = dict(pair.partition("=")[::2] for pair in item.attrs["Config"]["Env"] or ())
            if variables.get(KEYS):
                return str(variables[KEYS]).split(",")[0]
        return None

    def artefact(self, name: str, folder: Path) -> None:
        """Write the artefact that a version's container holds below a folder, in one called `model`.

        Raises OpdeployError where there is no room for it.
        """
        with explained(f"{name}: its model cannot be read", "see that the engine runs"):
            stream, _ = self._get(name).get_archive("/model")
            extract(stream, folder, disk_usage(folder).free)

    def _get(self, name: str) -> Container:
        from docker.errors import NotFound

        try:
            with explained(f"{name}: is not shown", "see that the engine runs"):
                return self._client.containers.get(name)
        except OpdeployError as error:
            if isinstance(error.__cause__, NotFound):
                raise NotFoundError(f"{name}: there is no such container; deploy again") from None
            raise
