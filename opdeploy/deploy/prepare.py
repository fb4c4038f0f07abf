"""What a deployment is made of: the artefact of the model, the files of its target, and what is wanted there."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opdeploy import image
from opdeploy.errors import StaleError
from opdeploy.names import deployment_name
from opdeploy.plan import fingerprint
from opdeploy.render import render
from opdeploy.runtime.package import opened, sha256
from opdeploy.targets.base import Wanted, is_public, reached
from opdeploy.targets.engine.names import HOST, repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from opdeploy.deploy_settings import Deploy
    from opdeploy.image import ImageSettings
    from opdeploy.platform import Profile
    from opdeploy.render import Bundle
    from opdeploy.runtime.package import Package
    from opdeploy.workload import Workload

KEEP = 3
_TAG = 12
"""Digits of the bundle's digest that name an image."""
_WHEELS = "build/wheels/"
IMAGE = "image/"
"""The folder of the bundle that an image is built of."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for."""

    workload: Workload
    settings: Deploy
    profile: Profile
    image: ImageSettings
    memory_gb: float
    public_no_auth: bool
    ready_s: float
    """How long a server may take to get ready."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that a deployment is made of."""

    wanted: Wanted
    image: ImageSettings
    """Those that were asked for, with the label by which a deployment knows its images."""
    bundle: Bundle
    """All files of the target; those of the image are below `image/`."""
    package: Package


@contextmanager
def prepared(artefact: Path, asked: Asked) -> Iterator[Prepared]:
    """Give what a deployment of an artefact is made of: the same for the same input.

    Raises InputError for what is no artefact, or for a name that the platform cannot have.
    """
    with opened(artefact) as package:
        wanted = _wanted(package, asked)
        labels = {**asked.image.labels, image.BUILT_FOR: wanted.deployment}
        settings = asked.image.model_copy(update={"labels": labels})
        files = image.bundle(package, settings)
        bundle = _digest(package, files, settings)
        wanted = wanted.model_copy(update={"bundle": bundle, "image": f"{wanted.image}:{bundle[:_TAG]}"})
        made = {f"{IMAGE}{path}": content for path, content in files.items()}
        made |= render(asked.profile.id, _context(wanted, asked))
        yield Prepared(wanted, settings, made, package)


def require_unchanged(package: Package) -> None:
    """Raise StaleError where an artefact is not the one any more that was read, so that nothing else is built of it.

    Raises InputError where it is no whole one now.
    """
    with opened(package.folder) as now:
        if now.digest != package.digest:
            raise StaleError(f"{package.folder}: the model has changed since the plan was made; run the command again")


def _wanted(package: Package, asked: Asked) -> Wanted:
    settings = asked.settings
    name = deployment_name(settings, asked.workload.name, asked.profile)
    public = is_public(settings.local.host or HOST)
    return Wanted(
        deployment=name,
        settings=settings,
        artefact=package.digest,
        bundle="",
        image=_image(settings, repository(name)),
        platform=asked.image.platform,
        port=asked.image.port,
        memory_gb=asked.memory_gb,
        public=public,
        keyed=public and not asked.public_no_auth,
        keep=settings.keep or KEEP,
        ready_s=asked.ready_s,
    )


def _image(settings: Deploy, name: str) -> str:
    return f"{settings.registry.rstrip('/')}/{name}" if settings.registry else name


def _digest(package: Package, files: Bundle, settings: ImageSettings) -> str:
    """Return the digest of an image's files, and of how it is built; where its packages come from changes nothing."""
    known = {package.path(name): digest for name, digest in package.manifest.files.items()}
    hashes = {path: _hash(content, known) for path, content in files.items() if not path.startswith(_WHEELS)}
    return fingerprint([hashes, settings.base, settings.platform])


def _hash(content: bytes | Path, known: Mapping[Path, str]) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    return known.get(content) or sha256(content)


def _context(wanted: Wanted, asked: Asked) -> dict[str, object]:
    listen = asked.settings.local.host or HOST
    return {
        "name": wanted.deployment,
        "workload": asked.workload.name,
        # Not that of a deployment, which would take the image for its own, and remove it.
        "image": f"{_image(asked.settings, wanted.deployment.lower())}:{wanted.bundle[:_TAG]}",
        "platform": wanted.platform,
        "inside": wanted.port,
        "listen": _in_url(listen),
        "reached": _in_url(reached(listen)),
        "port": asked.settings.local.port or wanted.port,
        "memory_mb": round(wanted.memory_gb * 1000),
        "cpus": asked.settings.local.cpus,
        "keyed": wanted.keyed,
    }


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
