"""What waits to be sent for one subscription in one partition: in order for each patient, emergencies first.

At most one event of a patient is on its way. Patients take turns; one who has an emergency among what waits comes
before all who have none, with all that was published of that patient before it. What is done beyond the first that is
not is remembered one by one, so that a restart sends nothing twice.
"""

import heapq
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.event.wire import Stream
from shared.stream.webhook.feed import parts
from shared.stream.webhook.route import member


class Item(NamedTuple):
    """One event, without its body."""

    stream: Stream
    entry_id: str
    patient: str
    event_id: str
    type: str
    is_urgent: bool

    @property
    def member(self) -> str:
        return member(self.stream, self.entry_id)


@dataclass(slots=True)
class _Lane:
    """One patient's."""

    items: deque[Item] = field(default_factory=deque)
    urgent: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """What a done item changes: cursors, and what is done beyond them."""

    cursors: dict[Stream, str]
    ahead: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()


class Backlog:
    """In memory. Its size is bounded by whoever fills it."""

    def __init__(self, ahead: Iterable[str] = ()) -> None:
        """`ahead`: what was done beyond the cursors before this process took over."""
        self._ahead = set(ahead)
        self._order: dict[Stream, deque[str]] = {}
        self._done: set[str] = set()
        self._lanes: dict[str, _Lane] = {}
        self._urgent: OrderedDict[str, None] = OrderedDict()
        self._ready: OrderedDict[str, None] = OrderedDict()
        self._resting: list[tuple[float, str]] = []
        self._unfree: set[str] = set()
        """On their way, or resting."""
        self._cursors: dict[Stream, str] = {}
        self._passed: list[str] = []
        self.size = 0
        """Items that wait or are on their way."""
        self.span = 0
        """Entries from the first that is not done on, in all streams."""

    def is_done(self, stream: Stream, entry_id: str) -> bool:
        """An earlier process has sent it."""
        return member(stream, entry_id) in self._ahead

    def pass_over(self, stream: Stream, entry_id: str) -> None:
        """The next entry of a stream need not be sent."""
        self._append(stream, entry_id)
        self._done.add(member(stream, entry_id))
        self._advance(stream)

    def add(self, item: Item) -> None:
        """The next entry of a stream."""
        self._append(item.stream, item.entry_id)
        lane = self._lanes.setdefault(item.patient, _Lane())
        lane.items.append(item)
        lane.urgent += item.is_urgent
        self.size += 1
        if item.patient not in self._unfree:
            self._free(item.patient)

    def take(self, now_s: float) -> Item | None:
        """The first item of a patient of whom nothing is on its way; None where there is none."""
        while self._resting and self._resting[0][0] <= now_s:
            _, patient = heapq.heappop(self._resting)
            self._unfree.discard(patient)
            self._free(patient)
        for waiting in (self._urgent, self._ready):
            if waiting:
                patient, _ = waiting.popitem(last=False)
                self._unfree.add(patient)
                return self._lanes[patient].items[0]
        return None

    def put_back(self, item: Item, *, first: bool = False, rest_until_s: float = 0.0) -> None:
        """It was not sent, or not taken. `first`: it was not even tried."""
        if rest_until_s > 0:
            heapq.heappush(self._resting, (rest_until_s, item.patient))
            return
        self._unfree.discard(item.patient)
        self._free(item.patient, first=first)

    def finish(self, item: Item) -> Moved:
        """It was sent, or is given up."""
        lane = self._lanes[item.patient]
        lane.items.popleft()
        lane.urgent -= item.is_urgent
        self.size -= 1
        self._unfree.discard(item.patient)
        if lane.items:
            self._free(item.patient)
        else:
            del self._lanes[item.patient]
        self._done.add(item.member)
        self._advance(item.stream)
        if item.member not in self._done:
            return self.moved()
        self._ahead.add(item.member)
        return self.moved((item.member,))

    def moved(self, ahead: tuple[str, ...] = ()) -> Moved:
        """What has changed since the last time."""
        moved = Moved(self._cursors, ahead, tuple(self._passed))
        self._cursors, self._passed = {}, []
        return moved

    def oldest_ms(self) -> int | None:
        """When the oldest entry was written that is not done."""
        return min((parts(order[0])[0] for order in self._order.values() if order), default=None)

    def _append(self, stream: Stream, entry_id: str) -> None:
        self._order.setdefault(stream, deque()).append(entry_id)
        self.span += 1

    def _advance(self, stream: Stream) -> None:
        order = self._order[stream]
        while order and (first := member(stream, order[0])) in self._done:
            self._done.discard(first)
            self._cursors[stream] = order.popleft()
            self.span -= 1
            if first in self._ahead:
                self._ahead.discard(first)
                self._passed.append(first)

    def _free(self, patient: str, *, first: bool = False) -> None:
        """The patient may have a turn."""
        is_urgent = self._lanes[patient].urgent > 0
        here, other = (self._urgent, self._ready) if is_urgent else (self._ready, self._urgent)
        other.pop(patient, None)
        here.setdefault(patient)
        if first:
            here.move_to_end(patient, last=False)
