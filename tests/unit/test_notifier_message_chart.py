"""The chart in a mail: the same every time, in words too, honest about gaps, and readable on a phone."""

import asyncio
import os
import signal
import struct
import sys
import time
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from services.notifier.message import chart as chart_module
from services.notifier.message.chart import DPI, MAX_WEEKS, SIZE_IN, Mark, Point, describe, draw, draw_chart

POINTS = (Point(0, 6.0), Point(1, 6.25), Point(3, 4.4), Point(4, 3.0))
MARKS = (Mark(1, "flare"), Mark(3, "phase"), Mark(4, "decision"))


def test_a_chart_is_told_in_words_with_its_gaps() -> None:
    """Who does not see it hears the same; a week without a report is said."""
    assert describe(POINTS, MARKS) == (
        "Pain by week, 0 none to 10 worst: week 0: 6; week 1: 6.25; week 2: not reported; week 3: 4.4; week 4: 3. "
        "Marked: flare in week 1; new phase in week 3; decision in week 4."
    )


async def test_a_chart_is_a_picture_of_a_phone_s_width_and_always_the_same() -> None:
    """Equal input gives equal bytes: a repeated mail is the same mail."""
    pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")
    chart, again = await draw_chart(POINTS, MARKS), await draw_chart(tuple(reversed(POINTS)), tuple(reversed(MARKS)))
    assert chart is not None
    assert chart == again
    assert chart.png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", chart.png[16:24]) == (int(SIZE_IN[0] * DPI), int(SIZE_IN[1] * DPI))
    assert b"Matplotlib" not in chart.png
    other = await draw_chart((*POINTS, Point(5, 3.0)), MARKS)
    assert other is not None
    assert other.png != chart.png


async def test_a_machine_s_own_style_changes_nothing() -> None:
    """What a clinician sees does not depend on who installed the server."""
    matplotlib = pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")
    picture = draw(POINTS, MARKS)
    with matplotlib.rc_context({"font.size": 30, "font.family": "serif", "lines.linewidth": 9, "axes.grid": True}):
        assert draw(POINTS, MARKS) == picture


def _die(*_: object) -> None:
    """What a machine that is short of memory does to a process."""
    os.kill(os.getpid(), signal.SIGKILL)


def _hang(*_: object) -> None:
    time.sleep(600)


@pytest.mark.parametrize("trouble", [_die, _hang])
async def test_no_alert_fails_for_its_picture_or_waits_for_it_for_long(
    monkeypatch: pytest.MonkeyPatch, trouble: Callable[..., None]
) -> None:
    """The process that draws dies or hangs: the alert goes without, and the next one has its picture again."""
    pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")
    with capture_logs() as logs, monkeypatch.context() as patch:
        patch.setattr(chart_module, "draw", trouble)
        patch.setattr(chart_module, "PATIENCE_S", 5.0)
        began = time.monotonic()
        assert await draw_chart(POINTS, MARKS) is None
        assert time.monotonic() - began < 30
    assert [line["event"] for line in logs] == ["chart_not_drawn"]
    assert await draw_chart(POINTS, MARKS) is not None


async def test_nobody_waits_while_a_chart_is_drawn() -> None:
    """Drawing takes its time from no other patient: the loop turns as it did before."""
    pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")
    await draw_chart(POINTS, MARKS)  # the process is there
    drawing = asyncio.gather(*(draw_chart(POINTS, (*MARKS, Mark(week, "flare"))) for week in range(4)))
    used = time.process_time()
    await drawing
    assert time.process_time() - used < 0.05


async def test_less_than_two_weeks_are_no_trend() -> None:
    """A dot says nothing that the page does not say better."""
    assert await draw_chart(()) is None
    assert await draw_chart((Point(3, 5.0),)) is None
    assert await draw_chart((Point(0, 5.0), Point(MAX_WEEKS, 5.0))) is None


async def test_a_long_course_shows_its_newest_weeks() -> None:
    """What is too old to be seen on a phone is left to the page."""
    pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")
    chart = await draw_chart([Point(week, 5.0) for week in range(60)], [Mark(2, "flare"), Mark(50, "flare")])
    assert chart is not None
    assert f"week {60 - MAX_WEEKS}:" in chart.alt
    assert f"week {59 - MAX_WEEKS}:" not in chart.alt
    assert chart.alt.endswith("Marked: flare in week 50.")


async def test_without_matplotlib_there_is_no_chart_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alert goes out all the same."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(sys, "path", [])
    assert await draw_chart(POINTS) is None
