"""Escalations climb their ladder until a person answers."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from services.notifier.domain.delivery import DeliveryOutcome, Result
from services.notifier.domain.index import lists
from services.notifier.domain.ladder import plan
from services.notifier.domain.policy import Policies
from services.notifier.domain.state import LAST_RESORT, Delivery
from services.notifier.policy_file import load_policies
from shared.chain import verify
from shared.decision import Origin, Performed, TimerFired
from shared.event.escalation import EscalationAcknowledged
from shared.event.notification import NotificationDelivered, NotificationFailed
from tests.support.example import EPOCH
from tests.support.notifier_case import NotifierCase, acknowledge, consent, escalation, program

RAISED = "care.escalation.raised.v1"
RESOLVED = "care.escalation.resolved.v1"
DECIDED = "care.clinician.decided.v1"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def refused(delivery: Delivery) -> DeliveryOutcome:
    """A mail server that knows nobody."""
    return DeliveryOutcome("mail", "refused", "the mail server refused the recipient (550)")


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
    """After the chain and its repeats the last resort is told every day, for as long as nobody answers."""
    case = NotifierCase()
    case.tell(RAISED, escalation(severity="emergency", reason="red_flag"))
    case.advance(EPOCH + timedelta(days=10))
    last = [(at, delivery) for at, delivery in case.attempted if delivery.step == LAST_RESORT]
    assert {delivery.recipient for _, delivery in last} == {"lead_clinician"}
    assert last[0][0] == EPOCH + 4 * HOUR
    assert {later - earlier for (earlier, _), (later, _) in pairwise(last)} == {24 * HOUR}
    assert last[-1][0] == EPOCH + timedelta(days=9) + 4 * HOUR


def test_a_message_is_tried_again_with_growing_pauses_until_it_is_delivered() -> None:
    """A mail server that comes back after two minutes still gets the mail, once."""
    case = NotifierCase()
    case.deliver = lambda delivery: (
        DeliveryOutcome("mail")
        if case.now >= EPOCH + 2 * MINUTE
        else DeliveryOutcome("mail", "passing", "the mail server did not answer in time")
    )
    case.tell(RAISED, escalation())
    case.advance(EPOCH + HOUR)
    pauses = [(later - earlier).total_seconds() for (earlier, _), (later, _) in pairwise(case.attempted)]
    assert all(0.75 * whole <= pause <= 1.25 * whole for pause, whole in zip(pauses, (30, 60, 120, 240), strict=False))
    (sent,) = case.published(NotificationDelivered)
    assert sent.attempts == len(case.attempted) == len(pauses) + 1
    assert len({delivery.notification_id for _, delivery in case.attempted}) == 1


def test_a_refused_recipient_fails_at_once_and_the_next_step_need_not_wait() -> None:
    """Where the first clinician cannot be reached, the second is told now."""

    def deliver(delivery: Delivery) -> DeliveryOutcome:
        refused = delivery.attempts == 0 and case.now < EPOCH + timedelta(seconds=1)
        if not refused:
            return DeliveryOutcome("mail")
        return DeliveryOutcome("mail", "refused", "the mail server refused the recipient (550)")

    case = NotifierCase()
    case.deliver = deliver
    case.tell(RAISED, escalation())
    case.advance(EPOCH + MINUTE)
    (failed,) = case.published(NotificationFailed)
    assert failed.error == "the mail server refused the recipient (550)"
    assert {d.recipient for at, d in case.attempted if at > EPOCH} == {"on_call", "lead_clinician"}


def test_a_message_is_given_up_after_the_policy_s_attempts() -> None:
    """An operator learns of a mail server that never came back."""
    gone = DeliveryOutcome("mail", "passing", "the mail server cannot be reached")
    case = NotifierCase(deliver=lambda delivery: gone if delivery.kind == "escalation" else DeliveryOutcome("mail"))
    case.tell(RAISED, escalation())
    case.advance(EPOCH + timedelta(days=1))
    failed = case.published(NotificationFailed)[0]
    assert failed.attempts == case.policies.delivery.attempts


def policies(**changes: Any) -> Policies:
    """The shipped ones; `emergency` and so on change a ladder of the default policy, the rest a section."""
    content = load_policies(None).model_dump(by_alias=True)
    for name in ("emergency", "urgent", "routine"):
        content["policies"]["default"][name] |= changes.pop(name, {})
    return Policies.model_validate(content | changes)


def chain(*steps: list[str], within: int = 15, channels: tuple[str, ...] = ("mail",)) -> dict[str, Any]:
    return {"steps": [{"to": to, "channels": channels, "acknowledge_within_min": within} for to in steps]}


def rota(start: str, end: str, who: str) -> dict[str, Any]:
    days = [1, 2, 3, 4, 5, 6, 7]
    return {"timezone": "UTC", "shifts": [{"days": days, "start": start, "end": end, "who": [who]}]}


def noted(case: NotifierCase, kind: str) -> list[dict[str, Any]]:
    return [dict(entry) for entry in case.ledger if entry["kind"] == kind]


def emergency(case: NotifierCase) -> None:
    case.tell(RAISED, escalation(severity="emergency", reason="red_flag", holds_program=True))


def test_a_step_without_anybody_on_duty_costs_no_time() -> None:
    """At nine in the morning the night's people are passed over at once, and that is on record."""
    night = {"night": rota("20:00", "08:00", "on_call")}
    case = NotifierCase(policies(emergency=chain(["night"], ["lead_clinician"]), rotas=night))
    emergency(case)
    case.advance(EPOCH + 15 * MINUTE)
    assert attempts(case) == [(0 * MINUTE, "lead_clinician"), (15 * MINUTE, "lead_clinician")]
    assert [(entry["step"], entry["why"], entry["rota"]) for entry in noted(case, "skipped")] == [
        (1, "off_shift", "night"),
        (1, "off_shift", "night"),
    ]


def test_who_is_told_is_who_is_on_duty_then() -> None:
    """Over the change of shift the chain goes on with the people who have come."""
    shifts = {"early": rota("08:00", "09:10", "on_call"), "late": rota("09:10", "20:00", "lead_clinician")}
    case = NotifierCase(policies(emergency=chain(["early", "late"]), rotas=shifts))
    emergency(case)
    case.advance(EPOCH + 15 * MINUTE)
    assert attempts(case) == [(0 * MINUTE, "on_call"), (15 * MINUTE, "lead_clinician")]


def test_a_chain_without_anybody_reaches_the_last_resort_at_once() -> None:
    """And comes back to the chain as soon as somebody of it is on duty."""
    shift = {"watch": rota("09:40", "20:00", "on_call")}
    case = NotifierCase(policies(emergency=chain(["watch"]), rotas=shift))
    emergency(case)
    case.advance(EPOCH + 45 * MINUTE)
    assert attempts(case) == [
        (0 * MINUTE, "lead_clinician"),
        (15 * MINUTE, "lead_clinician"),
        (30 * MINUTE, "lead_clinician"),
        (45 * MINUTE, "on_call"),
    ]
    assert [delivery.step for _, delivery in case.attempted] == [LAST_RESORT, LAST_RESORT, LAST_RESORT, 1]


def test_a_recipient_without_an_address_for_the_step_s_channels_is_passed_over() -> None:
    """Who has no pager is not told by pager, and the next one need not wait for it."""
    people = {"on_call": {"mail": "a@b.example"}, "lead_clinician": {"webhook": "https://pager.example"}}
    case = NotifierCase(
        policies(emergency=chain(["on_call"], ["lead_clinician"], channels=("webhook",)), recipients=people)
    )
    emergency(case)
    case.advance(EPOCH)
    assert attempts(case) == [(0 * MINUTE, "lead_clinician")]
    (skipped,) = noted(case, "skipped")
    assert (skipped["why"], skipped["recipient"]) == ("no_address", "on_call")


def test_each_recipient_is_told_by_his_own_first_channel() -> None:
    """The others of the step are fall-backs, in the step's order."""
    people = {
        "on_call": {"mail": "a@b.example", "webhook": "https://pager.example"},
        "lead_clinician": {"mail": "b@b.example"},
    }
    channels = ("webhook", "mail", "log")
    case = NotifierCase(policies(emergency=chain(["on_call", "lead_clinician"], channels=channels), recipients=people))
    emergency(case)
    case.advance(EPOCH)
    assert {(d.recipient, d.channel, d.channels) for _, d in case.attempted} == {
        ("on_call", "webhook", ("mail", "log")),
        ("lead_clinician", "mail", ("log",)),
    }


def test_an_acknowledgement_without_a_resolution_in_time_reopens_the_escalation() -> None:
    """An emergency acknowledged after ten minutes and not closed within the hour rings again, from the first step."""
    case = NotifierCase()
    emergency(case)
    case.advance(EPOCH + 10 * MINUTE)
    case.tell(DECIDED, acknowledge())
    case.advance(EPOCH + 59 * MINUTE)
    assert len(case.attempted) == 1
    case.advance(EPOCH + 75 * MINUTE)
    assert attempts(case)[1:] == [
        (60 * MINUTE, "on_call"),
        (75 * MINUTE, "on_call"),
        (75 * MINUTE, "lead_clinician"),
    ]
    (reopened,) = noted(case, "reopened")
    assert (reopened["at"], reopened["acknowledged_at"]) == ("2026-03-02T10:00:00Z", "2026-03-02T09:10:00Z")
    assert len({delivery.notification_id for _, delivery in case.attempted}) == 4


def test_a_late_acknowledgement_is_given_the_time_of_a_step() -> None:
    """Who acknowledges in the fifty-ninth minute is not called again in the sixtieth."""
    case = NotifierCase()
    emergency(case)
    case.advance(EPOCH + 59 * MINUTE)
    told = len(case.attempted)
    case.tell(DECIDED, acknowledge())
    case.advance(EPOCH + 73 * MINUTE)
    assert len(case.attempted) == told
    case.advance(EPOCH + 74 * MINUTE)
    assert len(case.attempted) == told + 1


def test_a_reopened_escalation_wants_a_new_answer() -> None:
    """The old acknowledgement has run out; a new one is good for another step's time, then it rings again."""
    case = NotifierCase()
    emergency(case)
    case.tell(DECIDED, acknowledge())
    case.advance(EPOCH + 62 * MINUTE)
    assert len(case.attempted) == 1  # the first word was taken back before it went out
    case.tell(DECIDED, acknowledge(decision_id="decision-2"))
    case.advance(EPOCH + 76 * MINUTE)
    assert len(case.attempted) == 1
    case.advance(EPOCH + 77 * MINUTE)
    assert len(case.attempted) == 2


def test_a_resolution_in_time_leaves_nothing_to_reopen() -> None:
    """Closed is closed: no timer is left."""
    case = NotifierCase()
    emergency(case)
    case.tell(DECIDED, acknowledge())
    resolved = {"escalation_id": "escalation-1", "reason": "red_flag", "resolution": "resume"}
    case.now = EPOCH + 30 * MINUTE
    assert not case.tell(RESOLVED, resolved).timers


def test_the_same_decision_coming_back_as_an_event_is_one_acknowledgement() -> None:
    """The notifier reads its own word on the stream, and does not count it twice."""
    case = NotifierCase()
    emergency(case)
    case.tell(DECIDED, acknowledge())
    echo = {"escalation_id": "escalation-1", "clinician_id": "clinician-1", "decision_id": "decision-1"}
    case.tell("care.escalation.acknowledged.v1", echo)
    assert len(noted(case, "acknowledged")) == 1


def test_an_urgent_word_goes_out_at_night_and_its_repeats_wait_for_the_morning() -> None:
    """The first person is told at once; the four hours that he has are working hours."""
    case = NotifierCase()
    night = datetime(2026, 3, 7, 2, tzinfo=UTC)
    case.advance(night)
    case.tell(RAISED, escalation(severity="urgent"))
    case.advance(datetime(2026, 3, 9, 12, tzinfo=UTC))
    assert [at for at, _ in case.attempted] == [night, *[datetime(2026, 3, 9, 12, tzinfo=UTC)] * 2]


def test_routine_escalations_of_a_recipient_share_one_digest() -> None:
    """Two matters that came up on different hours of a day wait for the same instant of the next morning."""
    case = NotifierCase()
    case.tell(RAISED, escalation(severity="routine", reason="non_adherence"), at=EPOCH + HOUR)
    case.now = EPOCH + 3 * HOUR
    decision = case.tell(RAISED, escalation(severity="routine", escalation_id="escalation-2", reason="no_contact"))
    morning = datetime(2026, 3, 3, 9, tzinfo=UTC)
    assert decision.lists["digest:on_call"] == {"escalation-1": morning, "escalation-2": morning}
    assert decision.state is not None
    assert {(d.kind, d.due_at, d.urgent) for d in decision.state.outbox} == {("digest", morning, False)}
    case.advance(morning)
    assert [at for at, _ in case.attempted] == [morning, morning]


def test_a_digest_is_taken_back_when_its_matter_has_been_answered() -> None:
    """Nobody reads in the morning what was settled the evening before; the record says why."""
    case = NotifierCase()
    case.tell(RAISED, escalation(severity="routine"), at=EPOCH + HOUR)
    decision = case.tell(DECIDED, acknowledge(), at=EPOCH + 2 * HOUR)
    assert "digest:on_call" not in decision.lists
    (withdrawn,) = noted(case, "suppressed")
    assert withdrawn["why"] == "acknowledged"
    assert withdrawn["notification_id"] == noted(case, "planned")[0]["notification_id"]


def test_a_routine_matter_that_becomes_an_emergency_does_not_wait_for_its_digest() -> None:
    """The digest's message is taken back, and the emergency goes out now."""
    case = NotifierCase()
    case.tell(RAISED, escalation(severity="routine"), at=EPOCH + HOUR)
    case.now = EPOCH + 2 * HOUR
    case.tell(RAISED, escalation(severity="emergency"))
    case.advance(case.now)
    ((at, delivery),) = case.attempted
    assert (at, delivery.kind, delivery.urgent) == (EPOCH + 2 * HOUR, "escalation", True)
    assert [entry["why"] for entry in noted(case, "suppressed")] == ["worsened"]


def test_an_emergency_s_timers_have_the_urgent_lane() -> None:
    """Neither its messages nor its next step wait behind anything else; a rise in severity moves them over."""
    case = NotifierCase()
    assert "ladder:escalation-1" in case.tell(RAISED, escalation(severity="urgent")).timers
    decision = case.tell(RAISED, escalation(severity="emergency"))
    assert {name[:8] for name in decision.timers if "ladder" in name} == {"!ladder:"}


def test_every_open_escalation_is_listed_at_its_next_step_and_every_closed_one_at_its_end() -> None:
    """Who watches need not look through all patients."""
    case = NotifierCase()
    listed = dict(case.tell(RAISED, escalation()).lists)
    assert listed.pop("open") == {"escalation-1": datetime(2026, 3, 2, 13, tzinfo=UTC)}
    assert set(listed) == {"unanswered:urgent", "untold:urgent"}
    case.advance(EPOCH + MINUTE)
    assert case.state is not None
    assert "untold:urgent" not in lists(case.state), "its first message was taken over"
    assert set(case.tell(DECIDED, acknowledge(), at=EPOCH + HOUR / 2).lists) == {"open", "answered:urgent"}
    resolved = {"escalation_id": "escalation-1", "reason": "flare", "resolution": "superseded"}
    assert case.tell(RESOLVED, resolved, at=EPOCH + HOUR).lists == {"closed": {"escalation-1": EPOCH + HOUR}}


def test_a_mail_server_that_refuses_everybody_ends_at_the_last_resort_within_seconds() -> None:
    """Failures hurry the chain on, and do not spin: after the last resort it keeps its pace."""
    case = NotifierCase(deliver=refused)
    emergency(case)
    case.advance(EPOCH + 14 * MINUTE)
    told = [(d.step, d.recipient) for _, d in case.attempted]
    assert told[0] == (1, "on_call")
    assert (LAST_RESORT, "lead_clinician") in told
    assert len(set(told)) == 4
    assert case.attempted[-1][0] < EPOCH + 10 * timedelta(seconds=1)


@pytest.mark.parametrize("result", ["refused", "address_dead", "uncertain", "passing"])
def test_what_fails_after_the_answer_goes_no_further(result: Result) -> None:
    """No other channel, no second try, no dead letter: the clinician has seen it while the mail was on its way."""
    people = {"on_call": {"mail": "a@b.example", "webhook": "https://pager.example"}, "lead_clinician": {}}
    case = NotifierCase(policies(emergency=chain(["on_call"], channels=("mail", "webhook")), recipients=people))
    emergency(case)
    ((name, at),) = ((name, at) for name, at in case.timers.items() if "deliver:" in name)
    timer = TimerFired("t", "patient-1", name, at, "correlation", Origin("timers", "0-1", b""))
    assert case.take(timer).effect
    case.tell(DECIDED, acknowledge())
    decision = case.take(Performed(timer, DeliveryOutcome("mail", result, "550", address_hash="hash")))
    assert decision.state is not None
    assert [d.kind for d in decision.state.outbox if d.kind != "notice"] == []
    assert not decision.rejections
    assert not noted(case, "dead_lettered")
    assert len(noted(case, "planned")) == 1


def test_the_plan_says_who_is_told_when_if_nobody_answers() -> None:
    """What the mail promises is what the ladder does."""
    case = NotifierCase()
    emergency(case)
    case.advance(EPOCH)
    assert case.state is not None
    planned = plan(case.policies, case.state, case.state.alarms[0], EPOCH, steps=20)
    case.attempted.clear()
    case.advance(planned[-1].at)
    done = [(at, delivery.step, delivery.recipient) for at, delivery in case.attempted]
    assert sorted(done) == sorted((step.at, step.step, who) for step in planned for who in step.recipients)
    assert [step.step for step in planned[:3]] == [2, 1, 2]
    assert planned[-1].step == LAST_RESORT


def test_the_plan_of_an_acknowledged_escalation_begins_with_its_reopening() -> None:
    """Who has acknowledged sees until when it should be resolved."""
    case = NotifierCase()
    emergency(case)
    case.tell(DECIDED, acknowledge())
    assert case.state is not None
    first, second = plan(case.policies, case.state, case.state.alarms[0], EPOCH, steps=2)
    assert (first.at, first.recipients, first.channels) == (EPOCH + HOUR, ("on_call",), ("mail",))
    assert first.note == "acknowledged, but not resolved in time: it begins again"
    assert (second.at, second.note) == (EPOCH + 75 * MINUTE, "")


def test_the_plan_begins_with_the_digest_that_waits_and_says_who_is_off_duty() -> None:
    """Also what is planned already is told, and why a step is passed over."""
    watch = {"watch": rota("01:00", "02:00", "on_call")}
    case = NotifierCase(
        policies(routine=chain(["on_call"], within=60), emergency=chain(["watch"], ["on_call"]), rotas=watch)
    )
    case.tell(RAISED, escalation(severity="routine"), at=EPOCH + HOUR)
    assert case.state is not None
    first, second = plan(case.policies, case.state, case.state.alarms[0], case.now, steps=2)
    assert (first.at, first.note) == (datetime(2026, 3, 3, 9, tzinfo=UTC), "in the digest")
    assert second.at == datetime(2026, 3, 4, 9, tzinfo=UTC)
    case.tell(RAISED, escalation(severity="emergency"), at=EPOCH + 2 * HOUR)
    (alarm,) = case.state.alarms
    (step,) = plan(case.policies, case.state, alarm, case.now, steps=1)
    assert (step.step, step.note) == (2, "step 1: watch: off_shift")


def test_nothing_is_planned_for_what_is_resolved() -> None:
    """The page of a closed escalation announces nobody."""
    case = NotifierCase()
    emergency(case)
    case.tell(RESOLVED, {"escalation_id": "escalation-1", "reason": "red_flag", "resolution": "resume"})
    assert case.state is not None
    assert plan(case.policies, case.state, case.state.alarms[0], EPOCH) == ()


def test_a_referral_resolves_what_is_open_and_the_record_says_by_whom() -> None:
    """Also red flags that the clinician could see; nothing is left to reopen."""
    case = NotifierCase()
    emergency(case)
    decision = case.tell(DECIDED, acknowledge(decision="refer", rationale="To the surgeon."), at=EPOCH + MINUTE)
    assert not decision.timers
    (resolved,) = noted(case, "resolved")
    assert (resolved["by"], resolved["resolution"]) == ("clinician-1", "refer")


def test_what_comes_up_again_after_its_end_is_a_new_matter() -> None:
    """The ladder begins at the new severity, and its record goes on in the same chain."""
    case = NotifierCase()
    emergency(case)
    resolved = {"escalation_id": "escalation-1", "reason": "red_flag", "resolution": "resume"}
    case.tell(RESOLVED, resolved, at=EPOCH + MINUTE)
    case.now = EPOCH + 2 * MINUTE
    case.tell(RAISED, escalation(severity="routine"))
    assert case.state is not None
    assert case.state.alarms[0].severity == "routine"
    assert [entry["severity"] for entry in noted(case, "created")] == ["emergency", "routine"]
    assert verify(case.ledger) is None


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
