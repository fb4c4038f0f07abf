"""Which models are run on several requests at once, and that their answers are then the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.serving import graphs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.serving.servers import Answer, Server

    Start = Callable[..., Server]

TOGETHER = ("--max-batch=4", "--max-delay-ms=5000")
"""Four requests share a run, however long they take to come; a lone one would make its test slow."""


def document(name: str, array: NDArray[Any]) -> dict[str, Any]:
    """Return a request for one tensor."""
    datatype = {"float32": "FP32", "int64": "INT64"}[str(array.dtype)]
    return {"inputs": [{"name": name, "datatype": datatype, "shape": array.shape, "data": array.ravel().tolist()}]}


def at_once(server: Server, model: str, name: str, arrays: Sequence[NDArray[Any]]) -> list[Answer]:
    """Send a request for each array at the same time, and return the answers."""
    with ThreadPoolExecutor(len(arrays)) as clients:
        return list(clients.map(lambda array: server.infer(model, document(name, array)), arrays))


def values(answer: Answer) -> list[float]:
    """Return the elements of the one output of a good answer."""
    assert answer.status == 200, answer.content
    found: list[float] = answer.body["outputs"][0]["data"]
    return found


def records(server: Server) -> tuple[float, float]:
    """Return how many runs there were, and of how many records in all."""
    return server.figure("opdeploy_batch_records_count"), server.figure("opdeploy_batch_records_sum")


@pytest.fixture
def rows() -> list[NDArray[Any]]:
    """Return four records, of numbers that JSON and float32 write the same."""
    random = np.random.default_rng(0)
    return [random.integers(-100, 100, (1, 2)).astype(np.float32) / 4 for _ in range(4)]


def test_requests_that_come_together_share_a_run(start: Start, double_model: Path, rows: list[NDArray[Any]]) -> None:
    """With a delay four requests become one run of four records, and each has its own answer, as without batching."""
    batched, alone = start(double_model, *TOGETHER), start(double_model, "--max-batch=1")
    expected = [values(answer) for answer in at_once(alone, "double", "x", rows)]
    assert [values(answer) for answer in at_once(batched, "double", "x", rows)] == expected
    assert records(batched) == (1, 4)
    assert records(alone) == (4, 4)
    assert batched.request("GET", "/version").body["model_max_batch"] == 4


def test_a_request_of_many_records_is_run_in_pieces(start: Start, double_model: Path) -> None:
    """10 records at 4 a run are three runs and one answer."""
    server = start(double_model, "--max-batch=4")
    array = np.arange(20, dtype=np.float32).reshape(10, 2)
    assert values(server.infer("double", document("x", array))) == (2 * array).ravel().tolist()
    assert records(server) == (3, 10)


@pytest.mark.parametrize(
    ("graph", "name", "free"),
    [
        (graphs.PAIRS, "pairs", False),
        (graphs.CENTRED, "centred", True),
        (graphs.DOUBLE.replace("[n,", "[?,"), "double", True),
    ],
)
def test_a_model_that_does_not_keep_records_apart_is_not_batched(
    start: Start, models: Path, rows: list[NDArray[Any]], graph: str, name: str, *, free: bool
) -> None:
    """Fixed first axes, records that are mixed, and first axes that are not named as one: each request runs alone."""
    server = start(graphs.saved(graph, models / f"{name}-alone.onnx"), f"--name={name}", *TOGETHER)
    arrays = rows if free else [np.concatenate([row, row]) for row in rows]
    expected = [row - row if name == "centred" else row + row for row in arrays]
    found = [values(answer) for answer in at_once(server, name, "x", arrays)]
    assert found == [row.ravel().tolist() for row in expected]
    assert server.request("GET", "/version").body["model_max_batch"] == 1
    assert records(server)[0] == 4


def test_a_bad_request_in_a_run_fails_alone(start: Start, models: Path) -> None:
    """Where the model fails on one of four that came together, three have their answers."""
    server = start(graphs.saved(graphs.LOOKUP, models / "lookup.onnx"), *TOGETHER)
    answers = at_once(server, "lookup", "id", [np.array([[number]]) for number in (0, 99, 2, 3)])
    assert [answer.status for answer in answers] == [200, 400, 200, 200]
    assert [values(answer) for answer in answers if answer.status == 200] == [[10], [12], [13]]


def test_texts_of_different_length_do_not_share_a_run(start: Start, models: Path) -> None:
    """Tensors of other sizes behind the first axis wait for their like; every one is answered."""
    server = start(graphs.saved(graphs.LENGTHS, models / "lengths.onnx"), "--max-batch=4", "--max-delay-ms=100")
    arrays = [np.full((1, length), 1) for length in (3, 5, 3, 5, 0, 7)]
    assert [values(answer) for answer in at_once(server, "lengths", "ids", arrays)] == [[3], [5], [3], [5], [0], [7]]
    assert records(server)[1] == 6


@pytest.mark.parametrize("rows_of_nothing", [1024, 1])
def test_records_without_elements_are_answered(start: Start, models: Path, rows_of_nothing: int) -> None:
    """A text of no tokens is a record as others are; thousands of millions of them are refused."""
    server = start(graphs.saved(graphs.LENGTHS, models / "lengths.onnx"))
    array = np.empty((rows_of_nothing, 0), np.int64)
    assert values(server.infer("lengths", document("ids", array))) == [0] * rows_of_nothing
    too_many = {"inputs": [{"name": "ids", "datatype": "INT64", "shape": [2**33, 0], "data": []}]}
    assert server.infer("lengths", too_many).status == 400
