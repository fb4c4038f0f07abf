"""One at a time: the lock of a deployment, as processes of this machine and of others see it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from opdeploy.deploy import locking
from opdeploy.deploy.locking import age, gone, locked, owner, require
from opdeploy.deployment import Lock
from opdeploy.errors import OpdeployError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLDS = """
import sys
from opdeploy.deploy.locking import locked

class Shown:
    def lock(self, deployment, lock):
        print(lock.model_dump_json(), flush=True)
        return lock

    def unlock(self, deployment, lock):
        pass

with locked(Shown(), "m", "deploy of m", say=print):
    sys.stdin.read()
"""
"""A process that shows its lock, and holds it until its input ends."""


class Locks:
    """Where locks are kept: the first one holds."""

    def __init__(self, held: Lock | None = None) -> None:
        self.held = {"m": held} if held else {}

    def lock(self, deployment: str, lock: Lock) -> Lock:
        """Take a lock, and return the one that holds."""
        return self.held.setdefault(deployment, lock)

    def unlock(self, deployment: str, lock: Lock) -> None:
        """Give it back, unless another is in its place."""
        if self.held.get(deployment) == lock:
            del self.held[deployment]


def of_another(**changes: object) -> Lock:
    """Return the lock of a process on another machine."""
    since = datetime.now(UTC) - timedelta(minutes=7)
    lock = Lock(owner="ann@elsewhere", since=since, doing="deploy of m", process="elsewhere/boot/pid:[1]/7/99")
    return lock.model_copy(update=changes)


@contextmanager
def child(root: Path) -> Iterator[tuple[subprocess.Popen[str], Lock]]:
    """Give a process that holds a lock, and its lock."""
    command = [sys.executable, "-c", HOLDS]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=root, stdin=pipe, stdout=pipe, encoding="utf-8") as process:
        assert process.stdout
        yield process, Lock.model_validate_json(process.stdout.readline())


def test_a_lock_is_held_to_the_end_of_the_block() -> None:
    """It says who holds it, since when, and what for; another deployment is free."""
    locks = Locks()
    with locked(locks, "m", "deploy of m", say=print) as mine:
        held = locks.held["m"]
        assert held == mine
        assert (held.owner, held.doing) == (owner(), "deploy of m")
        assert abs(datetime.now(UTC) - held.since) < timedelta(minutes=1)
        assert not gone(held)
        with locked(locks, "n", "deploy of n", say=print):
            assert {*locks.held} == {"m", "n"}
    assert locks.held == {}


@pytest.mark.parametrize("error", [ValueError("odd"), KeyboardInterrupt(), OpdeployError("no room")], ids=repr)
def test_a_lock_is_given_back_after_an_error(error: BaseException) -> None:
    """Whatever it is, and it is raised as it is."""
    locks = Locks()
    with pytest.raises(type(error)) as caught, locked(locks, "m", "deploy of m", say=print):
        raise error
    assert (caught.value, locks.held) == (error, {})


class Kept(Locks):
    """Locks that are given back no more."""

    def unlock(self, deployment: str, lock: Lock) -> None:
        """Be refused."""
        raise OpdeployError(f"note of {deployment}: Azure was not reached; try again, {lock.owner}")


@pytest.mark.parametrize("error", [ValueError("odd"), KeyboardInterrupt(), OpdeployError("no room")], ids=repr)
def test_after_an_error_a_lock_that_stays_hides_it_not(error: BaseException) -> None:
    """What failed is what counts."""
    said: list[str] = []
    with pytest.raises(type(error)) as caught, locked(Kept(), "m", "deploy of m", say=said.append):
        raise error
    assert (caught.value, said) == (error, [])


def test_a_lock_that_stays_after_what_was_done_is_said() -> None:
    """With what to do; what was done is none the worse for it."""
    said: list[str] = []
    with locked(Kept(), "m", "deploy of m", say=said.append):
        pass
    assert " ".join(said) == (
        f"m: all is done, but its lock was not given back: note of m: Azure was not reached; try again, {owner()}; "
        "the next command takes it over on this machine; on another, say --break-lock"
    )


def test_the_lock_of_another_machine_is_respected() -> None:
    """Whoever holds it is named, with what it is for and how old it is; it stays, and nothing is done."""
    other = of_another()
    locks, entered = Locks(other), False
    with pytest.raises(OpdeployError) as caught, locked(locks, "m", "remove of m", say=print):
        entered = True
    assert str(caught.value) == (
        "m: ann@elsewhere is at work on it (deploy of m, for 7 minutes); wait until that has ended, or, if it never "
        "will, take the lock with --break-lock"
    )
    assert (locks.held, entered) == ({"m": other}, False)


def test_any_lock_can_be_broken() -> None:
    """And is held by the one that broke it, and given back."""
    locks = Locks(of_another())
    with locked(locks, "m", "remove of m", say=print, broken=True):
        assert locks.held["m"].doing == "remove of m"
    assert locks.held == {}


def test_the_lock_of_a_living_process_is_respected(root: Path) -> None:
    """Of this machine, too."""
    with child(root) as (process, lock):
        assert not gone(lock)
        with pytest.raises(OpdeployError, match="is at work on it"), locked(Locks(lock), "m", "remove of m", say=print):
            pass
        assert process.stdin
        process.stdin.close()
        assert process.wait() == 0


def test_the_lock_of_a_process_that_has_ended_is_taken_over(root: Path) -> None:
    """Killed or not: where it was one of this machine, that is known."""
    with child(root) as (process, lock):
        process.kill()
    assert gone(lock)
    locks = Locks(lock)
    with locked(locks, "m", "remove of m", say=print):
        assert locks.held["m"].doing == "remove of m"
    assert locks.held == {}


def test_a_process_that_nobody_waited_for_has_ended(root: Path) -> None:
    """It is in the list of processes still, with its start."""
    with child(root) as (process, lock):
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert gone(lock)


def test_a_process_that_is_hidden_may_live(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of other users may be: that its number is in use is all that is known of it."""
    with child(root) as (process, lock):
        monkeypatch.setattr(locking, "PROC", tmp_path)
        assert not gone(lock)
        process.kill()
    assert gone(lock)


class Overtaken(Locks):
    """Where another process takes the lock of one that is gone, just after this one has seen that."""

    def lock(self, deployment: str, lock: Lock) -> Lock:
        """Take a lock; return the one that held, which is another's by now."""
        seen = super().lock(deployment, lock)
        if seen.owner == "gone":
            self.held[deployment] = of_another()
        return seen


@pytest.mark.parametrize("broken", [False, True], ids=["taken over", "broken"])
def test_of_two_that_see_a_dead_lock_one_holds(root: Path, *, broken: bool) -> None:
    """Who comes second takes nothing away: the lock that it saw is not there any more."""
    with child(root) as (process, lock):
        process.kill()
    locks, entered = Overtaken(lock.model_copy(update={"owner": "gone"})), False
    with (
        pytest.raises(OpdeployError, match=r"^m: ann@elsewhere is at work on it"),
        locked(locks, "m", "remove of m", say=print, broken=broken),
    ):
        entered = True
    assert ([held.owner for held in locks.held.values()], entered) == (["ann@elsewhere"], False)


def test_a_lock_that_was_broken_is_not_given_back() -> None:
    """Whoever held it before does not free it for a third one: it is that of who broke it."""
    locks, breaker = Locks(), of_another()
    with locked(locks, "m", "deploy of m", say=print):
        locks.held["m"] = breaker
    assert locks.held == {"m": breaker}


def test_a_lock_is_looked_at_again() -> None:
    """Another's is told as such, and so is none; one's own is right."""
    mine = of_another(process="elsewhere/boot/pid:[1]/8/99")
    require("m", mine, mine)
    with pytest.raises(OpdeployError, match=r"^m: ann@elsewhere is at work on it \(deploy of m, for 7 minutes\); wait"):
        require("m", of_another(), mine)
    with pytest.raises(OpdeployError, match=r"^m: the lock was taken away; run the same command again$"):
        require("m", None, mine)


@pytest.mark.parametrize(
    ("part", "value", "is_gone"),
    [(-1, "1", True), (-2, "999999999", True), (-2, "x", False), (0, "elsewhere", False), (2, "another", False)],
    ids=["another start", "a number that none has", "no number", "another boot", "another machine"],
)
def test_only_a_process_of_this_machine_is_known_to_be_gone(part: int, value: str, *, is_gone: bool) -> None:
    """A number that another process has by now is no sign of life; of another machine nothing is known."""
    locks = Locks()
    with locked(locks, "m", "deploy of m", say=print):
        parts = locks.held["m"].process.split("/")
    parts[part] = value
    assert gone(of_another(process="/".join(parts))) == is_gone


@pytest.mark.parametrize(
    ("identity", "boot", "is_gone"),
    [
        ("0123456789abcdef", "another", True),
        ("0123456789abcdef", "?", False),
        ("", "another", False),
        (None, "another", False),
    ],
    ids=["known", "a boot that is not known", "an empty identity", "no identity"],
)
def test_what_ran_before_this_machine_was_started_is_gone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, identity: str | None, boot: str, *, is_gone: bool
) -> None:
    """Where the machine is known by more than its name, which another may have too."""
    if identity is not None:
        (tmp_path / "machine-id").write_text(f"{identity}\n")
    monkeypatch.setattr(locking, "MACHINE_ID", tmp_path / "machine-id")
    locks = Locks()
    with locked(locks, "m", "deploy of m", say=print):
        parts = locks.held["m"].process.split("/")
    assert "0123456789abcdef" not in parts[0]
    parts[1] = boot
    assert gone(of_another(process="/".join(parts))) == is_gone


@pytest.mark.parametrize("process", ["", "/", "a", "a/b/c/d", "////"], ids=repr)
def test_what_tells_no_process_is_not_gone(process: str) -> None:
    """A lock that cannot be read is respected."""
    assert not gone(of_another(process=process))


AGES = [
    (timedelta(0), "0 seconds"),
    (timedelta(seconds=1), "1 second"),
    (timedelta(seconds=59), "59 seconds"),
    (timedelta(seconds=60), "1 minute"),
    (timedelta(minutes=59, seconds=59), "59 minutes"),
    (timedelta(hours=1), "1 hour"),
    (timedelta(hours=23), "23 hours"),
    (timedelta(days=1), "1 day"),
    (timedelta(days=400), "400 days"),
    (-timedelta(hours=1), "0 seconds"),
]


@pytest.mark.parametrize(("time", "said"), AGES, ids=[said for _, said in AGES])
def test_an_age_is_told_in_words(time: timedelta, said: str) -> None:
    """In the largest unit that it has one of; a clock that is wrong makes no age below nothing."""
    assert age(time) == said
