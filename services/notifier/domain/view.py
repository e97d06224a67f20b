"""What the notifier shows of a patient: every escalation that is open, whichever service raised it."""

from services.notifier.domain.ladder import is_open, is_unanswered
from services.notifier.domain.state import Alarm, NotifierState
from shared.event.escalation import EscalationReason, Sbar
from shared.event.vocabulary import Urgency
from shared.event.wire import Identifier, Instant, Wire
from shared.view import Inquiry, View


class NextStep(Wire):
    """What the evidence offers next."""

    label: str
    evidence_grade: str


class OpenEscalation(Wire):
    """One that nobody has resolved."""

    escalation_id: Identifier
    program_id: Identifier | None
    severity: Urgency
    """The highest that it ever had."""
    reason: EscalationReason
    raised_at: Instant
    """Last; one that gets worse is raised again."""
    respond_by: Instant | None
    acknowledged: bool
    """Somebody has seen it as it is now, so the ladder of repeats rests."""
    sbar: Sbar
    options: tuple[NextStep, ...]


class OpenEscalations(Wire):
    """The most severe first, then the oldest; empty where nothing is open."""

    escalations: tuple[OpenEscalation, ...]


_SEVERITY: dict[Urgency, int] = {"emergency": 0, "urgent": 1, "routine": 2}


def show_escalations(state: NotifierState, inquiry: Inquiry) -> OpenEscalations:
    found = [escalation for alarm in state.alarms if (escalation := _shown(alarm)) is not None]
    found.sort(key=lambda one: (_SEVERITY[one.severity], one.raised_at, one.escalation_id))
    return OpenEscalations(escalations=tuple(found))


VIEWS: tuple[View[NotifierState], ...] = (
    View("escalations", "Every escalation that is open.", OpenEscalations, show_escalations),
)


def _shown(alarm: Alarm) -> OpenEscalation | None:
    if alarm.raised_at is None or not is_open(alarm):
        return None
    return OpenEscalation(
        escalation_id=alarm.escalation_id,
        program_id=alarm.program_id or None,
        severity=alarm.severity,
        reason=alarm.reason,
        raised_at=alarm.raised_at,
        respond_by=alarm.respond_by,
        acknowledged=not is_unanswered(alarm),
        sbar=Sbar(
            situation=alarm.situation,
            background=alarm.background,
            assessment=alarm.assessment,
            recommendation=alarm.recommendation,
        ),
        options=tuple(NextStep(label=one.label, evidence_grade=one.evidence_grade) for one in alarm.options),
    )
