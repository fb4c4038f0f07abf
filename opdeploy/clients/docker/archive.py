"""Folders of containers and images, which an engine or a registry sends as tar archives, compressed or not."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

from opdeploy.errors import OpdeployError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def extract(pieces: Iterable[bytes], folder: Path, room: int) -> None:
    """Write what an archive holds below a folder as it comes, and no more of it than `room`, in bytes.

    Raises OpdeployError where there is more, or where the archive is none or is cut off.
    """
    try:
        with tarfile.open(fileobj=io.BufferedReader(_Pieces(pieces)), mode="r|*") as archive:
            for member in archive:
                room -= member.size
                if room < 0:
                    raise OpdeployError(f"{folder}: there is no room for {member.name}; free some space there")
                archive.extract(member, folder, filter="data")
    except (tarfile.TarError, EOFError) as error:
        raise OpdeployError(f"{folder}: the archive cannot be read: {error}; try again") from None


class _Pieces(io.RawIOBase):
    """Reads pieces one after the other, as a file."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        super().__init__()
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # of any buffer, in the stubs
        """Fill a buffer with what is there of a piece; 0 at the end."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
