"""A measurement goes into the artefact that was measured, which is whole at every moment."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from opdeploy.artifact.package import repackage
from opdeploy.errors import OpdeployError
from opdeploy.local.keep import keep
from opdeploy.runtime.package import opened, sha256

NAME = "served-process-2cpu"


@pytest.fixture(params=["folder", "zip"])
def artefact(request: pytest.FixtureRequest, plain: Path, tmp_path: Path) -> Path:
    """Return an artefact with a measurement of the model, in either form."""
    path = tmp_path / ("net" if request.param == "folder" else "net.zip")
    with opened(plain) as package:
        repackage(package, {"here": '{"of": "the model"}'}, path)
    return path


def digest_of(path: Path) -> str:
    """Return an artefact's digest; every hash in it is right."""
    with opened(path) as package:
        return package.digest


def held(path: Path) -> dict[str, str]:
    """Return an artefact's measurements by name, with what they hold."""
    with opened(path) as package:
        return {name: package.path(name).read_text() for name in package.manifest.measurements}


def test_a_measurement_is_kept(artefact: Path) -> None:
    """The new digest is returned; nothing else in the artefact has changed, and nothing lies beside it."""
    before = digest_of(artefact)
    digest = keep(artefact, before, NAME, '{"kind": "served"}')
    assert digest == digest_of(artefact) != before
    kept = held(artefact)
    assert kept.pop("measurements/here.json") == '{"of": "the model"}'
    ((name, text),) = kept.items()
    assert name.startswith(f"measurements/{NAME}.")
    assert text == '{"kind": "served"}'
    assert list(artefact.parent.iterdir()) == [artefact]


def test_a_later_one_takes_the_place_of_the_older(artefact: Path) -> None:
    """Of the same runtime and limits there is one, and its file alone; others stay."""
    digest = keep(artefact, digest_of(artefact), NAME, '{"run": 1}')
    digest = keep(artefact, digest, f"{NAME}-1gb", '{"other": 1}')
    digest = keep(artefact, digest, NAME, '{"run": 2}')
    assert sorted(held(artefact).values()) == ['{"of": "the model"}', '{"other": 1}', '{"run": 2}']
    if artefact.is_dir():
        assert len(list((artefact / "measurements").iterdir())) == 3
    assert keep(artefact, digest, NAME, '{"run": 2}') == digest


def test_both_forms_have_the_same_digest(plain: Path, tmp_path: Path) -> None:
    """What is kept is the same, whether in a folder or in one file."""
    digests = set()
    for name in ("a", "a.zip"):
        with opened(plain) as package:
            repackage(package, {}, tmp_path / name)
        digests.add(keep(tmp_path / name, digest_of(plain), NAME, "{}"))
    assert len(digests) == 1


def test_an_artefact_that_was_changed_meanwhile_is_left_alone(artefact: Path) -> None:
    """A measurement of another model would be a lie."""
    before = _bytes(artefact)
    with pytest.raises(OpdeployError, match="was changed meanwhile"):
        keep(artefact, "0" * 64, NAME, "{}")
    assert _bytes(artefact) == before


def _bytes(path: Path) -> dict[str, str]:
    files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    return {str(file): sha256(file) for file in files}


def test_a_link_stays_a_link(artefact: Path) -> None:
    """What it leads to is changed."""
    link = artefact.with_name("link" + artefact.suffix)
    link.symlink_to(artefact)
    digest = keep(link, digest_of(artefact), NAME, "{}")
    assert link.is_symlink()
    assert digest_of(artefact) == digest


def test_permissions_of_a_file_stay(plain: Path, tmp_path: Path) -> None:
    """Who may read an artefact is its owner's to say."""
    path = tmp_path / "net.zip"
    with opened(plain) as package:
        repackage(package, {}, path)
    path.chmod(0o600)
    keep(path, digest_of(path), NAME, "{}")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def full(tmp_path: Path, plain: Path) -> Path:
    """Return an artefact whose folder of measurements cannot be made, since a file has its name."""
    path = tmp_path / "net"
    shutil.copytree(plain, path)
    (path / "measurements").write_text("")
    return path


def test_what_cannot_be_written_is_told_and_leaves_the_artefact_as_it_was(full: Path) -> None:
    """One line, and an artefact that still opens."""
    before = digest_of(full)
    with pytest.raises(OpdeployError, match="the measurement was not kept: File exists"):
        keep(full, before, NAME, "{}")
    assert digest_of(full) == before


UNPRIVILEGED = """
import os, pathlib, sys
from opdeploy.errors import InputError
from opdeploy.local.keep import check_writable
if not os.geteuid():
    os.setuid(65534)
try:
    check_writable(pathlib.Path(sys.argv[1]))
except InputError as error:
    sys.exit(str(error))
"""


def test_a_protected_artefact_is_refused_before_anything_is_measured() -> None:
    """Half a minute of load would be lost otherwise."""
    with TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o555)
        said = [
            subprocess.run(
                [sys.executable, "-c", UNPRIVILEGED, where], check=False, capture_output=True, encoding="utf-8"
            ).stderr
            for where in (path, path / "net.zip")
        ]
        path.chmod(0o755)
    why = f"the measurement cannot be kept in it: {path} is write-protected; give --no-save\n"
    assert said == [f"{path}: {why}", f"{path}/net.zip: {why}"]
