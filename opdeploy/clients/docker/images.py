"""Images of an engine: what they are, and how they get to a registry."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opdeploy.clients.docker.explained import explained
from opdeploy.clients.docker.records import lock_name
from opdeploy.errors import OpdeployError
from opdeploy.image import BUILT_FOR, TARGET
from opdeploy.targets.engine.names import repository

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from docker import DockerClient

    Watch = Callable[[str], None]


PUSH_S = 3600.0
"""Seconds for a whole image; between two lines of the engine the connection's own time-out counts."""
_REGISTRY_S = 10
"""Seconds within which a registry has to say whether it has an image."""


def silent(_line: str) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A step of an image's history, the newest first; most steps add no files."""

    size: int
    """Bytes, uncompressed."""
    made_by: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image in an engine."""

    id: str
    """As the engine names it: `sha256:` and 64 hexadecimal digits."""
    size: int
    """Bytes of all layers, uncompressed, those of the base included."""
    os: str
    architecture: str
    variant: str
    """Of the processor, such as `v8`; often empty."""
    diff_ids: tuple[str, ...]
    """The hash of every layer, uncompressed, from the base up: equal layers are stored and pushed once."""
    history: tuple[Layer, ...]
    labels: Mapping[str, str]
    config: Mapping[str, Any]
    """As the engine has it: `User`, `Entrypoint`, `Env`, …"""
    digests: tuple[str, ...]
    """`repository@sha256:…`, by registries that it was pushed to or pulled from."""

    @property
    def platform(self) -> str:
        """Operating system and architecture as `docker build --platform` takes them: `linux/amd64`."""
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))


def inspect(client: DockerClient, reference: str) -> Image:
    """Describe an image that the engine has; raises OpdeployError where it has none of that name."""
    with explained(f"{reference}: the engine does not show this image", "build or pull it first"):
        image = client.images.get(reference)
        facts, history = image.attrs, image.history()
    config = facts.get("Config") or {}
    return Image(
        id=facts["Id"],
        size=facts["Size"],
        os=facts["Os"],
        architecture=facts["Architecture"],
        variant=facts.get("Variant") or "",
        diff_ids=tuple(facts["RootFS"].get("Layers") or ()),
        history=tuple(Layer(step["Size"], step["CreatedBy"]) for step in history),
        labels=config.get("Labels") or {},
        config=config,
        digests=tuple(facts.get("RepoDigests") or ()),
    )


class Registries:
    """What registries have of images, asked through the engine, with the credentials that `docker login` stored.

    An engine's own list of an image's digests does not tell: the containerd image store fills it for what was built.
    """

    def __init__(self, client: DockerClient) -> None:
        self._client = client
        self._silent: set[str] = set()
        """Those that did not answer in time: they are not asked again."""

    def have(self, reference: str, digests: Collection[str]) -> bool:
        """Tell whether a name leads there to one of an image's digests (`repository@sha256:…`).

        An image whose name has no registry is in none; nor is one whose registry does not answer.
        """
        from docker.errors import DockerException
        from docker.utils import parse_repository_tag
        from requests.exceptions import RequestException

        where, _ = parse_repository_tag(reference)
        registry, slash, _ = where.partition("/")
        if not slash or not digests or registry in self._silent:
            return False
        try:
            with within(self._client, _REGISTRY_S):
                found = self._client.images.get_registry_data(reference)
        except DockerException:
            return False
        except RequestException:
            self._silent.add(registry)
            return False
        return f"{where}@{found.id}" in digests


@contextmanager
def within(client: DockerClient, seconds: int) -> Iterator[None]:
    """Have the engine answer within so many seconds."""
    before, client.api.timeout = client.api.timeout, seconds
    try:
        yield
    finally:
        client.api.timeout = before


def push(client: DockerClient, reference: str, watch: Watch, login: tuple[str, str] | None = None) -> str:
    """Push an image and return `repository@sha256:…`, by the digest that the registry answered with.

    It logs in as a user with a password, else with what `docker login` stored. Raises OpdeployError where the registry
    refuses.
    """
    from docker.utils import parse_repository_tag

    where, tag = parse_repository_tag(reference)
    digest = ""
    with explained(f"{reference}: was not pushed", "log in to the registry with docker login, and check the name"):
        until = time.monotonic() + PUSH_S
        shown = {"username": login[0], "password": login[1]} if login else None
        for line in client.api.push(where, tag or "latest", stream=True, decode=True, auth_config=shown):
            if time.monotonic() > until:
                raise OpdeployError(f"{reference}: was not pushed within {PUSH_S / 60:g} minutes; push it again")
            if "error" in line:
                raise OpdeployError(
                    f"{reference}: was not pushed: {line['error']}; log in to the registry with docker login, "
                    "and check the name"
                )
            digest = (line.get("aux") or {}).get("Digest", digest)
            if line.get("status") and not line.get("progressDetail"):
                watch(" ".join(filter(None, (line.get("id"), line["status"]))))
    if not digest:
        raise OpdeployError(f"{reference}: was pushed, but the registry named no digest; push it again")
    return f"{where}@{digest}"


def built_for(client: DockerClient, target: str, deployment: str) -> dict[str, Any]:
    """Return the images that were built for a deployment on a platform, by the names that it gives them."""
    end = f"/{repository(deployment)}"
    return {
        str(tag): image
        for image in client.api.images(filters={"label": f"{BUILT_FOR}={deployment}"})
        for tag in image["RepoTags"] or ()
        if (image["Labels"] or {}).get(TARGET, target) == target and f"/{tag.rpartition(':')[0]}".endswith(end)
    }


def spare(client: DockerClient, target: str, deployment: str) -> list[str]:
    """Return those of a deployment's images that nothing on this engine uses.

    None are, where somebody is at work there on a deployment of that name: what it is about to use is not known.
    """
    lock = lock_name(deployment)
    with explained(f"{deployment}: its images are not shown", "see that the engine runs"):
        if any(item.name == lock for item in client.volumes.list(filters={"name": lock})):
            return []
        used = {item["ImageID"] for item in client.api.containers(all=True)}
        found = built_for(client, target, deployment)
    return sorted(name for name, image in found.items() if image["Id"] not in used)
