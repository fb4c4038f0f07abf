"""Container groups, of images that are built here and run."""

from __future__ import annotations

import base64
import copy
import http.client
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobClient
from nets import linear, records

from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import Samples
from opdeploy.image import ImageSettings, bundle
from opdeploy.runtime.package import opened
from tests.arm.answers import NEVER
from tests.arm.callers import code_of
from tests.arm.waiting import SECONDS, SERVER, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.arm.arm import Arm
    from tests.arm.callers import Caller

KIND, VERSION = "Microsoft.ContainerInstance/containerGroups", "2023-05-01"
TASKS = "2019-06-01-preview"
PULL, READ = "7f951dda-4ed3-4680-a7ca-43fe172d538d", "b93aa761-3e63-49ed-ac28-beffa264f7ac"
SLEEPS = [sys.executable, "-c", "import time; time.sleep(600)"]


def body(image: str, *, identity: str = "", policy: str = "Always", **container: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the body of a group of one container."""
    own = {
        "image": image,
        "ports": [{"port": 8000, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": 0.5, "memoryInGB": 1.5}},
        **container,
    }
    found: dict[str, Any] = {
        "location": "westeurope",
        "properties": {
            "osType": "Linux",
            "restartPolicy": policy,
            "containers": [{"name": "server", "properties": own}],
            "ipAddress": {"type": "Public", "ports": [{"port": 8000, "protocol": "TCP"}]},
        },
    }
    if identity:
        found["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
        server = image.split("/", maxsplit=1)[0]
        found["properties"]["imageRegistryCredentials"] = [{"server": server, "identity": identity}]
    return found


def view(caller: Caller, name: str = "one") -> dict[str, Any]:
    """Return what is told of how a group's container is."""
    own = caller.get(caller.path(KIND, name), VERSION)["properties"]
    found: dict[str, Any] = own["containers"][0]["properties"].get("instanceView", {})
    return found | {"group": own["instanceView"]["state"]}


def packed(folder: Path) -> bytes:
    """Return the build context of a small model's image, packed."""
    model = linear(folder / "linear.onnx")
    build(Contents("small", model, Samples({"x": records(12)}, "records")), folder / "artefact")
    content = io.BytesIO()
    with opened(folder / "artefact") as package, tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, each in bundle(package, ImageSettings()).items():
            data = each if isinstance(each, bytes) else each.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def status(address: str, headers: dict[str, str]) -> int:
    """Ask the model, and return the status; 0 where nothing listens yet."""
    x = records(1)
    tensor = {"name": "x", "shape": x.shape, "datatype": "FP32", "data": x.ravel().tolist()}
    with suppress(ConnectionRefusedError), closing(http.client.HTTPConnection(address, 8000, timeout=SECONDS)) as asked:
        asked.request("POST", "/v2/models/small/infer", json.dumps({"inputs": [tensor]}), headers)
        return asked.getresponse().status
    return 0


def order(path: str, *names: str) -> dict[str, Any]:
    """Return the body that orders a build."""
    platform = {"os": "Linux", "architecture": "amd64"}
    common = {"type": "DockerBuildRequest", "isPushEnabled": True, "dockerFilePath": "Dockerfile"}
    return {**common, "imageNames": list(names), "platform": platform, "sourceLocation": path}


def built(caller: Caller, registry: str, asked: dict[str, Any], version: str = TASKS) -> dict[str, Any]:
    """Order a build, and wait for its end."""
    status, run, _ = caller.ask("POST", f"{registry}/scheduleRun", version, asked)
    assert status == 200, run
    look = lambda: caller.ask("GET", run["id"], version)[1]["properties"]  # noqa: E731 - once
    found: dict[str, Any] = until(look, lambda each: each["status"] not in {"Queued", "Running"})
    return found


def test_the_real_server_runs_of_what_was_uploaded(arm: Arm, caller: Caller, tmp_path: Path) -> None:
    """A context is uploaded, built, and pulled with an identity; the model answers at the group's address."""
    registry = caller.registry()["id"]
    upload = caller.ask("POST", f"{registry}/listBuildSourceUploadUrl", TASKS, {})[1]
    with BlobClient.from_blob_url(upload["uploadUrl"], connection_verify=str(arm.authorities)) as blob:
        blob.upload_blob(packed(tmp_path))
    run = built(caller, registry, order(upload["relativePath"], "small:1"))
    assert run["status"] == "Succeeded"
    assert [each["name"] for each in caller.ask("GET", f"{registry}/runs", TASKS)[1]["value"]] == [run["runId"]]
    log = caller.ask("POST", f"{registry}/runs/{run['runId']}/listLogSasUrl", TASKS, {})[1]["logLink"]
    with BlobClient.from_blob_url(log, connection_verify=str(arm.authorities)) as blob:
        assert b"Successfully" in blob.download_blob().readall()
        assert blob.get_blob_properties().metadata == {"Complete": "successful"}
    identity = caller.identity()
    caller.assign(registry, identity["properties"]["principalId"], PULL)
    image = f"models.azurecr.io/small@{run['outputImages'][0]['digest']}"
    key = {"name": "OPDEPLOY_API_KEYS", "secureValue": "opens-it-for-a-test-only-0123456789"}
    probe = {"httpGet": {"path": "/v2/health/live", "port": 8000}, "initialDelaySeconds": 30}
    wanted = body(image, identity=identity["id"], environmentVariables=[key], livenessProbe=probe)
    group = caller.put(caller.path(KIND, "one"), VERSION, wanted)
    assert group["properties"]["containers"][0]["properties"]["environmentVariables"] == [{"name": key["name"]}]
    logs, address = caller.containers.containers, group["properties"]["ipAddress"]["ip"]
    headers: dict[str, str] = {"Authorization": f"Bearer {key['secureValue']}"}
    until(lambda: status(address, headers), lambda each: each == 200)
    assert "listening" in logs.list_logs("g", "one", "server").content
    assert [status(address, each) for each in ({}, headers)] == [401, 200]


@pytest.mark.parametrize("abac", [False, True])
def test_an_image_is_pulled_with_the_right_of_its_registry(arm: Arm, caller: Caller, abac: bool) -> None:  # noqa: FBT001 - a case
    """AcrPull counts where the registry has no ABAC mode, the repository reader where it has; both take some time."""
    mode = "AbacRepositoryPermissions" if abac else "LegacyRegistryPermissions"
    registry, identity = caller.registry(roleAssignmentMode=mode), caller.identity()
    arm.image("models.azurecr.io/small:1", SLEEPS)
    arm.role_reads = 1
    wanted = body("models.azurecr.io/small:1", identity=identity["id"])
    got = []
    for role in (None, READ if not abac else PULL, PULL if not abac else READ, None):
        if role:
            caller.assign(registry["id"], identity["properties"]["principalId"], role)
        status, answer, _ = caller.ask("PUT", caller.path(KIND, "one"), VERSION, wanted)
        got.append(status if status == 201 else answer["error"]["code"])
    assert got == ["InaccessibleImage"] * 3 + [201]


def test_a_build_fails_as_told(arm: Arm, caller: Caller) -> None:
    """A build without a context fails, and in ABAC mode one that does not say who pushes."""
    registry = caller.registry(roleAssignmentMode="AbacRepositoryPermissions")["id"]
    run = built(caller, registry, order("none", "small:1"))
    assert (run["status"], "unauthorized" in run["runErrorMessage"]) == ("Failed", True)
    asked = order("none", "small:1") | {"credentials": {"sourceRegistry": {"identity": "[caller]"}}}
    assert caller.ask("POST", f"{registry}/scheduleRun", TASKS, asked)[0] == 400
    assert "context" in built(caller, registry, asked, "2025-03-01-preview")["runErrorMessage"]
    assert arm.images.get("models.azurecr.io/small:1") is None


@pytest.mark.parametrize(
    ("policy", "code", "state"), [("Never", 3, "Failed"), ("Never", 0, "Succeeded"), ("OnFailure", 0, "Succeeded")]
)
def test_a_container_ends_as_its_policy_has_it(arm: Arm, caller: Caller, policy: str, code: int, state: str) -> None:
    """How it ended is told, with its exit code, and what it wrote."""
    arm.image("small:1", [sys.executable, "-c", f"import sys; print('a\\nb\\nc'); sys.exit({code})"])
    caller.put(caller.path(KIND, "one"), VERSION, body("small:1", policy=policy))
    found = until(lambda: view(caller), lambda each: each.get("currentState", {}).get("state") == "Terminated")
    assert (found["currentState"]["exitCode"], found["restartCount"], found["group"]) == (code, 0, state)
    assert caller.containers.containers.list_logs("g", "one", "server", tail=2).content == "b\nc\n"


def test_a_container_that_crashes_is_started_again(arm: Arm, caller: Caller) -> None:
    """Restarts are counted, the last end is kept, and the events tell of the wait."""
    arm.pace = 0.01
    arm.image("small:1", [sys.executable, "-c", "import sys; sys.exit(7)"])
    caller.put(caller.path(KIND, "one"), VERSION, body("small:1"))
    found = until(lambda: view(caller), lambda each: each.get("restartCount", 0) >= 2)
    assert (found["group"], found["previousState"]["exitCode"]) == ("Running", 7)
    assert {"Pulled", "Started", "BackOff"} <= {each["name"] for each in found["events"]}


def test_probes_are_carried_out(arm: Arm, caller: Caller) -> None:
    """A container that does not answer is restarted, and the events say why."""
    arm.pace = 0.02
    arm.image("small:1", SLEEPS)
    probe = {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1, "failureThreshold": 2}
    caller.put(caller.path(KIND, "one"), VERSION, body("small:1", livenessProbe=probe))
    found = until(lambda: view(caller), lambda each: each.get("restartCount", 0) >= 1)
    assert "Liveness probe failed" in {each["message"] for each in found["events"]}


def test_a_group_is_changed_stopped_started_and_deleted(arm: Arm, caller: Caller) -> None:
    """What may change restarts the container, what may not is refused; a stopped group keeps its address."""
    arm.image("small:1", SLEEPS, FROM_IMAGE="1")
    path, wanted = caller.path(KIND, "one"), body("small:1")
    address = caller.put(path, VERSION, wanted)["properties"]["ipAddress"]["ip"]
    first = arm.resource(path).private["machine"].containers[0].process.pid
    caller.put(path, VERSION, body("small:1", environmentVariables=[{"name": "NEW", "value": "1"}]))
    assert arm.resource(path).private["machine"].containers[0].process.pid != first
    with pytest.raises(HttpResponseError) as caught:
        caller.put(path, VERSION, body("small:1", policy="Never"))
    assert code_of(caught.value) == "InvalidContainerGroupUpdate"
    groups = caller.containers.container_groups
    groups.stop("g", "one")
    assert view(caller)["group"] == "Stopped"
    groups.begin_start("g", "one").result()
    assert view(caller)["group"] == "Running"
    groups.begin_restart("g", "one").result()
    assert groups.get("g", "one").ip_address.ip == address
    arm.fail("PUT", KIND + "/one", NEVER)
    caller.ask("PUT", path, VERSION, wanted)
    with pytest.raises(HttpResponseError, match="still transitioning"):
        groups.begin_delete("g", "one")
    arm.release()
    assert {groups.get("g", "one").provisioning_state for _ in range(2)} == {"Updating", "Succeeded"}
    machine = arm.resource(path).private["machine"]
    groups.begin_delete("g", "one").result()
    assert machine.stopped
    assert [each.name for each in groups.list()] == []


def test_regions_tell_their_limits(caller: Caller) -> None:
    """Capabilities and usages are told by region."""
    location = caller.containers.location
    (told,) = location.list_capabilities("westeurope")
    assert (told.os_type, told.capabilities.max_cpu) == ("Linux", 31)
    assert {each.name.value: each.limit for each in location.list_usage("westeurope")} == {
        "ContainerGroups": 100,
        "StandardCores": 100,
    }


def test_bodies_fit_the_published_schema(caller: Caller, arm: Arm, requests: Path) -> None:
    """Every request is written, with its body and without any token."""
    arm.image("small:1", SLEEPS)
    caller.put(caller.path(KIND, "one"), VERSION, body("small:1"))
    text = requests.read_text()
    assert f"{KIND}/one?api-version={VERSION}" in text
    assert "Bearer" not in text


def test_containers_of_a_group_share_what_is_theirs(arm: Arm, caller: Caller) -> None:
    """They reach one another at localhost, and a secret volume is a file where it is mounted."""
    code = "import sys, urllib.request as u; print(open(sys.argv[1]).read(), u.urlopen(sys.argv[2]).status)"
    ask = [sys.executable, "-c", code, "/secrets/word", "http://localhost:8000"]
    arm.image("server:1", SERVER)
    arm.image("asks:1", ask)
    arm.pace = 0.01  # who asks before the other listens fails, and is started again
    wanted = body("server:1", policy="OnFailure")
    asks = copy.deepcopy(wanted["properties"]["containers"][0]) | {"name": "asks"}
    asks["properties"] |= {"image": "asks:1", "volumeMounts": [{"name": "words", "mountPath": "/secrets"}]}
    del asks["properties"]["ports"]
    wanted["properties"]["containers"].append(asks)
    wanted["properties"]["volumes"] = [{"name": "words", "secret": {"word": base64.b64encode(b"hush").decode()}}]
    group = caller.put(caller.path(KIND, "one"), VERSION, wanted)
    assert group["properties"]["volumes"] == [{"name": "words"}]
    logs = caller.containers.containers
    until(lambda: logs.list_logs("g", "one", "asks").content, lambda text: text == "hush 200\n")


def test_nothing_runs_on_when_the_stand_in_is_killed() -> None:
    """A container ends with the process that has the stand-in, even if that is killed."""
    code = "import sys\nfrom tests.arm.machines import *\nspec = Spec('a', ['sleep', '600'], {}, 'a')\n"
    code += "machine = Machine(Path(sys.argv[1]), '127.9.9.9', [spec], 'Always', 1.0)\n"
    code += "print(machine.containers[0].process.pid, flush=True)\nmachine._thread.join()"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", f"from pathlib import Path\n{code}", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stand_in:
            assert stand_in.stdout is not None
            container = psutil.Process(int(stand_in.stdout.readline()))
            stand_in.kill()
        assert container.wait(SECONDS) in {None, -9}
