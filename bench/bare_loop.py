"""A model in ONNX Runtime, and nothing else: `python bench/bare_loop.py MODEL INPUT.npy SECONDS`.

Prints a line once the first run has answered; then runs for so many seconds, if more than 0, and prints runs per second
and the seconds that 99% of them stay within. It stays until its standard input ends, so that it can be looked at.
"""

import json
import sys
import time

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
inputs = {session.get_inputs()[0].name: np.load(sys.argv[2])}
session.run(None, inputs)
print("answered", flush=True)
if (seconds := float(sys.argv[3])) > 0:
    for _ in range(3):
        session.run(None, inputs)
    times = [time.perf_counter()]
    while times[-1] - times[0] < seconds:
        session.run(None, inputs)
        times.append(time.perf_counter())
    found = {"rate": (len(times) - 1) / (times[-1] - times[0]), "p99": float(np.percentile(np.diff(times), 99))}
    print(json.dumps(found), flush=True)
sys.stdin.read()
