"""The settings of a deployment: of the workload file, of OPDEPLOY_… variables, and of options."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from opdeploy.cli.options import DEFAULT, require_alive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opdeploy.deploy_settings import Deploy
    from opdeploy.platform import NameRule, Profile
    from opdeploy.targets.base import Target
    from opdeploy.workload import Workload
    from opdeploy.workload_file import Given


VARIABLE = "OPDEPLOY_"
"""What the variables of settings begin with."""
_PLACE = {
    "host",
    "user",
    "identity_file",
    "ssh_port",
    "context",
    "namespace",
    "resource_group",
    "subscription",
    "cloud",
    "cluster",
}
"""Settings that say where a deployment is."""
_WITHOUT_GPU = {"aci", "webapp"}
"""Platforms of which people ask for a GPU, and that have none."""
_OPTIONS = {"azure.resource_group": "-g", "azure.subscription": "--subscription", "azure.cloud": "--cloud"}
"""Those of them for which every command has an option."""


_USES = {
    "local": {"local"},
    "vm": {"vm"},
    "aks-cpu": {"kubernetes"},
    "aks-gpu": {"kubernetes"},
    "aci": {"azure", "aci"},
    "webapp": {"azure", "webapp"},
    "container-apps": {"azure", "container_apps"},
}
"""The sections of the settings that mean something on a platform; where opdeploy makes its machine or cluster in Azure,
there are more."""


class InAzure(NamedTuple):
    """Where in Azure, as chosen with options."""

    resource_group: str | None = None
    subscription: str | None = None
    cloud: str | None = None
    location: str | None = None
    tags: list[str] | None = None


class Chosen(NamedTuple):
    """Which settings were chosen with options; None where the option was not given."""

    target: str | None = None
    name: str | None = None
    registry: str | None = None
    port: int | None = None
    host: str | None = None
    state: str | None = None
    context: str | None = None
    namespace: str | None = None
    service_type: str | None = None
    azure: InAzure = InAzure()
    more: tuple[str, ...] = ()
    """Settings by their paths, such as `vm.host=somewhere`."""

    @classmethod
    def there(
        cls,
        target: str | None,
        resource_group: str | None,
        subscription: str | None,
        cloud: str | None,
        state: str | None,
        more: list[str] | None,
    ) -> Chosen:
        """Return what says where something is that was deployed before."""
        azure = InAzure(resource_group, subscription, cloud)
        return cls(target=target, state=state, azure=azure, more=tuple(more or ()))


class Settings(NamedTuple):
    """The settings of a deployment, and what they come from."""

    deploy: Deploy
    file: Path | None
    workload: Workload | None
    sources: Mapping[str, str] = {}
    """Where settings were given that are not those of the file: the option or the variable, by their paths."""
    force: bool = False
    """Whether fields that others have are taken over."""
    in_flight: float | None = None
    """Requests of a pod with a GPU above which another is started, by the recommendation."""
    scaling: str | None = None
    """What of them comes from the recommendation, as a plan says it."""

    def given(self, path: str) -> str:
        """Return where a setting was given."""
        return self.sources.get(path) or (f"{self.file}: " if self.file else "") + f"deploy.{path}:"

    @property
    def useless(self) -> tuple[str, ...]:
        """The options that mean nothing on the platform."""
        from opdeploy.targets.aks.choice import in_azure

        used = _USES.get(self.deploy.target or "local", set())
        if self.deploy.makes_machine:
            used = used | {"azure"}
        elif "kubernetes" in used and in_azure(self.deploy):
            used = used | {"azure", "aks"}
        options = ((path.partition("."), source) for path, source in self.sources.items() if source.startswith("--"))
        return tuple(source for (section, dot, _), source in options if dot and section not in used)

    @property
    def options(self) -> str:
        """The options that another command needs, beside name and target, to find the same machine or cluster."""
        from shlex import quote

        from opdeploy.workload_file import settings_of_deploy

        words = []
        if self.is_shared and not (self.workload and self.workload.deploy.state == self.deploy.state):
            words.append(f" --state {quote(str(self.deploy.state))}")
        for path in settings_of_deploy():
            section, _, key = path.partition(".")
            if section in {"vm", "kubernetes", "azure", "aks"} and key in _PLACE:
                value = getattr(getattr(self.deploy, section), key)
                written = getattr(getattr(self.workload.deploy, section), key) if self.workload else None
                if value not in {None, written} and not self.sources.get(path, "").startswith(VARIABLE):
                    option = _OPTIONS.get(path)
                    words.append(f" {option} {quote(str(value))}" if option else f" --set {quote(f'{path}={value}')}")
        return "".join(words)

    @property
    def state(self) -> Path:
        """The folder of journals and caches: beside the workload file, if not said otherwise."""
        folder = self.file.parent if self.file else Path()
        state = self.deploy.state
        return folder / (state if state and not self.is_shared else ".opdeploy")

    @property
    def is_shared(self) -> bool:
        """Whether records and locks are in a container of blobs, for whoever works on the deployment."""
        return "://" in (self.deploy.state or "")


def _paths(target: str) -> dict[str, str]:
    """Return the setting that each option sets, on a platform."""
    section, address = ("vm", "listen") if target == "vm" else ("local", "host")
    port = "kubernetes" if target in {"aks-cpu", "aks-gpu"} else section
    return {
        "--target": "target",
        "--name": "name",
        "--registry": "registry",
        "--state": "state",
        "--port": f"{port}.port",
        "--host": f"{section}.{address}",
        "--context": "kubernetes.context",
        "--namespace": "kubernetes.namespace",
        "--service-type": "kubernetes.service_type",
    }


def settings(file: Path | None, chosen: Chosen, *, with_model: bool = False) -> Settings:
    """Return the settings: of the workload file, overridden by OPDEPLOY_… variables, overridden by options.

    The model is looked for where a command needs it: what is deployed is looked after from a checkout without it.

    Raises InputError where the file was named and is not there, or is wrong, or where a value is refused.
    """
    from opdeploy.catalogue import load_catalogue
    from opdeploy.deploy_settings import Deploy
    from opdeploy.errors import InputError
    from opdeploy.workload_file import Given, load_workload, overridden, settings_of_deploy

    if file is None and DEFAULT.exists():
        file = DEFAULT
    workload = load_workload(file, load_catalogue().all_ids, with_model=with_model) if file else None
    given = {}
    known = [*settings_of_deploy()]
    for path in known:
        variable = VARIABLE + path.upper().replace(".", "_")
        if os.environ.get(variable):
            given[path] = Given(variable, os.environ[variable])
    for item in chosen.more:
        path, sign, value = item.partition("=")
        if not sign:
            raise InputError(f"--set {item}: has no value; write it as --set kubernetes.namespace=models")
        if path not in known:
            raise InputError(f"--set {path}: {_unknown(path, known)}")
        given[path] = Given(f"--set {path}", value)
    target = chosen.target or (str(given["target"].value) if "target" in given else None)
    target = target or (workload.deploy.target if workload else None) or "local"
    for option, path in _paths(target).items():
        value = getattr(chosen, option.removeprefix("--").replace("-", "_"))
        if value is not None:
            given[path] = Given(option, value)
    given |= _in_azure(chosen.azure)
    deploy = overridden(workload.deploy if workload else Deploy.model_validate_json("{}"), given)
    return Settings(deploy, file, workload, {path: value.source for path, value in given.items()})


def _unknown(path: str, known: list[str]) -> str:
    """Say what is wrong with the name of a setting, and what to do."""
    from opdeploy.errors import did_you_mean

    section, _, key = path.partition(".")
    if section in _WITHOUT_GPU and key in {"gpu", "gpus"}:
        return f"there is no GPU on {section}; take container-apps or aks-gpu"
    todo = did_you_mean(path, known) or "; docs/workload.md and opdeploy schema workload have them all"
    return f"there is no such setting of deploy{todo}"


def _in_azure(chosen: InAzure) -> dict[str, Given]:
    """Return the settings of Azure that were chosen with options; raises InputError for what is no tag."""
    from opdeploy.workload_file import Given, pairs

    given = {
        f"azure.{name}": Given(f"--{name.replace('_', '-')}", value)
        for name, value in chosen._asdict().items()
        if value is not None and name != "tags"
    }
    if chosen.tags:
        given["azure.tags"] = Given("--tags", pairs("--tags", chosen.tags))
    return given


def target_of(found: Settings) -> tuple[Profile, Target]:
    """Return the platform and the target.

    Raises InputError where none is named, or opdeploy does not deploy there, NoPlatformError where that is no more.
    """
    from opdeploy import targets
    from opdeploy.catalogue import load_catalogue
    from opdeploy.errors import InputError

    name = found.deploy.target
    if name is None:
        raise InputError(
            f"no target is named; say --target ({', '.join(targets.ids())}), or write deploy.target into the "
            "workload file"
        )
    profile = load_catalogue().find(name, found.given("target").rstrip(":"))
    if name not in targets.ids():  # where it is, what was deployed can still be removed
        require_alive(profile)
    return profile, targets.find(name, settings=found.deploy)


def rule_of(found: Settings, profile: Profile) -> NameRule | None:
    """Return what a deployment may be called: by a rule of its target, else of the platform."""
    from opdeploy import targets

    own = targets.find(profile.id, settings=found.deploy).rule
    return own or (profile.limits.name.value if profile.limits.name else None)


def name_of(found: Settings, name: str | None, profile: Profile) -> str:
    """Return the name of a deployment: the one that was given, else that of the workload file."""
    from opdeploy.errors import InputError
    from opdeploy.names import deployment_name
    from opdeploy.workload_file import Given, overridden

    rule = rule_of(found, profile)
    if name is not None:
        deploy = overridden(found.deploy, {"name": Given("NAME", name)})
        return deployment_name(deploy, name, profile, rule)
    if found.workload is None:
        raise InputError(f"name a deployment, or go to a folder with a {DEFAULT}; see opdeploy list -t {profile.id}")
    return deployment_name(found.deploy, found.workload.name, profile, rule)
