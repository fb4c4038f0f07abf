"""A folder with a model and its workload file, and what is deployed from it to the engine that answers here."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from nets import linear, records

from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import Samples
from opdeploy.runtime.package import Golden, sha256
from tests.conftest import Ran, environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import docker as sdk

BASE = "opdeploy-test-base:bookworm"
MINUTES = 60.0
_numbers = count()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Project:
    """A folder with a workload file, whose model can be made anew."""

    folder: Path
    client: sdk.DockerClient
    base: str = BASE
    name: str = field(default_factory=lambda: f"net-{os.getpid()}-{next(_numbers):04}")
    port: int = field(default_factory=free_port)
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of the environment of every command."""

    def __post_init__(self) -> None:
        """Write the workload file, and the first model."""
        self.workload()
        self.model(seed=0)

    def workload(self, **deploy: Any) -> None:  # noqa: ANN401 - any setting
        """Write the workload file, with more settings of the deployment."""
        value = {
            "name": "net",
            "model": {"path": "net"},
            "serving": {"pattern": "request-response"},
            "hardware": {"memory_gb": 0.5},
            "deploy": {"target": "local", "name": self.name, "local": {"port": self.port}, **deploy},
        }
        (self.folder / "workload.yaml").write_text(json.dumps(value))

    def model(self, seed: int, wrong: int | None = None, name: str = "net") -> None:
        """Write another model; of the golden answers, that to one record may be wrong."""
        import shutil

        target = self.folder / "net"
        shutil.rmtree(target, ignore_errors=True)
        model = linear(self.folder / "model.onnx", seed=seed)
        build(Contents(name, model, Samples({"x": records(8)}, "records")), target)
        if wrong is not None:
            spoil(target, wrong)

    def run(self, *arguments: str, variables: Mapping[str, str] | None = None, cwd: Path | None = None) -> Ran:
        """Run a command in the folder, or in another."""
        done = subprocess.run(
            self.command(*arguments),
            capture_output=True,
            check=False,
            cwd=cwd or self.folder,
            encoding="utf-8",
            env=environment(COLUMNS="160", **{**self.variables, **(variables or {})}),
            stdin=subprocess.DEVNULL,
            timeout=10 * MINUTES,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-m", "opdeploy", *arguments]

    def deploy(self, *more: str, base: str | None = None) -> Ran:
        """Deploy what is in the folder."""
        return self.run("deploy", "--yes", "--base-image", base or self.base, *more)

    def status(self) -> Any:  # noqa: ANN401 - any JSON
        """Return how the deployment stands."""
        return json.loads(self.run("status", "-o", "json").out)

    def versions(self) -> dict[int, tuple[str, bool]]:
        """Return state, and whether it is current, of each version."""
        return {item["number"]: (item["state"], item["current"]) for item in self.status()["versions"]}

    def containers(self) -> set[str]:
        """Return what tells the deployment's containers from all others, of whatever name."""
        found = self.client.containers.list(all=True, filters={"label": f"opdeploy.deployment={self.name}"})
        return {str(item.id) for item in found}

    def left(self) -> list[str]:
        """Return the names of everything in the engine that has the deployment's name."""
        api = self.client.api  # which lists, where the models look at each again, that another test may have removed
        names = [name for item in api.containers(all=True) for name in item["Names"]]
        names += [item["Name"] for item in api.networks()]
        names += [item["Name"] for item in api.volumes()["Volumes"] or ()]
        names += [tag for image in api.images() for tag in image["RepoTags"] or ()]
        return sorted(str(name).removeprefix("/") for name in names if self.name in str(name))

    def remove(self) -> None:
        """Remove whatever is there, also after a test that failed."""
        api = self.client.api
        for item in api.containers(all=True):
            if any(self.name in name for name in item["Names"]):
                api.remove_container(item["Id"], force=True, v=True)
        for name in self.left():
            for found in (*self.client.networks.list(names=[name]), *self._volumes(name)):
                found.remove()
            if ":" in name:
                api.remove_image(name)

    def _volumes(self, name: str) -> list[Any]:
        return [item for item in self.client.volumes.list() if item.name == name]


def spoil(artefact: Path, record: int) -> None:
    """Make the golden answer to one record wrong, in an artefact that is whole all the same."""
    from opdeploy.runtime import manifest as manifests

    about = manifests.read(artefact / "model.yaml").golden
    file = artefact / about.file
    before = sha256(file)
    golden = Golden.load(file)
    golden.outputs["y"][record] = golden.outputs["y"][record][::-1]
    golden.save(file)
    manifest = artefact / "model.yaml"
    manifest.write_text(manifest.read_text().replace(before, sha256(file)))
