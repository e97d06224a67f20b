"""Who must look, when that is over, and what late or early arrival changes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.intake.domain.decide import decide
from services.intake.domain.escalation import answer_by
from services.intake.domain.state import IntakeState
from shared.decision import Decision, FlagsSalvaged, TimerFired
from shared.protocol.library import shipped_protocols
from tests.support.example import EPOCH, arrival
from tests.unit.vignettes.intake import (
    LATE_WINDOW,
    classified,
    decided,
    raised,
    resolved,
    submit,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EMERGENCY: dict[str, Any] = {"red_flags": {"saddle_anaesthesia": "present"}}
URGENT: dict[str, Any] = {"red_flags": {"unexplained_weight_loss": "present"}}
MINOR: dict[str, Any] = {"age_years": 16}


def salvage(state: IntakeState | None, *, time: datetime = EPOCH) -> Decision[IntakeState]:
    flags = FlagsSalvaged(
        id="broken-1",
        subject="patient-1",
        time=time,
        correlation_id="broken-1",
        red_flags=(("bladder_dysfunction", "emergency"),),
    )
    return decide(LATE_WINDOW, state, flags, shipped_protocols(), time)


@pytest.mark.parametrize("changes", [{}, {"findings": {}}])
def test_programs_and_questions_call_nobody(changes: dict[str, Any]) -> None:
    """No escalation where the patient can go on alone."""
    assert raised(submit(**changes)) == ()


@pytest.mark.parametrize(("severity_facts", "minutes"), [(EMERGENCY, 15), (URGENT, 120)], ids=["emergency", "urgent"])
def test_a_person_must_answer_within_the_time_that_the_severity_allows(
    severity_facts: dict[str, Any], minutes: int
) -> None:
    """Fifteen minutes for an emergency, two hours for what is urgent, counted from when it is known here."""
    late = EPOCH + 2 * DAY
    (escalation,) = raised(submit(**severity_facts, now=late))
    assert escalation.respond_by == late + timedelta(minutes=minutes)


def test_routine_answers_are_due_in_working_days() -> None:
    """What comes in on a Friday and is routine is due on Wednesday."""
    friday = datetime(2026, 3, 6, 9, tzinfo=UTC)
    within = shipped_protocols().screening.respond_within
    assert answer_by(friday, "routine", within) == datetime(2026, 3, 11, 9, tzinfo=UTC)


def test_the_escalation_says_in_words_what_was_found() -> None:
    """The clinician reads the flag's label, never an identifier."""
    (escalation,) = raised(submit(**EMERGENCY))
    assert "New numbness in the saddle or genital area" in escalation.sbar.situation
    assert "_" not in "".join(escalation.sbar.model_dump().values())


def test_a_worse_intake_raises_the_open_escalation_again_with_its_severity() -> None:
    """One escalation for red flags: a second and worse one carries the first one's id."""
    first = submit(**URGENT)
    (before,) = raised(first)
    both = {"red_flags": URGENT["red_flags"] | EMERGENCY["red_flags"]}
    (after,) = raised(submit(first.state, event_id="event-2", time=EPOCH + HOUR, **both))
    assert after.escalation_id == before.escalation_id
    assert (before.severity, after.severity) == ("urgent", "emergency")


def test_a_different_red_flag_is_never_lost() -> None:
    """A second flag of the same urgency is added and told again."""
    first = submit(**URGENT)
    decision = submit(
        first.state, event_id="event-2", time=EPOCH + HOUR, red_flags={"unilateral_leg_swelling": "present"}
    )
    (again,) = raised(decision)
    assert {flag["red_flag_id"] for flag in again.evidence["flags"]} == {
        "unexplained_weight_loss",
        "unilateral_leg_swelling",
    }


def test_the_same_red_flag_told_twice_raises_once() -> None:
    """Repeating what is known already alerts nobody again."""
    first = submit(**URGENT)
    assert raised(submit(first.state, event_id="event-2", time=EPOCH + HOUR, **URGENT)) == ()


def test_taking_a_red_flag_back_does_not_close_it() -> None:
    """The patient's second thought is no clinician's decision: the disposition stays and says why."""
    first = submit(**EMERGENCY)
    decision = submit(first.state, event_id="event-2", time=EPOCH + HOUR)
    found = classified(decision)
    assert found.disposition == "emergency"
    assert "until a clinician has decided" in found.rationale
    assert resolved(decision) == ()


@pytest.mark.parametrize("kind", ["continue", "resume", "approve", "reclassify", "refer", "discharge"])
def test_a_clinicians_decision_resolves_the_escalation_and_frees_the_next_intake(kind: str) -> None:
    """Once a clinician has decided, a clean intake leads to a program again."""
    first = submit(**EMERGENCY)
    (escalation,) = raised(first)
    extra: dict[str, Any] = {"conditions": ["gluteal_tendinopathy"]} if kind == "reclassify" else {}
    decision = decided(first.state, decision=kind, escalation_id=escalation.escalation_id, **extra)
    (closed,) = resolved(decision)
    assert (closed.escalation_id, closed.resolution) == (escalation.escalation_id, kind)
    later = submit(decision.state, event_id="event-2", time=EPOCH + DAY)
    assert classified(later).disposition == "program"


@pytest.mark.parametrize("kind", ["acknowledge", "hold"])
def test_having_seen_it_is_not_having_decided(kind: str) -> None:
    """Acknowledging or holding leaves the escalation open."""
    first = submit(**EMERGENCY)
    (escalation,) = raised(first)
    decision = decided(first.state, decision=kind, escalation_id=escalation.escalation_id)
    assert decision.drafts == ()
    assert decision.state == first.state


def test_a_decision_on_somebody_elses_escalation_changes_nothing() -> None:
    """Other services look after their own escalations."""
    first = submit(**EMERGENCY)
    decision = decided(first.state, decision="continue", escalation_id="of-another-service")
    assert (decision.drafts, decision.state, decision.outcome) == ((), first.state, "ignored")


def test_approving_the_intake_resolves_what_it_raised() -> None:
    """A clinician who approves the intake by its id has answered its escalation."""
    first = submit(**MINOR)
    (escalation,) = raised(first)
    (closed,) = resolved(decided(first.state, decision="approve", intake_id="intake-1"))
    assert closed.escalation_id == escalation.escalation_id


def test_an_earlier_decision_does_not_settle_what_was_told_after_it() -> None:
    """A flag told after the clinician's decision on the intake stays open."""
    first = submit(**EMERGENCY, time=EPOCH + DAY)
    decision = decided(first.state, decision="approve", intake_id="intake-1", time=EPOCH)
    assert resolved(decision) == ()
    assert decision.state is not None
    assert len(decision.state.escalations) == 1


def test_a_decision_waits_for_the_intake_that_it_names() -> None:
    """A decision that arrives first is applied when its intake comes."""
    early = decided(None, decision="approve", intake_id="intake-1")
    assert early.outcome == "waiting"
    assert early.timers == {"waiting": EPOCH + HOUR + LATE_WINDOW}
    late = submit(early.state, **MINOR)
    assert len(raised(late)) == len(resolved(late)) == 1
    assert late.state is not None
    assert (late.state.escalations, late.state.waiting, dict(late.timers)) == ((), (), {})


def test_a_decision_whose_intake_never_comes_is_rejected_after_the_late_window() -> None:
    """After two weeks an operator sees it, with its original bytes."""
    early = decided(None, decision="approve", intake_id="intake-1")
    due = early.timers["waiting"]
    fired = TimerFired(id="t", subject="patient-1", name="waiting", time=due, correlation_id="c")
    over = decide(LATE_WINDOW, early.state, fired, shipped_protocols(), due)
    (rejection,) = over.rejections
    assert (rejection.code, rejection.path) == ("unknown_intake", "$.data.intake_id")
    assert b"intake-1" in rejection.origin.raw
    assert over.timers == {}


def test_what_waits_stays_bounded() -> None:
    """A flood of decisions on unknown intakes fills no memory: the oldest are rejected."""
    state = None
    rejected = 0
    for number in range(20):
        decision = decided(
            state, decision="approve", intake_id=f"intake-{number}", event_id=f"d{number}", time=EPOCH + number * HOUR
        )
        state, rejected = decision.state, rejected + len(decision.rejections)
    assert state is not None
    assert (len(state.waiting), rejected) == (16, 4)


def test_an_older_version_of_an_intake_arriving_late_changes_nothing() -> None:
    """The newest answers stand, whatever arrives after them."""
    newest = submit(time=EPOCH + DAY, event_id="event-2")
    late = submit(newest.state, time=EPOCH, event_id="event-1", **MINOR)
    assert (late.drafts, late.state, late.outcome) == ((), newest.state, "ignored")


def test_the_red_flag_of_an_older_version_acts_also_late() -> None:
    """A red flag that arrives late is told at once, and the newest classification follows it."""
    newest = submit(time=EPOCH + DAY, event_id="event-2")
    late = submit(newest.state, time=EPOCH, event_id="event-1", **EMERGENCY)
    assert classified(late).disposition == "emergency"
    assert len(raised(late)) == 1
    (revised,) = (draft for draft in late.drafts if draft.data == classified(late))
    assert revised.time > newest.drafts[0].time


def test_red_flags_of_a_rejected_intake_raise_at_once() -> None:
    """Even an intake that cannot be read otherwise calls a person for its red flags."""
    decision = salvage(None)
    (escalation,) = raised(decision)
    assert (escalation.reason, escalation.severity, escalation.holds_program) == ("red_flag", "emergency", True)
    next_intake = submit(decision.state, time=EPOCH + HOUR)
    assert classified(next_intake).disposition == "emergency"


def test_salvaged_flags_turn_the_classification_that_stands() -> None:
    """A program classification is taken back when a red flag comes to light."""
    first = submit()
    decision = salvage(first.state, time=EPOCH + HOUR)
    assert classified(decision).disposition == "emergency"


def test_better_answers_supersede_an_open_review() -> None:
    """A corrected intake that leads to a program closes the review that the first one asked for."""
    first = submit(**MINOR)
    (escalation,) = raised(first)
    (closed,) = resolved(submit(first.state, event_id="event-2", time=EPOCH + HOUR))
    assert (closed.escalation_id, closed.resolution) == (escalation.escalation_id, "superseded")


def test_after_continue_the_same_reason_stays_quiet_for_four_weeks() -> None:
    """What a clinician chose to continue with is not raised again soon, unless it gets worse."""
    first = submit(**URGENT)
    (escalation,) = raised(first)
    state = decided(first.state, decision="continue", escalation_id=escalation.escalation_id).state
    assert raised(submit(state, event_id="event-2", time=EPOCH + DAY, **URGENT)) == ()
    assert len(raised(submit(state, event_id="event-3", time=EPOCH + DAY, **EMERGENCY))) == 1
    assert len(raised(submit(state, event_id="event-4", time=EPOCH + 30 * DAY, **URGENT))) == 1


def test_a_patient_who_stops_a_program_changes_nothing_here() -> None:
    """Stopping is answered by the services that own programs; red flags stay open."""
    first = submit(**EMERGENCY)
    stopped = arrival("care.program.stopped.v1", {"program_id": "program-1"}, event_id="stop-1")
    decision = decide(LATE_WINDOW, first.state, stopped, shipped_protocols(), EPOCH)
    assert (decision.drafts, decision.state) == ((), first.state)


def test_what_intake_remembers_survives_storage() -> None:
    """State with an open escalation and a waiting decision reads back as it was written."""
    first = submit(**EMERGENCY)
    state = decided(first.state, decision="approve", intake_id="another-intake").state
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=IntakeState) == state


def test_the_log_names_the_rule_that_decided() -> None:
    """An operator sees which rule fired, never free text."""
    assert submit(**EMERGENCY).rule == "RF01"
    assert submit(**MINOR).rule == "S01"
    assert submit().rule == "BANDS"
