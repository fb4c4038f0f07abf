"""A folder with a model and its workload file, and what is deployed from it to the stand-in for Azure."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests
from nets import linear, records

from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import Samples
from tests import warm
from tests.conftest import environment
from tests.deploy.projects import spoil

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.arm.arm import Arm, Seen
    from tests.conftest import Ran

GROUP, REGION = "models", "westeurope"
WRITES = {"PUT", "PATCH", "POST", "DELETE"}
ASKS = ("/oauth2/", "/checknameavailability?", "/listkeys?", "/listsecrets?", "/sharedkeys?", "/containerlogs?")
"""Parts of the paths of what changes nothing."""
MISSING = "asks for an API key that is not known here; set OPDEPLOY_API_KEY to the one that was shown"
NOTES = "/microsoft.resources/deployments/"


@dataclass
class Clouded:
    """A project, deployed to one platform."""

    folder: Path
    arm: Arm
    target: str
    settings: dict[str, Any] = field(default_factory=dict)
    """Of `deploy`."""
    key: str | None = None
    """The API key that was shown."""
    more: tuple[str, ...] = ("--allow-plain-http",)
    """Options of every deployment."""
    variables: dict[str, str] = field(default_factory=dict)
    """Of the environment of every command."""

    def __post_init__(self) -> None:
        """Write the workload file, and the first model."""
        self.workload()
        self.model(seed=0)

    def workload(self, **deploy: Any) -> None:  # noqa: ANN401 - any setting
        """Write the workload file, with more settings of the deployment."""
        azure = {"resource_group": GROUP, "location": REGION, "build": "registry", **deploy.pop("azure", {})}
        value = {
            "name": "net",
            "model": {"path": "net"},
            "serving": {"pattern": "request-response"},
            "hardware": {"memory_gb": 0.5},
            "deploy": {"target": self.target, "azure": azure, **self.settings, **deploy},
        }
        (self.folder / "workload.yaml").write_text(json.dumps(value))

    def model(self, seed: int, wrong: int | None = None) -> None:
        """Write another model; of the golden answers, that to one record may be wrong."""
        target = self.folder / "net"
        shutil.rmtree(target, ignore_errors=True)
        build(
            Contents("net", linear(self.folder / "model.onnx", seed=seed), Samples({"x": records(8)}, "records")),
            target,
        )
        if wrong is not None:
            spoil(target, wrong)

    def run(self, *arguments: str, cwd: Path | None = None, before: Callable[[], Any] | None = None) -> Ran:
        """Run a command in the folder, or in another."""
        return self.begin(*arguments, cwd=cwd, before=before).ended()

    def signed_in(self) -> dict[str, str]:
        """Return the variables of a process that signs in to the cloud."""
        return self.arm.environment()

    def begin(self, *arguments: str, cwd: Path | None = None, before: Callable[[], Any] | None = None) -> warm.Command:
        """Begin a command in the folder, or in another."""
        key = {"OPDEPLOY_API_KEY": self.key} if self.key else {}
        where = () if arguments[0] == "apply" else ("--cloud", str(self.arm.cloud_file()))
        variables = environment(COLUMNS="160", **{**self.signed_in(), **self.variables}, **key)
        return warm.Command((*arguments, *where), cwd or self.folder, variables, before)

    def deploy(self, *more: str) -> Ran:
        """Deploy what is in the folder, and keep the key that is shown."""
        return self.with_key(self.run("deploy", "--yes", *self.more, *more))

    def with_key(self, done: Ran) -> Ran:
        """Keep the key that a command has shown."""
        shown = re.search(r"API key: (\S+)", done.err)
        if shown:
            self.key = shown[1]
        return done

    def status(self) -> Any:  # noqa: ANN401 - any JSON
        """Return how the deployment stands."""
        done = self.run("status", "-o", "json")
        assert done.out, done.err
        return json.loads(done.out)

    def versions(self) -> dict[int, tuple[str, bool]]:
        """Return state, and whether it is current, of each version."""
        return {item["number"]: (item["state"], item["current"]) for item in self.status()["versions"]}

    def takes(self, key: str) -> bool:
        """Tell whether the endpoint takes an API key."""
        where = f"{self.status()['endpoint']}/score"
        return (
            requests.post(
                where, b"", headers={"Authorization": f"Bearer {key}"}, timeout=20, verify=str(self.arm.authorities)
            ).status_code
            != 403
        )

    def since(self, done: Callable[[], object]) -> list[Seen]:
        """Return the requests that change something which came while something is done, but for notes and locks."""
        before = len(self.arm.seen)
        done()
        return [
            item
            for item in self.arm.seen[before:]
            if item.method in WRITES and not any(part in item.path.lower() for part in (NOTES, *ASKS))
        ]

    def left(self) -> list[str]:
        """Return the ids of everything that there is."""
        return sorted(item.id for item in self.arm.resources.values() if not item.deleted)
