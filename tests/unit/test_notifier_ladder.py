"""Escalations climb their ladder until a person answers."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec

from services.notifier.domain.delivery import DeliveryOutcome
from services.notifier.domain.state import LAST_RESORT, Delivery
from shared.event.escalation import EscalationAcknowledged
from shared.event.notification import NotificationDelivered, NotificationFailed
from tests.support.example import EPOCH
from tests.support.notifier_case import NotifierCase, acknowledge, consent, escalation, program

RAISED = "care.escalation.raised.v1"
RESOLVED = "care.escalation.resolved.v1"
DECIDED = "care.clinician.decided.v1"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def attempts(case: NotifierCase) -> list[tuple[timedelta, str]]:
    """When each message went out, from the start, and to whom."""
    return [(at - EPOCH, delivery.recipient) for at, delivery in case.attempted]


def test_an_emergency_is_told_at_once_and_every_quarter_of_an_hour() -> None:
    """Nobody has to wait 15 minutes for a second call; the chain begins again at its end."""
    case = NotifierCase()
    case.tell(RAISED, escalation(severity="emergency", reason="red_flag", holds_program=True))
    case.advance(EPOCH + 46 * MINUTE)
    assert sorted(attempts(case)) == [
        (0 * MINUTE, "on_call"),
        (15 * MINUTE, "lead_clinician"),
        (15 * MINUTE, "on_call"),
        (30 * MINUTE, "on_call"),
        (45 * MINUTE, "lead_clinician"),
        (45 * MINUTE, "on_call"),
    ]
    assert all(delivery.urgent for _, delivery in case.attempted)
    assert len(case.published(NotificationDelivered)) == 6


def test_a_message_names_the_event_that_it_tells_of_and_no_address() -> None:
    """What is published about a mail says which event it told of and whom by role."""
    case = NotifierCase()
    case.tell(RAISED, escalation(), event_id="the-event")
    case.advance(EPOCH)
    (sent,) = case.published(NotificationDelivered)
    assert (sent.about, sent.recipient_role, sent.attempts) == ("the-event", "clinician", 1)


def test_quiet_hours_never_hold_back_a_word_to_a_clinician() -> None:
    """The patient's night is not the clinic's."""
    case = NotifierCase()
    case.tell("care.patient.updated.v1", consent(quiet_hours={"start": "00:00", "end": "23:59"}))
    case.tell(RAISED, escalation(severity="urgent"))
    case.advance(EPOCH)
    assert attempts(case) == [(timedelta(0), "on_call")]


def test_a_routine_escalation_waits_for_the_digest_of_the_next_working_day() -> None:
    """What is not urgent does not ring on a Saturday."""
    case = NotifierCase()
    saturday = datetime(2026, 3, 7, 12, tzinfo=UTC)
    case.advance(saturday)
    case.tell(RAISED, escalation(severity="routine", reason="non_adherence"))
    case.advance(datetime(2026, 3, 9, 12, tzinfo=UTC))
    assert [at for at, _ in case.attempted] == [datetime(2026, 3, 9, 9, tzinfo=UTC)]


def test_acknowledging_stops_the_ladder_and_leaves_the_escalation_open() -> None:
    """Once a clinician has seen it, nobody is called again; it is not closed by that."""
    case = NotifierCase()
    case.tell(RAISED, escalation())
    case.advance(EPOCH + HOUR)
    decision = case.tell(DECIDED, acknowledge())
    (seen,) = case.published(EscalationAcknowledged)
    assert (seen.escalation_id, seen.decision_id) == ("escalation-1", "decision-1")
    # It has two working days, from Monday 09:00, to be resolved.
    assert decision.timers == {"ladder:escalation-1": datetime(2026, 3, 4, 9, tzinfo=UTC)}
    case.advance(EPOCH + timedelta(days=1, hours=23))
    assert len(case.attempted) == 1
    # A rise in severity finds it still open and rings again.
    case.tell(RAISED, escalation(severity="emergency"))
    case.advance(case.now)
    assert len(case.attempted) == 2


def test_a_decision_on_an_escalation_stops_its_ladder() -> None:
    """Who decides has seen it, also without the word acknowledge; only acknowledge is published as such."""
    case = NotifierCase()
    case.tell(RAISED, escalation())
    case.advance(EPOCH)
    case.tell(DECIDED, acknowledge(decision="continue", rationale="Expected."))
    assert not case.published(EscalationAcknowledged)
    case.advance(EPOCH + timedelta(days=1))
    assert len(case.attempted) == 1


def test_an_acknowledgement_from_before_the_rise_does_not_silence_it() -> None:
    """What a clinician saw as routine is told again when it has become an emergency."""
    case = NotifierCase()
    case.tell(RAISED, escalation(severity="routine"), at=EPOCH)
    case.tell(RAISED, escalation(severity="emergency"), at=EPOCH + 10 * MINUTE)
    case.tell(DECIDED, acknowledge(), at=EPOCH + 5 * MINUTE)
    case.advance(EPOCH + 25 * MINUTE)
    assert len(case.attempted) > 1


def test_a_rise_in_severity_starts_the_ladder_again() -> None:
    """The first recipient of the higher severity is told at once."""
    case = NotifierCase()
    case.tell(RAISED, escalation(severity="urgent"))
    case.advance(EPOCH + HOUR)
    case.now = EPOCH + HOUR
    case.tell(RAISED, escalation(severity="emergency"))
    case.advance(EPOCH + HOUR + 15 * MINUTE)
    assert [at - EPOCH for at, _ in case.attempted] == [
        timedelta(0),
        HOUR,
        HOUR + 15 * MINUTE,
        HOUR + 15 * MINUTE,
    ]


def test_more_evidence_at_the_same_severity_does_not_ring_again() -> None:
    """An escalation that is only added to does not alarm twice."""
    case = NotifierCase()
    case.tell(RAISED, escalation())
    case.advance(EPOCH + MINUTE)
    case.tell(RAISED, escalation(evidence={"sessions": 4}))
    case.advance(EPOCH + HOUR)
    assert len(case.attempted) == 1


def test_a_resolved_escalation_is_silent_whatever_comes_first() -> None:
    """The end that overtakes the beginning still ends it."""
    resolved = {"escalation_id": "escalation-1", "reason": "flare", "resolution": "superseded"}
    for order in ((RAISED, RESOLVED), (RESOLVED, RAISED)):
        case = NotifierCase()
        for event_type in order:
            later = event_type == RESOLVED
            case.tell(event_type, resolved if later else escalation(), at=EPOCH + MINUTE * later)
        assert not case.timers


def test_a_decision_waits_for_the_escalation_that_it_answers() -> None:
    """An acknowledgement that arrives first is not lost: it counts when the escalation turns up."""
    case = NotifierCase()
    assert case.tell(DECIDED, acknowledge(), at=EPOCH + MINUTE).outcome == "waiting"
    case.tell(RAISED, escalation(), at=EPOCH)
    assert len(case.published(EscalationAcknowledged)) == 1
    case.advance(EPOCH + timedelta(days=1))
    assert not case.attempted


def test_a_decision_on_an_escalation_that_never_comes_is_rejected_after_the_late_window() -> None:
    """A mistyped id becomes a dead letter, not silence."""
    case = NotifierCase()
    case.tell(DECIDED, acknowledge())
    case.advance(EPOCH + timedelta(days=13))
    assert not case.rejections
    case.advance(EPOCH + timedelta(days=15))
    (rejected,) = case.rejections
    assert (rejected.code, rejected.path) == ("unknown_escalation", "$.data.escalation_id")
    assert not case.timers


def test_a_discharge_cancels_every_timer() -> None:
    """After care has ended nobody is reminded or called."""
    case = NotifierCase()
    case.tell("care.patient.updated.v1", consent())
    case.tell("care.program.planned.v1", program())
    case.tell(RAISED, escalation(reason="red_flag"))
    assert case.timers
    discharge = acknowledge(decision="discharge", rationale="Done.")
    del discharge["escalation_id"]
    case.tell(DECIDED, discharge)
    assert not case.timers


def test_a_red_flag_that_turns_up_after_discharge_still_rings() -> None:
    """A late report of an old red flag reaches a person, also when care has ended since."""
    case = NotifierCase()
    discharge = acknowledge(decision="discharge", rationale="Done.")
    del discharge["escalation_id"]
    case.tell(DECIDED, discharge, at=EPOCH)
    case.tell(RAISED, escalation(reason="red_flag", severity="emergency"), at=EPOCH - HOUR)
    case.advance(EPOCH)
    assert len(case.attempted) == 1


def test_a_stop_by_the_patient_ends_all_but_red_flags() -> None:
    """Stopping a program does not make a red flag go away."""
    for reason, rings in (("flare", False), ("red_flag", True)):
        case = NotifierCase()
        case.tell("care.program.planned.v1", program())
        case.tell(RAISED, escalation(reason=reason, program_id="program-1"))
        case.tell("care.program.stopped.v1", {"program_id": "program-1"})
        assert any(name.startswith("ladder:") for name in case.timers) is rings


def test_an_outage_is_not_made_up_for_with_a_heap_of_repeats() -> None:
    """After two days without the service one call goes out, not two hundred."""
    case = NotifierCase()
    case.tell(RAISED, escalation(severity="emergency", reason="red_flag"))
    case.advance(EPOCH)
    case.leap(EPOCH + timedelta(days=2))
    assert sorted(delivery.recipient for _, delivery in case.attempted[1:]) == ["lead_clinician", "on_call"]


def test_an_unanswered_escalation_never_falls_silent() -> None:
    """After the chain and its repeats the last resort is told every hour, for as long as nobody answers."""
    case = NotifierCase()
    case.tell(RAISED, escalation(severity="emergency", reason="red_flag"))
    case.advance(EPOCH + timedelta(days=10))
    last = [(at, delivery) for at, delivery in case.attempted if delivery.step == LAST_RESORT]
    assert {delivery.recipient for _, delivery in last} == {"lead_clinician"}
    assert last[0][0] == EPOCH + 4 * HOUR
    assert {later - earlier for (earlier, _), (later, _) in pairwise(last)} == {HOUR}
    assert last[-1][0] == EPOCH + timedelta(days=10)


def test_a_message_is_tried_again_with_growing_pauses_until_it_is_delivered() -> None:
    """A mail server that comes back after two minutes still gets the mail, once."""
    case = NotifierCase()
    case.deliver = lambda delivery: DeliveryOutcome(
        "mail", "" if case.now >= EPOCH + 2 * MINUTE else "the mail server did not answer in time"
    )
    case.tell(RAISED, escalation())
    case.advance(EPOCH + HOUR)
    assert [int((at - EPOCH).total_seconds()) for at, _ in case.attempted] == [0, 30, 90, 210]
    (sent,) = case.published(NotificationDelivered)
    assert sent.attempts == 4
    assert len({delivery.notification_id for _, delivery in case.attempted}) == 1


def test_a_refused_recipient_fails_at_once_and_the_next_step_need_not_wait() -> None:
    """Where the first clinician cannot be reached, the second is told now."""

    def deliver(delivery: Delivery) -> DeliveryOutcome:
        refused = delivery.attempts == 0 and case.now < EPOCH + timedelta(seconds=1)
        return DeliveryOutcome("mail", "the mail server refused the recipient (550)" if refused else "", refused)

    case = NotifierCase()
    case.deliver = deliver
    case.tell(RAISED, escalation())
    case.advance(EPOCH + MINUTE)
    (failed,) = case.published(NotificationFailed)
    assert failed.error == "the mail server refused the recipient (550)"
    assert {d.recipient for at, d in case.attempted if at > EPOCH} == {"on_call", "lead_clinician"}


def test_a_message_is_given_up_after_the_policy_s_attempts() -> None:
    """An operator learns of a mail server that never came back."""
    case = NotifierCase(deliver=lambda delivery: DeliveryOutcome("mail", "the mail server cannot be reached"))
    case.tell(RAISED, escalation(severity="routine"))
    case.advance(EPOCH + timedelta(days=1))
    (failed,) = case.published(NotificationFailed)
    assert failed.attempts == case.policies.delivery.attempts


def test_the_same_input_gives_the_same_bytes() -> None:
    """History can be replayed to the byte."""

    def run() -> bytes:
        case = NotifierCase()
        case.tell("care.patient.updated.v1", consent())
        case.tell("care.program.planned.v1", program())
        case.tell(RAISED, escalation())
        case.advance(EPOCH + timedelta(days=5))
        drafts = [draft.data.model_dump_json() for draft in case.drafts]
        return msgspec.json.encode((case.state, case.timers, drafts))

    assert run() == run()
