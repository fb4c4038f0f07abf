"""What INT8 is worth on a CPU, and whether `opdeploy model measure` tells it right: `python bench/model.py --check`.

ResNets with random weights (bench/resnet.py) tell how fast, not how right. Blocks of runs alternate between fp32 and
INT8 as `opdeploy model optimize` makes it, with a scale for each channel and with one for each tensor, of which the
faster counts. They run on two threads, and the ratios are medians over the rounds. The figures are for two cores with
AVX-512 VNNI: without it they fall short, and the script says which instruction sets it found.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import resnet

from opdeploy.artifact.evidence import answers, gather
from opdeploy.artifact.machine import describe
from opdeploy.artifact.samples import Samples
from opdeploy.artifact.timing import alternate, block, speed_ups
from opdeploy.artifact.variants import quiet, static_int8
from opdeploy.runtime.session import Session
from opdeploy.runtime.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from opdeploy.artifact.timing import Block

THREADS = 2
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
SECONDS = 1.5
LEAST = {
    "resnet-50 INT8 / fp32 at batch 4": 3.2,
    "resnet-152 INT8 / fp32 at batch 4": 3.5,
    "resnet-152 INT8 at batch 1, images/s": 20.0,
    "measured / bare loop": 0.9,
    "bare loop / measured": 0.9,
}
"""What each ratio must reach, to the digits that stand here; 20 images/s is what the chapter's K80 GPU made."""
MEASURED_BATCH = 4
PAIRS = 5
BARE_LOOP = """
import sys, time
import numpy as np
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(sys.argv[2])
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
batch = {"image": np.load(sys.argv[3])["image"][:int(sys.argv[4])]}
for _ in range(3):
    session.run(None, batch)
runs, start = 0, time.perf_counter()
while time.perf_counter() - start < float(sys.argv[5]):
    session.run(None, batch)
    runs += 1
print(runs * len(batch["image"]) / (time.perf_counter() - start))
"""


def main() -> int:
    """Measure, print figures and ratios; with --check, return 1 when a ratio falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when a ratio falls short")
    check = parser.parse_args().check
    machine = describe()
    print(f"{machine.cpu}, {machine.cores} cores: {', '.join(machine.instruction_sets)}")
    ratios: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in resnet.DEPTHS:
            ratios |= compared(name, Path(folder))
        ratio = measured_to_bare(Path(folder) / "resnet-50-int8.onnx", Path(folder))
    ratios |= {"measured / bare loop": ratio, "bare loop / measured": 1 / ratio}
    for name, least in LEAST.items():
        print(f"{name}: {ratios[name]:.2f} (at least {least:g})")
    return 1 if check and any(round(ratios[name], 1) < least for name, least in LEAST.items()) else 0


def compared(name: str, folder: Path) -> dict[str, float]:
    """Build a network, quantise it, and return what INT8 makes of its speed."""
    fp32, int8, tensor = (folder / f"{name}{kind}.onnx" for kind in ("", "-int8", "-int8-tensor"))
    resnet.build(name, fp32)
    images = Samples({"image": resnet.images(32)}, "random patches")
    with quiet():
        for path in (int8, tensor):
            static_int8(fp32, path, calibration=images.take(slice(0, 8)), batch=4, per_channel=path == int8)
    sessions = {path: Session(path, Settings(threads=THREADS)) for path in (fp32, int8, tensor)}
    report_answers(name, sessions[fp32], sessions[int8], images.take(slice(8, None)))
    found: dict[str, float] = {}
    for size in (1, 4):
        batch = images.batch(size)
        tasks: dict[Path, Callable[[], Block]] = {
            path: partial(block, session, batch, SECONDS) for path, session in sessions.items()
        }
        blocks = alternate(tasks, ROUNDS)
        rates = {path: statistics.median(item.rate for item in taken) for path, taken in blocks.items()}
        ratios = {path: statistics.median(speed_ups(taken, blocks[fp32])) for path, taken in blocks.items()}
        best = max(int8, tensor, key=lambda path: ratios[path])
        for path in sessions:
            print(f"{path.stem} at batch {size}: {rates[path]:.1f} images/s, {ratios[path]:.2f} times fp32")
        found[f"{name} INT8 / fp32 at batch {size}"] = ratios[best]
        found[f"{name} INT8 at batch {size}, images/s"] = rates[best]
    return found


def report_answers(name: str, fp32: Session, int8: Session, images: Samples) -> None:
    """Print how near the answers are: with random weights that says that nothing saturates, and no more."""
    found = gather(answers(int8, images, 4), answers(fp32, images, 4), images, "classification")
    agreement = "one class only" if found.agreement is None else f"same class in {found.agreement:.1%}"
    print(f"{name}: INT8 against fp32 on {found.records} random images: {agreement}, cosine {found.cosine:.4f}")


def measured_to_bare(model: Path, folder: Path) -> float:
    """Return what `opdeploy model measure` says, over what a loop says that knows nothing of opdeploy: the median."""
    data = folder / "images.npz"
    np.savez(data, image=resnet.images(MEASURED_BATCH))
    opdeploy = Path(sys.executable).with_name("opdeploy")
    sizes = [f"--batch={MEASURED_BATCH}", f"--threads={THREADS}"]
    options = [f"--data={data}", *sizes, "--rounds=1", f"--seconds={SECONDS}", "--output=json"]
    bare: list[str | Path] = [
        sys.executable,
        "-c",
        BARE_LOOP,
        model,
        str(THREADS),
        data,
        str(MEASURED_BATCH),
        str(SECONDS),
    ]
    ratios = []
    for _ in range(PAIRS):
        said = json.loads(output(opdeploy, "model", "measure", model, *options))
        ratios.append(float(said["knee"]["records_per_second"]) / float(output(*bare)))
    print("measured / bare loop: " + ", ".join(f"{ratio:.2f}" for ratio in ratios))
    return statistics.median(ratios)


def output(*command: str | Path) -> str:
    """Return what a program prints."""
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout


if __name__ == "__main__":
    sys.exit(main())
