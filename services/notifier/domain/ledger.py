"""The ledger of an escalation: what was done about it, append-only, each entry bound to the one before by its hash.

An entry is a JSON object with `seq` from 1, `at` (RFC 3339 UTC), `escalation_id`, `kind`, the facts of its kind,
`prev` (the hash of the entry before, empty for the first) and `hash`. It holds ids, codes and names of
roles; never an address or free text. The chain's head is kept in the Alarm. Functions that change an Alarm
`note` their entries in the state; `decide` drains them at its end, so that they are committed with the step.
"""

from datetime import datetime
from typing import Any, Literal

from msgspec.structs import replace

from services.notifier.domain.state import Alarm, NotifierState
from shared.chain import link, stamp

Kind = Literal[
    "created",  # severity, reason, rule, about
    "deduplicated",  # about, severity: nothing worse than is known
    "worsened",  # about, severity
    "suppressed",  # why; notification_id of a message that was withdrawn, or none for a whole escalation
    "skipped",  # step, why: off_shift (rota), no_address or address_disabled (recipient)
    "planned",  # notification_id, recipient, channel, step, due_at
    "claimed",  # notification_id, recipient, channel
    "sent",  # notification_id, recipient, channel, receipt
    "failed",  # notification_id, recipient, channel, cause, passing
    "uncertain",  # notification_id, recipient, channel, cause
    "acknowledged",  # by, intent, decision_id, useful
    "escalated",  # step
    "reopened",  # acknowledged_at
    "resolved",  # by, resolution
    "dead_lettered",  # notification_id, recipient, channel
]


def append(alarm: Alarm, kind: Kind, at: datetime, **facts: Any) -> tuple[Alarm, dict[str, Any]]:
    """`at`: when it happened, by the event that told it, else when it was decided. Facts that are None are left out."""
    told = {name: value for name, value in facts.items() if value is not None}
    content = {"at": stamp(at), "escalation_id": alarm.escalation_id, "kind": kind, **told}
    entry = link(content, alarm.ledger_seq + 1, alarm.ledger_hash)
    return replace(alarm, ledger_seq=entry["seq"], ledger_hash=entry["hash"]), entry


def note(state: NotifierState, escalation_id: str, kind: Kind, at: datetime, **facts: Any) -> NotifierState:
    """Appends to the ledger of an escalation of the state; one that made room for others has none any more."""
    for index, alarm in enumerate(state.alarms):
        if alarm.escalation_id == escalation_id:
            noted, entry = append(alarm, kind, at, **facts)
            alarms = (*state.alarms[:index], noted, *state.alarms[index + 1 :])
            return replace(state, alarms=alarms, ledger=(*state.ledger, entry))
    return state


def drain(state: NotifierState) -> tuple[NotifierState, tuple[dict[str, Any], ...]]:
    """The state to commit, and the entries to commit with it."""
    return (replace(state, ledger=()), state.ledger) if state.ledger else (state, ())
