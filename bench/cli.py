"""Start-up time of the command line, as ratios to an empty Python process: `python bench/cli.py --check`.

Whole processes, timed by hyperfine in alternating rounds; the figures are medians. Measures the `opdeploy` beside the
interpreter that runs this script, which should be an installed wheel: a checkout reads its profiles from YAML.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 7
RUNS = 5
WORKLOAD = Path(__file__).parents[1] / "examples" / "digits" / "workload.yaml"
LIMITS = {"help": 12.0, "recommend": 30.0}
"""The most times that `python -c pass` may be exceeded."""


def main() -> int:
    """Time the commands, print medians and ratios; with --check, return 1 when a ratio exceeds its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when a ratio exceeds its limit")
    check = parser.parse_args().check
    hyperfine = shutil.which("hyperfine")
    opdeploy = shutil.which("opdeploy", path=str(Path(sys.executable).parent))
    if hyperfine is None or opdeploy is None:
        print(
            "missing: " + ("hyperfine (Debian's package hyperfine)" if hyperfine is None else "opdeploy beside Python")
        )
        return 1 if check else 0
    commands = {
        "python": [sys.executable, "-c", "pass"],
        "help": [opdeploy, "--help"],
        "recommend": [opdeploy, "recommend", str(WORKLOAD)],
    }
    medians = measure(hyperfine, commands)
    for name, seconds in medians.items():
        print(f"{name:10} {1000 * seconds:7.1f} ms")
    ratios = {name: medians[name] / medians["python"] for name in LIMITS}
    for name, ratio in ratios.items():
        print(f"{name} / python -c pass: {ratio:.1f} (at most {LIMITS[name]:g})")
    return 1 if check and any(ratio > LIMITS[name] for name, ratio in ratios.items()) else 0


def measure(hyperfine: str, commands: dict[str, list[str]]) -> dict[str, float]:
    """Return the median seconds of each command over all rounds."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            times[name] += time(hyperfine, command)
    return {name: statistics.median(found) for name, found in times.items()}


def time(hyperfine: str, command: list[str]) -> list[float]:
    """Return the seconds of each run of a command."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        options = ["--shell=none", "--warmup=1", f"--runs={RUNS}", "--style=none", f"--export-json={report.name}"]
        subprocess.run([hyperfine, *options, quoted(command)], check=True, capture_output=True)
        found: list[float] = json.loads(Path(report.name).read_text())["results"][0]["times"]
        return found


def quoted(command: list[str]) -> str:
    """Write a command as hyperfine splits it without a shell."""
    return shlex.join(command)


if __name__ == "__main__":
    sys.exit(main())
