"""Run a command, and cut its SSH connection at one of the journal's writes.

`python cut.py NUMBER COMMAND…`: the step that the line is about is about to begin, or was done.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import psutil

from opdeploy.cli import main
from opdeploy.deploy.journal import Journal

number = int(sys.argv[1])


class Cutting(Journal):
    """A journal that ends the ssh programs of its process."""

    writes = 0

    def _write(self, event: str, **more: object) -> None:
        if Cutting.writes == number:
            for child in psutil.Process(os.getpid()).children():
                if child.name() == "ssh":
                    child.kill()
                    with suppress(psutil.TimeoutExpired):
                        child.wait(5)
        Cutting.writes += 1
        super()._write(event, **more)


if __name__ == "__main__":
    import opdeploy.deploy.journal

    opdeploy.deploy.journal.Journal = Cutting  # type: ignore[misc]  # the command imports it when it runs
    main(sys.argv[2:])
