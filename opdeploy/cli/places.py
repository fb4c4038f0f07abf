"""Where deployments live, by platform."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opdeploy.cli.settings import Settings
    from opdeploy.clients import azure
    from opdeploy.clients.docker.engine import Engine
    from opdeploy.clients.docker.maker import Making
    from opdeploy.clients.kubernetes import Api
    from opdeploy.deploy import operate
    from opdeploy.deploy_settings import Deploy
    from opdeploy.deployment import Observed
    from opdeploy.targets.base import Wanted

    class Place(operate.Place, Protocol):
        """Where deployments live, and what commands ask of it."""

        def all(self, target: str) -> Iterator[Observed]:
            """Yield all deployments."""

        def obstacles(self, wanted: Wanted) -> Iterator[str]:
            """Yield what would keep it from being made, a sentence each with what to do."""

        def shortages(self, wanted: Wanted) -> Iterator[str]:
            """Yield what may not be enough, or is not there."""

        def follow(self, name: str, tail: int) -> Iterator[str]:
            """Yield the last lines that a server wrote, and what it writes until it ends."""


class There(NamedTuple):
    """Where deployments live, and what the steps of plans call."""

    place: Place
    clients: Mapping[str, object]
    """By what the calls begin with."""
    platform: str | None = None
    """Of the images that it runs, `linux/amd64` or the like, where it is the one to say."""
    completed: Callable[[str], Deploy] | None = None
    """What returns the settings of a deployment of a name with what the place adds to them."""


API_KEY = "OPDEPLOY_API_KEY"
"""The variable with the key of a deployment in Azure, which tells no secret of what runs."""


@contextmanager
def place(found: Settings, making: Making | None = None) -> Iterator[There]:
    """Give where deployments live, on the platform that is chosen; `making` says what an image would be built of.

    Raises InputError for a container of blobs as the state of what is not in Azure.
    """
    from opdeploy.deploy.prepare import AZURE
    from opdeploy.errors import InputError

    if found.is_shared and found.deploy.target not in AZURE:
        raise InputError(
            f"{found.given('state')} {found.deploy.state} keeps deployments of Azure alone; name a folder for "
            f"{found.deploy.target or 'local'}"
        )
    with _PLACES[found.deploy.target or "local"](found, making) as there:
        yield there


_BY_MACHINE = "or have the machine build the image: --set vm.build=there"
_BY_REGISTRY = "or have the registry build the image: --set azure.build=registry"


def _engine(stack: ExitStack, otherwise: str = "") -> Callable[[], Engine]:
    """Return what connects to the engine of this machine once it is needed; `otherwise` says how to do without."""
    from opdeploy.clients import docker

    @cache
    def here() -> Engine:
        try:
            return stack.enter_context(docker.connected())
        except docker.NoEngineError as error:
            raise docker.NoEngineError(f"{error}; {otherwise}" if otherwise else str(error)) from error

    return here


@contextmanager
def _local(_found: Settings, making: Making | None) -> Iterator[There]:
    """Give the Docker engine of this machine."""
    from opdeploy.clients import docker
    from opdeploy.clients.docker import here
    from opdeploy.clients.docker.maker import Maker
    from opdeploy.deploy.locking import owner

    here.require()
    with docker.connected() as engine:
        host = engine.host(owner(), makes=making is not None)
        yield There(host, {"docker": host, "image": Maker(lambda: engine, making)})


@contextmanager
def _vm(found: Settings, making: Making | None) -> Iterator[There]:
    """Give the Docker engine of a machine that is reached over SSH: one that is there, or one that is made in Azure."""
    if found.deploy.makes_machine:
        with _made(found, making) as made:
            yield made
        return
    from opdeploy.clients import ssh
    from opdeploy.clients.docker.copies import Copies
    from opdeploy.clients.docker.elsewhere import Elsewhere
    from opdeploy.clients.docker.images import silent
    from opdeploy.clients.docker.maker import Maker
    from opdeploy.deploy.locking import owner

    with ExitStack() as stack:
        here = _engine(stack, _BY_MACHINE)
        connection = stack.enter_context(ssh.connected(ssh.Destination.of(found.deploy.vm)))
        there = stack.enter_context(ssh.engine(connection))
        place = Elsewhere(there, here, owner(), ssh.SshMachine(connection), makes=making is not None)
        builder = (lambda: there) if found.deploy.vm.build == "there" else here
        clients: dict[str, object] = {
            "docker": place,
            "copy": Copies(here, lambda: there, making.watch if making else silent),
            "image": Maker(builder, making),
        }
        yield There(place, clients, f"linux/{there.about().architecture}")


@contextmanager
def _made(found: Settings, making: Making | None) -> Iterator[There]:
    """Give a subscription of Azure, and the Docker engine of a machine that is made there."""
    from opdeploy.clients import azure
    from opdeploy.clients.docker.copies import Copies
    from opdeploy.clients.docker.images import silent
    from opdeploy.clients.docker.maker import Maker
    from opdeploy.deploy.locking import owner
    from opdeploy.deploy.prepare import located
    from opdeploy.targets.azure.sizes import is_arm

    deploy = located(found.deploy, found.workload)
    with ExitStack() as stack:
        here = _engine(stack, _BY_MACHINE)
        session = stack.enter_context(azure.connected(deploy.azure.cloud, deploy.azure.subscription))
        arm = azure.Arm(session)
        way = azure.Way(arm, deploy.vm, found.state, here, owner(), makes=making is not None)
        stack.callback(way.close)
        registries = azure.Registries(arm, here, making, builds_here=deploy.vm.build != "there")
        place = azure.MachinePlace(arm, deploy, registries, way, key=_key())
        clients: dict[str, object] = {
            "azure": _making(arm, place, registries),
            "machine": azure.MachineMaking(arm, place),
            "docker": azure.Lazily(place.host),
            "copy": Copies(here, place.engine, making.watch if making else silent),
        }
        there = azure.Lazily(lambda: Maker(place.engine, making))  # the machine may not be there yet
        clients["image"] = there if deploy.vm.build == "there" else Maker(here, making)
        yield There(place, clients, "linux/arm64" if is_arm(deploy.vm.size or "") else "linux/amd64", place.completed)


@contextmanager
def _cluster(found: Settings, making: Making | None) -> Iterator[There]:
    """Give the cluster of a context of the kubeconfig; images are built by the engine that answers here."""
    from opdeploy import ui
    from opdeploy.clients import kubernetes
    from opdeploy.clients.docker.copies import Spare
    from opdeploy.clients.docker.maker import Maker
    from opdeploy.deploy.locking import owner
    from opdeploy.errors import InputError

    chosen = found.deploy.kubernetes
    if not chosen.context:
        raise InputError(
            "deploy.kubernetes.context: names no cluster; name a context of the kubeconfig with --set "
            "kubernetes.context=NAME (see: kubectl config get-contexts), or say where in Azure it is, or is to be "
            "made, which costs money: --set aks.cluster=NAME, --resource-group NAME, or --subscription NAME"
        )
    with ExitStack() as stack:
        api = stack.enter_context(kubernetes.connected(chosen.context))
        cluster = kubernetes.Cluster(
            api,
            chosen.namespace,
            owner(),
            watch=stack.enter_context(ui.progress("cluster")),
            say=ui.say,
            force=found.force,
        )
        stack.callback(cluster.close)
        engine = _engine(stack)
        copies = Spare(engine, found.deploy.target or "")
        yield There(cluster, {"kubernetes": cluster, "copy": copies, "image": Maker(engine, making)})


@contextmanager
def _azure(found: Settings, making: Making | None) -> Iterator[There]:
    """Give a subscription of Azure; images are built by the engine that answers here, else by the registry."""
    from opdeploy.clients import azure

    with _subscription(found, making) as (arm, deploy, registries, clients):
        place = azure.Place(arm, deploy, deploy.target or "", registries, key=_key())
        yield There(place, {**clients, "azure": _making(arm, place, registries)}, "linux/amd64", place.completed)


@contextmanager
def _aks(found: Settings, making: Making | None) -> Iterator[There]:
    """Give a cluster: that of a context of the kubeconfig, else one of Azure, which may not be there yet."""
    from opdeploy import ui
    from opdeploy.clients import azure
    from opdeploy.deploy.locking import owner
    from opdeploy.targets.aks.choice import in_azure

    if not in_azure(found.deploy):
        with _cluster(found, making) as there:
            yield there
        return
    with _subscription(found, making) as (arm, settings, registries, clients), ui.progress("cluster") as watch:
        deploy = azure.named_cluster(arm, settings)

        def within(api: Api) -> azure.Within:
            return azure.Within(api, deploy.kubernetes.namespace, owner(), watch=watch, say=ui.say, force=found.force)

        with closing(azure.Clusters(arm, deploy, within)) as clusters:
            place = azure.Clustered(arm, deploy, deploy.target or "", registries, key=_key(), run=clusters)
            more = {"azure": _making(arm, place, registries), "kubernetes": azure.Lazily(lambda: place.inside)}
            yield There(place, {**clients, **more}, "linux/amd64", place.completed)


@contextmanager
def _subscription(
    found: Settings, making: Making | None
) -> Iterator[tuple[azure.Arm, Deploy, azure.Registries, dict[str, object]]]:
    """Give a connection to Azure, the settings, where images are, and what steps call here."""
    from opdeploy.clients import azure
    from opdeploy.clients.docker.copies import Spare
    from opdeploy.clients.docker.maker import Maker
    from opdeploy.deploy.prepare import located

    deploy = located(found.deploy, found.workload)
    with ExitStack() as stack:
        session = stack.enter_context(azure.connected(deploy.azure.cloud, deploy.azure.subscription))
        arm = azure.Arm(session)
        engine = _engine(stack, _BY_REGISTRY)
        registries = azure.Registries(arm, engine, making, builds_here=_builds_here(deploy, engine))
        clients: dict[str, object] = {"copy": Spare(engine, deploy.target or ""), "image": Maker(engine, making)}
        yield arm, deploy, registries, clients


def _making(arm: azure.Arm, place: azure.Place, registries: azure.Registries) -> azure.Making:
    from opdeploy import ui
    from opdeploy.clients import azure
    from opdeploy.deploy.locking import owner

    return azure.Making(arm, place, registries, owner(), ui.say)


def _key() -> str | None:
    """Return the API key of the environment; raises InputError for one that no server takes."""
    import os

    from opdeploy.errors import InputError
    from opdeploy.serving.settings import check_key

    key = os.environ.get(API_KEY)
    if not key:
        return None
    check_key(key, API_KEY)
    if "," in key:  # which stands between two of them
        raise InputError(f"{API_KEY} has a comma; take another key")
    return key


def _builds_here(deploy: Deploy, engine: Callable[[], object]) -> bool:
    """Tell whether the image is built here: where that is said, else where an engine answers."""
    from opdeploy.clients import docker
    from opdeploy.errors import InputError

    if deploy.azure.build:
        return deploy.azure.build == "here"
    try:
        engine()
    except (docker.NoEngineError, InputError):
        return False
    return True


_PLACES = {
    "local": _local,
    "vm": _vm,
    "aks-cpu": _aks,
    "aks-gpu": _aks,
    "aci": _azure,
    "webapp": _azure,
    "container-apps": _azure,
}
"""What gives the place, by the platform's id."""
