"""Clients that others wrote work against the server as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.serving.test_datatypes import echo_of_bf16

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.serving.servers import Server

CLIENTS = Path(__file__).parent / "clients"
MINUTES = 60


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of an environment with the clients, which takes most of a minute to install."""
    home = tmp_path_factory.mktemp("clients") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, timeout=5 * MINUTES)
    pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wanted = ["install", "--requirement", str(CLIENTS / "requirements.txt")]
    subprocess.run([*pip, *wanted], check=True, timeout=15 * MINUTES)
    return home / "bin" / "python"


def run(python: Path, script: str, *servers: Server) -> None:
    """Run a client's script, which says what is wrong on stderr."""
    command = [str(python), str(CLIENTS / script), *(str(server.port) for server in servers)]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=2 * MINUTES)
    assert done.returncode == 0, done.stderr
    assert "all well" in done.stdout


@pytest.mark.slow
def test_tritonclient(python: Path, echo: Server, start: Callable[..., Server], models: Path) -> None:
    """NVIDIA's client: health, metadata, inference in JSON and binary with every datatype, and errors."""
    run(python, "triton.py", echo, start(echo_of_bf16(models)))


@pytest.mark.slow
def test_kserve(python: Path, echo: Server) -> None:
    """KServe's client: health, inference in JSON and binary with every datatype but BF16, and errors."""
    run(python, "kserve_rest.py", echo)
