"""What streams are kept for beyond the retention time: events that a subscription has still to be sent.

They are kept for `LONGEST` times that time. What is older goes, and whoever did not get it is told what is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from redis.asyncio import Redis

from shared.event.wire import Stream
from shared.log import logger
from shared.stream.key import stream_key
from shared.stream.webhook.feed import before, parts, read_page
from shared.stream.webhook.route import Gap, Route, member
from shared.stream.webhook.standing import Standing
from shared.stream.webhook.subscription import Subscription, Subscriptions

LONGEST = 2
PAGE = 200


@dataclass(frozen=True, slots=True)
class Hold:
    """How far one subscription is in one stream."""

    subscription: Subscription
    route: Route
    stream: Stream
    cursor: str
    ahead: frozenset[str]

    @property
    def place(self) -> tuple[int, int]:
        return parts(self.cursor)


async def live_subscriptions(client: Redis) -> list[Subscription]:
    """Those that have not ended: paused ones get what they miss later."""
    found = (await Subscriptions(client).all()).values()
    return [one for one in found if (await Standing(client, one.id).look()).status != "ended"]


async def holds(client: Redis, partition: int, live: Sequence[Subscription]) -> Mapping[str, list[Hold]]:
    """By the stream's key."""
    found: dict[str, list[Hold]] = {}
    for one in live:
        route = Route(client, one.id, partition, 0)
        place = await route.place()
        for stream in one.streams():
            cursor = place.cursors.get(stream, one.start())
            found.setdefault(stream_key(partition, stream), []).append(Hold(one, route, stream, cursor, place.ahead))
    return found


async def tell_gap(client: Redis, hold: Hold, floor: tuple[int, int]) -> None:
    """Says which events before `floor` the subscription will not get. To be called before they are trimmed."""
    first_ms = last_ms = events = 0
    after, until = {hold.stream: hold.cursor}, {hold.stream: before(f"{floor[0]}-{floor[1]}")}
    is_last = False
    while not is_last:
        page = await read_page(client, hold.route.partition, after, until, PAGE)
        is_last = page.is_last
        for row in page.rows:
            after[hold.stream] = row.entry_id
            if row.head is None or not hold.subscription.wants(row.head.type, row.head.subject):
                continue
            if member(row.stream, row.entry_id) not in hold.ahead:
                last_ms = parts(row.entry_id)[0]
                first_ms, events = first_ms or last_ms, events + 1
    if not events:
        return
    if await hold.route.note_gap(hold.stream, Gap(first_ms, last_ms, events)):
        logger().warning(
            "webhook_gap",
            subscription=hold.subscription.id,
            stream=stream_key(hold.route.partition, hold.stream),
            events=events,
            first=_instant(first_ms),
            last=_instant(last_ms),
        )


def _instant(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")
