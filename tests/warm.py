"""Commands in processes that are forked from one which has everything loaded: a start takes milliseconds, not seconds.

What a command does is the same; what it takes to start is tested elsewhere (tests/cli/test_help.py, bench/cli.py).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tests.conftest import Ran

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.context import ForkServerContext
    from multiprocessing.process import BaseProcess

SECONDS = 120.0
_SHORTER = {
    "opdeploy.clients.azure.arm": {"_BETWEEN_S": 0.02},
    "opdeploy.clients.azure.notes": {"_SETTLED_S": 0.05},
    "opdeploy.clients.azure.apps": {"_LOOKS_S": 0.2},
    "opdeploy.clients.azure.following": {"_BETWEEN_S": 0.2},
    "opdeploy.clients.azure.group": {"_LOOKS_S": 0.2},
    "opdeploy.clients.azure.registry": {"_BETWEEN_S": 0.05},
    "opdeploy.clients.azure.sites": {"_LOOK_S": 0.3, "_STILL_S": 1.0, "_BETWEEN_S": 0.2},
    "opdeploy.deploy.checks": {"_LOAD_S": 0.2, "_BETWEEN_S": 0.2},
}
"""Seconds that pass in the real cloud, and not here."""


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "tests.loaded"])
    return context


class Command:
    """A command that runs, and what it has printed by now."""

    def __init__(
        self, arguments: tuple[str, ...], cwd: Path, environment: Mapping[str, str], before: Callable[[], Any] | None
    ) -> None:
        """Start it; `before` is called in its process first."""
        self._folder = TemporaryDirectory(prefix="warm-")
        self._streams = (Path(self._folder.name, "out"), Path(self._folder.name, "err"))
        self.process: BaseProcess = _context().Process(
            target=_run, args=(arguments, str(cwd), dict(environment), *map(str, self._streams), before), daemon=True
        )
        self.process.start()

    def ended(self, seconds: float = SECONDS) -> Ran:
        """Wait for its end, and return how it ended."""
        self.process.join(seconds)
        goes_on = self.process.exitcode is None
        if goes_on:
            self.kill()
            self.process.join()
        out, err = (stream.read_text(encoding="utf-8") if stream.exists() else "" for stream in self._streams)
        self._folder.cleanup()
        assert not goes_on, f"goes on after {seconds:g} s: {out}{err}"
        return Ran(self.process.exitcode or 0, out, err)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()


def run(*arguments: str, cwd: Path, environment: Mapping[str, str], before: Callable[[], Any] | None = None) -> Ran:
    """Run a command in a folder and an environment, and return how it ended."""
    return Command(arguments, cwd, environment, before).ended()


def _run(
    arguments: tuple[str, ...],
    cwd: str,
    environment: dict[str, str],
    out: str,
    err: str,
    before: Callable[[], Any] | None,
) -> None:
    """Be the command (in its process)."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, (name, mode) in enumerate(((os.devnull, "r"), (out, "w"), (err, "w"))):
        with Path(name).open(mode) as file:
            os.dup2(file.fileno(), number)
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode, closefd=False) for number, mode in enumerate("rww"))  # noqa: SIM115 - of its process
    for module, values in _SHORTER.items():
        for name, value in values.items():
            assert hasattr(import_module(module), name), (module, name)
            setattr(import_module(module), name, value)
    if before:
        before()
    from opdeploy.cli import main

    code: object = 0
    try:
        main(list(arguments))
    except SystemExit as error:
        code = error.code
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)
