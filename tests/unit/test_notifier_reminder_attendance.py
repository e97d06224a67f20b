"""Done, missed, paused, muted, unreachable and silent are different states with different consequences."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.notifier.domain.attendance import CONSEQUENCES, Attendance, attendance
from services.notifier.domain.contact import address_hash, note_address_refused
from services.notifier.domain.state import NotifierState
from tests.support.example import EPOCH
from tests.support.notifier_case import NotifierCase, consent, escalation, program, session

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
THRICE: dict[str, Any] = {"days": [1, 3, 5]}
CHANGED: dict[str, Any] = {"version": 2, "previous_version": 1, "reason": "A decision.", "prescription_seq": 2}


def patient(schedule: dict[str, Any] = THRICE, **update: Any) -> NotifierCase:
    case = NotifierCase()
    case.tell("care.patient.updated.v1", consent(**update))
    case.tell("care.program.planned.v1", program(schedule))
    return case


def seen(case: NotifierCase) -> Attendance:
    found = attendance(case.state or NotifierState(), case.policies.reminder, case.now)
    assert found.consequence
    return found


def train(case: NotifierCase) -> None:
    case.tell("care.session.reported.v1", session(f"s-{case.now:%m%d%H}", case.now))


def test_who_has_done_all_that_was_due_is_done_until_the_next() -> None:
    """Monday's session is reported; Wednesday's is next."""
    case = patient()
    train(case)
    assert seen(case) == Attendance("done", "", EPOCH, EPOCH + 2 * DAY + 8 * HOUR)


def test_a_session_day_that_went_by_is_missed_from_midnight_and_not_before() -> None:
    """On Monday evening Monday is not over."""
    case = patient()
    case.advance(EPOCH + 14 * HOUR)
    assert seen(case).kind == "done"
    case.advance(EPOCH + DAY)
    found = seen(case)
    assert (found.kind, found.since) == ("missed", datetime(2026, 3, 3, tzinfo=UTC))
    assert found.until == EPOCH + 2 * DAY + 8 * HOUR
    train(case)
    assert seen(case).kind == "done"


def test_without_days_a_week_is_missed_only_at_its_end() -> None:
    """Two of three until Sunday is not yet too few; on Monday it is."""
    case = patient({})
    train(case)
    case.advance(EPOCH + DAY)
    train(case)
    case.advance(EPOCH + 6 * DAY)
    assert seen(case).kind == "done"
    case.advance(EPOCH + 7 * DAY - HOUR)
    assert seen(case) == Attendance("missed", "", datetime(2026, 3, 9, tzinfo=UTC), EPOCH + 8 * DAY + 2 * HOUR)


def test_an_absence_is_a_pause_with_an_end() -> None:
    """From midnight of the first day to midnight after the last, on the patient's clock."""
    case = patient(timezone="Pacific/Auckland", away={"from": "2026-03-03", "to": "2026-03-05"})
    assert seen(case).kind != "paused"
    case.advance(EPOCH + 12 * HOUR)
    midnight = datetime(2026, 3, 2, 11, tzinfo=UTC)
    assert seen(case) == Attendance("paused", "away", midnight, midnight + 3 * DAY)
    case.advance(midnight + 3 * DAY)
    assert seen(case).kind != "paused"


@pytest.mark.parametrize(("status", "why"), [("held", "held"), ("proposed", "proposed"), ("ended", "ended")])
def test_a_program_that_is_not_followed_is_a_pause_until_somebody_acts(status: str, why: str) -> None:
    """The page says who must act."""
    case = patient()
    case.tell("care.program.changed.v1", program(THRICE, status=status, prescription=[], **CHANGED), at=EPOCH + HOUR)
    assert seen(case) == Attendance("paused", why, EPOCH + HOUR)


def test_a_stop_and_a_discharge_are_an_end() -> None:
    """Nothing is due any more."""
    case = patient()
    case.tell("care.program.stopped.v1", {"program_id": "program-1"}, at=EPOCH + HOUR)
    assert seen(case) == Attendance("paused", "ended", EPOCH + HOUR)
    case = patient()
    told = {"decision_id": "d", "clinician_id": "c", "decision": "discharge", "rationale": "Recovered."}
    case.tell("care.clinician.decided.v1", told, at=EPOCH + HOUR)
    assert seen(case) == Attendance("paused", "ended", EPOCH + HOUR)


def test_illness_with_nothing_prescribed_is_a_pause() -> None:
    """No session exists to be missed."""
    case = patient()
    case.tell("care.program.changed.v1", program(THRICE, prescription=[], **CHANGED))
    assert (seen(case).kind, seen(case).why) == ("paused", "nothing_prescribed")


def test_a_red_flag_pauses_everything() -> None:
    """From the moment it was raised."""
    case = patient()
    case.tell("care.escalation.raised.v1", escalation(reason="red_flag", severity="urgent"), at=EPOCH + HOUR)
    assert seen(case) == Attendance("paused", "red_flag", EPOCH + HOUR)


def test_muted_is_the_patients_own_will() -> None:
    """Never asked, and switched off, are told apart; both come before anything else."""
    assert seen(NotifierCase()) == Attendance("muted", "no_consent")
    case = patient()
    case.tell("care.patient.updated.v1", {"consent": {"reminders": False}}, at=EPOCH + HOUR)
    case.advance(EPOCH + 30 * DAY)
    assert seen(case) == Attendance("muted", "switched_off", EPOCH + HOUR)


def test_unreachable_is_when_every_address_has_refused() -> None:
    """Not one of two; and from the last refusal on."""
    case = patient(contact={"mail": "a@b.example", "log": "x"})
    assert case.state is not None
    case.state = note_address_refused(case.state, "mail", address_hash("a@b.example"), EPOCH, "550")
    assert seen(case).kind != "unreachable"
    case.state = note_address_refused(case.state, "log", address_hash("x"), EPOCH + HOUR)
    assert seen(case) == Attendance("unreachable", "addresses_refused", EPOCH + HOUR)


def test_silence_has_a_beginning_an_end_to_reminding_and_then_none() -> None:
    """Seven days: one kind word. Fourteen: no more, and a task."""
    case = patient()
    begins, ends = EPOCH + 7 * DAY + 2 * HOUR, EPOCH + 14 * DAY + 2 * HOUR
    case.advance(begins - HOUR)
    assert seen(case).kind == "missed"
    case.advance(begins)
    assert seen(case) == Attendance("silent", "no_word", begins, ends)
    case.advance(ends)
    assert seen(case) == Attendance("silent", "given_up", ends)
    train(case)
    assert seen(case).kind == "done"


def test_a_spent_budget_is_silence_with_its_own_words() -> None:
    """The page tells why nothing goes out."""
    case = patient({"days": [1, 2, 3, 4, 5, 6, 7], "sessions_per_week": 7})
    case.advance(EPOCH + 8 * DAY)
    assert seen(case) == Attendance("silent", "budget", EPOCH + 7 * DAY + 8 * HOUR)


def test_each_state_has_a_consequence_of_its_own() -> None:
    """No two states say the same."""
    assert len(set(CONSEQUENCES.values())) == len(CONSEQUENCES)
    assert {name.partition(":")[0] for name in CONSEQUENCES} == {
        "done",
        "missed",
        "paused",
        "muted",
        "unreachable",
        "silent",
    }
