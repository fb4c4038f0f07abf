"""Whether the formula of queues tells how long answers take under load: `python bench/queueing.py --check`.

`opdeploy test-local` loads the server of a ResNet of 14 layers, on one processor. From its throughput in the closed
loop and the latency of one client, `opdeploy.advisor.queueing` tells p95 at the rates of the open loop, in which
requests come at random, whether or not the server keeps up. Ratios are of what is predicted to what is then measured:
medians over the rates that keep the server busy for a part of the time, and over the rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import resnet

from opdeploy.advisor.queueing import Service, p95
from opdeploy.speed import Served

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
LOAD_S = 20.0
LEAST, MOST = 0.5, 2.0
"""Of what is predicted over what is measured: p95 of a few hundred requests scatters by a third."""
BUSY = (0.3, 0.9)
"""Share of the time for which the server is busy at the rates that count: below nothing waits, and near 1 all does."""
OPDEPLOY = Path(sys.executable).with_name("opdeploy")


def main() -> int:
    """Measure, print p95 and ratios; with --check, return 1 when one is off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when a prediction is off")
    check = parser.parse_args().check
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "resnet-14.onnx"
        resnet.build("resnet-14", model)
        for _ in range(ROUNDS):
            ratios += compared(served(model))
    if not ratios:
        print("no rate of the open loop kept the server busy for a part of the time; run it again on a quiet machine")
        return 1 if check else 0
    ratio = statistics.median(ratios)
    print(f"p95 in the open loop, predicted / measured: {ratio:.2f} ({LEAST:g} to {MOST:g})")
    return 1 if check and not LEAST <= ratio <= MOST else 0


def served(model: Path) -> Served:
    """Load the server of a model."""
    how = ("--runtime=process", "--cpus=1", f"--seconds={LOAD_S:g}", "--output=json")
    found = subprocess.run([OPDEPLOY, "test-local", model, *how], check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return Served.model_validate_json(found.stdout)


def compared(found: Served) -> list[float]:
    """Print p95 at each rate as it was predicted and measured, and return the ratios."""
    alone = next(step for step in found.points if step.loop == "closed").latency_ms
    mean = 1 / found.capacity
    service = Service(mean, mean * max(1.0, (alone["p95"] or 0) / (alone["p50"] or 1)))
    ratios = []
    for step in found.points:
        measured = step.latency_ms["p95"]
        if step.rate is None or measured is None or not BUSY[0] <= step.rate * mean <= BUSY[1]:
            continue
        predicted = 1000 * p95(service, step.rate)
        print(
            f"{step.rate:g}/s, busy {step.rate * mean:.0%}: p95 predicted {predicted:.3g} ms, measured {measured:.3g}"
        )
        ratios.append(predicted / measured)
    return ratios


if __name__ == "__main__":
    sys.exit(main())
