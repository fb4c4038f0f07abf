"""Writes files whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opdeploy.errors import InputError, OpdeployError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Write a file, over an older one if need be: a reader finds the old content or the new, never a part.

    Raises InputError when there is no place to write to, OpdeployError when the writing fails; both leave what was
    there as it was.
    """
    mode = check_place(path)
    if mode is not None and not stat.S_ISREG(mode):  # a pipe or a device, which cannot be replaced
        with _explained(path), path.open("wb") as stream:
            stream.write(content)
        return
    target = path.resolve()  # a link stays, and what it leads to is written
    permissions = 0o666 if mode is None else stat.S_IMODE(mode)
    with _beside(path, target, content, permissions) as part, _explained(path):
        if mode is not None:
            part.chmod(permissions)  # what the umask took away
        part.replace(target)


def check_place(path: Path) -> int | None:
    """Raise InputError when there is no place for `write` to write to; return the mode of what is there already.

    For commands that would work for minutes before they write.
    """
    mode = _mode(path)
    if mode is None and not path.parent.is_dir():
        raise InputError(f"{path}: cannot be written: there is no folder {path.parent}; make it, or name another file")
    if mode is not None and stat.S_ISDIR(mode):
        raise InputError(f"{path}: is a directory; name a file in it")
    if mode is not None and stat.S_ISREG(mode) and not os.access(path, os.W_OK):
        raise InputError(f"{path}: cannot be written: it is write-protected; name another file")
    return mode


def create(path: Path, content: bytes) -> None:
    """Write a file that must not be there yet.

    Raises InputError when it is, or when there is no place to write to, OpdeployError when the writing fails.
    """
    check_absent(path)
    with _beside(path, path, content) as part, _explained(path):
        try:
            os.link(part, path)  # unlike a rename, it fails when another made the file meanwhile
        except FileExistsError:
            raise _exists(path) from None
        except OSError:  # a file system without links
            part.rename(path)


def check_absent(path: Path) -> None:
    """Raise InputError when a file that is to be made is there already, or there is no folder to make it in."""
    if os.path.lexists(path):
        raise _exists(path)
    if not path.parent.is_dir():
        raise InputError(f"{path}: cannot be written: there is no folder {path.parent}; make it, or name another file")


def _mode(path: Path) -> int | None:
    """Return the type and mode of what a path leads to; None when it leads to nothing yet."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _no_place(path, error) from error


def _no_place(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{path}: cannot be written: {error.strerror}; name a file in a folder that exists and can be written to"
    )


def _exists(path: Path) -> InputError:
    return InputError(f"{path}: is there already, and is not overwritten; remove it, or name another")


@contextmanager
def _beside(path: Path, target: Path, content: bytes, permissions: int = 0o666) -> Iterator[Path]:
    """Give a finished file in the target's folder, and leave none there."""
    part = target.with_name(f".opdeploy-{secrets.token_hex(8)}.part")  # short, however long the target's name is
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, permissions)
    except OSError as error:
        raise _no_place(path, error) from error
    try:
        with _explained(path), os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        yield part
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OpdeployError(f"{path}: was not written: {reason}; make room, or name another file") from error
