"""Run a command, and kill this process at one of the journal's writes, before the line is on disk.

`python killed.py NUMBER COMMAND…`: the step that the line is about was begun, or done, and not noted.
"""

from __future__ import annotations

import os
import signal
import sys

from opdeploy.cli import main
from opdeploy.deploy.journal import Journal

number = int(sys.argv[1])


class Killing(Journal):
    """A journal that is the end of its process."""

    writes = 0

    def _write(self, event: str, **more: object) -> None:
        if Killing.writes == number:
            os.kill(os.getpid(), signal.SIGKILL)
        Killing.writes += 1
        super()._write(event, **more)


if __name__ == "__main__":
    import opdeploy.deploy.journal

    opdeploy.deploy.journal.Journal = Killing  # type: ignore[misc]  # the command imports it when it runs
    main(sys.argv[2:])
