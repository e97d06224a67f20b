"""What is kept of measures and sessions."""

from datetime import timedelta

import msgspec

from services.progression.domain.pain_trend import meaningful_points, pain_trend
from services.progression.domain.statistic import (
    Reading,
    Statistic,
    baseline_of,
    begin,
    week_of,
    with_measure,
    with_session,
)
from shared.event.measure import Measure
from tests.support.care_course import course_of
from tests.support.example import EPOCH

COURSE = course_of("gluteal_tendinopathy")


def pain(statistic: Statistic, day: float, value: float) -> Statistic:
    """One report of the average pain."""
    return with_measure(statistic, "NPRS", value, EPOCH + timedelta(days=day))


START = begin([Measure(instrument="NPRS", value=5), Measure(instrument="VISA-G", value=60)], EPOCH)


def test_the_newest_two_reports_are_known_in_any_order() -> None:
    """A report that arrives late takes its place by time."""
    series = pain(pain(pain(START, 14, 3), 21, 2), 7, 4).of("NPRS")
    assert series is not None
    assert (series.first, series.previous, series.last) == (
        Reading(EPOCH + timedelta(days=7), 4),
        Reading(EPOCH + timedelta(days=14), 3),
        Reading(EPOCH + timedelta(days=21), 2),
    )
    assert (series.baseline, series.best) == (5, 2)


def test_best_is_the_instruments_own() -> None:
    """Less pain is better, more function is better."""
    statistic = with_measure(with_measure(START, "VISA-G", 70, EPOCH), "VISA-G", 65, EPOCH)
    series = statistic.of("VISA-G")
    assert series is not None
    assert series.best == 70


def test_weeks_without_reports_have_no_entry() -> None:
    """Missing is not zero."""
    series = pain(pain(START, 1, 4), 22, 2).of("NPRS")
    assert series is not None
    assert [(w.week, w.mean) for w in series.weeks] == [(0, 4), (3, 2)]


def test_a_measure_that_the_intake_left_out_begins_with_an_early_report() -> None:
    """PSFS first reported in week 4 is a baseline, in week 6 it is not."""
    early = with_measure(START, "PSFS", 4, EPOCH + timedelta(weeks=4, days=3))
    late = with_measure(START, "PSFS", 4, EPOCH + timedelta(weeks=6))
    assert baseline_of(early, "PSFS", 4) == 4
    assert baseline_of(late, "PSFS", 4) is None
    assert baseline_of(START, "GROC", 4) is None


def test_the_newest_intake_value_is_the_baseline() -> None:
    """An intake that holds two values of one instrument gives the newer one."""
    statistic = begin(
        [
            Measure(instrument="NPRS", value=4, taken_at=EPOCH - timedelta(days=1)),
            Measure(instrument="NPRS", value=7, taken_at=EPOCH - timedelta(days=9)),
        ],
        EPOCH,
    )
    assert baseline_of(statistic, "NPRS", 4) == 4


def test_sessions_are_kept_by_week() -> None:
    """Mean of the worst pain and the hardest effort; unreported effort stays unknown."""
    statistic = with_session(START, 2, None, EPOCH)
    assert statistic.sessions[0].hardest_rpe is None
    statistic = with_session(with_session(statistic, 4, 6, EPOCH), 3, 5, EPOCH)
    assert (statistic.sessions[0].pain_mean, statistic.sessions[0].hardest_rpe) == (3, 6)


def test_what_was_before_the_start_counts_in_week_0() -> None:
    """A clock that is a day behind makes no week -1."""
    assert week_of(START, EPOCH - timedelta(days=1)) == 0


def test_the_statistic_does_not_grow_with_care() -> None:
    """After two years it is hardly larger than after three months."""
    sizes = []
    statistic = START
    for week in range(104):
        statistic = with_session(pain(statistic, 7 * week, 3), 3, 5, EPOCH + timedelta(weeks=week))
        if week in (12, 103):
            sizes.append(len(msgspec.msgpack.encode(statistic)))
    assert sizes[1] < sizes[0] * 1.2


def test_the_state_survives_its_encoding() -> None:
    """What is stored is what was known."""
    statistic = with_session(pain(START, 7, 4), 3, 5, EPOCH)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(statistic), type=Statistic) == statistic


def test_a_trend_needs_a_report() -> None:
    """The intake alone has no trend."""
    assert pain_trend(START, COURSE).slope_per_week is None


def test_few_reports_move_the_trend_less_than_many() -> None:
    """One better week is weak evidence of a trend, eight are strong."""
    one = pain_trend(pain(START, 7, 4), COURSE).slope_per_week
    many = START
    for week in range(1, 9):
        many = pain(many, 7 * week, 5 - week / 2)
    eight = pain_trend(many, COURSE).slope_per_week
    assert one is not None
    assert eight is not None
    assert -0.5 < eight < one < 0


def test_what_matters_is_the_smaller_of_two_points_and_a_third() -> None:
    """2 points at a baseline of 8, 1.5 at 5, and never less than a report's own error."""
    assert [meaningful_points(b, COURSE.trend) for b in (8.0, 5.0, 2.0)] == [2, 1.5, 1]
