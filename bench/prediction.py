"""Whether measurements tell how fast a model runs elsewhere: `python bench/prediction.py --check`.

In each round `opdeploy model measure` measures a model with one thread and with two, each in a process of its own that
may use all processors. From the runs on one core those on two are predicted, and the reverse; and from all of them and
what requests cost, the throughput over HTTP of a server with one processor and with two: its best in the closed loop of
`opdeploy test-local`, which then measures it. The models differ in kind, and a hundredfold in size; their weights are
random. Ratios are medians over the rounds. The figures are for two cores, on which the load is made as well, and for a
machine that does nothing else: threads that wait for each other lose more to others than what one thread does.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import networks
import resnet

from opdeploy.advisor.scaling import request_seconds, run_seconds
from opdeploy.artifact.machine import describe
from opdeploy.speed import Estimate, Run, Served

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
CORES = (1, 2)
BATCHES = (1, 4)
LEAST, MOST = 0.8, 1.2
"""Of what is predicted over what is measured."""
CONTAINED = 0.8
"""Share of the rounds in which the interval contains what is measured."""
LOAD_S = 3.0
"""Of one try over HTTP."""
QUIET = 0.1
"""Processors that others may keep busy."""
OPDEPLOY = Path(sys.executable).with_name("opdeploy")


@dataclass(frozen=True)
class Held:
    """What was predicted, and what was measured then; runs or requests a second."""

    predicted: Estimate
    measured: float

    @property
    def ratio(self) -> float:
        """Predicted over measured."""
        return self.predicted.value / self.measured

    @property
    def contained(self) -> bool:
        """Whether the interval contains it."""
        return self.predicted.low <= self.measured <= self.predicted.high


def main() -> int:
    """Measure, print predictions and ratios; with --check, return 1 when one does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when a prediction is off")
    check = parser.parse_args().check
    machine = describe()
    print(f"{machine.cpu}, {machine.cores} cores: {', '.join(machine.instruction_sets)}")
    if machine.usable_cpus < max(CORES):
        print(f"{machine.usable_cpus:g} processors are too few: {max(CORES)} are needed")
        return 1 if check else 0
    found: dict[str, list[Held]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        models = built(Path(folder))
        for _ in range(ROUNDS):
            for model in models:
                for name, held in compared(model).items():
                    found[f"{model.stem}, {name}"].append(held)
                    print(f"{model.stem}, {name}: {told(held)}", flush=True)
    right = [judged(name, held) for name, held in found.items()]
    return 1 if check and not all(right) else 0


def built(folder: Path) -> list[Path]:
    """Write the models."""
    models = [folder / f"{name}.onnx" for name in ("convolutional", "transformer", "resnet-14")]
    networks.convolutional(models[0])
    networks.transformer(models[1])
    resnet.build("resnet-14", models[2])
    return models


def compared(model: Path) -> dict[str, Held]:
    """Measure a model once, and hold what its measurement predicts against what is measured."""
    run = measured(model)
    by_cores = {cores: with_threads(run, cores) for cores in CORES}
    found = {}
    for source, wanted in (CORES, CORES[::-1]):
        rate = next(point.records_per_second for point in by_cores[wanted].points if point.batch == 1)
        seconds = run_seconds(by_cores[source], 1, wanted)
        found[f"{wanted} from {source} cores, runs/s"] = Held(inverse(seconds), rate)
    for cores in CORES:
        predicted = inverse(request_seconds(run, 1, cores))
        found[f"HTTP with {cores} cores, requests/s"] = Held(predicted, served(model, cores).capacity)
    return found


def with_threads(run: Run, threads: int) -> Run:
    """Return what was measured with so many threads alone."""
    return run.model_copy(update={"points": tuple(point for point in run.points if point.threads == threads)})


def inverse(seconds: Estimate) -> Estimate:
    """Return the rate of what takes so long."""
    return Estimate(1 / seconds.value, 1 / seconds.high, 1 / seconds.low)


def measured(model: Path) -> Run:
    """Measure the model alone."""
    sizes = [f"--batch={size}" for size in BATCHES] + [f"--threads={count}" for count in CORES]
    found = output("model", "measure", model, *sizes, "--rounds=3", "--seconds=0.15", "--output=json")
    return Run.model_validate_json(found)


def served(model: Path, cpus: int) -> Served:
    """Measure the server of a model."""
    how = ("--runtime=process", f"--cpus={cpus}", f"--seconds={LOAD_S:g}", "--output=json")
    found = output("test-local", model, *how)
    others = json.loads(found)["other_cpus"]
    if others > QUIET:
        print(f"other processes keep {others:.2f} processors busy: nothing that follows is reliable")
    return Served.model_validate_json(found)


def output(*arguments: str | Path) -> str:
    """Return what the command prints."""
    return subprocess.run([OPDEPLOY, *arguments], check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout


def told(held: Held) -> str:
    """Say what was predicted and measured."""
    predicted = held.predicted
    where = "within" if held.contained else "OUTSIDE"
    interval = f"{predicted.low:.4g} to {predicted.high:.4g}"
    return f"predicted {predicted.value:.4g} ({interval}), measured {held.measured:.4g}, {where}"


def judged(name: str, held: list[Held]) -> bool:
    """Print the median ratio, and how often the interval contained what was measured; tell whether both are right."""
    ratio = statistics.median(item.ratio for item in held)
    contained = sum(item.contained for item in held)
    within = f"{contained} of {len(held)} within"
    print(f"{name}, predicted / measured: {ratio:.2f} ({LEAST:g} to {MOST:g}), {within} (at least {CONTAINED:.0%})")
    return LEAST <= ratio <= MOST and contained >= CONTAINED * len(held)


if __name__ == "__main__":
    sys.exit(main())
