"""Writing files: whole or not at all, and never over what may not be lost."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from opdeploy import files
from opdeploy.errors import InputError, OpdeployError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OLD, NEW = b"old\n", b"new\n" * 50_000


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a file that is there already."""
    path = tmp_path / "file"
    path.write_bytes(OLD)
    return path


def names(folder: Path) -> list[str]:
    """Return what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_an_older_file_is_replaced_and_its_mode_stays(old: Path, mode: int) -> None:
    """The content is the new one, the mode the old one, and nothing else lies beside it."""
    old.chmod(mode)
    files.write(old, NEW)
    assert old.read_bytes() == NEW
    assert stat.S_IMODE(old.stat().st_mode) == mode
    assert names(old.parent) == ["file"]


def test_a_reader_of_the_old_file_keeps_it(old: Path) -> None:
    """What was opened before stays whole: the new content is another file of the same name."""
    with old.open("rb") as stream:
        files.write(old, NEW)
        assert stream.read() == OLD


def test_a_new_file_has_the_usual_mode(tmp_path: Path) -> None:
    """A new file is as any other that this process makes."""
    files.write(tmp_path / "ours", NEW)
    (tmp_path / "theirs").write_bytes(NEW)
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode


@pytest.mark.parametrize("there", [True, False], ids=["to a file", "to nothing yet"])
def test_a_link_stays_and_its_target_is_written(tmp_path: Path, *, there: bool) -> None:
    """A symbolic link remains one; the file that it leads to has the content."""
    target, link = tmp_path / "elsewhere" / "target", tmp_path / "link"
    target.parent.mkdir()
    if there:
        target.write_bytes(OLD)
    link.symlink_to(target)
    files.write(link, NEW)
    assert link.is_symlink()
    assert target.read_bytes() == NEW
    assert (names(tmp_path), names(target.parent)) == (["elsewhere", "link"], ["target"])


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    """A name of 255 bytes is a good name, for either function."""
    for write, name in ((files.write, "é" * 127 + "a"), (files.create, "é" * 127 + "b")):
        write(tmp_path / name, NEW)
        assert (tmp_path / name).read_bytes() == NEW


def folder(place: Path) -> Path:
    """Make a directory."""
    place.mkdir()
    return place


def loop(place: Path) -> Path:
    """Make a link that leads to itself."""
    place.symlink_to(place)
    return place


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "folder": (lambda place: folder(place / "there"), "is a directory; name a file in it"),
    "no such folder": (lambda place: place / "absent" / "file", "there is no folder"),
    "a file as a folder": (lambda place: place / "file" / "file", "Not a directory"),
    "a name too long": (lambda place: place / ("a" * 256), "File name too long"),
    "a loop of links": (lambda place: loop(place / "loop"), "Too many levels of symbolic links"),
}


@pytest.mark.parametrize(("make", "said"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_place_for_a_file_is_told(old: Path, make: Callable[[Path], Path], said: str) -> None:
    """The error names the path and the reason; nothing is left behind."""
    path = make(old.parent)
    before = names(old.parent)
    with pytest.raises(InputError, match=said) as told:
        files.write(path, NEW)
    assert str(told.value).startswith(f"{path}: ")
    assert names(old.parent) == before
    assert old.read_bytes() == OLD


UNPRIVILEGED = """
import os, pathlib, sys
from opdeploy import errors, files
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    getattr(files, sys.argv[1])(pathlib.Path(sys.argv[2]), b"new")
except errors.OpdeployError as error:
    sys.exit(f"{error.exit_code} {error}")
"""


def unprivileged(function: str, path: Path) -> str:
    """Return what stderr says when a user without privileges writes a file."""
    command = [sys.executable, "-c", UNPRIVILEGED, function, str(path)]
    return subprocess.run(command, check=False, capture_output=True, encoding="utf-8", timeout=60).stderr


@pytest.fixture
def public() -> Iterator[Path]:
    """Give a folder into which everybody can look."""
    with TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path
        path.chmod(0o755)


@pytest.mark.parametrize("function", ["write", "create"])
def test_a_folder_that_may_not_be_written_to_is_told(public: Path, function: str) -> None:
    """Without the right to make a file there, one line says so."""
    public.chmod(0o555)
    assert unprivileged(function, public / "file") == (
        f"2 {public}/file: cannot be written: Permission denied; "
        "name a file in a folder that exists and can be written to\n"
    )
    assert names(public) == []


def test_a_write_protected_file_is_not_replaced(public: Path) -> None:
    """That its folder may be written to is no leave to replace a file that may not."""
    path = public / "file"
    path.write_bytes(OLD)
    path.chmod(0o444)
    public.chmod(0o777)
    assert unprivileged("write", path) == (f"2 {path}: cannot be written: it is write-protected; name another file\n")
    assert (path.read_bytes(), names(public)) == (OLD, ["file"])


@pytest.mark.parametrize("function", [files.write, files.create], ids=["write", "create"])
def test_an_interrupt_leaves_the_old_file_and_no_part(
    old: Path, monkeypatch: pytest.MonkeyPatch, function: Callable[[Path, bytes], None]
) -> None:
    """Ctrl-C while the disk takes the content: what was there stays, and nothing new does."""

    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    path = old if function is files.write else old.with_name("new")
    with pytest.raises(KeyboardInterrupt):
        function(path, NEW)
    assert (old.read_bytes(), names(old.parent)) == (OLD, ["file"])


def test_create_does_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system that has none the file is made all the same."""

    def refused(_: Path, to: Path) -> None:
        raise PermissionError(1, "Operation not permitted", to)

    monkeypatch.setattr(os, "link", refused)
    files.create(tmp_path / "new", NEW)
    assert ((tmp_path / "new").read_bytes(), names(tmp_path)) == (NEW, ["new"])


def test_a_private_file_stays_private_while_it_is_written(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the unfinished part can be read by others."""
    modes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: modes.append(stat.S_IMODE(os.fstat(handle).st_mode)))
    old.chmod(0o600)
    files.write(old, NEW)
    assert modes == [0o600]


TERMINATED = """
import os, signal, sys
os.fsync = lambda handle: os.kill(os.getpid(), getattr(signal, sys.argv[1]))
from opdeploy.cli import main
main(sys.argv[2:])
"""


@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP"])
def test_a_termination_leaves_the_old_file_and_no_part(old: Path, number: str) -> None:
    """What ends the process while it writes ends it with the usual code, and leaves what was there."""
    command = [sys.executable, "-c", TERMINATED, number, "heatmap", "-o", "json", "--file", str(old)]
    done = subprocess.run(command, capture_output=True, check=False, encoding="utf-8", timeout=60)
    assert done.returncode == 128 + getattr(signal, number)
    assert (old.read_bytes(), names(old.parent)) == (OLD, ["file"])


def test_a_signal_that_is_ignored_stays_ignored(old: Path) -> None:
    """Under `nohup` a terminal that goes away ends nothing: the file is written to its end."""
    ignored = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    command = [sys.executable, "-c", ignored + TERMINATED, "SIGHUP", "heatmap", "-o", "json", "--file", str(old)]
    done = subprocess.run(command, capture_output=True, check=False, encoding="utf-8", timeout=60)
    assert (done.returncode, names(old.parent)) == (0, ["file"])
    assert old.read_bytes().startswith(b"[")


def test_a_device_that_is_full_is_told(tmp_path: Path) -> None:
    """What fails while writing is a failure, not bad input."""
    with pytest.raises(OpdeployError, match="No space left on device") as told:
        files.write(Path("/dev/full"), NEW)
    assert told.value.exit_code == 1
    assert names(tmp_path) == []


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    """A named pipe hands the content to its reader."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=files.write, args=(path, NEW))
    writer.start()
    assert path.read_bytes() == NEW
    writer.join()
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert names(tmp_path) == ["pipe"]


def test_create_makes_a_file(tmp_path: Path) -> None:
    """Where nothing is, the file is made, with one name."""
    files.create(tmp_path / "file", NEW)
    assert (tmp_path / "file").read_bytes() == NEW
    assert (names(tmp_path), (tmp_path / "file").stat().st_nlink) == (["file"], 1)


def dangling(place: Path) -> Path:
    """Make a link that leads nowhere."""
    place.symlink_to(place.parent / "nowhere")
    return place


THERE: dict[str, Callable[[Path], Path]] = {
    "file": lambda place: place / "file",
    "folder": lambda place: folder(place / "there"),
    "dangling link": lambda place: dangling(place / "link"),
}


@pytest.mark.parametrize("make", THERE.values(), ids=list(THERE))
def test_create_overwrites_nothing(old: Path, make: Callable[[Path], Path]) -> None:
    """Whatever has the name stays as it is, also a link that leads nowhere."""
    path = make(old.parent)
    before = names(old.parent)
    with pytest.raises(InputError, match="is there already, and is not overwritten"):
        files.create(path, NEW)
    assert (names(old.parent), old.read_bytes()) == (before, OLD)


RACER = """
import pathlib, sys
from opdeploy import errors, files
folder, me = pathlib.Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for number in range(100):
    try:
        files.create(folder / str(number), me.encode())
        print(number)
    except errors.InputError:
        pass
"""


def test_of_two_that_create_one_file_exactly_one_wins(tmp_path: Path) -> None:
    """Two processes create the same hundred files: each has the content of the one that was told that it made it."""
    racers = {
        name: subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        for name in ("one", "other")
    }
    for process in racers.values():
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in racers.values():
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    won = {name: process.communicate(timeout=60)[0].split() for name, process in racers.items()}
    assert sorted(won["one"] + won["other"], key=int) == [str(number) for number in range(100)]
    assert all((tmp_path / number).read_text() == name for name, numbers in won.items() for number in numbers)
    assert len(names(tmp_path)) == 100
