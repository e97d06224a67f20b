"""The real notifier, which ends itself with SIGKILL once: at the point and over the kind of message that a test names.

`TEST_KILL_AT` is one of `POINTS`, `TEST_KILL_KIND` is `clinician` or `patient`; the file
`TEST_KILL_MARK` is written by the worker that dies, so that no other does. Run as a module, it is the command.
"""

import os
import signal
from datetime import datetime
from pathlib import Path
from typing import Any

from services.notifier.domain.delivery import find_delivery, is_for_clinician
from shared.cli.main import main
from shared.decision import TimerFired
from shared.stream.commit import Commit
from shared.stream.fold import Change, Entry
from shared.stream.key import timers_key
from shared.stream.pump import Pump
from shared.stream.record import to_ms
from shared.stream.timer import TimerPromoter

POINTS = (
    "before_promotion",
    "after_promotion",
    "before_claim",
    "before_wire",
    "after_wire",
    "before_record",
    "after_record",
    "zombie",
)
"""`after_record` is after XACK: both are one transaction. `zombie`: stopped before the wire, not killed."""
AT, KIND = os.environ.get("TEST_KILL_AT", ""), os.environ.get("TEST_KILL_KIND", "")


def die(point: str) -> None:
    """Ends this process where the point is the one asked for and nobody has died yet."""
    if point != AT:
        return
    try:
        Path(os.environ["TEST_KILL_MARK"]).touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGSTOP if point == "zombie" else signal.SIGKILL)


def _is_meant(state: Any, timer: TimerFired) -> bool:
    delivery = find_delivery(state, timer.name)
    return delivery is not None and is_for_clinician(delivery) == (KIND == "clinician")


def plant() -> None:
    """Puts the points into the runtime."""
    perform, commit, promote = Pump._perform, Commit.__call__, TimerPromoter.promote
    recording: set[str] = set()

    async def perform_or_die(self: Pump, change: Change, entry: Entry, timer: TimerFired) -> None:
        meant = _is_meant(change.record.state, timer)
        if meant:
            die("before_wire")
            die("zombie")
        await perform(self, change, entry, timer)
        if meant:
            die("after_wire")
            recording.add(entry.entry_id)

    async def commit_or_die(self: Commit, changes: Any, strays: Any, now: datetime) -> Any:
        claims = any(_is_meant(change.record.state, timer) for change in changes for _, timer in change.effects)
        records = any(entry_id in recording for change in changes for entry_id in change.acks)
        if claims:
            die("before_claim")
        if records:
            die("before_record")
        lost = await commit(self, changes, strays, now)
        if records:
            die("after_record")
        return lost

    async def promote_or_die(self: TimerPromoter, now: datetime) -> bool:
        due = await self._client.zcount(timers_key(0, self._service), "-inf", to_ms(now))
        if due:
            die("before_promotion")
        done = await promote(self, now)
        if due:
            die("after_promotion")
        return done

    Pump._perform = perform_or_die  # type: ignore[method-assign]  # a worker of the tests alone
    Commit.__call__ = commit_or_die  # type: ignore[method-assign]
    TimerPromoter.promote = promote_or_die  # type: ignore[method-assign]


if __name__ == "__main__":
    plant()
    main()
