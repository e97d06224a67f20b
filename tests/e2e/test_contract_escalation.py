"""Contract §6: escalations, reminders, notifications."""

import json
from datetime import datetime, timedelta

import pytest

from tests.support.black_box import DAY, HOUR, SECRET, Json, System, checkin, decision, event, session, when

REASONS = {
    "red_flag",
    "flare",
    "failed_conservative_care",
    "non_adherence",
    "unclear_diagnosis",
    "clinician_review",
    "adverse_response",
    "no_contact",
}


def check(care: System, patient: str) -> None:
    """Every escalation is whole, one is open for each reason, and severity never falls under one id."""
    rank = ["routine", "urgent", "emergency"]
    open_ids: dict[str, str] = {}
    severity: dict[str, str] = {}
    for one in care.read("escalations", patient):
        data = one["data"]
        if one["type"] == "care.escalation.resolved.v1":
            open_ids = {reason: known for reason, known in open_ids.items() if known != data["escalation_id"]}
        if one["type"] != "care.escalation.raised.v1":
            continue
        assert data["severity"] in rank
        assert data["reason"] in REASONS
        assert set(data["sbar"]) >= {"situation", "background", "assessment", "recommendation"}
        text = json.dumps(data["sbar"])
        assert patient not in text
        assert SECRET not in json.dumps(data)
        assert all(len(data["sbar"][part]) > 10 for part in ("situation", "background", "assessment"))
        assert isinstance(data["options"], list)
        assert isinstance(data["evidence"], dict)
        assert datetime.fromisoformat(data["respond_by"]) > when(one)
        assert isinstance(data["holds_program"], bool)
        assert open_ids.setdefault(data["reason"], data["escalation_id"]) == data["escalation_id"]
        known = severity.get(data["escalation_id"])
        assert known is None or rank.index(data["severity"]) >= rank.index(known)
        severity[data["escalation_id"]] = data["severity"]


def test_red_flags_add_up_under_one_id_and_severity_rises(care: System) -> None:
    """Routine, urgent, emergency: the same escalation, told again each time it gets worse; no flag is lost."""
    patient = care.enrol()
    at = care.now
    for number, flag in enumerate(("claudication", "history_of_cancer", "saddle_anaesthesia"), 1):
        care.tell(session(patient, at + number * DAY, care.in_force(patient), symptoms=[flag]))
        raised = care.raised(patient, "red_flag")
        assert len(raised) == number
        assert raised[-1]["severity"] == ("routine", "urgent", "emergency")[number - 1]
        assert raised[-1]["holds_program"] is (number > 1)
        assert care.program(patient)["status"] == ("active" if number == 1 else "held")
    assert len({one["escalation_id"] for one in raised}) == 1
    assert raised[-1]["program_id"] == f"prg-in-{patient}"
    for flag in ("claudication", "history_of_cancer", "saddle_anaesthesia"):
        assert flag in json.dumps(raised[-1]["evidence"])
    check(care, patient)
    care.tell(session(patient, at + 5 * DAY, symptoms=["saddle_anaesthesia"]))
    assert len(care.raised(patient, "red_flag")) == 3, "the same flag again is no news"
    care.tell(session(patient, at + 6 * DAY, symptoms=["fever_or_rigors"]))
    assert "fever_or_rigors" in json.dumps(care.raised(patient, "red_flag")[-1]["evidence"])


def test_the_escalation_and_the_hold_come_from_one_event(care: System) -> None:
    """What raises the flag holds the program in the same step."""
    patient = care.enrol()
    told = session(patient, care.now + HOUR, care.in_force(patient), symptoms=["saddle_anaesthesia"])
    care.tell(told)
    (raised,) = care.read("escalations", patient, "escalation.raised")
    (changed,) = care.read("programs", patient, "program.changed")
    assert raised["source"] == changed["source"] == "//adaptive-care/progression"
    assert raised["causationid"] == changed["causationid"] == told["id"]
    assert raised["correlationid"] == told["id"]
    assert when(raised) == when(changed) == when(told)


def test_sudden_severe_pain_is_an_urgent_flag(care: System) -> None:
    """A sudden pain of eight or more holds the program until someone has looked."""
    patient = care.enrol()
    care.tell(session(patient, care.now + HOUR, care.in_force(patient), pain_during=8, symptoms=["sudden_severe_pain"]))
    assert care.open(patient)["red_flag"] == "urgent"
    assert care.program(patient)["status"] == "held"
    check(care, patient)


def test_sudden_severe_pain_acts_in_a_rejected_report(care: System) -> None:
    """Also where the rest of the report cannot be read."""
    patient = care.enrol()
    care.tell(session(patient, care.now + HOUR, pain_during="8", symptoms=["sudden_severe_pain"]))
    assert care.open(patient)["red_flag"] == "urgent"


def test_silence_is_no_contact(care: System) -> None:
    """No event of the patient for days: someone is told, once, by progression."""
    patient = care.enrol()
    care.train(patient, care.now + HOUR)
    care.until(care.now + 30 * DAY, step=DAY)
    raised = [one for one in care.read("escalations", patient) if one["data"].get("reason") == "no_contact"]
    assert len(raised) == 1
    assert raised[0]["source"] == "//adaptive-care/progression"
    assert raised[0]["data"]["severity"] == "routine"
    assert raised[0]["data"]["holds_program"] is False
    assert care.program(patient)["status"] == "active"
    check(care, patient)


def test_reports_without_sessions_are_non_adherence(care: System) -> None:
    """The patient writes but does not train: that is another thing than silence."""
    patient = care.enrol()
    start = care.now
    care.train(patient, start + HOUR)
    for day in range(3, 45, 3):
        care.tell(checkin(patient, start + day * DAY, measures=[{"instrument": "NPRS", "value": 5}]))
    assert "non_adherence" in care.open(patient)
    assert "no_contact" not in care.open(patient)
    check(care, patient)


def test_contact_again_lets_the_program_go_on(care: System) -> None:
    """After a silence the patient trains again: with less load, and no second escalation for the same silence."""
    patient = care.enrol()
    care.train(patient, care.now + HOUR)
    care.until(care.now + 14 * DAY, step=DAY)
    assert "no_contact" in care.open(patient)
    care.tell(session(patient, care.now + HOUR, care.in_force(patient)))
    assert care.adjustment(patient)["late"] is False
    assert care.in_force(patient)
    assert len(care.raised(patient, "no_contact")) == 1


def test_repeated_bad_sessions_call_a_clinician(care: System) -> None:
    """Session after session too painful: a flare or an adverse response is told, with what it is based on."""
    patient = care.enrol()
    for _ in range(5):
        care.tell(session(patient, care.now + 2 * DAY, care.in_force(patient), pain_during=8))
        care.tell(checkin(patient, care.now + 22 * HOUR, next_morning_pain=7, symptoms=["pain_over_24_h"]))
    assert {"flare", "adverse_response"} & set(care.open(patient))
    check(care, patient)


def test_reminders_need_consent(care: System) -> None:
    """Nobody is written to who did not agree."""
    patient = care.enrol()
    care.until(care.now + 9 * DAY, step=6 * HOUR)
    assert care.read("reminders", patient) == []
    other = care.enrol()
    start = care.now
    care.tell(
        event(
            "patient.updated",
            other,
            start,
            {
                "consent": {"reminders": True},
                "timezone": "America/New_York",
                "quiet_hours": {"start": "20:00", "end": "09:30"},
                "contact": {"sms": "+15550100"},
            },
        )
    )
    care.tell(session(other, start + HOUR, care.in_force(other)))
    care.until(start + 12 * DAY, step=6 * HOUR)
    told = care.read("reminders", other)
    kinds = {one["data"]["kind"] for one in told}
    assert "session" in kinds
    assert "checkin" in kinds
    assert "measure" in kinds
    assert kinds <= {"session", "checkin", "measure", "re_engage"}
    ids = [one["data"]["reminder_id"] for one in told]
    assert len(ids) == len(set(ids))
    for one in told:
        assert set(one["data"]) >= {"reminder_id", "kind", "due_at", "channel"}
        due = datetime.fromisoformat(one["data"]["due_at"])
        local = due - timedelta(hours=4)
        assert (9, 30) <= (local.hour, local.minute) < (20, 0), "never in quiet hours"
        assert "+1555" not in json.dumps(one)
        assert one["data"]["channel"] == "sms"


@pytest.mark.parametrize("how", ["held", "ended", "away", "revoked"])
def test_no_reminder_where_there_is_nothing_to_do(care: System, how: str) -> None:
    """Held, ended, away or consent withdrawn: silence."""
    patient = care.enrol()
    start = care.now
    care.tell(event("patient.updated", patient, start, {"consent": {"reminders": True}, "timezone": "UTC"}))
    then = start + HOUR
    told: Json = {
        "held": decision(patient, then, "hold", program_id=f"prg-in-{patient}"),
        "ended": decision(patient, then, "discharge", program_id=f"prg-in-{patient}"),
        "away": event(
            "patient.updated",
            patient,
            then,
            {"away": {"from": f"{then:%Y-%m-%d}", "to": f"{then + 20 * DAY:%Y-%m-%d}"}},
        ),
        "revoked": event("patient.updated", patient, then, {"consent": {"reminders": False}}),
    }[how]
    care.tell(told)
    before = len(care.read("reminders", patient))
    care.until(start + 12 * DAY, step=DAY)
    assert len(care.read("reminders", patient)) == before


def test_without_mail_an_alert_goes_to_the_log(care: System) -> None:
    """No mail server is set: the alert is delivered to the log channel, and the event says so, without an address."""
    patient = care.enrol()
    care.tell(session(patient, care.now + HOUR, care.in_force(patient), symptoms=["saddle_anaesthesia"]))
    care.until(care.now + HOUR)
    (raised,) = care.read("escalations", patient, "escalation.raised")
    told = [one for one in care.read("notifications", patient) if one["data"]["about"] == raised["id"]]
    assert told
    for one in told:
        assert one["type"] == "care.notification.delivered.v1"
        assert one["data"]["channel"] == "log"
        assert one["data"]["recipient_role"] == "clinician"
        assert one["data"]["attempts"] == 1
        assert "@" not in json.dumps(one)
        assert one["correlationid"] == raised["correlationid"]
