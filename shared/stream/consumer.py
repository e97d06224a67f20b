"""A stable name for each replica: the host's name and a slot that no other process of the host holds."""

import fcntl
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

SLOTS = 64


class ConsumerSlot:
    """Holds the lowest free slot of this host and folder until `release`, or until the process dies."""

    def __init__(self, data_dir: Path, services: Sequence[str]) -> None:
        self._folder = data_dir / "slots"
        self._services = "+".join(services)
        self._file: int | None = None

    def claim(self) -> str:
        """The consumer name. Without a folder to write to it is always slot 0."""
        host = "".join(c if c.isalnum() or c in "._-" else "-" for c in socket.gethostname()) or "host"
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            for slot in range(SLOTS):
                file = os.open(self._folder / f"{self._services}-{slot}.lock", os.O_RDWR | os.O_CREAT, 0o600)
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    os.close(file)
                    continue
                self._file = file
                return f"{host}-{slot}"
        return f"{host}-0"

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
