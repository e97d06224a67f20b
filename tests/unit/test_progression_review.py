"""What months of reports lead to: the status that is told, and when a person is asked."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from services.progression.domain.state import Snapshot
from services.progression.domain.tolerance import stalled_weeks
from shared.decision import Numbering
from shared.event.adjustment import GoalReached
from tests.support.progression import Care, at, changed, checkin, decided, performed, planned, program, session

Course = Callable[[int], float]
OWED = [{"instrument": "NPRS", "every_weeks": 1}, {"instrument": "GROC", "every_weeks": 1}]


def start(**changes: Any) -> Care:
    care = Care()
    schedule = program()["schedule"] | {"checkin": {"next_morning": True, "measures": OWED}}
    care.feed(planned(schedule=schedule, **changes))
    return care


def live(
    care: Care,
    weeks: range,
    pain: Course,
    *,
    groc: Course = lambda week: 0,
    days: tuple[int, ...] = (0, 2, 4),
    rpe: float = 6.5,
    worst: float = 2.0,
    program_id: str = "program-1",
) -> None:
    """Trains on some days of each week with settled mornings, and tells pain and change at its end."""
    for week in weeks:
        for day in days:
            time = at(7 * week + day + 0.1)
            care.pass_time(time)
            done = performed(care.prescription, rpe=rpe)
            care.feed(session(time, done, pain=worst, program_id=program_id))
            care.pass_time(at(7 * week + day + 0.9))
            care.feed(checkin(at(7 * week + day + 0.9), morning=2.0))
        report = at(7 * week + 6.5)
        care.pass_time(report)
        measures = [{"instrument": "NPRS", "value": pain(week)}, {"instrument": "GROC", "value": groc(week)}]
        care.feed(checkin(report, measures=measures))
    care.pass_time(at(7 * weeks.stop + 0.05))


def statuses(care: Care) -> list[str]:
    return [one.response.status for one in care.adjustments]


def reasons(care: Care) -> list[str]:
    return [one.reason for one in care.raised]


def flat(value: float) -> Course:
    return lambda week: value


def falling(start_nprs: float, per_week: float) -> Course:
    return lambda week: max(0.0, start_nprs - per_week * (week + 1))


def test_the_packet_of_failed_care_tells_what_was_tried_and_what_is_open() -> None:
    """Weeks, dose, trend, adherence, exercises with the highest tolerated dose, the chain a to k and the options."""
    care = start()
    live(care, range(13), flat(5))
    failed = next(one for one in care.raised if one.reason == "failed_conservative_care")
    evidence = failed.evidence
    assert evidence["weeks"] >= 12
    assert evidence["working_diagnosis"] == ["Gluteal tendinopathy"]
    assert evidence["protocols"] == [program()["protocol"]]
    assert evidence["dose"]["sessions_done"] == 36
    assert evidence["dose"]["sessions_due"] == 36
    assert evidence["adherence"] == 1
    assert evidence["pain"]["trend_per_week"] == 0
    assert all(one["highest"] for one in evidence["tried"])
    assert any(one["highest_was_tolerated"] for one in evidence["tried"])
    assert "".join(one["item"] for one in evidence["rule_out"]) == "abcdefghijk"
    assert failed.options
    assert all(option.evidence_grade for option in failed.options)
    assert "36 sessions were done of 36" in failed.sbar.background
    assert "nothing follows by itself" in failed.sbar.recommendation


def test_what_symptoms_reduced_stands_in_the_packet() -> None:
    """An exercise that a red session took back is listed with how often it was reduced."""
    care = start()
    live(care, range(3), flat(5))
    red = at(21.1)
    care.feed(session(red, performed(care.prescription, rpe=6.5), pain=7))
    care.feed(checkin(at(21.9), morning=2.0))
    live(care, range(4, 13), flat(5))
    failed = next(one for one in care.raised if one.reason == "failed_conservative_care")
    assert any(one["times_reduced"] >= 1 for one in failed.evidence["tried"])


def test_who_stands_at_the_top_of_a_phase_that_pain_keeps_closed_is_not_under_dosed() -> None:
    """The first phase asks for effort 3; whose pain never lets her leave it has still had an adequate course."""
    care = start(condition="sacroiliac_joint_pain")
    live(care, range(13), flat(6), rpe=3, days=(0, 1, 2, 3, 4))
    assert care.adjustments[-1].phase_id == "SI1"
    assert "failed_conservative_care" in reasons(care)
    assert "under_dosed" not in statuses(care)


def test_a_longer_walk_is_no_progress_of_dose() -> None:
    """Weeks in which only the walk grew by seconds count as weeks without tolerated progress."""
    care = start(condition="sacroiliac_joint_pain")
    live(care, range(5), flat(6), rpe=3)
    assert care.state is not None
    walked = [c for a in care.adjustments for c in a.changes if c.decision == "progress"][-1]
    assert walked.exercise_id == "walk_or_cycle"
    assert care.state.head.stalled_weeks >= 3


def test_missing_effort_is_no_stall() -> None:
    """Who never reports effort holds for missing data: that is no evidence that load was not tolerated."""
    care = start()
    for week in range(8):
        for day in (0, 2, 4):
            care.pass_time(at(7 * week + day + 0.1))
            care.feed(session(at(7 * week + day + 0.1), performed(care.prescription, rpe=None)))
            care.feed(checkin(at(7 * week + day + 0.9), morning=2.0))
    assert care.state is not None
    assert care.state.head.stalled_weeks == 0


def test_weeks_of_pain_that_forbids_more_are_a_stall() -> None:
    """Amber session after amber session with full adherence: progress was tried and not tolerated."""
    care = start()
    live(care, range(5), flat(5), worst=4.5, rpe=5)
    assert care.state is not None
    assert care.state.head.stalled_weeks >= 3


def stalled(care: Care) -> int:
    assert care.state is not None
    return stalled_weeks(care.state.head)


def test_a_week_without_training_ends_the_weeks_in_which_no_more_was_tolerated() -> None:
    """Four weeks of pain, one away, one more: nothing shows what three weeks in a row would."""
    care = start()
    live(care, range(5), flat(5), worst=4.5, rpe=5)
    assert stalled(care) >= 3
    care.pass_time(at(42.05))
    assert stalled(care) <= 1
    live(care, range(6, 7), flat(5), worst=4.5, rpe=5)
    assert stalled(care) <= 2


def test_three_weeks_without_progress_are_counted_to_the_day() -> None:
    """What became harder in the middle of a week need not wait for the end of the fourth; before, it is not enough."""
    care = start()
    live(care, range(1), flat(5), rpe=5)
    assert any(change.decision == "progress" for one in care.adjustments for change in one.changes)
    live(care, range(1, 3), flat(5), worst=4.5, rpe=5)
    assert care.state is not None
    harder = care.state.head.harder_at
    assert harder is not None
    assert harder > at(0)
    assert stalled(care) < 3
    for day in (0, 2, 4):
        time = at(21 + day + 0.1)
        care.pass_time(time)
        care.feed(session(time, performed(care.prescription, rpe=5), pain=4.5))
        assert (stalled(care) >= 3) == (time - harder >= timedelta(weeks=3))
        care.feed(checkin(at(21 + day + 0.9), morning=2.0))


def test_a_lighter_week_by_plan_is_no_week_in_which_no_more_was_tolerated() -> None:
    """A deload asks for less by itself: when it is over, the time without progress is as long as when it began."""
    care = start()
    still: list[timedelta] = []
    for day in (7 * week + day for week in range(10) for day in (0, 2, 4)):
        for time, told in ((at(day + 0.1), None), (at(day + 0.9), checkin(at(day + 0.9), morning=2.0))):
            before = care.state.head if care.state else Snapshot()
            care.pass_time(time)
            care.feed(told or session(time, performed(care.prescription, rpe=5)))
            assert care.state is not None
            if before.is_lighter_by_plan != care.state.head.is_lighter_by_plan:
                assert care.state.head.harder_at is not None
                still.append(time - care.state.head.harder_at)
        if len(still) == 2:
            break
    begun, ended = still
    assert begun == ended


def test_another_diagnosis_begins_its_own_course() -> None:
    """Moved in week 8, a patient is not called failed in week 12 but after twelve weeks of the new program."""
    care = start()
    live(care, range(8), flat(5))
    asked = next(one for one in care.raised if one.reason == "clinician_review")
    care.feed(decided(at(56.1), "reclassify", escalation_id=asked.escalation_id, conditions=["sacroiliac_joint_pain"]))
    new = program("sacroiliac_joint_pain") | {"version": 2}
    new["schedule"] |= {"checkin": {"next_morning": True, "measures": OWED}}
    care.feed(
        changed(at(56.2), **{k: v for k, v in new.items() if k != "conditions"}, condition="sacroiliac_joint_pain")
    )
    live(care, range(8, 19), flat(5))
    assert "failed_conservative_care" not in reasons(care)
    assert care.adjustments[-1].response.week == 18
    assert care.adjustments[-1].response.sessions_done == 57
    live(care, range(19, 22), flat(5))
    failed = next(one for one in care.raised if one.reason == "failed_conservative_care")
    assert failed.evidence["weeks"] == 12
    assert failed.evidence["dose"]["sessions_done"] < 45


def test_the_evidence_is_that_of_the_moment() -> None:
    """What is learnt after an escalation was raised does not stand in its evidence, in whatever order it came."""
    care = start()
    early, late = at(0.2), at(3.2)
    flag = checkin(at(2.0), symptoms=["saddle_anaesthesia"])
    care.feed(session(early, performed(care.prescription)))
    care.feed(session(late, performed(care.prescription)))
    care.feed(flag)
    raised = care.raised[-1]
    assert raised.reason == "red_flag"
    assert raised.evidence["sessions_done"] == 1


def test_a_plateau_is_told_before_the_review() -> None:
    """Enough sessions and nothing gained in four weeks."""
    care = start()
    live(care, range(6), flat(5))
    assert statuses(care)[-1] == "plateau"
    assert "clinician_review" in reasons(care)
    assert "failed_conservative_care" not in reasons(care)


def test_slow_improvement_is_told_as_slow() -> None:
    """Less than half of the expected improvement, but some."""
    care = start()
    live(care, range(8), falling(5, 0.15))
    assert statuses(care)[-1] == "slow"


def test_few_sessions_ask_a_person_after_two_weeks() -> None:
    """Heard of, but with less than half of the sessions due for two weeks."""
    care = start()
    live(care, range(2), flat(5), days=(0,))
    assert reasons(care) == ["non_adherence"]
    assert "no_contact" not in reasons(care)


def test_pain_rising_three_weeks_in_a_row_is_urgent() -> None:
    """Worse every week in spite of care: examine again."""
    care = start()
    live(care, range(4), lambda week: 3.0 + week)
    found = [one for one in care.raised if one.reason == "adverse_response"]
    assert found[-1].severity == "urgent"
    assert statuses(care)[-1] in ("worsening", "flare")


def test_pain_above_the_baseline_for_two_weeks_asks_a_person() -> None:
    """Two points above the start in two weeks running are worsening, and not failed care."""
    care = start()
    live(care, range(4), lambda week: 5.0 if week == 0 else 7.0)
    assert "adverse_response" in reasons(care)
    assert statuses(care)[-1] == "worsening"


def test_symptoms_that_the_condition_does_not_explain_ask_for_another_look() -> None:
    """Pain that spreads down the leg report after report does not fit gluteal tendinopathy."""
    care = start()
    for day in (0, 2, 4):
        care.feed(session(at(day + 0.1), performed(care.prescription), symptoms=["paraesthesia"]))
    assert "unclear_diagnosis" in reasons(care)


def test_a_goal_is_reached_by_two_reports_five_days_apart() -> None:
    """One low report reaches nothing, nor do two within four days; value and week are those of the second."""
    care = start()

    def report(day: float, value: float) -> list[GoalReached]:
        care.feed(checkin(at(day), measures=[{"instrument": "NPRS", "value": value}]))
        return care.told(GoalReached)

    assert report(1, 2) == []
    assert report(4, 1) == []
    assert report(5, 4) == []
    assert report(8, 2) == []
    reached = report(15, 1)
    assert [(one.goal_id, one.value, one.target, one.week) for one in reached] == [("less-pain", 1, 2, 2)]
    assert len(report(22, 1)) == 1


def test_resolved_is_every_long_term_goal_and_two_low_reports() -> None:
    """Care that reached its goals with pain of at most 2 twice is resolved."""
    care = start()
    live(care, range(6), falling(5, 0.8), groc=flat(3))
    assert statuses(care)[-1] == "resolved"
    assert reasons(care) == []


@pytest.mark.parametrize("modifier", [(), ("widespread_pain",)])
def test_the_primary_criterion_is_told(modifier: tuple[str, ...]) -> None:
    """Pain for most, the rating of change where pain is widespread."""
    care = start(intake=program()["intake"] | {"modifiers": list(modifier)})
    live(care, range(7), flat(5), groc=flat(3))
    response = care.adjustments[-1].response
    assert response.minimal_important_change.instrument == ("GROC" if modifier else "NPRS")
    assert (response.status == "plateau") == (not modifier)


def test_a_mix_is_judged_by_the_course_that_the_planner_merged() -> None:
    """The stricter course of two conditions stands in the program, and the leading condition's measures are read."""
    first = program("sacroiliac_joint_pain")
    other = program()["protocol"]
    both = {
        "conditions": ["sacroiliac_joint_pain", "gluteal_tendinopathy"],
        "protocols": [first["protocol"], other],
        "phase_by_condition": {"sacroiliac_joint_pain": "SI1", "gluteal_tendinopathy": "GT1"},
        "adequate_course": {"min_weeks": 16, "min_sessions": 30, "min_adherence": 0.7, "review_week": 16},
    }
    care = start(condition="sacroiliac_joint_pain", **both)
    live(care, range(15), flat(6), rpe=6.5)
    assert "failed_conservative_care" not in reasons(care)
    live(care, range(15, 18), flat(6), rpe=6.5)
    failed = next(one for one in care.raised if one.reason == "failed_conservative_care")
    assert failed.evidence["weeks"] == 16
    assert [one["measure"][:8] for one in failed.evidence["criteria"]].count("Oswestry") == 1
    assert failed.evidence["working_diagnosis"] == ["Sacroiliac joint pain", "Gluteal tendinopathy"]


def test_a_report_that_changes_no_load_is_told_where_it_changes_the_response() -> None:
    """The weekly report repeats the prescription in force under its number; the same report again tells nothing."""
    care = start()
    done = performed(care.prescription)
    care.feed(session(at(0.1), done, pain=4))
    before = care.prescription
    care.pass_time(at(2))
    told = len(care.drafts)
    care.feed(checkin(at(2), measures=[{"instrument": "NPRS", "value": 4}]))
    draft = next(one for one in care.drafts[told:] if one.data.event_type == "care.load.adjusted.v1")
    adjustment = care.adjustments[-1]
    assert draft.numbering is Numbering.CURRENT
    assert adjustment.changes == ()
    assert [one.model_dump() for one in adjustment.prescription] == before
    assert [one.response.status for one in care.adjustments[-2:]] == ["insufficient_data", "on_track"]
    told = len(care.adjustments)
    care.feed(checkin(at(2.1), measures=[{"instrument": "PSFS", "value": 5}]))
    assert len(care.adjustments) == told


def test_the_response_carries_its_uncertainty_and_what_was_expected() -> None:
    """Trend of pain and of function with their spread, the chance by the review, and the band of this week."""
    intake = program()["intake"] | {
        "measures": [{"instrument": "NPRS", "value": 6.0}, {"instrument": "VISA-G", "value": 50.0}]
    }
    care = start(intake=intake)
    live(care, range(3), lambda week: 5.5 - week)
    care.feed(checkin(at(21.5), measures=[{"instrument": "NPRS", "value": 3}, {"instrument": "VISA-G", "value": 60}]))
    response = care.adjustments[-1].response
    assert response.pain_trend_sd_per_week is not None
    assert response.probability_by_review is not None
    assert response.probability_of_meaningful_change is not None
    assert response.probability_by_review >= response.probability_of_meaningful_change
    assert response.expected_pain is not None
    assert 0 <= response.expected_pain.lower < response.expected_pain.upper < 6
    assert response.function_trend is not None
    assert response.function_trend.instrument == "VISA-G"
    assert response.function_trend.per_week > 0
