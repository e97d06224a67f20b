"""What is open, counted when metrics are asked for: from sorted sets, without a look at any patient's state."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, get_args

from services.notifier.domain.index import ANSWERED, UNANSWERED, UNTOLD
from shared.event.decision import DecisionKind
from shared.event.notification import Role
from shared.event.vocabulary import URGENCIES
from shared.stream.desk import Desk

AGES_S = {"0s": 0, "15m": 900, "1h": 3600, "4h": 14_400, "1d": 86_400, "7d": 604_800}
"""Name of each bucket and the least age in it."""
WORDS = frozenset(
    (
        *get_args(DecisionKind),
        *URGENCIES,
        *(f"{severity}_ladder" for severity in URGENCIES),
        *("claimed", "delivered", "failed", "next_channel", "quiet_hours", "reminder", "resolved", "retry"),
        *("stopped", "suppressed"),
    )
)
"""The rules that the notifier's decisions name."""


def make_measure(channels: Iterable[str]) -> Callable[[Desk[Any]], Awaitable[None]]:
    """What a service gives as `measure`."""
    return partial(_measure, tuple(channels))


async def _measure(channels: Sequence[str], desk: Desk[Any]) -> None:
    """Sets the gauges of open escalations. The cost depends on the number of partitions alone."""
    metrics = desk.metrics
    if metrics is None:
        return
    for channel in channels:  # shown as 0 from the start, so that the first failure is seen as a rise
        for role in get_args(Role):
            metrics.notifications.labels(channel, role, "failed")
            metrics.delivery_attempts.labels(channel, role, "sent")
    for severity in URGENCIES:
        for answered, prefix in (("no", UNANSWERED), ("yes", ANSWERED)):
            counts, oldest_s = await desk.ages(f"{prefix}{severity}", tuple(AGES_S.values()))
            for age, count in zip(AGES_S, counts, strict=True):
                metrics.open_escalations.labels(severity, answered, age).set(count)
            if answered == "no":
                metrics.oldest_unanswered.labels(severity).set(oldest_s)
        _, untold_s = await desk.ages(f"{UNTOLD}{severity}", ())
        metrics.oldest_untold.labels(severity).set(untold_s)
