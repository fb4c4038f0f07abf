"""Little that is sent and would become much is refused before it does."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from PIL import Image

from opdeploy.artifact.data import Declared
from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import Samples
from opdeploy.runtime.processing.spec import Processing
from tests.serving import graphs
from tests.serving.servers import JSON, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serving.servers import Server

DECLARED = {
    "input": {
        "kind": "image",
        "tensor": "image",
        "resize": {"width": 8, "height": 8},
        "channels": "gray",
        "scale": 1 / 255,
    },
    "output": {"kind": "classification", "tensor": "scores", "labels": ["dark", "bright"]},
}
PNG = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a model of images."""
    folder = tmp_path_factory.mktemp("images")
    model = graphs.saved(graphs.BRIGHTNESS, folder / "brightness.onnx")
    images = np.random.default_rng(0).random((8, 1, 8, 8), np.float32)
    declared = Declared(msgspec.convert(DECLARED, Processing), folder)
    build(Contents("brightness", model, Samples({"image": images}, "noise"), declared=declared), folder / "artefact")
    with serving(folder / "artefact") as server:
        yield server


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a part of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """Return a PNG file of black pixels, a thousand times smaller than they are."""
    packer = zlib.compressobj(9)
    row = bytes(1 + width // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    shape = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", shape) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_a_picture_is_scored(server: Server) -> None:
    """An image of the same making, but small, is good."""
    answer = server.request("POST", "/score", bomb(24, 24), PNG)
    assert (answer.status, answer.body["predictions"][0]["label"]) == (200, "dark")
    white = io.BytesIO()
    Image.new("L", (20, 20), 255).save(white, "PNG")
    assert server.request("POST", "/score", white.getvalue(), PNG).body["predictions"][0]["label"] == "bright"


def test_a_picture_that_unpacks_to_gigabytes_is_refused(server: Server) -> None:
    """50,000 by 50,000 pixels in some 300 kB are judged by what their head says, and take no memory."""
    file = bomb(50_000, 50_000)
    assert len(file) < 400_000
    test_a_picture_is_scored(server)
    before = server.figure("process_resident_memory_bytes")
    for _ in range(3):
        answer = server.request("POST", "/score", file, PNG)
        assert answer.status in {400, 413}
        assert "pixels" in answer.body["error"]
    assert server.figure("process_resident_memory_bytes") < before + 50e6


@pytest.mark.parametrize("path", ["/v2/models/brightness/infer", "/score"])
def test_a_body_that_is_compressed_is_refused(server: Server, path: str) -> None:
    """It is not unpacked, whatever is in it."""
    before = server.figure("process_resident_memory_bytes")
    body = gzip.compress(bytes(50_000_000))
    answer = server.request("POST", path, body, JSON | {"Content-Encoding": "gzip"})
    assert answer.status == 415
    assert server.figure("process_resident_memory_bytes") < before + 20e6


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"data":' + b"[" * 2000 + b"]" * 2000 + b"}"])
@pytest.mark.parametrize("path", ["/v2/models/brightness/infer", "/score"])
def test_json_that_is_nested_deeply_is_refused(server: Server, path: str, body: bytes) -> None:
    """A parser that recurses would end the process."""
    assert server.request("POST", path, body, JSON).status == 400
