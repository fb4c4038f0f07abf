"""Serve one ONNX model: `python -m opdeploy.serving --model model.onnx --name digits`."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import os
import re
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

    from opdeploy.serving.app import App

_LAST_PORT = 65535

_log = logging.getLogger("opdeploy.serving")


def main() -> int:
    """Serve until SIGTERM or SIGINT, then answer the requests that are under way and end.

    Returns 0 after such a signal, 1 where the server ends by itself or cuts a request off, and 2 where it cannot start.
    """
    arguments = _parser().parse_args()
    logging.basicConfig(format="%(name)s: %(message)s", level=logging.INFO)
    # Until the server runs there is nothing to finish.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    # Here and not above, so that a signal during these long imports is met by the handler too.
    try:
        from opdeploy.errors import OpdeployError
        from opdeploy.runtime.session import Session
        from opdeploy.serving.app import App
    except ModuleNotFoundError as error:
        _log.error("the package %s is missing; install opdeploy[serve]", error.name)
        return 2
    host, port = str(arguments.host), arguments.port
    try:
        model = Session(arguments.model)
        _require_free(arguments.host, port)
    except (OpdeployError, OSError) as error:
        _log.error("%s", error)
        return 2
    _log.info("serving %s on %s port %d", arguments.name, host, port)
    return asyncio.run(_serve(App(model, arguments.name, arguments.version), host, port, arguments.grace))


async def _serve(app: App, host: str, port: int, grace: float) -> int:
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server.embed import Server

    # Embedded, the server is this very process: no worker to outlive it, and a crash is an exit code.
    server = Server(app, host, port, interface=Interfaces.RSGI, websockets=False, log_level=LogLevels.error)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.call_soon(server.stop)
        loop.call_later(grace, _cut_off)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
    await server.serve()
    return 0 if server.interrupt_signal else 1


def _cut_off() -> None:
    _log.error("a request did not end in time and was cut off")
    _end(1)


def _end(code: int) -> NoReturn:
    # At once: a thread that still computes would hold up an ordinary end, and granian's own threads, which outlive
    # its event loop a little, abort the process (exit code -6) when they meet an interpreter that is shutting down.
    logging.shutdown()
    os._exit(code)


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _require_free(host: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> None:
    # The server shares a port that another one listens on without a word, and each gets a part of the requests.
    family = socket.AF_INET6 if host.version == 6 else socket.AF_INET  # noqa: PLR2004 - IP version 6
    socket.create_server((str(host), port), family=family).close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m opdeploy.serving", description="Serve one ONNX model over HTTP.")
    parser.add_argument("--model", type=Path, required=True, help="the ONNX file")
    parser.add_argument("--name", type=_name, required=True, help="the model's name in the URL")
    parser.add_argument("--version", type=_name, default="1", help="the model's version in the URL (default: 1)")
    parser.add_argument(
        "--host", type=ipaddress.ip_address, default="127.0.0.1", help="the address to listen on (default: loopback)"
    )
    parser.add_argument("--port", type=_port, default=8000, help="the port to listen on (default: 8000)")
    parser.add_argument(
        "--grace", type=float, default=20, help="seconds that requests have to end after SIGTERM (default: 20)"
    )
    return parser


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text):
        raise argparse.ArgumentTypeError(f"{text!r}: letters, digits, '.', '_' and '-' only")
    return text


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r}: a port is a number from 1 to {_LAST_PORT}")
    return int(text)


if __name__ == "__main__":
    _end(main())
