"""Serve one model: `python -m opdeploy.serving --model ARTEFACT`."""

from __future__ import annotations

import logging
import os
import signal
from typing import TYPE_CHECKING

from opdeploy.errors import OpdeployError
from opdeploy.serving import listening, logs, settings

if TYPE_CHECKING:
    from types import FrameType

_log = logging.getLogger("opdeploy.serving")


def main() -> int:
    """Serve until SIGTERM or SIGINT, then answer the requests that are under way and end.

    Returns 0 after such a signal, 1 where the server ends by itself or cuts a request off, 2 where it cannot start, and
    5 where the model does not give its golden answers.
    """
    # Until the server runs there is nothing to finish.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    logs.configure()
    try:
        told = settings.read()
        listening.require_free(told.host, told.port)
    except OpdeployError as error:
        _log.error("%s", error)
        return 2
    # Here and not above, so that a signal during these long imports is met by the handler too, and the model is loaded
    # during the second.
    try:
        from opdeploy.serving.loading import Loading

        loading = Loading(told)
        loading.start()
        from opdeploy.serving import server
    except ModuleNotFoundError as error:
        _log.error("the package %s is missing; install opdeploy[serve]", error.name)
        return 2
    return server.run(told, loading)


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    os._exit(code)  # at once, whatever a thread still does
