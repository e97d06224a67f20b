"""The lists that a patient's state stands in, so that nobody has to scan all patients.

`open`: every open escalation, at the instant of its next step. `closed`: those that were resolved, at that instant.
`digest:<recipient>`: those that wait for his digest, at its instant.
`unanswered:<severity>`, `answered:<severity>`: the open ones, and `untold:<severity>`: those of which no message has
been taken over yet, since when they are, by Redis's clock.
"""

from collections.abc import Mapping
from datetime import datetime

from services.notifier.domain.ladder import is_open, is_unanswered
from services.notifier.domain.state import NotifierState

OPEN = "open"
CLOSED = "closed"
DIGEST = "digest:"
"""Prefix; the recipient follows."""
UNANSWERED = "unanswered:"
ANSWERED = "answered:"
UNTOLD = "untold:"
"""Prefixes; the severity follows."""


def lists(state: NotifierState) -> Mapping[str, Mapping[str, datetime]]:
    """By name of the list and id of the escalation; for a state that `ladder.rest` has left."""
    found: dict[str, dict[str, datetime]] = {}
    for alarm in state.alarms:
        if is_open(alarm):
            if alarm.next_at is None:
                raise AssertionError(f"the open escalation {alarm.escalation_id} has no next step")
            found.setdefault(OPEN, {})[alarm.escalation_id] = alarm.next_at
            since = alarm.entered_at or alarm.severe_since or alarm.next_at
            unanswered = is_unanswered(alarm)
            found.setdefault(f"{UNANSWERED if unanswered else ANSWERED}{alarm.severity}", {})[alarm.escalation_id] = (
                since
            )
            if unanswered and not alarm.is_told:
                found.setdefault(f"{UNTOLD}{alarm.severity}", {})[alarm.escalation_id] = since
        elif alarm.raised_at is not None and alarm.resolved_at is not None:
            found.setdefault(CLOSED, {})[alarm.escalation_id] = alarm.resolved_at
    for delivery in state.outbox:
        if delivery.kind == "digest":
            waiting = found.setdefault(f"{DIGEST}{delivery.recipient}", {})
            waiting[delivery.escalation_id] = min(delivery.due_at, waiting.get(delivery.escalation_id, delivery.due_at))
    return found
