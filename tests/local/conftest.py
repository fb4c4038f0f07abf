"""Small servers that are told what to answer, and artefacts of a small model."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import numpy as np
import pytest
from nets import linear, records

from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import Samples
from opdeploy.runtime.package import sha256
from tests.local.small import Answer, Small

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def small() -> Iterator[Callable[[Answer], Small]]:
    """Return a function that starts a small server."""
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(closing(Small(answer)))


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an artefact of a model of numbers; not to be changed."""
    folder = tmp_path_factory.mktemp("plain")
    model = linear(folder / "model.onnx")
    build(Contents("net", model, Samples({"x": records(12)}, "records")), folder / "net")
    return folder / "net"


@pytest.fixture(scope="session")
def wrong(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an artefact whose golden answers are those of another model, with hashes that are right."""
    folder = tmp_path_factory.mktemp("wrong") / "net"
    shutil.copytree(plain, folder)
    golden = folder / "golden" / "tensors.npz"
    before = sha256(golden)
    arrays = dict(np.load(golden))
    np.savez(golden, allow_pickle=False, **arrays | {"outputs/y": arrays["outputs/y"] + 1})
    manifest = folder / "model.yaml"
    manifest.write_text(manifest.read_text().replace(before, sha256(golden)))
    return folder
