"""Deployments on a real Docker engine: the first, the next, back, by other hands, and away."""

from __future__ import annotations

import json
import re
import shutil
import socket
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from tests.deploy.asking import interrupted
from tests.deploy.pasted import pasted
from tests.deploy.projects import Project

if TYPE_CHECKING:
    from pathlib import Path

    from docker.models.images import Image

pytestmark = pytest.mark.slow  # it builds images


def test_a_first_deployment_answers_and_is_removed(project: Project) -> None:
    """It tells where it answers; status, logs, score, history, diff and list see it; then it is gone."""
    done = project.deploy()
    assert done.code == 0, done.err
    assert f"answers at http://127.0.0.1:{project.port}" in done.out
    assert f"opdeploy remove {project.name}" in done.out
    (line,) = re.findall(r"^  try it:  (.+)$", done.out, re.MULTILINE)
    assert pasted(line)["outputs"][0]["name"] == "y"
    assert project.versions() == {1: ("running", True)}
    assert project.status()["ready"]
    assert '"message":"ready"' in project.run("logs").out
    assert interrupted(project, "logs", "--follow") == (130, "")
    rows = project.folder / "rows.json"
    rows.write_text(json.dumps({"inputs": [{"name": "x", "shape": [1, 8], "datatype": "FP32", "data": [0.0] * 8}]}))
    assert json.loads(project.run("score", str(rows)).out)["outputs"][0]["name"] == "y"
    assert [item["number"] for item in json.loads(project.run("history", "-o", "json").out)] == [1]
    assert project.run("diff").code == 0
    assert project.name in project.run("list").out

    removed = project.run("remove", "--yes")
    assert removed.code == 0, removed.err
    assert "is gone" in removed.err
    assert project.left() == []
    assert project.run("status").code == 3


def test_the_same_again_changes_nothing(project: Project) -> None:
    """Neither a build nor a container: the plan has no change, and the answers are looked at again."""
    assert project.deploy().code == 0
    before = project.containers()
    plan = project.run("plan", "--base-image", project.base, "--detailed-exitcode")
    assert plan.code == 0, plan.out
    again = project.deploy()
    assert again.code == 0, again.err
    assert "build" not in again.err
    assert project.containers() == before


def test_a_new_model_takes_over_and_the_old_one_is_kept(project: Project) -> None:
    """Only the model's layer is new; `rollback` brings the old one back, and `--to` the new one again."""
    assert project.deploy().code == 0
    project.model(seed=1)
    plan = project.run("plan", "--base-image", project.base, "--detailed-exitcode")
    assert plan.code == 6
    assert "version: 1 → 2" in plan.out
    assert project.deploy().code == 0
    assert project.versions() == {1: ("stopped", False), 2: ("running", True)}
    layers = [image.attrs["RootFS"]["Layers"] for image in images(project)]
    assert len(layers) == 2
    assert layers[0][:-1] == layers[1][:-1]
    assert layers[0][-1] != layers[1][-1]

    back = project.run("rollback", "--yes")
    assert back.code == 0, back.err
    assert project.versions() == {1: ("running", True), 2: ("stopped", False)}
    assert project.run("rollback", "--to", "2", "--yes").code == 0
    assert project.versions() == {1: ("stopped", False), 2: ("running", True)}
    missing = project.run("rollback", "--to", "7", "--yes")
    assert missing.code == 3
    assert "version 7 is not kept; there are: 1, 2" in missing.err


def images(project: Project) -> list[Image]:
    """Return the images of a deployment."""
    return [item for item in project.client.images.list() if any(project.name in tag for tag in item.tags)]


def test_old_versions_are_removed_with_their_images(project: Project) -> None:
    """As many are kept as the settings say; the front's own image stays, as it is used."""
    project.workload(keep=2)
    for seed in range(4):
        project.model(seed=seed)
        assert project.deploy().code == 0
    assert list(project.versions()) == [3, 4]
    assert len(images(project)) == 3  # two versions, and what the front runs from
    assert project.run("remove", "--yes").code == 0
    assert project.left() == []


def test_a_plan_is_carried_out_as_it_stands_or_refused(project: Project, tmp_path: Path) -> None:
    """`apply` does what the file says; when the model or what exists has changed since, it does nothing: 7."""
    plan = tmp_path / "plan.json"
    made = project.run("plan", "--base-image", project.base, "--out", str(plan))
    assert made.code == 0, made.err
    project.model(seed=1)
    other = project.run("apply", str(plan))
    assert other.code == 7, other.err
    assert project.left() == []
    project.model(seed=0)
    assert project.run("apply", str(plan)).code == 0
    assert project.versions() == {1: ("running", True)}
    stale = project.run("apply", str(plan))
    assert stale.code == 7
    assert "what exists has changed since the plan was made" in stale.err


def test_a_deployment_is_found_and_removed_from_another_folder(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Everything that is needed stands on the target: a fresh clone sees, rolls back and removes it."""
    assert project.deploy().code == 0
    project.model(seed=1)
    assert project.deploy().code == 0
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for words in (["status"], ["history"], ["logs"], ["rollback", "--yes"], ["diff"]):
        done = project.run(words[0], project.name, "--target", "local", *words[1:], cwd=elsewhere)
        assert done.code == 0, (words, done.err)
    # A clone without what is not under version control: the model.
    shutil.copy(project.folder / "workload.yaml", elsewhere)
    for words in (["status"], ["history"], ["logs"], ["rollback", "--to", "2", "--yes"], ["diff"], ["remove", "--yes"]):
        done = project.run(*words, cwd=elsewhere)
        assert done.code == 0, (words, done.err)
    assert project.left() == []


def test_a_port_that_another_has_is_refused_before_anything_is_built(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Another deployment, which is named, or another program."""
    assert project.deploy().code == 0
    other = Project(tmp_path_factory.mktemp("other"), project.client, port=project.port)
    said = f"port {project.port} of 127.0.0.1: opdeploy-{project.name} listens there, which is another deployment"
    planned = other.run("plan", "--base-image", other.base)
    assert (planned.code, planned.out.startswith(f"✗ {said}; choose another with --port")) == (0, True), planned.out
    refused = other.deploy()
    assert refused.code == 1
    assert f"{said}; choose another with --port or deploy.local.port" in refused.err
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        refused = other.deploy("--port", str(port))
    assert refused.code == 1
    assert f"port {port} of 127.0.0.1: Address already in use; choose another" in refused.err
    assert other.left() == []


def test_drift_is_found_and_mended(project: Project) -> None:
    """What was changed, stopped or deleted by other hands is named property by property, and `deploy` mends it."""
    assert project.deploy().code == 0
    server, front = (project.client.containers.get(f"opdeploy-{project.name}{end}") for end in (".v1", ""))
    server.update(mem_limit=400_000_000, memswap_limit=400_000_000)
    changed = project.run("diff", "-o", "json")
    assert changed.code == 6
    (found,) = json.loads(changed.out)
    assert (found["wanted"]["memory_mb"], found["properties"]["memory_mb"]) == (500, 400)
    front.stop()
    assert "state" in project.run("diff").out
    server.stop()
    (network,) = project.client.networks.list(names=[f"opdeploy-{project.name}"])
    network.remove()  # as `docker network prune` does, since nothing runs in it
    project.client.images.remove(project.status()["versions"][0]["image"], force=True)
    mended = project.deploy()
    assert mended.code == 0, mended.err
    assert project.run("diff").code == 0
    project.client.containers.get(str(front.name)).remove(force=True)  # another by now
    assert project.run("diff").code == 6
    assert project.deploy().code == 0
    assert project.run("diff").code == 0
    assert project.status()["ready"]


def test_other_things_stay(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Removing one deployment touches neither another nor a container whose name is like its own."""
    other = Project(tmp_path_factory.mktemp("other"), project.client, name=f"{project.name}-v1")
    try:
        assert project.deploy().code == 0
        refused = other.deploy()
        assert refused.code == 0, refused.err
        assert project.run("remove", "--yes").code == 0
        assert other.status()["ready"]
        assert other.run("remove", "--yes").code == 0
        assert other.left() == []
    finally:
        other.remove()


def test_what_clients_ask_stays_the_same(project: Project) -> None:
    """The model is under the deployment's name, whatever that of its artefact is."""
    assert project.deploy().code == 0
    project.model(seed=1, name="another")
    done = project.deploy()
    assert done.code == 0, done.err
    assert ask(project, None) == 400


def test_a_key_is_asked_for_by_the_version_that_has_one(project: Project) -> None:
    """The command that is shown has a key where it is needed, and none where it is not."""
    project.workload(local={"port": project.port, "host": "0.0.0.0"})  # noqa: S104  that is what is tried
    first = project.deploy("--allow-plain-http")
    assert "Authorization: Bearer $OPDEPLOY_API_KEY" in first.out, first.err
    opened = project.deploy("--allow-plain-http", "--public-no-auth")
    assert opened.code == 0, opened.err
    assert "Authorization" not in opened.out
    assert ask(project, None) == 400


def test_an_image_is_pushed_once(project: Project) -> None:
    """Where a registry is set; the same again pushes nothing, and removing says what stays there."""
    registry = "127.0.0.1:5000"
    try:
        urlopen(f"http://{registry}/v2/", timeout=5).close()
    except OSError as error:
        pytest.skip(f"needs a registry on {registry}: {error}")
    project.workload(registry=registry)
    first = project.deploy()
    assert first.code == 0, first.err
    assert f"push the image to {registry}" in first.err
    repository = f"opdeploy-{project.name}"
    with urlopen(f"http://{registry}/v2/{repository}/tags/list", timeout=5) as answer:
        (tag,) = json.load(answer)["tags"]
    assert project.status()["versions"][0]["image"] == f"{registry}/{repository}:{tag}"
    again = project.deploy()
    assert again.code == 0, again.err
    assert "push" not in again.err
    assert "what was pushed stays in its registry" in project.run("remove", "--yes").err
    assert project.left() == []


def test_a_deployment_that_others_reach_asks_for_a_key(project: Project) -> None:
    """Plain HTTP has to be allowed; the key is made and shown once, kept for the next version, and in no file."""
    project.workload(local={"port": project.port, "host": "0.0.0.0"})  # noqa: S104  that is what is tried
    refused = project.deploy()
    assert refused.code == 2
    assert "--allow-plain-http" in refused.err
    done = project.deploy("--allow-plain-http")
    assert done.code == 0, done.err
    assert "plain HTTP" in done.err.splitlines()[0]
    found = re.search(r"API key: (\S{40,})", done.err)
    assert found
    key = found[1]
    assert ask(project, None) == 401
    assert ask(project, key) == 400
    project.model(seed=1)
    again = project.deploy("--allow-plain-http")
    assert again.code == 0, again.err
    assert "API key:" not in again.err
    assert ask(project, key) == 400
    written = [path.read_text() for path in project.folder.rglob("*") if path.suffix in {".json", ".jsonl", ".yaml"}]
    assert not any(key in text for text in written)
    assert key not in again.err
    plan = project.run("plan", "--base-image", project.base, "-o", "json")
    assert key not in plan.out


def ask(project: Project, key: str | None) -> int:
    """Return the status of an inference request that says nothing."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with closing(HTTPConnection("127.0.0.1", project.port, timeout=10)) as connection:
        connection.request("POST", f"/v2/models/{project.name}/infer", "{}", headers)
        return connection.getresponse().status
