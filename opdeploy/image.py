"""What an image of a model is made of, and of what settings: pure, but that it reads opdeploy's own files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AwareDatetime, Field

from opdeploy import __version__
from opdeploy.errors import InputError
from opdeploy.frozen import Frozen
from opdeploy.render import render, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opdeploy.render import Bundle
    from opdeploy.runtime.manifest import Manifest
    from opdeploy.runtime.package import Package

TEMPLATE = "image"
STAGE = "opdeploy.stage=build"
"""The label of what the classic builder leaves of the stage that builds."""
DIGEST = "opdeploy.artefact"
"""The label with the digest of the artefact."""
TARGET = "opdeploy.target"
"""The label with the platform that an image was built for: deployments of one name may be on several."""
BUILT_FOR = "opdeploy.built-for"
"""The label with the name of the deployment that an image was built for, which its containers have from it."""
_REQUIREMENTS = "requirements/"
_OCI = "org.opencontainers.image."
_SERVER = ("__init__.py", "errors.py", "runtime/", "serving/")
_CUDA = ("cu13", "cudnn")
"""Folders of NVIDIA's packages that have libraries."""


class Sources(Frozen):
    """Where a build gets Python's packages from; without a change, from the index that pip knows."""

    index_url: str | None = Field(default=None, repr=False)
    extra_index_urls: tuple[str, ...] = Field(default=(), repr=False)
    trusted_hosts: tuple[str, ...] = ()
    proxy: str | None = Field(default=None, repr=False)
    """It may have a password, as an index that is yet to be refused; so neither shows."""
    authorities: Path | None = None
    """A file of certificate authorities (PEM), which are trusted while packages are fetched, and not in the image."""
    wheels: Path | None = None
    """A folder of wheels, which takes the place of an index."""
    network: str | None = None
    """Of the steps that run: `host`, or a network of the engine's; with wheels there is none."""

    @property
    def build_network(self) -> str | None:
        """The network of the steps that run."""
        return "none" if self.wheels else self.network

    def arguments(self) -> dict[str, str]:
        """Return the arguments of a build.

        Raises InputError for an index with a password or a query: a build's history keeps its arguments.
        """
        if self.wheels:
            return {}
        for url in filter(None, (self.index_url, *self.extra_index_urls)):
            _check_index(url)
        names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        proxies = dict.fromkeys(names, self.proxy)  # which a history does not keep
        indices = {
            "PIP_INDEX_URL": self.index_url,
            "PIP_EXTRA_INDEX_URL": " ".join(self.extra_index_urls),
            "PIP_TRUSTED_HOST": " ".join(self.trusted_hosts),
        }
        return {name: value for name, value in (proxies | indices).items() if value}


def _check_index(url: str) -> None:
    """Raise InputError for the address of an index that may be secret, or that is none; the words keep the secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InputError(
            "an index of packages has an address that cannot be read; correct it: pip config debug"
        ) from None
    if "@" in parts.netloc or parts.query:
        secret = "password" if "@" in parts.netloc else "query"
        raise InputError(
            f"the index at {parts.hostname} has a {secret} in its address, which a build's history "
            "would keep; fetch the packages with pip download, and build from the folder of wheels"
        )


class ImageSettings(Frozen):
    """What can be chosen of an image."""

    base: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]*$", max_length=400)] = (
        "python:3.11-slim-bookworm"
    )
    """The image that it is built on, with Python 3.11 or later and its venv module."""
    platform: Annotated[str, Field(pattern=r"^linux/(amd64|arm64)$")] = "linux/amd64"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    gpu: bool = False
    """Whether it computes on an NVIDIA GPU, and does not start without one."""
    created: AwareDatetime | None = None
    """Told where it is given: another time makes another image."""
    version: str | None = None
    """Of the model; where it is not given, the artefact's digest."""
    labels: Mapping[str, str] = Field(default_factory=dict)
    """More of them, such as org.opencontainers.image.licenses."""
    sources: Sources = Sources()


def bundle(package: Package, settings: ImageSettings) -> Bundle:
    """Return the files that `docker build` makes an image of: the same bytes for the same input.

    Raises InputError where a wheel is missing, or a label is no line of text.
    """
    context = {
        "opdeploy": __version__,
        "base": settings.base,
        "port": settings.port,
        "gpu": settings.gpu,
        "cuda": ":".join(f"/app/packages/nvidia/{name}/lib" for name in _CUDA),
        "labels": labels(package, settings),
        "name": package.manifest.name,
        "platform": settings.platform,
        "stage": STAGE,
    }
    made = render(TEMPLATE, context)
    pins = requirements(made, needs(package.manifest, gpu=settings.gpu))
    made = {path: content for path, content in made.items() if not path.startswith(_REQUIREMENTS)}
    made["build/requirements.txt"] = "".join(f"{pin}\n" for pin in pins).encode()
    made |= {f"server/app/opdeploy/{path}": content for path, content in _server()}
    made |= {f"artefact/model/{path}": package.path(path) for path in ("model.yaml", *sorted(package.manifest.files))}
    if settings.sources.wheels:
        made |= {f"build/wheels/{wheel.name}": wheel for wheel in _wheels(settings.sources.wheels, pins)}
    elif settings.sources.authorities:
        made["build/authorities.pem"] = _read(settings.sources.authorities)
    return made


def needs(manifest: Manifest, *, gpu: bool) -> tuple[str, ...]:
    """Return which files of `templates/image/requirements/` an artefact asks for."""
    from opdeploy.runtime.processing.spec import Image, Text

    processed = manifest.processing.input if manifest.processing else None
    kinds = [name for name, kind in (("image", Image), ("text", Text)) if isinstance(processed, kind)]
    return ("server", "gpu" if gpu else "cpu", *kinds)


def requirements(made: Bundle, names: Iterable[str]) -> list[str]:
    """Return the pinned packages, `name==version`, of some files of requirements."""
    pins = []
    for name in names:
        content = made[f"{_REQUIREMENTS}{name}.txt"]
        text = content.decode() if isinstance(content, bytes) else content.read_text(encoding="utf-8")
        pins += [line for line in text.splitlines() if line and not line.startswith("#")]
    return sorted(pins)


def labels(package: Package, settings: ImageSettings) -> dict[str, str]:
    """Return the labels of an image: those of the Open Container Initiative that are known, and opdeploy's own.

    Their names are those of github.com/opencontainers/image-spec, annotations.md (read 2026-11-25).
    """
    known = {
        f"{_OCI}title": package.manifest.name,
        f"{_OCI}version": settings.version or package.digest,
        f"{_OCI}created": settings.created.isoformat() if settings.created else None,
    }
    own = {DIGEST: package.digest, "opdeploy.version": __version__}
    found = {name: value for name, value in known.items() if value is not None}
    return dict(sorted((found | dict(settings.labels) | own).items()))


def _server() -> Iterator[tuple[str, bytes]]:
    """Yield the code that runs in a container: a part of this very package."""
    for path, file in walk(files("opdeploy")):
        if path.startswith(_SERVER):
            yield path, file.read_bytes()


def _wheels(folder: Path, pins: Iterable[str]) -> list[Path]:
    """Return the wheels of the pinned packages; raises InputError where there is none of one."""
    found: dict[str, list[Path]] = {}
    for wheel in sorted(folder.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        found.setdefault(f"{re.sub('[-_.]+', '-', name).lower()}=={version}", []).append(wheel)
    missing = [pin for pin in pins if pin not in found]
    if missing:
        raise InputError(
            f"{folder}: has no wheel of {', '.join(missing)}; fetch what is missing with: "
            f"pip download --no-deps --only-binary=:all: --dest {folder} {' '.join(missing)}"
        )
    return [wheel for pin in pins for wheel in found[pin]]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}; name a file of certificate authorities") from None
