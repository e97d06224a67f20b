"""How the patient is reached, and which of the addresses have refused for good."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from services.notifier.domain.policy import ReminderPolicy
from services.notifier.domain.state import MAX_REFUSED, NotifierState, Refusal

PLATFORM = "platform"
"""The channel of a patient whom only the platform can reach."""


def address_hash(address: str) -> str:
    """Names an address without telling it."""
    return hashlib.sha256(address.encode()).hexdigest()[:32]


def channel_of(policy: ReminderPolicy, state: NotifierState) -> str | None:
    """A channel of ours in the policy's order, else one that only the platform knows; None where all have refused."""
    names = _open_channels(state)
    ours = (name for name in (*policy.channels, *names) if name in names)
    return next(ours, None if contact(state) else PLATFORM)


def fall_backs(policy: ReminderPolicy, state: NotifierState, channel: str) -> tuple[str, ...]:
    """Our other channels to the patient, the preferred first: for a message that the first has refused."""
    names = _open_channels(state)
    return tuple(name for name in policy.channels if name in names and name != channel)


def contact(state: NotifierState) -> dict[str, str]:
    """Address by channel. Identifying."""
    return dict(state.patient.contact.value) if state.patient.contact else {}


def is_unreachable(state: NotifierState) -> bool:
    """Every address that the patient gave has refused for good. Who gave none is reached by the platform."""
    told = contact(state)
    return bool(told) and all(_has_refused(state, name, address_hash(address)) for name, address in told.items())


def note_address_refused(
    state: NotifierState, channel: str, address_hash: str, at: datetime, code: str = ""
) -> NotifierState:
    """Tries this address no more. `code`: what the other side answered, without any address."""
    if _has_refused(state, channel, address_hash):
        return state
    refused = (*state.patient.refused, Refusal(channel, address_hash, at, code))[-MAX_REFUSED:]
    return replace(state, patient=replace(state.patient, refused=refused))


def standing_refusals(refused: Sequence[Refusal], told: Sequence[tuple[str, str]]) -> tuple[Refusal, ...]:
    """Those of the addresses that are still the patient's."""
    known = {(channel, address_hash(address)) for channel, address in told}
    return tuple(refusal for refusal in refused if (refusal.channel, refusal.address_hash) in known)


def _open_channels(state: NotifierState) -> list[str]:
    told = contact(state)
    return [name for name, address in told.items() if not _has_refused(state, name, address_hash(address))]


def _has_refused(state: NotifierState, channel: str, address: str) -> bool:
    return any(refusal.channel == channel and refusal.address_hash == address for refusal in state.patient.refused)
