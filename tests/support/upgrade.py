"""Two releases of one service: the second has renamed what it counts, and says in its outputs that it decided.

Run as a module with 1 or 2 it is that release as a process of its own.
"""

import asyncio
import sys
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from shared.decision import Arrival, Decision, Draft, Incoming
from shared.log import configure_log
from shared.protocol.library import Protocols
from shared.service import Service
from shared.settings import Settings, read_settings
from shared.stream.application import build_application
from tests.support.toy import goal, toy


class Tally(msgspec.Struct, frozen=True):
    """The second release's state: `Count.sessions` is called `done`, which the first release would read as none."""

    done: int = 0
    release: int = 2


def tally(state: Tally | None, event: Incoming, protocols: Protocols, now: datetime) -> Decision[Tally]:
    """Counts sessions; `week` tells which release decided."""
    state = state or Tally()
    match event:
        case Arrival():
            new, name = Tally(state.done + 1), event.event.data.session_id
        case _:
            new, name = state, "flags"
    told = goal(name, new.done).model_copy(update={"week": 2})
    return Decision(new, (Draft(told, event.time),))


def renamed(state: dict[str, Any]) -> dict[str, Any]:
    """From the first version of the state to the second."""
    return {"done": state["sessions"]}


def release(number: int) -> Service[Any]:
    """The service as its first or its second release ships it."""
    first = toy()
    if number == 1:
        return first
    return replace(first, state_type=Tally, decide=tally, state_version=2, upcasts={1: renamed})


def main() -> None:
    """Runs one release until a signal."""
    configure_log("json")
    settings = read_settings(Settings)
    asyncio.run(build_application([release(int(sys.argv[1]))], settings).serve())


if __name__ == "__main__":
    main()
