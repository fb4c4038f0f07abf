"""Images of an engine: what they are, and how they get to a registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opdeploy.clients.docker.explained import explained
from opdeploy.errors import OpdeployError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from docker import DockerClient

    Watch = Callable[[str], None]


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


def push(client: DockerClient, reference: str, watch: Watch) -> str:
    """Push an image and return `repository@sha256:…`, by the digest that the registry answered with.

    Credentials are those that `docker login` stored. Raises OpdeployError where the registry refuses.
    """
    from docker.utils import parse_repository_tag

    repository, tag = parse_repository_tag(reference)
    digest = ""
    with explained(f"{reference}: was not pushed", "log in to the registry with docker login, and check the name"):
        for line in client.api.push(repository, tag or "latest", stream=True, decode=True):
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
    return f"{repository}@{digest}"
