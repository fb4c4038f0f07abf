"""opdeploy recommends where a trained model should run, from batch to real time, and puts it there."""

import os

__version__ = "0.1.0"

# ONNX Runtime's builds for Linux and macOS send telemetry since 2026, and leave a file in the temporary folder, unless
# this is set before it is imported (microsoft/onnxruntime#27379, seen with 1.32.0 on 2026-11-23).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
