"""What follows from an intake, from red flags of a rejected one, and from a clinician's word."""

from datetime import datetime, timedelta
from typing import assert_never

from services.intake.domain.episode import Episode
from services.intake.domain.state import IntakeState
from shared.decision import Arrival, Decision, FlagsSalvaged, Incoming, Performed, TimerFired
from shared.event.decision import ClinicianDecided
from shared.event.intake import IntakeSubmitted
from shared.protocol.library import Protocols


def decide(
    late_window: timedelta, state: IntakeState | None, incoming: Incoming, protocols: Protocols, now: datetime
) -> Decision[IntakeState]:
    """One input in, all that follows from it out. Of the streams it reads, updates and stops concern others."""
    episode = Episode(state or IntakeState(), incoming, protocols, now, late_window)
    match incoming:
        case FlagsSalvaged():
            episode.take_salvaged(incoming)
        case Arrival() if isinstance(incoming.event.data, IntakeSubmitted):
            episode.take_intake(incoming, incoming.event.data)
        case Arrival() if isinstance(incoming.event.data, ClinicianDecided):
            episode.take_decision(incoming, incoming.event.data)
        case TimerFired():
            episode.expire()
        case Arrival() | Performed():
            pass
        case _:
            assert_never(incoming)
    return episode.conclude(state)
