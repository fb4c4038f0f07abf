"""Spoilt models: whatever stands in a file, it is a sound model or one line of error, soon and in little memory."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx_models import SOUND, external

from opdeploy.artifact import graph
from opdeploy.artifact.inspection import Inspection, look
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message

SEEDS = [proto.SerializeToString() for proto in (*SOUND.values(), external("weights"), external("../weights"))]
NUMBERS = [0, 1, -1, 2**31, 2**60, 2**63 - 1, -(2**63)]
SECONDS = 5
"""What reading one small file may take at most, on a machine that is busy."""


def spoilt(chance: random.Random) -> bytes:
    """Return a sound model's bytes with a few flipped, cut out, doubled or taken from another."""
    data = bytearray(chance.choice(SEEDS))
    for _ in range(chance.choice((1, 1, 2, 5))):
        at, size = chance.randrange(len(data) + 1), chance.randrange(1, 20)
        match chance.randrange(5):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[at : at + size]
            case 2:
                other = chance.choice(SEEDS)
                start = chance.randrange(len(other))
                data[at:at] = other[start : start + size]
            case 3:
                data[at:at] = data[at : at + size]
            case 4:
                del data[at:]
    return bytes(data)


def misvalued(chance: random.Random) -> bytes:
    """Return a sound model with fields of wrong values, which are protobuf all the same."""
    proto = onnx.ModelProto.FromString(chance.choice(SEEDS))
    for _ in range(chance.choice((1, 1, 3))):
        _misvalue(proto, chance)
    return bytes(proto.SerializeToString())


def _misvalue(message: Message, chance: random.Random) -> None:
    fields = [(field, content) for field, content in message.ListFields() if field.name != "metadata_props"]
    if not fields:
        return
    field, content = chance.choice(fields)
    if field.message_type and chance.random() < 0.9:
        inner = chance.choice(content) if field.is_repeated and len(content) else content
        if not field.is_repeated or len(content):
            _misvalue(inner, chance)
        return
    if chance.random() < 0.2 or field.is_repeated or field.message_type:
        message.ClearField(field.name)
        return
    kinds = {int: chance.choice(NUMBERS), str: chance.choice(["", "x", "y", "../x", "\n"]), bytes: b"\xff"}
    try:
        setattr(message, field.name, kinds.get(type(content), content))
    except ValueError:  # out of the range of the field
        message.ClearField(field.name)


def read(path: Path, data: bytes) -> bool:
    """Read a file, and tell whether it was taken; anything but a model or one line of error fails."""
    path.write_bytes(data)
    start, refusal = time.monotonic(), ""
    try:
        graph.load(path)
    except InputError as error:
        refusal = str(error)
    assert not refusal or (refusal.startswith(f"{path}: ") and refusal.isprintable())
    assert time.monotonic() - start < SECONDS
    assert list(path.parent.iterdir()) == [path]
    return not refusal


@pytest.mark.parametrize("spoil", [spoilt, misvalued])
def test_three_thousand_spoilt_models(tmp_path: Path, spoil: Callable[[random.Random], bytes]) -> None:
    """Some are still sound, most are refused, and none does anything else."""
    chance = random.Random(1)  # noqa: S311 - to be repeated
    taken = sum(read(tmp_path / "model.onnx", spoil(chance)) for _ in range(3000))
    assert 0 < taken < 3000


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300) | st.builds(lambda tail: SEEDS[0] + tail, st.binary(max_size=60)))
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    """Bytes of any kind, and after a sound model."""
    read(tmp_path / "model.onnx", data)


CHILD = """
import random, resource, sys, time
from pathlib import Path
from opdeploy.artifact.measure import peak_memory_mb
from test_graph_fuzz import misvalued, read, spoilt
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
chance, path, end, count = random.Random(int(sys.argv[2])), Path(sys.argv[1]), time.monotonic() + 45, 0
while time.monotonic() < end:
    read(path, chance.choice((spoilt, misvalued))(chance))
    count += 1
assert peak_memory_mb() < 500, "too much memory"
print(count)
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_thousands_in_a_process_of_little_memory(tmp_path: Path, seed: int) -> None:
    """The process that reads them lives to the end, and never takes more than half a GB."""
    command = [sys.executable, "-c", CHILD, str(tmp_path / "model.onnx"), str(seed)]
    done = subprocess.run(command, capture_output=True, check=False, cwd=Path(__file__).parent, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 2000


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_looking_at_spoilt_models(tmp_path: Path, seed: int) -> None:
    """What onnx and ONNX Runtime make of a model that the loader took ends no process but their own."""
    chance, path = random.Random(seed), tmp_path / "model.onnx"  # noqa: S311 - to be repeated
    seen, refusals = 0, list[str]()
    for _ in range(150):
        path.write_bytes(chance.choice((spoilt, misvalued))(chance))
        try:
            seen += isinstance(look(path), Inspection)
        except InputError as error:
            refusals.append(str(error))
    assert seen
    assert all(map(str.isprintable, refusals))
    assert list(tmp_path.iterdir()) == [path]
