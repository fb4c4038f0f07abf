"""What `render` and `plan --offline` take, as ratios to `recommend`: `python bench/deploy.py --check`.

Whole processes on the same workload, in alternating rounds; the figures are medians over the rounds of the ratio within
each. The model is packaged beforehand, as that of a workload that is deployed is. Runs the `opdeploy` beside the
interpreter that runs this script, which should be an installed wheel: a checkout reads its profiles from YAML.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 21
EXAMPLE = Path(__file__).parents[1] / "examples" / "digits"
LIMIT = 1.5
"""The most times that `recommend` may be exceeded."""
COMMANDS = {
    "recommend": ["recommend"],
    "render": ["render", "--target", "local", "--directory", "rendered"],
    "plan --offline": ["plan", "--target", "local", "--offline"],
}


def main() -> int:
    """Time the commands, print medians and ratios; with --check, return 1 when a ratio exceeds its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when a ratio exceeds its limit")
    check = parser.parse_args().check
    opdeploy = Path(sys.executable).with_name("opdeploy")
    if not opdeploy.exists():
        print("missing: opdeploy beside Python")
        return 1 if check else 0
    with tempfile.TemporaryDirectory() as folder:
        prepare(opdeploy, Path(folder))
        rounds = [timed(opdeploy, Path(folder), number) for number in range(ROUNDS + 1)][1:]  # the first warms up
    for name in COMMANDS:
        print(f"{name:16} {1000 * statistics.median(found[name] for found in rounds):7.1f} ms")
    ratios = {
        name: statistics.median(found[name] / found["recommend"] for found in rounds)
        for name in COMMANDS
        if name != "recommend"
    }
    for name, ratio in ratios.items():
        print(f"{name} / recommend: {ratio:.2f} (at most {LIMIT:g})")
    return 1 if check and any(ratio > LIMIT for ratio in ratios.values()) else 0


def prepare(opdeploy: Path, folder: Path) -> None:
    """Package the example's model, and write its workload file."""
    package = [opdeploy, "model", "package", EXAMPLE / "model.onnx", "--output", folder / "digits"]
    subprocess.run([str(word) for word in package], check=True, capture_output=True)
    text = (EXAMPLE / "workload.yaml").read_text(encoding="utf-8")
    (folder / "workload.yaml").write_text(text.replace("path: model.onnx", "path: digits"), encoding="utf-8")


def timed(opdeploy: Path, folder: Path, number: int) -> dict[str, float]:
    """Run each command once, and return the seconds that it took."""
    found = {}
    for name, arguments in COMMANDS.items():
        command = [str(opdeploy), *(word.replace("rendered", f"rendered-{number}") for word in arguments)]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        found[name] = time.perf_counter() - start
    return found


if __name__ == "__main__":
    sys.exit(main())
