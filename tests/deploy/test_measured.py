"""What an artefact tells of measurements, from which probes and resources are sized."""

from __future__ import annotations

import json
from shutil import copytree
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.deploy.artefacts import packaged
from opdeploy.deploy.measured import measured
from opdeploy.local.keep import keep
from opdeploy.runtime.package import opened
from opdeploy.targets.base import Measured

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OTHER = "0" * 64
"""The hash of another variant."""


def of_model(**changed: object) -> dict[str, Any]:
    """Return what `model measure` writes, as far as it counts; a change of None takes a part away."""
    found = {
        "loading": [
            {"threads": 1, "load_s": 0.5, "peak_memory_mb": 150.0},
            {"threads": 2, "load_s": 0.8, "peak_memory_mb": 180.0},
        ],
        "knee": {"batch": 16, "threads": 2, "records_per_second": 9000.0},
        "points": [],
        **changed,
    }
    return {key: value for key, value in found.items() if value is not None}


def of_server(**changed: object) -> dict[str, Any]:
    """Return what `test-local` writes, as far as it counts."""
    found = {
        "kind": "served",
        "format": 1,
        "ready_s": 1.5,
        "peak_memory_mb": 210.0,
        "knee": {"rate": 800.0, "p95_ms": 4.0},
        **changed,
    }
    return {key: value for key, value in found.items() if value is not None}


@pytest.fixture(scope="module")
def plain(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an artefact without measurements."""
    return packaged(root / "examples" / "digits" / "model.onnx", "digits", tmp_path_factory.mktemp("state"))


@pytest.fixture
def found(plain: Path, tmp_path: Path) -> Callable[..., Measured]:
    """Return a function that says what is measured by an artefact with some measurements."""
    artefact = copytree(plain, tmp_path / "digits")

    def read(*measurements: dict[str, Any] | str) -> Measured:
        for number, item in enumerate(measurements):
            with opened(artefact) as package:
                own = package.manifest.files[package.manifest.variants[0].file]
                digest = package.digest
            text = item if isinstance(item, str) else json.dumps({"sha256": own, **item})
            keep(artefact, digest, f"m{number}", text)
        with opened(artefact) as package:
            assert len(package.manifest.measurements) == len(measurements)
            return measured(package)

    return read


CASES: dict[str, tuple[list[dict[str, Any] | str], Measured]] = {
    "none": ([], Measured()),
    "of the model": ([of_model()], Measured(ready_s=0.8, peak_memory_mb=180.0, threads=2, knee=16)),
    "of the server": ([of_server()], Measured(ready_s=1.5, peak_memory_mb=210.0)),
    "of both": ([of_model(), of_server()], Measured(ready_s=1.5, peak_memory_mb=210.0, threads=2, knee=16)),
    "of both, the other way round": (
        [of_server(), of_model()],
        Measured(ready_s=1.5, peak_memory_mb=210.0, threads=2, knee=16),
    ),
    "of the server, which was smaller": (
        [of_server(ready_s=0.1, peak_memory_mb=90.0), of_model()],
        Measured(ready_s=0.1, peak_memory_mb=90.0, threads=2, knee=16),
    ),
    "of two servers": (
        [of_server(ready_s=3.0), of_server(peak_memory_mb=400.0)],
        Measured(ready_s=3.0, peak_memory_mb=400.0),
    ),
    "of another variant": ([of_model(sha256=OTHER), of_server(sha256=OTHER)], Measured()),
    "of another variant beside": (
        [of_server(sha256=OTHER, ready_s=99.0), of_model()],
        Measured(ready_s=0.8, peak_memory_mb=180.0, threads=2, knee=16),
    ),
    "of a deployment, which tells of its load alone": (
        [of_server(runtime="deployed", ready_s=None, peak_memory_mb=None), of_model()],
        Measured(ready_s=0.8, peak_memory_mb=180.0, threads=2, knee=16),
    ),
    "without a load that was kept": ([of_server(knee=None)], Measured(ready_s=1.5, peak_memory_mb=210.0)),
    "without loading": ([of_model(loading=[])], Measured(threads=2, knee=16)),
    "without parts": ([of_model(loading=None, knee=None), of_server(ready_s=None, peak_memory_mb=None)], Measured()),
    "no numbers": ([of_server(ready_s="1.5", peak_memory_mb="many")], Measured()),
    "not finite": (['{"sha256": "OWN", "kind": "served", "ready_s": NaN, "peak_memory_mb": Infinity}'], Measured()),
    "no JSON": (["{", of_model()], Measured(ready_s=0.8, peak_memory_mb=180.0, threads=2, knee=16)),
    "another JSON": (["[]", "5", "null", '"text"', of_server()], Measured(ready_s=1.5, peak_memory_mb=210.0)),
    "parts of another form": ([of_model(loading=[5], knee=7), of_server(sha256=OTHER)], Measured()),
}
"""What an artefact has, and what it says."""


@pytest.mark.parametrize(("measurements", "says"), CASES.values(), ids=list(CASES))
def test_an_artefact_tells_what_was_measured(
    found: Callable[..., Measured], plain: Path, measurements: list[dict[str, Any] | str], says: Measured
) -> None:
    """Of its best variant: the server's before the model's, the largest of several; what is broken tells nothing."""
    with opened(plain) as package:
        own = package.manifest.files[package.manifest.variants[0].file]
    told = [item.replace("OWN", own) if isinstance(item, str) else item for item in measurements]
    assert found(*told) == says
