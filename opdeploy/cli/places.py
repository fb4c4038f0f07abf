"""Where deployments live, by platform."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opdeploy.cli.settings import Settings
    from opdeploy.clients.docker.maker import Making
    from opdeploy.deploy import operate
    from opdeploy.deploy_settings import Deploy
    from opdeploy.deployment import Observed
    from opdeploy.targets.base import Wanted

    class Place(operate.Place, Protocol):
        """Where deployments live, and what commands ask of it."""

        def deployments(self) -> list[str]:
            """Return the names of all deployments."""

        def observe(self, target: str, deployment: str, *, pushed: bool = False) -> Observed:
            """Return everything that belongs to a deployment; on demand, whether its images are in their registry."""

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


_API_KEY = "OPDEPLOY_API_KEY"
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
        clients: dict[str, object] = {"docker": host}
        if making:
            clients["image"] = Maker(lambda: engine, making)
        yield There(host, clients)


@contextmanager
def _vm(found: Settings, making: Making | None) -> Iterator[There]:
    """Give the Docker engine of a machine that is reached over SSH."""
    from opdeploy.clients import docker, ssh
    from opdeploy.clients.docker.copies import Copies
    from opdeploy.clients.docker.elsewhere import Elsewhere
    from opdeploy.clients.docker.images import silent
    from opdeploy.clients.docker.maker import Maker
    from opdeploy.deploy.locking import owner

    with ExitStack() as stack:

        @cache
        def here() -> docker.Engine:
            """Connect to the engine of this machine once it is needed."""
            try:
                return stack.enter_context(docker.connected())
            except docker.NoEngineError as error:
                todo = "or have the machine build the image: --set vm.build=there"
                raise docker.NoEngineError(f"{error}; {todo}") from error

        connection = stack.enter_context(ssh.connected(ssh.Destination.of(found.deploy.vm)))
        there = stack.enter_context(ssh.engine(connection))
        place = Elsewhere(there, here, owner(), ssh.SshMachine(connection), makes=making is not None)
        builder = (lambda: there) if found.deploy.vm.build == "there" else here
        clients: dict[str, object] = {"docker": place, "copy": Copies(here, there, making.watch if making else silent)}
        if making:
            clients["image"] = Maker(builder, making)
        yield There(place, clients, f"linux/{there.about().architecture}")


@contextmanager
def _cluster(found: Settings, making: Making | None) -> Iterator[There]:
    """Give the cluster of a context of the kubeconfig; images are built by the engine that answers here."""
    from opdeploy import ui
    from opdeploy.clients import docker, kubernetes
    from opdeploy.clients.docker.copies import Spare
    from opdeploy.clients.docker.maker import Maker
    from opdeploy.deploy.locking import owner
    from opdeploy.errors import InputError

    chosen = found.deploy.kubernetes
    if not chosen.context:
        raise InputError(
            "deploy.kubernetes.context: names no cluster, and opdeploy does not make one yet; name a context of the "
            "kubeconfig with --set kubernetes.context=NAME (see: kubectl config get-contexts), or make one first, "
            "with az aks create and az aks get-credentials"
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
        engine = cache(lambda: stack.enter_context(docker.connected()))
        clients: dict[str, object] = {"kubernetes": cluster, "copy": Spare(engine, found.deploy.target or "")}
        if making:
            clients["image"] = Maker(engine, making)
        yield There(cluster, clients)


def located(found: Settings) -> Deploy:
    """Return the settings of a deployment in Azure, in the workload's region where they name none."""
    deploy = found.deploy
    if deploy.azure.location or not (found.workload and found.workload.region):
        return deploy
    chosen = deploy.azure.model_copy(update={"location": found.workload.region})
    return deploy.model_copy(update={"azure": chosen})


@contextmanager
def _azure(found: Settings, making: Making | None) -> Iterator[There]:
    """Give a subscription of Azure; images are built by the engine that answers here, else by the registry."""
    from opdeploy.clients import azure, docker
    from opdeploy.clients.docker.copies import Spare
    from opdeploy.clients.docker.maker import Maker
    from opdeploy.deploy.locking import owner

    deploy = located(found)
    target = deploy.target or ""
    with ExitStack() as stack:
        session = stack.enter_context(azure.connected(deploy.azure.cloud, deploy.azure.subscription))
        arm = azure.Arm(session)
        engine = cache(lambda: stack.enter_context(docker.connected()))
        registries = azure.Registries(arm, engine, making, builds_here=_builds_here(deploy, engine))
        place = azure.Place(arm, deploy, target, registries, key=_key())
        clients: dict[str, object] = {
            "azure": azure.Making(arm, place, registries, owner()),
            "copy": Spare(engine, target),
        }
        if making:
            clients["image"] = Maker(engine, making)
        yield There(place, clients, "linux/amd64", place.completed)


def _key() -> str | None:
    """Return the API key of the environment; raises InputError for one that no server takes."""
    import os

    from opdeploy.errors import InputError
    from opdeploy.serving.settings import check_key

    key = os.environ.get(_API_KEY)
    if not key:
        return None
    check_key(key, _API_KEY)
    if "," in key:  # which stands between two of them
        raise InputError(f"{_API_KEY} has a comma; take another key")
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
    "aks-cpu": _cluster,
    "aks-gpu": _cluster,
    "aci": _azure,
    "webapp": _azure,
    "container-apps": _azure,
}
"""What gives the place, by the platform's id."""
