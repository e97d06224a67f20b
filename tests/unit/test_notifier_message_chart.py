"""The chart in a mail: the same every time, in words too, honest about gaps, and readable on a phone."""

import struct
import sys

import pytest

from services.notifier.message.chart import DPI, MAX_WEEKS, SIZE_IN, Mark, Point, describe, draw_chart

POINTS = (Point(0, 6.0), Point(1, 6.25), Point(3, 4.4), Point(4, 3.0))
MARKS = (Mark(1, "flare"), Mark(3, "phase"), Mark(4, "decision"))


def test_a_chart_is_told_in_words_with_its_gaps() -> None:
    """Who does not see it hears the same; a week without a report is said."""
    assert describe(POINTS, MARKS) == (
        "Pain by week, 0 none to 10 worst: week 0: 6; week 1: 6.25; week 2: not reported; week 3: 4.4; week 4: 3. "
        "Marked: flare in week 1; new phase in week 3; decision in week 4."
    )


def test_a_chart_is_a_picture_of_a_phone_s_width_and_always_the_same() -> None:
    """Equal input gives equal bytes: a repeated mail is the same mail."""
    pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")
    chart, again = draw_chart(POINTS, MARKS), draw_chart(tuple(reversed(POINTS)), tuple(reversed(MARKS)))
    assert chart is not None
    assert chart == again
    assert chart.png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", chart.png[16:24]) == (int(SIZE_IN[0] * DPI), int(SIZE_IN[1] * DPI))
    assert b"Matplotlib" not in chart.png
    other = draw_chart((*POINTS, Point(5, 3.0)), MARKS)
    assert other is not None
    assert other.png != chart.png


def test_a_machine_s_own_style_changes_nothing() -> None:
    """What a clinician sees does not depend on who installed the server."""
    matplotlib = pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")
    chart = draw_chart(POINTS, MARKS)
    with matplotlib.rc_context({"font.size": 30, "font.family": "serif", "lines.linewidth": 9, "axes.grid": True}):
        assert draw_chart(POINTS, MARKS) == chart


def test_less_than_two_weeks_are_no_trend() -> None:
    """A dot says nothing that the page does not say better."""
    assert draw_chart(()) is None
    assert draw_chart((Point(3, 5.0),)) is None
    assert draw_chart((Point(0, 5.0), Point(MAX_WEEKS, 5.0))) is None


def test_a_long_course_shows_its_newest_weeks() -> None:
    """What is too old to be seen on a phone is left to the page."""
    pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")
    chart = draw_chart([Point(week, 5.0) for week in range(60)], [Mark(2, "flare"), Mark(50, "flare")])
    assert chart is not None
    assert f"week {60 - MAX_WEEKS}:" in chart.alt
    assert f"week {59 - MAX_WEEKS}:" not in chart.alt
    assert chart.alt.endswith("Marked: flare in week 50.")


def test_without_matplotlib_there_is_no_chart_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alert goes out all the same."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(sys, "path", [])
    assert draw_chart(POINTS) is None
