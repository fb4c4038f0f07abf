"""Images in a deployment's own registry: read where the model is not at hand, and removed with their versions."""

from __future__ import annotations

import io
import json
import tarfile
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
import requests

from opdeploy.clients.azure import cloud as clouds
from opdeploy.clients.azure import registry
from opdeploy.clients.azure.images import Images
from opdeploy.errors import OpdeployError, TransientError
from tests.arm import answers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opdeploy.clients.azure import Arm
    from opdeploy.clients.docker.engine import Engine
    from opdeploy.clients.docker.maker import Making
    from tests.azure.clouded import Clouded


@pytest.fixture
def project(clouded: Callable[..., Clouded]) -> Clouded:
    """Return a project of which two versions are kept."""
    return clouded("aci", keep=2)


def images(project: Clouded) -> list[str]:
    """Return the tags of the images that are in registries."""
    return sorted(
        {name.partition("@")[0].rpartition(":")[2] for name, _ in project.arm.images.found() if "@" not in name}
    )


def of_versions(project: Clouded) -> list[str]:
    """Return the tags of the versions' images."""
    return sorted({item["image"].rpartition(":")[2] for item in project.status()["versions"]})


def test_a_rollback_needs_no_model(project: Clouded, tmp_path: Path) -> None:
    """In an empty folder the golden answers come from the image's last layer, in its registry."""
    for seed in (0, 1):
        project.model(seed)
        done = project.deploy()
        assert done.code == 0, done.err
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    back = project.run("rollback", "net", "--target", "aci", "--resource-group", "models", "--yes", cwd=elsewhere)
    assert back.code == 0, back.err
    assert project.versions() == {1: ("running", True), 2: ("stopped", False)}
    assert any(item.path.endswith("/oauth2/exchange") for item in project.arm.seen)


def test_an_image_is_built_once_for_all_versions_that_have_it(project: Clouded) -> None:
    """And once more where somebody removed it from the registry: what is asked tells."""
    builds: list[int] = []
    for cpus in (1.0, 0.5, 0.4):
        if cpus == 0.4:
            for name, _ in project.arm.images.found():
                project.arm.images.remove(name)
        project.workload(aci={"cpus": cpus})
        made = project.since(lambda: project.deploy().code)
        builds.append(sum(item.path.partition("?")[0].endswith("/scheduleRun") for item in made))
    assert builds == [1, 0, 1]
    assert set(project.versions()) == {2, 3}
    assert len(images(project)) == 1


def test_images_go_with_the_versions_that_had_them(project: Clouded) -> None:
    """Of three versions two are kept, and their images."""
    for seed in (0, 1, 2):
        project.model(seed)
        done = project.deploy()
        assert done.code == 0, done.err
    assert set(project.versions()) == {2, 3}
    assert images(project) == of_versions(project)
    assert len(images(project)) == 2


def test_a_version_that_fails_leaves_no_image(project: Clouded) -> None:
    """What was built of wrong golden answers is gone from the registry."""
    assert project.deploy().code == 0
    project.model(seed=1, wrong=3)
    assert project.deploy().code == 5
    assert len(images(project)) == 1
    assert images(project) == of_versions(project)


def test_an_image_that_somebody_tagged_loses_its_tag_alone(project: Clouded) -> None:
    """Another's tag of the same image stays, and with it the image."""
    assert project.deploy().code == 0
    (name, image) = next(each for each in project.arm.images.found() if "@" not in each[0])
    theirs = f"{name.rpartition(':')[0]}:theirs"
    project.arm.images.found_as(theirs, image)
    for seed in (1, 2):
        project.model(seed)
        assert project.deploy().code == 0
    assert "theirs" in images(project)
    assert name.rpartition(":")[2] not in images(project)


def test_an_image_that_cannot_be_removed_is_removed_by_the_next_deployment(project: Clouded) -> None:
    """The version stays in the record until its image is gone; all is well meanwhile."""
    for seed in (0, 1):
        project.model(seed)
        assert project.deploy().code == 0
    project.model(seed=2)
    project.arm.fail("DELETE", "/manifests/*", answers.unavailable())
    done = project.deploy()
    assert done.code == 0, done.err
    assert "was not cleared away" in done.err
    assert set(project.versions()) == {1, 2, 3}
    assert project.deploy().code == 0
    assert set(project.versions()) == {2, 3}
    assert images(project) == of_versions(project)


@pytest.mark.parametrize(("status", "has"), [(200, True), (404, False), (401, None), (None, None)])
def test_a_registry_tells_whether_it_has_an_image(
    status: int | None,
    has: bool | None,  # noqa: FBT001 - what it tells
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where it lets nobody look, or does not answer, nothing is known; one that is none of Azure's is not asked."""
    asked: list[str] = []

    def request(_method: str, url: str, **_more: Any) -> requests.Response:  # noqa: ANN401 - what requests takes
        asked.append(url)
        if status is None:
            raise requests.ConnectionError
        told = requests.Response()
        told.status_code = 200 if "/oauth2/" in url else status
        told.raw = io.BytesIO(b'{"refresh_token": "r", "access_token": "a"}')
        return told

    monkeypatch.setattr(requests, "request", request)
    session: Any = SimpleNamespace(cloud=clouds.cloud("AzureCloud"), token=lambda _audience: "t")
    found = Images(session)
    assert found.has("ghcr.io/user/net:1") is None
    assert asked == []
    assert found.has("me.azurecr.io/net:1") is has


ASKS = 'Bearer realm="https://ghcr.example/token",service="ghcr.example",scope="repository:user/image:pull"'


def _layer() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        member = tarfile.TarInfo("model/x")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"1"))
    return made.getvalue()


class Reply(requests.Response):
    """What a registry says."""

    def __init__(self, said: Any, status: int = 200, **headers: str) -> None:  # noqa: ANN401 - JSON, or bytes
        super().__init__()
        self.status_code = status
        self.raw = io.BytesIO(said if isinstance(said, bytes) else json.dumps(said).encode())
        self.headers.update({name.replace("_", "-"): value for name, value in headers.items()})


class World:
    """Registries that are not Azure's, and what they were asked, with the token that was shown."""

    def __init__(self, *, asks: bool = True) -> None:
        self.asks = asks
        self.seen: list[tuple[str, str]] = []

    def request(self, method: str, url: str, headers: dict[str, str] | None = None, **more: Any) -> Reply:  # noqa: ANN401
        """Answer a request."""
        shown = (headers or {}).get("Authorization", "")
        self.seen.append((f"{method} {url}", shown))
        if url.endswith("/v2/"):
            return Reply(b"", 401, WWW_Authenticate=ASKS) if self.asks else Reply(b"")
        if url == "https://ghcr.example/token":
            assert more["params"] == {"service": "ghcr.example", "scope": "repository:me/opdeploy-net:pull"}
            return Reply({"token": "anybodys"})
        if self.asks and shown != "Bearer anybodys":
            return Reply({"errors": []}, 401)
        return Reply(_layer()) if "/blobs/" in url else Reply({"layers": [{"digest": "base"}, {"digest": "last"}]})


def _images(asked: list[str]) -> Images:
    """Return images of who would show a token of Azure."""

    def token(audience: str) -> str:
        asked.append(audience)
        return "the-users"

    return Images(SimpleNamespace(cloud=clouds.cloud("AzureCloud"), token=token))  # type: ignore[arg-type]


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize(
    ("name", "server"),
    [
        ("ghcr.example/me/opdeploy-net:1", "ghcr.example"),
        ("azurecr.io.example/me/opdeploy-net:1", "azurecr.io.example"),
        ("me/opdeploy-net:1", "registry-1.docker.io"),
        ("docker.io/me/opdeploy-net:1", "registry-1.docker.io"),
    ],
)
def test_another_registry_is_read_as_by_anybody(
    name: str, server: str, *, asks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the token that it gives to everyone, or none; it is shown none of Azure."""
    world = World(asks=asks)
    asked: list[str] = []
    monkeypatch.setattr(requests, "request", world.request)
    _images(asked).artefact(name, tmp_path)
    assert (tmp_path / "model" / "x").read_text() == "1"
    of_it = f"GET https://{server}/v2/me/opdeploy-net"
    token = "Bearer anybodys" if asks else ""
    assert world.seen[-2:] == [(f"{of_it}/manifests/1", token), (f"{of_it}/blobs/last", token)]
    assert asked == []


@pytest.mark.parametrize("server", ["ghcr.example", "azurecr.io", "me.azurecr.io.example", "me.example#.azurecr.io"])
def test_another_registry_is_shown_no_token(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a push, or to remove an image, it would be asked for one of its own."""
    world = World()
    asked: list[str] = []
    monkeypatch.setattr(requests, "request", world.request)
    with pytest.raises(OpdeployError, match="is no registry of AzureCloud, and so is shown no token of it"):
        _images(asked).refresh_token(server)
    with pytest.raises(OpdeployError, match="is no registry of AzureCloud"):
        _images(asked).remove(f"{server}/net:1")
    assert (world.seen, asked) == ([], [])


class Building:
    """A registry that builds, and answers what a test says when it is asked how a build stands."""

    session = None

    def __init__(self, stands: list[str | None]) -> None:
        self._stands = stands
        self.ordered = 0

    def ask(self, method: str, path: str, _api: str, _body: Any = None) -> Any:  # noqa: ANN401 - any JSON
        """Order a build, or tell of it; there is no answer where a test says nothing."""
        if method == "POST":
            assert path.endswith("/scheduleRun")
            self.ordered += 1
            return {"properties": {"runId": "ca1"}}
        status = self._stands.pop(0)
        if status is None:
            raise TransientError("Azure was not reached")
        return {"properties": {"status": status}}

    def told(self, path: str, _api: str) -> Any:  # noqa: ANN401 - any JSON
        """Say where to upload; the log cannot be had."""
        if path.endswith("/listLogSasUrl"):
            raise OpdeployError("the log cannot be had")
        return {"uploadUrl": "https://somewhere", "relativePath": "context"}

    def build(self) -> None:
        """Have an image built."""
        sources = SimpleNamespace(arguments=dict)
        making = SimpleNamespace(made=lambda: (None, SimpleNamespace(sources=sources)))
        registries = registry.Registries(
            cast("Arm", self), lambda: cast("Engine", None), cast("Making", making), builds_here=False
        )
        registries.build(name="me.azurecr.io/net:1", registry="/registries/me", platform="linux/amd64")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing, and upload nothing."""
    monkeypatch.setattr(registry, "_BETWEEN_S", 0.0)
    monkeypatch.setattr(registry, "_upload", lambda *_: None)
    monkeypatch.setattr(registry, "write", lambda *_: None)


@pytest.mark.usefixtures("at_once")
def test_a_build_that_cannot_be_looked_at_is_not_ordered_again() -> None:
    """It goes on all the same, and would push the same image."""
    building = Building(["Queued", None, "Running", None, None, "Succeeded"])
    building.build()
    assert building.ordered == 1


@pytest.mark.usefixtures("at_once")
def test_a_build_that_fails_is_told_without_its_log() -> None:
    """Where that cannot be had, it is said how to see it."""
    with pytest.raises(OpdeployError) as raised:
        Building(["Failed"]).build()
    assert str(raised.value) == (
        "me.azurecr.io/net:1: the registry did not build it: Failed; see its log: "
        "az acr task logs --registry me --run-id ca1"
    )


@pytest.mark.usefixtures("at_once")
def test_a_build_that_does_not_end_is_waited_for_within_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it can be looked at or not."""
    monkeypatch.setattr(registry, "BUILD_S", 0)
    with pytest.raises(OpdeployError, match="was not built within 0 minutes"):
        Building([None, None]).build()
