"""One at a time: the lock of a deployment lives where the deployment lives, so that every machine sees it."""

from __future__ import annotations

import getpass
import hashlib
import os
import socket
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from opdeploy.deployment import Lock
from opdeploy.errors import OpdeployError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta


MACHINE_ID = Path("/etc/machine-id")
PROC = Path("/proc")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_UNKNOWN = "?"
_ENDED = "ended"
_DEAD = {"Z", "X"}
"""States of processes that have ended, and that nobody has waited for."""
_PARTS = 5
"""Of what tells a process from all others."""


class Locks(Protocol):
    """Where locks are kept."""

    def lock(self, deployment: str, lock: Lock) -> Lock:
        """Take the lock of a deployment, and return the lock that holds."""

    def unlock(self, deployment: str, lock: Lock) -> None:
        """Give a lock back, unless another is in its place."""


def owner() -> str:
    """Return who is at work: user and machine."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        user = str(os.getuid()) if hasattr(os, "getuid") else "somebody"
    return f"{user}@{socket.gethostname()}"


@contextmanager
def locked(
    locks: Locks, deployment: str, doing: str, *, say: Callable[[str], None], broken: bool = False
) -> Iterator[Lock]:
    """Hold the lock of a deployment until the end of the block, and give it.

    The lock of a process of this machine that is gone is taken over, and any lock where `broken`. One that cannot be
    given back is said after what was done; after an error, that counts alone.

    Raises OpdeployError, which names owner and age, where another holds it.
    """
    mine = Lock(owner=owner(), since=datetime.now(UTC), doing=doing, process=_process(os.getpid()))
    held = locks.lock(deployment, mine)
    if held.process != mine.process and (broken or gone(held)):
        locks.unlock(deployment, held)
        held = locks.lock(deployment, mine)
    require(deployment, held, mine)
    try:
        yield mine
    except BaseException:
        with suppress(OpdeployError):
            locks.unlock(deployment, mine)
        raise
    try:
        locks.unlock(deployment, mine)
    except OpdeployError as error:
        todo = "the next command takes it over on this machine; on another, say --break-lock"
        say(f"{deployment}: all is done, but its lock was not given back: {error}; {todo}")


def require(deployment: str, held: Lock | None, mine: Lock) -> None:
    """Raise OpdeployError, which names owner and age, where another holds the lock, or nobody does any more."""
    if held is None:
        raise OpdeployError(f"{deployment}: the lock was taken away; run the same command again")
    if held.process != mine.process:
        raise OpdeployError(_refused(deployment, held))


def require_free(deployment: str, held: Lock | None) -> None:
    """Raise OpdeployError, which names owner and age, where one holds the lock who may be at work."""
    for why in taken(deployment, held):
        raise OpdeployError(why)


def taken(deployment: str, held: Lock | None) -> Iterator[str]:
    """Yield who holds the lock and may be at work, with what to do."""
    if held and not gone(held):
        yield _refused(deployment, held)


def _refused(deployment: str, held: Lock) -> str:
    todo = "wait until that has ended, or, if it never will, take the lock with --break-lock"
    return f"{deployment}: {at_work(held)}; {todo}"


def at_work(held: Lock) -> str:
    """Say who holds a lock, what for, and since when."""
    return f"{held.owner} is at work on it ({held.doing}, for {age(datetime.now(UTC) - held.since)})"


def age(time: timedelta) -> str:
    """Say how old something is."""
    seconds = max(0, round(time.total_seconds()))
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def gone(lock: Lock) -> bool:
    """Tell whether the process that holds a lock is known to have ended: it was one of this machine."""
    theirs, mine = lock.process.split("/"), _machine()
    if len(theirs) != _PARTS or theirs[0] != mine.name:
        return False
    _, boot, namespace, number, start = theirs
    if boot != mine.boot:
        return _UNKNOWN not in (mine.identity, boot, mine.boot)  # it was started anew
    return namespace == mine.namespace and number.isdigit() and _start(int(number)) not in {start, _UNKNOWN}


def _process(number: int) -> str:
    """Return what tells a process from all others: the machine, its boot, the process id and the start."""
    machine = _machine()
    return f"{machine.name}/{machine.boot}/{machine.namespace}/{number}/{_start(number)}"


def _start(number: int) -> str:
    """Return when a process started, in the kernel's ticks; other users' processes may be hidden."""
    try:
        stat = (PROC / str(number) / "stat").read_text(encoding="utf-8")
    except OSError:
        return _UNKNOWN if _runs(number) else _ENDED
    fields = stat.rpartition(")")[2].split()  # after a name that may have spaces: proc_pid_stat(5), from field 3 on
    return _ENDED if fields[0] in _DEAD else fields[19]


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


class _Machine(NamedTuple):
    """What tells this machine from all others, and its boots from one another."""

    identity: str
    boot: str
    namespace: str
    """Of containers on one machine each has processes of its own under the same numbers."""

    @property
    def name(self) -> str:
        return f"{socket.gethostname()}.{self.identity}"


def _machine() -> _Machine:
    return _Machine(_identity(), _text(_BOOT), _namespace())


def _identity() -> str:
    """Return what other machines of the same name have not: the machine id, hashed, as it is to be kept to oneself.

    https://www.freedesktop.org/software/systemd/man/latest/machine-id.html, read 2026-11-25.
    """
    found = _text(MACHINE_ID)
    return found if found == _UNKNOWN else hashlib.sha256(f"opdeploy {found}".encode()).hexdigest()[:12]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip() or _UNKNOWN
    except OSError:
        return _UNKNOWN


def _namespace() -> str:
    try:
        return Path("/proc/self/ns/pid").readlink().name
    except OSError:
        return _UNKNOWN
