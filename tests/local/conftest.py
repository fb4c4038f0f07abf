"""Small servers that are told what to answer, and artefacts of a small model."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest
from nets import linear, records
from small import Answer, Small

from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import Samples

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
