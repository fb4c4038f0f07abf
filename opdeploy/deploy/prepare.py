"""What a deployment is made of: the artefact of the model, the files of its target, and what is wanted there."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from shlex import quote
from typing import TYPE_CHECKING, Any

from opdeploy import image, targets
from opdeploy.deploy.measured import measured
from opdeploy.errors import StaleError
from opdeploy.names import deployment_name
from opdeploy.plan import fingerprint
from opdeploy.render import render
from opdeploy.runtime.package import opened, sha256
from opdeploy.targets import aks, kubernetes
from opdeploy.targets.azure import machine
from opdeploy.targets.azure.names import completed, where
from opdeploy.targets.azure.shared import registry
from opdeploy.targets.azure.target import AzureTarget
from opdeploy.targets.azure.template import template
from opdeploy.targets.base import Measured, Wanted, is_beyond, is_public, reached
from opdeploy.targets.container_apps.bodies import TARGET as CONTAINER_APPS
from opdeploy.targets.container_apps.sizes import SIZES
from opdeploy.targets.engine.names import repository
from opdeploy.targets.kubernetes.values import NAMESPACE, TEMPLATES, check, values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from opdeploy.deploy_settings import Deploy
    from opdeploy.image import ImageSettings
    from opdeploy.platform import Profile
    from opdeploy.render import Bundle
    from opdeploy.runtime.package import Package
    from opdeploy.targets.azure.shared import Resource
    from opdeploy.workload import Workload

KEEP = 3
_TAG = 12
"""Digits of the bundle's digest that name an image."""
CLUSTER = frozenset(kubernetes.TARGET.ids)
"""Platforms that are clusters of Kubernetes."""
AZURE = frozenset({"aci", CONTAINER_APPS, "webapp"})
"""Platforms of Azure, which are made through its Resource Manager."""
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
    in_flight: float | None = None
    """Requests of a pod with a GPU above which another is started; None where nothing is recommended."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that a deployment is made of."""

    wanted: Wanted
    image: ImageSettings
    """Those that were asked for, with the label by which a deployment knows its images."""
    bundle: Bundle
    """All files of the target; those of the image are below `image/`."""
    package: Package


def on_gpu(platform: str, settings: Deploy, workload: Workload) -> bool:
    """Tell whether a deployment is to compute on a GPU."""
    if platform == "vm":
        return workload.hardware.gpu == "required" if settings.vm.gpu is None else settings.vm.gpu
    if platform == CONTAINER_APPS and settings.container_apps.profile:
        return SIZES[settings.container_apps.profile].gpu
    if platform == CONTAINER_APPS:
        return workload.hardware.gpu == "required"
    return platform == "aks-gpu"


@contextmanager
def prepared(artefact: Path, asked: Asked) -> Iterator[Prepared]:
    """Give what a deployment of an artefact is made of: the same for the same input.

    Raises InputError for what is no artefact, or for a name that the platform cannot have.
    """
    with opened(artefact) as package:
        wanted = _wanted(package.digest, asked)
        labels = {**asked.image.labels, image.BUILT_FOR: wanted.deployment, image.TARGET: asked.profile.id}
        settings = asked.image.model_copy(update={"labels": labels})
        files = image.bundle(package, settings)
        bundle = _digest(package, files, settings)
        wanted = wanted.model_copy(update={"bundle": bundle, "image": f"{wanted.image}:{bundle[:_TAG]}"})
        made = {f"{IMAGE}{path}": content for path, content in files.items()}
        if asked.profile.id in CLUSTER:
            own = _cluster_files(wanted, asked, measured(package), _file_image(wanted))
            if wanted.settings.kubernetes.namespace:  # which may be others' too
                own.pop(NAMESPACE)
            wanted = wanted.model_copy(update={"manifests": _manifests(wanted, asked, measured(package))})
            if aks.in_azure(wanted.settings):
                own["template.json"] = _template(aks.MANAGED.resources(wanted))
        elif asked.profile.id in AZURE:
            own = _azure_files(wanted, asked)
        else:
            own = render(asked.profile.id, _context(wanted, asked))
            if wanted.settings.makes_machine:
                own["template.json"] = _template(machine.resources(wanted, {}))
        made |= own
        yield Prepared(wanted, settings, made, package)


def imagined(asked: Asked) -> Wanted:
    """Return what a deployment would be of a model that is not looked at: of it, nothing is known."""
    wanted = _wanted("", asked)
    wanted = wanted.model_copy(update={"image": f"{wanted.image}:none"})
    if asked.profile.id not in CLUSTER:
        return wanted
    return wanted.model_copy(update={"manifests": _manifests(wanted, asked, Measured())})


def require_unchanged(package: Package) -> None:
    """Raise StaleError where an artefact is not the one any more that was read, so that nothing else is built of it.

    Raises InputError where it is no whole one now.
    """
    with opened(package.folder) as now:
        if now.digest != package.digest:
            raise StaleError(f"{package.folder}: the model has changed since the plan was made; run the command again")


def _cluster_files(wanted: Wanted, asked: Asked, known: Measured, name: str) -> dict[str, bytes | Path]:
    """Return the files of a cluster, without those of which nothing is left; `name` is that of the image."""
    context = values(wanted, asked.workload.name, asked.workload.stage, name, known, asked.in_flight)
    if aks.in_azure(wanted.settings):
        at = where(wanted.settings, wanted.deployment)
        context |= {
            "group": quote(at.group),
            "location": quote(at.location or "REGION"),
            "cluster": aks.called(aks.id_of(wanted.settings, wanted.deployment)),
            **_stored(wanted),
        }
    return {path: text for path, text in render(TEMPLATES, context).items() if isinstance(text, bytes) and text.strip()}


def _azure_files(wanted: Wanted, asked: Asked) -> dict[str, bytes | Path]:
    """Return the files of a platform of Azure: a template of its resources, and how to deploy it."""
    target = targets.find(asked.profile.id)
    assert isinstance(target, AzureTarget)  # noqa: S101 - for mypy
    wanted = wanted.model_copy(update={"image": _file_image(wanted)})
    context = {
        "workload": asked.workload.name,
        "platform": asked.profile.id,
        "group": quote(wanted.settings.azure.resource_group or ""),
        "location": quote(wanted.settings.azure.location or "REGION"),
        "image": quote(wanted.image),
        "architecture": wanted.platform,
        "registry_sku": wanted.settings.azure.registry_sku or "Basic",
        "keyed": wanted.keyed,
        **_stored(wanted),
    }
    return {**render("azure", context), "template.json": _template(target.resources(wanted))}


def _stored(wanted: Wanted) -> dict[str, object]:
    """Return what files say of the registry that the image comes from."""
    source = registry(wanted, {})
    return {
        "own_registry": source.is_own,
        "registry_name": quote(source.server.partition(".")[0]),
        "repository": quote(_file_image(wanted).partition("/")[2]),
    }


def _template(resources: Iterable[Resource]) -> bytes:
    """Return a template of resources as a file."""
    return f"{json.dumps(template(resources), indent=2)}\n".encode()


def _manifests(wanted: Wanted, asked: Asked, known: Measured) -> tuple[dict[str, Any], ...]:
    """Return what a cluster is told, as data, in the order of the files."""
    import yaml

    files = _cluster_files(wanted, asked, known, wanted.image)
    found = (text for path, text in sorted(files.items()) if path.endswith(".yaml") and isinstance(text, bytes))
    return tuple(yaml.safe_load(text) for text in found)


def _wanted(artefact: str, asked: Asked) -> Wanted:
    settings = asked.settings.model_copy(update={"target": asked.profile.id})
    if asked.profile.id in CLUSTER:
        check(settings.kubernetes)
        aks.check(settings, datetime.now(UTC).date())
    rule = targets.find(asked.profile.id, settings=settings).rule
    name = deployment_name(settings, asked.workload.name, asked.profile, rule)
    is_stored = asked.profile.id in AZURE or aks.in_azure(settings)
    if is_stored or settings.makes_machine:
        settings = located(settings, asked.workload)
    if is_stored:
        settings = completed(settings, name)
    public, tls = exposure(settings)
    return Wanted(
        deployment=name,
        settings=settings,
        artefact=artefact,
        bundle="",
        image=_image(settings, repository(name)),
        platform=asked.image.platform,
        port=asked.image.port,
        gpu=asked.image.gpu,
        memory_gb=asked.memory_gb,
        public=public,
        keyed=public and not asked.public_no_auth,
        tls=tls,
        keep=settings.keep or KEEP,
        ready_s=asked.ready_s,
    )


def located(settings: Deploy, workload: Workload | None) -> Deploy:
    """Return the settings of a deployment in Azure, in the workload's region where they name none."""
    if settings.azure.location or not (workload and workload.region):
        return settings
    chosen = settings.azure.model_copy(update={"location": workload.region})
    return settings.model_copy(update={"azure": chosen})


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


def _file_image(wanted: Wanted) -> str:
    """Return the name of the image in files: not a deployment's, which would take it for its own, and remove it."""
    return f"{_image(wanted.settings, wanted.deployment.lower())}:{wanted.bundle[:_TAG]}"


def exposure(settings: Deploy) -> tuple[bool, bool]:
    """Tell whether a deployment is reached from anywhere, and whether what is on the way can read along then."""
    if settings.target == "webapp":
        return True, True
    if settings.target == CONTAINER_APPS:
        apps = settings.container_apps
        return apps.external is not False and apps.subnet is None, True
    if settings.target in AZURE:
        return settings.aci.subnet is None, False
    if settings.target not in CLUSTER:
        reached_by_others = is_beyond if settings.target == "vm" else is_public
        return reached_by_others(settings.listening.host), False
    chosen = settings.kubernetes
    named = bool(chosen.ingress_class or chosen.gateway_class)
    outside = chosen.service_type in {"NodePort", "LoadBalancer"}
    return named or outside, named and bool(chosen.tls_secret) and not outside


def _context(wanted: Wanted, asked: Asked) -> dict[str, object]:
    listen, port, cpus = wanted.settings.listening
    return {
        "name": wanted.deployment,
        "workload": asked.workload.name,
        "image": _file_image(wanted),
        "platform": wanted.platform,
        "inside": wanted.port,
        "listen": _in_url(listen),
        "reached": _in_url(reached(listen)),
        "port": port,
        "memory_mb": round(wanted.memory_gb * 1000),
        "cpus": cpus,
        "gpu": wanted.gpu,
        "keyed": wanted.keyed,
        "made": wanted.settings.makes_machine,
        "group": quote(where(wanted.settings, wanted.deployment).group),
        "location": quote(wanted.settings.azure.location or "REGION"),
        "user": quote(wanted.settings.vm.user or machine.USER),
    }


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
