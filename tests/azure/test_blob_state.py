"""Records and locks in a container of Blob Storage: at Azurite, over HTTPS, for who signs in."""

from __future__ import annotations

import multiprocessing
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobLeaseClient, ContainerClient

from opdeploy.cli.settings import Chosen, InAzure, settings
from opdeploy.clients.azure import blobs
from opdeploy.clients.azure import cloud as clouds
from opdeploy.clients.azure.blobs import Blobs, parsed
from opdeploy.clients.azure.refused import RefusedError
from opdeploy.clients.azure.session import Session
from opdeploy.deployment import Lock
from opdeploy.errors import InputError, OpdeployError
from opdeploy.targets.azure.names import Where
from tests.azure.azurite import HOST, STATE, Azurite, azurite
from tests.azure.breaking import killed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.arm.arm import Arm
    from tests.arm.server import Server
    from tests.azure.clouded import Clouded

SECONDS = 60.0
BLOB = f"{'0' * 8}-s/models/net.json"
AT = Where(f"{'0' * 8}-s", "models", "westeurope", "net")
_FORKS = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def emulator(arm_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """Run Azurite for the tests of this module."""
    with azurite(tmp_path_factory.mktemp("azurite"), arm_server.authority) as found:
        yield found


@pytest.fixture
def storage(arm: Arm, emulator: Azurite, monkeypatch: pytest.MonkeyPatch) -> Iterator[ContainerClient]:
    """Sign in, and have an empty container, under the name that Blob Storage would have."""
    arm.elsewhere[HOST] = ("127.0.0.1", emulator.port)
    for name, value in arm.environment().items():
        monkeypatch.setenv(name, value)
    credential = DefaultAzureCredential(disable_instance_discovery=True)
    with ContainerClient(f"https://{HOST}", "deployments", credential=credential) as container:
        container.create_container()
        yield container
        leased = [found.name for found in container.list_blobs() if found.lease.state == "leased"]
        for name in leased:
            BlobLeaseClient(container.get_blob_client(name)).break_lease(0)
        container.delete_container()


@pytest.fixture
def kept(arm: Arm, storage: ContainerClient) -> Callable[[], Blobs]:
    """Return a function that makes what another command on another machine would have."""
    assert storage.exists()
    cloud = clouds.read(arm.cloud_file())
    return lambda: Blobs(Session(cloud, arm.subscription), STATE)


def lock(owner: str) -> Lock:
    """Return the lock of somebody."""
    return Lock(owner=owner, since=datetime.now(UTC), doing="deploy of net", process=owner)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://me.blob.core.windows.net/c", "is no folder, and no container"),
        ("https://me.blob.core.windows.net", "is no folder, and no container"),
        ("https://me.blob.core.windows.net/c?sv=2024&sig=secret", "Storage Blob Data Contributor"),
        ("https://user@me.blob.core.windows.net/c", "Storage Blob Data Contributor"),
    ],
)
def test_an_address_that_is_none_is_refused(address: str, says: str) -> None:
    """Plain HTTP, no container, a signature: each is refused, and no secret is repeated."""
    with pytest.raises(InputError, match=says) as refused:
        parsed(address)
    assert "secret" not in str(refused.value)


def test_an_address_has_a_container_and_a_prefix() -> None:
    """What follows the container is what the names of blobs begin with."""
    assert parsed("https://me.blob.core.windows.net/c/team/a/") == ("https://me.blob.core.windows.net", "c", "team/a")


def test_journals_stay_here_and_other_commands_are_told_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address is no folder; a command that is shown for another machine names it."""
    monkeypatch.chdir(tmp_path)
    found = settings(None, Chosen(target="aci", state=f"{STATE}/team"))
    assert found.state == Path(".opdeploy")
    assert found.options == f" --state {STATE}/team"
    assert settings(None, Chosen(state="kept")).state == Path("kept")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("aci.gpu", "there is no GPU on aci; take container-apps or aks-gpu"),
        ("webapp.gpus", "there is no GPU on webapp; take container-apps or aks-gpu"),
        ("aci.cpu", 'did you mean "aci.cpus"?'),
        ("foo", "there is no such setting of deploy; docs/workload.md and opdeploy schema workload have them all"),
    ],
)
def test_a_setting_that_is_none_is_told_in_a_line(path: str, said: str) -> None:
    """What is nearest, where to find all, or that there is no such thing on a platform."""
    with pytest.raises(InputError) as raised:
        settings(None, Chosen(more=(f"{path}=1",)))
    assert str(raised.value).endswith(said)


def test_other_commands_are_told_where_in_azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the options that every command has; what has none is a setting."""
    monkeypatch.chdir(tmp_path)
    place = InAzure("models", "my team", "AzureChinaCloud")
    found = settings(None, Chosen(target="aks-cpu", azure=place, context="one"))
    assert found.options == " --set kubernetes.context=one --subscription 'my team' -g models --cloud AzureChinaCloud"


def test_one_has_the_lock_and_writes_the_record(kept: Callable[[], Blobs]) -> None:
    """Others see who has it, what was written, and get it once it is given back."""
    one, another = kept(), kept()
    mine, theirs = lock("one"), lock("Ödön")
    assert one.read(AT) is None
    assert one.held(AT) is None
    assert one.take(AT, mine) == mine
    assert another.take(AT, theirs) == mine == another.held(AT)
    one.write(AT, '{"a": "ä"}')
    assert another.read(AT) == '{"a": "ä"}'
    with pytest.raises(OpdeployError, match="is not locked by this command"):
        another.write(AT, "{}")
    one.give_back(AT, mine)
    assert another.held(AT) is None
    assert another.take(AT, theirs) == theirs == one.held(AT)
    another.give_back(AT, theirs)


def test_a_record_that_is_dropped_leaves_nothing(kept: Callable[[], Blobs], storage: ContainerClient) -> None:
    """The blob goes with the lock: also one that was made for the lock alone."""
    one, mine = kept(), lock("one")
    for text in ("{}", None):
        one.take(AT, mine)
        if text:
            one.write(AT, text)
            one.drop(AT)
            assert one.read(AT) is None
            assert one.held(AT) == mine
        one.give_back(AT, mine)
        assert [*storage.list_blobs()] == []
    one.give_back(AT, mine)


def test_who_lost_the_lock_writes_no_more(kept: Callable[[], Blobs]) -> None:
    """A lock that was broken is another's: the record is theirs, and so is the lock, whatever the first one does."""
    one, another = kept(), kept()
    mine, theirs = lock("one"), lock("another")
    one.take(AT, mine)
    one.write(AT, "mine")
    another.give_back(AT, lock("somebody else"))
    assert another.held(AT) == mine
    another.give_back(AT, mine)
    assert another.held(AT) is None
    with pytest.raises(OpdeployError, match="the lock was taken away meanwhile"):
        one.write(AT, "too late")
    assert another.take(AT, theirs) == theirs
    with pytest.raises(OpdeployError, match="the lock was taken away meanwhile"):
        one.write(AT, "too late")
    one.give_back(AT, mine)
    assert one.held(AT) == theirs
    assert one.read(AT) == "mine"
    another.give_back(AT, theirs)


def test_a_lock_that_was_just_taken_is_nobody_elses(kept: Callable[[], Blobs], storage: ContainerClient) -> None:
    """Who has a lease and has not yet said so is somebody; what an earlier one left says nothing of them."""
    one, mine = kept(), lock("one")
    one.take(AT, mine)
    one.write(AT, "{}")
    one.give_back(AT, mine)
    lease = BlobLeaseClient(storage.get_blob_client(BLOB))
    lease.acquire(15)
    held = one.take(AT, mine)
    assert (held.owner, held.process) == ("somebody", "")
    one.give_back(AT, held)
    assert one.take(AT, mine) == mine
    one.give_back(AT, mine)


def test_what_is_missing_is_told(kept: Callable[[], Blobs], storage: ContainerClient) -> None:
    """No container is no record that is empty."""
    storage.delete_container()
    for ask in (lambda: kept().held(AT), lambda: kept().read(AT), lambda: kept().take(AT, lock("one"))):
        with pytest.raises(RefusedError, match=r"ContainerNotFound.*make the container"):
            ask()
    storage.create_container()


def _count(make: Callable[[], Blobs], name: str, times: int) -> None:
    """Count on, in the record, while the lock is held."""
    keeps, mine = make(), lock(name)
    done = 0
    while done < times:
        if keeps.take(AT, mine).process != name:
            time.sleep(0.01)
            continue
        keeps.write(AT, str(int(keeps.read(AT) or 0) + 1))
        keeps.give_back(AT, mine)
        done += 1


def test_processes_take_turns(kept: Callable[[], Blobs]) -> None:
    """Of several processes each reads, counts and writes alone: no count is lost."""
    processes = [_FORKS.Process(target=_count, args=(kept, f"process {number}", 3), daemon=True) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(SECONDS)
        assert process.exitcode == 0
    assert kept().read(AT) == "9"


def _hold(make: Callable[[], Blobs], seconds: float) -> None:
    make().take(AT, lock("killed"))
    time.sleep(seconds)


@pytest.mark.slow
def test_a_lock_lives_as_long_as_its_process(kept: Callable[[], Blobs], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is renewed past the time of its lease; of a process that was killed it is free after that time."""
    monkeypatch.setattr(blobs, "_LEASE_S", 15)
    process = _FORKS.Process(target=_hold, args=(kept, 120.0), daemon=True)
    process.start()
    keeps = kept()
    until = time.monotonic() + 20
    while time.monotonic() < until:
        held = keeps.held(AT)
        time.sleep(0.5)
    assert held
    assert held.owner == "killed"
    process.kill()
    process.join(SECONDS)
    killed = time.monotonic()
    while keeps.take(AT, mine := lock("next")) != mine:
        assert time.monotonic() < killed + 17
        time.sleep(0.5)
    keeps.give_back(AT, mine)


@pytest.fixture
def project(clouded: Callable[..., Clouded], storage: ContainerClient) -> Clouded:
    """Return a project whose state is shared."""
    assert storage.exists()
    return clouded("aci", state=f"{STATE}/team")


def test_a_deployment_keeps_its_record_and_lock_in_blobs(project: Clouded, storage: ContainerClient) -> None:
    """The group has no notes; journals stay here; what is removed leaves no blob."""
    first = project.deploy()
    assert first.code == 0, first.err
    (blob,) = storage.list_blobs()
    assert blob.name == f"team/{project.arm.subscription}/models/net.json"
    assert not [name for name in project.left() if "/deployments/" in name]
    assert [path.name for path in (project.folder / ".opdeploy" / "aci" / "net").iterdir()] == ["journal.jsonl"]
    assert project.since(project.deploy) == []
    assert project.status()["lock"] is None
    elsewhere = project.folder / "elsewhere"
    elsewhere.mkdir()
    options = ("net", "--target", "aci", "--resource-group", "models", "--state", f"{STATE}/team")
    assert project.run("history", *options, cwd=elsewhere).code == 0
    removed = project.run("remove", *options, "--yes", cwd=elsewhere)
    assert removed.code == 0, removed.err
    assert project.left() == []
    assert [*storage.list_blobs()] == []


def test_who_comes_second_is_told_who_is_at_work(project: Clouded, storage: ContainerClient) -> None:
    """A lock in a blob is seen by every command, until it is broken."""
    assert project.deploy().code == 0
    keeps = Blobs(Session(clouds.read(project.arm.cloud_file()), project.arm.subscription), f"{STATE}/team")
    at = Where(project.arm.subscription, "models", "westeurope", "net")
    keeps.take(at, lock("ann@build-7"))
    project.model(seed=1)
    refused = project.deploy()
    assert refused.code == 1
    assert "ann@build-7 is at work on it (deploy of net, for" in refused.err
    assert project.status()["lock"]["owner"] == "ann@build-7"
    assert storage.get_blob_client(f"team/{project.arm.subscription}/models/net.json").exists()
    done = project.deploy("--break-lock")
    assert done.code == 0, done.err
    with pytest.raises(OpdeployError, match="the lock was taken away"):
        keeps.write(at, "{}")
    keeps.give_back(at, lock("ann@build-7"))
    assert project.status()["lock"] is None


def test_a_command_that_is_killed_is_gone_on_with_at_once(project: Clouded, storage: ContainerClient) -> None:
    """On the same machine nobody waits for its lease to end: its process is known to be gone."""
    project.key = "a-key-that-is-known-to-the-test"
    assert killed(project, 6, "deploy", "--yes", "--allow-plain-http")
    (blob,) = storage.list_blobs()
    assert blob.lease.state == "leased"
    done = project.deploy()
    assert done.code == 0, done.err
    assert project.versions() == {1: ("running", True)}


def test_a_container_keeps_deployments_of_azure_alone(project: Clouded) -> None:
    """Where Docker is the place, the address is refused with what to do."""
    refused = project.run("status", "net", "--target", "vm")
    assert refused.code == 2
    assert "keeps deployments of Azure alone; name a folder for vm" in refused.err


def test_a_client_without_the_certificate_gets_nothing(kept: Callable[[], Blobs]) -> None:
    """Certificates are checked: of an authority that is not trusted nothing is believed."""
    keeps = kept()
    assert keeps.read(AT) is None
    with pytest.MonkeyPatch.context() as patched:
        for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            patched.delenv(name)
        patched.setattr(blobs, "_TRIES", 0)
        with pytest.raises(RefusedError, match="of no authority that is trusted here"):
            keeps.read(AT)
