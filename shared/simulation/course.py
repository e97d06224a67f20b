"""What became of one virtual patient under one plan: the record that every figure and plot is made from."""

from dataclasses import dataclass
from typing import Literal

from shared.event.escalation import EscalationReason
from shared.event.vocabulary import Urgency

Archetype = Literal[
    "responder",  # gets better with enough load
    "slow_responder",  # gets better, later than most
    "non_responder",  # does everything and does not get better
    "under_doser",  # would get better, and does too little
    "over_reacher",  # does more than prescribed
    "flare_prone",  # reacts strongly to small rises of load
    "wrong_diagnosis",  # treated for a condition that it is not
    "deteriorating",  # gets worse whatever is done
    "red_flag",  # a red flag comes up on the way
    "silent",  # stops reporting
]
Plan = Literal["adaptive", "fixed", "naive"]
"""The pipeline; the first prescription for ever; the first prescription plus ten percent each week."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One escalation as it was first raised, or raised again with a higher severity."""

    day: float
    """Days since the program began."""
    reason: EscalationReason
    severity: Urgency
    is_same_event: bool
    """Caused by the very event that reported what it tells of; for a red flag."""


@dataclass(frozen=True, slots=True)
class Course:
    """One patient under one plan. Weekly series begin at week 0 and have one value more than weeks."""

    patient: int
    archetype: Archetype
    condition_id: str
    """What is treated."""
    plan: Plan
    disposition: str
    """Of the intake; other than `program`, care is begun by a clinician's decision."""
    pain_nprs: tuple[float, ...]
    """True mean pain of the week, 0 to 10, without measurement error."""
    capacity: tuple[float, ...]
    """True load that the tissue bears at the end of the week; 1 is the mean patient's at the start."""
    load: tuple[float, ...]
    """Load delivered within the week, in the same unit, as the mean of its sessions; 0 without a session."""
    status: tuple[str, ...]
    """Last response status published by the end of the week; empty before the first, and for other plans."""
    flare_days: int
    sessions_due: int
    sessions_done: int
    responds: bool
    """Truth: enough load would bring a meaningful change within the course."""
    has_meaningful_change: bool
    """Truth: at the end, pain is lower by 2 points or 30 percent than at the start, without measurement error."""
    adequate_day: float | None
    """Truth: when the adequate course had been delivered; None where it never was."""
    alerts: tuple[Alert, ...]
    ended_day: float | None
    """When care ended, by a referral or otherwise; None where it went on to the end."""
    red_flag_day: float | None
    """When the patient reported a red flag."""
    unsafe_progressions: int
    """Progressions after a session above 5/10 or a morning that had not settled."""

    def first(self, reason: EscalationReason) -> Alert | None:
        """The first alert of a reason."""
        return next((alert for alert in self.alerts if alert.reason == reason), None)
