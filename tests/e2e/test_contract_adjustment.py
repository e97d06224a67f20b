"""Contract §6: how the load follows the patient, and what the answer says of the response."""

from datetime import timedelta

import pytest

from tests.support.black_box import (
    DAY,
    HOUR,
    Json,
    System,
    checkin,
    decision,
    event,
    performed,
    session,
    when,
)

STATUSES = {
    "on_track",
    "slow",
    "plateau",
    "flare",
    "worsening",
    "under_dosed",
    "insufficient_data",
    "failed_conservative_care",
    "resolved",
}
KINDS = {"progress", "hold", "regress", "stop", "substitute", "introduce"}


def check(data: Json) -> None:
    assert set(data) >= {
        "program_id",
        "session_id",
        "checkin_id",
        "phase_id",
        "prescription_seq",
        "changes",
        "prescription",
        "response",
        "late",
        "protocol",
        "rationale",
        "references",
    }
    assert data["rationale"]
    assert data["references"]
    for change in data["changes"]:
        assert set(change) >= {"exercise_id", "decision", "from", "to", "rule", "because"}
        assert change["decision"] in KINDS
        assert change["rule"]
        assert change["because"]
        if change["decision"] == "introduce":
            assert change["from"] is None
            assert isinstance(change["to"], dict)
        elif change["decision"] == "stop":
            assert change["to"] is None
            assert isinstance(change["from"], dict)
        else:
            assert isinstance(change["from"], dict)
            assert isinstance(change["to"], dict)
            for name in set(change["from"]) & set(change["to"]):
                assert change["from"][name] != change["to"][name], "only what differs"
    response = data["response"]
    assert response["status"] in STATUSES
    assert response["week"] >= 0
    assert response["sessions_done"] >= 0
    for name in ("adherence", "adherence_4w", "probability_of_meaningful_change"):
        assert response[name] is None or 0 <= response[name] <= 1
    assert "pain_trend_per_week" in response
    assert set(response["minimal_important_change"]) >= {"instrument", "points"}
    if data["late"]:
        assert data["changes"] == []


def adjusted(care: System, patient: str) -> list[Json]:
    found = [one["data"] for one in care.read("adjustments", patient, "load.adjusted")]
    for one in found:
        check(one)
    return found


def test_each_session_is_answered_once(care: System) -> None:
    """Every session gets one answer with the next session, whole, and a reason for every exercise."""
    patient = care.enrol()
    care.tell(session(patient, care.now + HOUR, care.in_force(patient)))
    (one,) = adjusted(care, patient)
    assert one["session_id"]
    assert one["checkin_id"] is None
    assert one["late"] is False
    assert one["prescription_seq"] == 2
    assert one["prescription"]
    assert one["response"]["week"] == 0
    assert one["response"]["sessions_done"] == 1
    assert one["phase_id"] in [phase["phase_id"] for phase in care.program(patient)["phases"]]


def test_what_a_session_earns_is_given_the_next_morning(care: System) -> None:
    """Load rises only once the next morning is known to be as it was before."""
    patient = care.enrol()
    care.tell(session(patient, care.now + HOUR, care.in_force(patient)))
    assert "progress" not in {c["decision"] for c in adjusted(care, patient)[-1]["changes"]}
    care.tell(checkin(patient, care.now + 22 * HOUR, next_morning_pain=2))
    one = adjusted(care, patient)[-1]
    assert one["checkin_id"]
    assert one["session_id"] is None
    assert "progress" in {c["decision"] for c in one["changes"]}


def test_a_morning_that_nobody_reports_raises_nothing(care: System) -> None:
    """Silence is no good news: the timer holds the load, and its answer names neither session nor check-in."""
    patient = care.enrol()
    start = care.now + HOUR
    care.tell(session(patient, start, care.in_force(patient)))
    before = care.in_force(patient)
    care.until(start + 3 * DAY, step=6 * HOUR)
    one = adjusted(care, patient)[-1]
    assert one["session_id"] is None
    assert one["checkin_id"] is None
    assert "progress" not in {c["decision"] for c in one["changes"]}
    assert care.in_force(patient) == before
    told = care.read("adjustments", patient)[-1]
    assert start < when(told) <= start + 2 * DAY


def test_a_bad_morning_takes_away_what_was_earned(care: System) -> None:
    """Pain that stays over night holds or lowers the load."""
    patient = care.enrol()
    care.train(patient, care.now + HOUR, morning=6)
    assert {c["decision"] for c in adjusted(care, patient)[-1]["changes"]} <= {"hold", "regress", "stop"}


@pytest.mark.parametrize(("pain", "allowed"), [(2, {"hold"}), (9, {"regress", "stop", "substitute", "hold"})])
def test_pain_in_the_session_decides(care: System, pain: int, allowed: set[str]) -> None:
    """A painful session lowers the load."""
    patient = care.enrol()
    care.train(patient, care.now + HOUR)
    before = care.in_force(patient)
    care.tell(session(patient, care.now + DAY, before, pain_during=pain))
    kinds = {c["decision"] for c in adjusted(care, patient)[-1]["changes"]}
    assert kinds <= allowed
    assert (pain < 5) == (care.in_force(patient) == before)


def test_the_prescription_says_what_the_changes_say(care: System) -> None:
    """`to` of each change is what the next session holds."""
    patient = care.enrol()
    for _ in range(6):
        care.train(patient, care.now + 2 * DAY)
    for one in adjusted(care, patient):
        held = {e["exercise_id"]: e for e in one["prescription"]}
        for change in one["changes"]:
            if change["decision"] in ("progress", "regress", "introduce") and change["to"]:
                for name, value in change["to"].items():
                    assert held[change["exercise_id"]].get(name) == value, (change, held[change["exercise_id"]])
            if change["decision"] == "stop":
                assert change["exercise_id"] not in held


def test_one_day_counts_once_toward_adherence(care: System) -> None:
    """Two reports of one day are one session day; three due days done are an adherence of one."""
    patient = care.enrol()
    start = care.monday() if care.now > care.monday() else care.now
    for day in (0, 2, 4):
        at = start + day * DAY + HOUR
        care.tell(session(patient, at, care.in_force(patient), session_id=f"a-{patient}-{day}"))
        care.tell(session(patient, at + 2 * HOUR, care.in_force(patient), session_id=f"b-{patient}-{day}"))
    care.tell(session(patient, start + 7 * DAY + HOUR, care.in_force(patient)))
    response = care.adjustment(patient)["response"]
    assert response["adherence"] == 1
    assert response["adherence_4w"] == 1
    assert response["week"] == 1


def test_adherence_is_what_was_done_of_what_was_due(care: System) -> None:
    """One of three sessions a week is a third."""
    patient = care.enrol()
    start = care.now
    for week in range(3):
        care.train(patient, start + week * 7 * DAY + HOUR)
    care.tell(session(patient, start + 21 * DAY + HOUR, care.in_force(patient)))
    response = care.adjustment(patient)["response"]
    assert 0.3 <= response["adherence"] <= 0.45
    assert response["week"] == 3


def test_an_absence_that_was_told_is_not_missed(care: System) -> None:
    """Who is away owes no session and is not unreachable."""
    patient = care.enrol()
    start = care.now
    for day in (0, 2, 4):
        care.train(patient, start + day * DAY + HOUR)
    away = {"from": f"{start + 7 * DAY:%Y-%m-%d}", "to": f"{start + 34 * DAY:%Y-%m-%d}"}
    care.tell(event("patient.updated", patient, start + 6 * DAY, {"away": away}))
    care.until(start + 35 * DAY, step=DAY)
    assert care.open(patient) == {}
    care.tell(session(patient, start + 35 * DAY + HOUR, care.in_force(patient)))
    assert care.adjustment(patient)["response"]["adherence"] == 1


def improve(care: System, patient: str, start_pain: float, per_week: float, weeks: int) -> None:
    """Three sessions a week and a weekly report of pain that changes steadily."""
    start = care.now
    for week in range(weeks):
        pain = min(10.0, max(0.0, start_pain + per_week * week))
        for day in (0, 2, 4):
            care.train(
                patient,
                start + week * 7 * DAY + day * DAY + HOUR,
                morning=min(pain, 3),
                pain_before=min(pain, 3),
                pain_during=min(pain, 3),
            )
        care.tell(
            checkin(
                patient,
                start + week * 7 * DAY + 6 * DAY,
                checkin_id=f"weekly-{patient}-{week}",
                measures=[{"instrument": "NPRS", "value": round(pain, 1)}],
            )
        )


def test_steady_improvement_is_on_track_and_then_resolved(care: System) -> None:
    """Pain that falls week by week has a falling trend and a rising probability of a meaningful change."""
    patient = care.enrol()
    improve(care, patient, 5, -0.6, 9)
    responses = [one["response"] for one in adjusted(care, patient)]
    late = [r for r in responses if r["week"] >= 4]
    assert late[-1]["pain_trend_per_week"] < 0
    assert late[-1]["probability_of_meaningful_change"] > 0.8
    assert {r["status"] for r in late} <= {"on_track", "resolved", "slow"}
    assert care.open(patient) == {}


def test_no_change_before_the_review_is_a_plateau(care: System) -> None:
    """Weeks of good work without any change are a plateau, not yet a failure."""
    patient = care.enrol()
    review_week = care.program(patient)["adequate_course"]["review_week"]
    improve(care, patient, 5, 0, min(8, review_week - 1))
    response = care.adjustment(patient)["response"]
    assert response["status"] in ("plateau", "slow")
    assert "failed_conservative_care" not in care.open(patient)


def test_failed_care_is_a_status_if_and_only_if_its_escalation_is_open(care: System) -> None:
    """After the adequate course without any change the verdict is proposed to a clinician, both in one transaction."""
    patient = care.enrol()
    program = care.program(patient)
    weeks = program["adequate_course"]["review_week"] + 5
    start = care.now
    owed = [one["instrument"] for one in program["schedule"]["checkin"]["measures"]]
    neutral = {"NPRS": 5, "GROC": 0, "SATISFACTION": 4, "VISA-G": 60, "PSFS": 4, "NPRS_NIGHT": 5, "LEFS": 40}
    for week in range(weeks):
        for day in (0, 2, 4):
            at = start + week * 7 * DAY + day * DAY + HOUR
            hard = performed(care.in_force(patient), effort=6 if week > 7 else None)
            care.train(patient, at, pain_during=2, morning=2, exercises=hard)
        measures = [{"instrument": one, "value": neutral[one]} for one in owed if one in neutral]
        care.tell(
            checkin(patient, start + week * 7 * DAY + 6 * DAY, checkin_id=f"wk-{patient}-{week}", measures=measures)
        )
        if "failed_conservative_care" in care.open(patient):
            break
    raised = care.raised(patient, "failed_conservative_care")
    assert raised, (care.adjustment(patient)["response"], care.open(patient))
    assert raised[0]["options"]
    for option in raised[0]["options"]:
        assert set(option) >= {"option_id", "label", "evidence_grade", "references"}
    week = (care.now - start) // timedelta(weeks=1)
    assert week >= program["adequate_course"]["review_week"] - 1
    cause = [
        one for one in care.read("escalations", patient) if one["data"].get("reason") == "failed_conservative_care"
    ]
    same = [one for one in care.read("adjustments", patient) if one["causationid"] == cause[0]["causationid"]]
    assert same[-1]["data"]["response"]["status"] == "failed_conservative_care"
    assert all(
        one["response"]["status"] != "failed_conservative_care"
        for one in adjusted(care, patient)
        if one["prescription_seq"] < same[-1]["data"]["prescription_seq"]
    )
    care.train(patient, care.now + DAY)
    assert care.adjustment(patient)["response"]["status"] == "failed_conservative_care"
    care.tell(decision(patient, care.now + HOUR, "continue", escalation_id=raised[0]["escalation_id"]))
    care.train(patient, care.now + DAY)
    assert care.adjustment(patient)["response"]["status"] != "failed_conservative_care"
    assert "failed_conservative_care" not in care.open(patient)


def test_an_illness_pauses(care: System) -> None:
    """Who is ill rests; the program goes on afterwards."""
    patient = care.enrol()
    care.tell(session(patient, care.now + HOUR, care.in_force(patient), symptoms=["illness_or_fever"]))
    assert "progress" not in {c["decision"] for c in care.adjustment(patient)["changes"]}
    assert "red_flag" not in care.open(patient)


def test_a_prescription_that_was_followed_may_be_named(care: System) -> None:
    """`prescription_seq` in a report is accepted, also one that never existed."""
    patient = care.enrol()
    care.tell(session(patient, care.now + HOUR, care.in_force(patient), prescription_seq=1))
    care.tell(session(patient, care.now + DAY, care.in_force(patient), prescription_seq=77))
    assert care.letters(patient) == []
    assert care.adjustment(patient)["response"]["sessions_done"] == 2
