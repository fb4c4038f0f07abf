"""Azurite, the emulator of Azure Storage, which answers over HTTPS to who signs in at the stand-in for Azure."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import trustme

PROGRAM = "OPDEPLOY_TEST_AZURITE"
"""The variable that names the program azurite-blob (npm install azurite)."""
HOST = "devstoreaccount1.blob.core.windows.net"
"""The account that it has, as Blob Storage would name it."""
STATE = f"https://{HOST}/deployments"
_SECONDS = 60.0


class Azurite(NamedTuple):
    """An emulator that runs."""

    port: int


@contextmanager
def azurite(folder: Path, authority: trustme.CA) -> Iterator[Azurite]:
    """Run an emulator until the block ends, with a certificate of an authority."""
    program = os.environ.get(PROGRAM)
    if not program:
        pytest.skip(f"{PROGRAM} does not name azurite-blob, the emulator of Blob Storage")
    made = authority.issue_cert(HOST)
    made.private_key_pem.write_to_path(str(folder / "key.pem"))
    for part in made.cert_chain_pems:
        part.write_to_path(str(folder / "cert.pem"), append=True)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    options = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent", "--oauth", "basic"]
    where = ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    keys = ["--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, *options, *where, *keys], stdout=log, stderr=log, cwd=folder)
        try:
            _wait(process, port, folder / "log")
            yield Azurite(port)
        finally:
            process.terminate()
            process.wait(_SECONDS)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until it listens."""
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"Azurite does not listen: {log.read_text(errors='replace')}")
