"""Recommend a target for the digits model, serve it on this machine, and score every held-out image over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import onnxruntime
from data import Images, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from numpy.typing import NDArray

HERE = Path(__file__).parent
MODEL = HERE / "model.onnx"
HOST = "127.0.0.1"
BATCH = 64
SINGLES = 50
LEAST_ACCURACY = 0.97
LARGEST_DIFFERENCE = 1e-5
RECOMMEND_SECONDS = 60.0
START_SECONDS = 60.0
STOP_SECONDS = 30.0
SHADES = " .:-=+*#%@"


class DemoError(Exception):
    """A step of the demo that did not do what it must."""


@dataclass(frozen=True)
class Scores:
    """What the server answered: `batched` (N, 10) and `singles` (SINGLES, 10) are probabilities."""

    batched: NDArray[np.float32]
    singles: NDArray[np.float32]
    requests: int
    single_ms: float


def main() -> int:
    """Run the steps; return 0 only if each of them held, 1 if one did not, 130 after Ctrl-C."""
    # As an exception, SIGTERM passes through the clean-up below like any other end.
    signal.signal(signal.SIGTERM, _leave)
    _, held_out = load()
    try:
        recommend()
        with server() as port:
            heading(f"Scoring {len(held_out.labels)} held-out images over HTTP")
            scores = score(port, held_out)
        check(scores, held_out)
    except DemoError as error:
        print(f"\nFAILED: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    print("\nThe model server is stopped; nothing is left running.")
    return 0


def heading(text: str) -> None:
    """Print the heading of a step."""
    print(f"\n== {text}", flush=True)


def recommend() -> None:
    """Show what opdeploy recommends for the example's workload."""
    workload = os.path.relpath(HERE / "workload.yaml")
    heading(f"opdeploy recommend {workload}")
    # The command beside this Python, whatever is on the PATH.
    command = shutil.which("opdeploy", path=str(Path(sys.executable).parent))
    if command is None:
        raise DemoError("the opdeploy command is not installed beside this Python")
    try:
        done = subprocess.run([command, "recommend", workload], check=False, timeout=RECOMMEND_SECONDS)
    except subprocess.TimeoutExpired:
        raise DemoError(f"opdeploy recommend did not end in {RECOMMEND_SECONDS:.0f} s") from None
    if done.returncode != 0:
        raise DemoError(f"opdeploy recommend ended with exit code {done.returncode}")


@contextmanager
def server() -> Iterator[int]:
    """Serve the model from a process of its own for the length of the block; the value is its port."""
    heading("Starting the model server on this machine")
    with closing(socket.create_server((HOST, 0))) as probe:
        port: int = probe.getsockname()[1]
    options = ["--model", str(MODEL), "--name", "digits", "--host", HOST, "--port", str(port)]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "opdeploy.serving", *options], stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait_until_ready(process, port, log)
            yield port
        finally:
            _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: IO[str]) -> None:
    begin = time.monotonic()
    while time.monotonic() - begin < START_SECONDS:
        if process.poll() is not None:
            raise DemoError(f"the server ended with exit code {process.returncode}\n{_last_lines(log)}")
        if _is_ready(port):
            print(f"ready on http://{HOST}:{port} after {time.monotonic() - begin:.1f} s (process {process.pid})")
            return
        time.sleep(0.05)
    raise DemoError(f"the server was not ready after {START_SECONDS:.0f} s, and still ran\n{_last_lines(log)}")


def _is_ready(port: int) -> bool:
    with closing(http.client.HTTPConnection(HOST, port, timeout=5)) as connection:
        try:
            connection.request("GET", "/v2/models/digits/ready")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


def _last_lines(log: IO[str]) -> str:
    log.seek(0)
    return "".join(log.readlines()[-20:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def score(port: int, held_out: Images) -> Scores:
    """Send all images in batches, and the first ones again one by one, over one connection."""
    with closing(http.client.HTTPConnection(HOST, port, timeout=30)) as connection:
        starts = range(0, len(held_out.images), BATCH)
        batches = [infer(connection, held_out.images[start : start + BATCH]) for start in starts]
        singles, milliseconds = [], []
        for index in range(SINGLES):
            begin = time.perf_counter()
            singles.append(infer(connection, held_out.images[index : index + 1]))
            milliseconds.append((time.perf_counter() - begin) * 1e3)
    return Scores(
        np.concatenate(batches), np.concatenate(singles), len(batches) + SINGLES, statistics.median(milliseconds)
    )


def infer(connection: http.client.HTTPConnection, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probabilities (N, 10) that the server gives for the images (N, 1, 8, 8)."""
    tensor = {"name": "image", "shape": images.shape, "datatype": "FP32", "data": images.ravel().tolist()}
    try:
        connection.request("POST", "/v2/models/digits/infer", json.dumps({"inputs": [tensor]}))
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise DemoError(f"the server did not answer: {error!r}") from error
    if response.status != http.HTTPStatus.OK:
        raise DemoError(f"the server answered {response.status}: {body[:500]!r}")
    (output,) = json.loads(body)["outputs"]
    return np.array(output["data"], dtype=np.float32).reshape(output["shape"])


def check(scores: Scores, held_out: Images) -> None:
    """Print the results; fail if the model is less accurate than it must be, or the server changed its answers."""
    session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    (direct,) = session.run(None, {"image": held_out.images})
    accuracy = float(np.mean(scores.batched.argmax(axis=1) == held_out.labels))
    difference = float(max(np.abs(scores.batched - direct).max(), np.abs(scores.singles - direct[:SINGLES]).max()))
    print(f"images                        {len(held_out.labels)}")
    print(f"requests                      {scores.requests}")
    print(f"accuracy                      {accuracy:.4f} (at least {LEAST_ACCURACY})")
    print(f"difference from a direct run  {difference:.1e} (at most {LARGEST_DIFFERENCE})")
    print(f"median latency of one image   {scores.single_ms:.2f} ms")
    heading("The first image, and the one the model is least sure of")
    for index in (0, int(scores.batched.max(axis=1).argmin())):
        draw(held_out.images[index, 0], int(held_out.labels[index]), scores.batched[index])
    if not accuracy >= LEAST_ACCURACY:
        raise DemoError(f"the accuracy {accuracy:.4f} is below {LEAST_ACCURACY}")
    if not difference <= LARGEST_DIFFERENCE:
        raise DemoError(f"the server's answers differ from a direct run by {difference:.1e}")


def draw(image: NDArray[np.float32], label: int, probabilities: NDArray[np.float32]) -> None:
    """Print an image (8, 8) in 0..1 as text, with the digit the model sees in it."""
    for row in image:
        print("  " + "".join(SHADES[round(float(pixel) * (len(SHADES) - 1))] * 2 for pixel in row))
    digit = int(probabilities.argmax())
    print(f"  predicted {digit} with probability {probabilities[digit]:.3f}; the label is {label}\n")


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
