"""What a person does with a command that is shown."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

import pytest


def pasted(line: str, key: str = "") -> dict[str, Any]:
    """Run a line in a shell, and return the JSON that it prints."""
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    variables = os.environ | {"OPDEPLOY_API_KEY": key}
    shell = ["/bin/sh", "-c", line.replace("curl", "curl --silent --show-error --fail-with-body --noproxy '*'", 1)]
    done = subprocess.run(shell, check=False, env=variables, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
