"""Flares: what one is, how it is graded, and what each grade does."""

from datetime import timedelta
from typing import Any

from tests.support.progression import Care, at, checkin, performed, planned, session


def calm(days: int = 6) -> Care:
    """Some days of care at a pain of 2, so that there is a usual pain."""
    care = Care()
    care.feed(planned())
    for day in range(0, days, 2):
        day_of(care, day, 2.0)
    return care


def day_of(care: Care, day: float, pain: float, morning: float | None = None, **report: Any) -> None:
    care.pass_time(at(day + 0.1))
    care.feed(session(at(day + 0.1), performed(care.prescription), pain=pain))
    care.feed(checkin(at(day + 0.9), morning=pain if morning is None else morning, **report))


def grade(care: Care) -> str | None:
    assert care.state is not None
    return care.state.head.flare.grade if care.state.head.flare else None


def reps(care: Care) -> list[tuple[str, int, float | None]]:
    return [(one["exercise_id"], one["sets"] * one["reps"], one.get("hold_s")) for one in care.prescription]


def test_pain_that_stays_in_its_usual_range_is_no_flare() -> None:
    """A morning one point above the median of the week is none."""
    care = calm()
    day_of(care, 6, 3.0)
    assert grade(care) is None


def test_a_mild_flare_repeats_the_load_and_raises_nothing() -> None:
    """A morning two points above the median holds what was tolerated: nothing falls, nothing rises."""
    care = calm()
    before = reps(care)
    day_of(care, 6, 2.0, morning=4.0)
    assert grade(care) == "mild"
    assert reps(care) == before
    assert "P15" in care.adjustments[-1].references
    assert care.raised == []
    assert care.adjustments[-1].response.status == "flare"


def test_a_mild_flare_ends_with_the_next_calm_report() -> None:
    """A report back at the usual pain ends it, and load may rise again."""
    care = calm()
    day_of(care, 6, 2.0, morning=4.0)
    day_of(care, 7, 2.0)
    assert grade(care) is None
    assert "progress" in {c.decision for c in care.adjustments[-1].changes}


def test_a_flare_of_over_two_days_takes_one_step_back_for_some_days() -> None:
    """After 48 hours the load falls and there are fewer sets for five days; a clinician need not look yet."""
    care = calm()
    before = {name: volume * (hold_s or 1) for name, volume, hold_s in reps(care)}
    day_of(care, 6, 2.0, morning=4.0)
    day_of(care, 8, 4.0)
    day_of(care, 9, 4.0)
    assert grade(care) == "moderate"
    assert care.state is not None
    relief = care.state.head.relief
    assert relief is not None
    assert relief.rule == "P15"
    after = {name: volume * (hold_s or 1) for name, volume, hold_s in reps(care)}
    assert all(after[name] <= 0.7 * before[name] for name in before)
    assert [one for one in care.raised if one.reason == "flare"] == []


def test_the_days_after_a_moderate_flare_raise_nothing() -> None:
    """Good sessions within the lighter days earn no step."""
    care = calm()
    for day, pain in ((6, 2.0), (8, 4.0), (9, 4.0)):
        day_of(care, day, pain, morning=4.0)
    told = len(care.adjustments)
    day_of(care, 10, 1.0)
    day_of(care, 11, 1.0)
    assert grade(care) is None
    assert "progress" not in {c.decision for a in care.adjustments[told:] for c in a.changes}


def test_very_high_pain_is_a_severe_flare_and_needs_a_clinician() -> None:
    """Pain of 8 steps back at once, stops progression, and asks a clinician within 48 hours."""
    care = calm()
    before = reps(care)
    day_of(care, 6, 8.0)
    assert grade(care) == "severe"
    assert reps(care) != before
    raised = next(one for one in care.raised if one.reason == "flare")
    assert raised.severity == "urgent"
    assert raised.respond_by <= at(6.1) + timedelta(hours=48)
    assert not raised.holds_program
    told = len(care.adjustments)
    for day in range(12, 18, 2):
        day_of(care, day, 1.0)
    assert "progress" not in {c.decision for a in care.adjustments[told:] for c in a.changes}


def test_a_flare_with_signs_of_the_nerve_is_severe() -> None:
    """Symptoms that spread down the leg with the pain make it severe whatever the number."""
    care = calm()
    day_of(care, 6, 2.0, morning=4.5, symptoms=["distal_spread"])
    assert grade(care) == "severe"
    assert "flare" in {one.reason for one in care.raised}


def test_a_flare_of_over_a_week_is_severe() -> None:
    """Seven days without calm turn a moderate flare into one that a clinician must see."""
    care = calm()
    for day in (6, 8, 9, 11, 13, 14):
        day_of(care, day, 4.0, morning=4.5)
    assert grade(care) == "severe"
    assert "flare" in {one.reason for one in care.raised}


def test_high_pain_that_the_morning_has_not_settled_is_a_flare() -> None:
    """Pain of 6 that is still there the next morning begins one; settled by the morning it does not."""
    settled, unsettled = calm(), calm()
    day_of(settled, 6, 6.0, morning=2.0)
    day_of(unsettled, 6, 6.0, morning=3.0)
    assert grade(settled) is None
    assert grade(unsettled) == "mild"


def test_more_pain_in_two_nights_is_a_flare() -> None:
    """Two reports of a worse night within a week begin one, also where the numbers stay."""
    care = calm()
    care.feed(checkin(at(6.1), symptoms=["night_pain_increased"]))
    assert grade(care) is None
    care.feed(checkin(at(7.1), symptoms=["night_pain_increased"]))
    assert grade(care) == "mild"
