"""The chart draws what was reported, breaks where nothing was, and says the same in a table and in words."""

import re
from datetime import date, timedelta
from typing import Any

from services.notifier.domain.chart import Chart, note
from services.notifier.domain.week import MAX_WEEKS
from services.notifier.page.figure import TOP, draw
from tests.support.example import EPOCH, arrival
from tests.support.notifier_case import escalation, program, session
from tests.support.page_case import PageCase

WEEK = timedelta(weeks=1)


def trained(chart: Chart, week: int, pain: float, load_kg: float | None = None) -> Chart:
    one: dict[str, Any] = {"reps": 10, "rpe": 6} | ({} if load_kg is None else {"load_kg": load_kg})
    at = EPOCH + week * WEEK
    told = session(f"s-{week}", at, pain_during=pain, exercises=[{"exercise_id": "arabesque", "sets": [one]}])
    return note(chart, arrival("care.session.reported.v1", told, event_id=f"s-{week}", time=at))


def measured(chart: Chart, week: int, **values: float) -> Chart:
    at = EPOCH + week * WEEK
    measures = [{"instrument": name.replace("_", "-"), "value": value} for name, value in values.items()]
    told = {"checkin_id": f"c-{week}", "reported_at": at.isoformat(), "measures": measures}
    return note(chart, arrival("care.checkin.reported.v1", told, event_id=f"c-{week}", time=at))


def test_nothing_reported_is_no_chart() -> None:
    """An empty frame would look like no pain."""
    assert draw(Chart()) is None


def test_a_week_without_a_report_breaks_the_line() -> None:
    """Absence is not zero, and not the line between its neighbours."""
    chart = Chart()
    for week in (0, 1, 4, 5, 6):
        chart = trained(chart, week, 3)
    figure = draw(chart)
    assert figure is not None
    pain, load, _ = figure.panels
    assert [len(line.split()) for line in pain.lines] == [2, 3]
    assert len(load.bars) == 5
    assert len(figure.lines) == 7
    assert figure.lines[2].cells[:4] == ("0", "–", "–", "–")


def test_pain_stands_where_the_scale_says() -> None:
    """Ten at the top, zero at the bottom, whatever the values are."""
    chart = trained(trained(Chart(), 0, 10), 1, 0)
    figure = draw(chart)
    assert figure is not None
    pain = figure.panels[0]
    assert [dot.y for dot in pain.dots] == [TOP, pain.bottom]


def test_load_is_in_kilograms_where_there_are_any() -> None:
    """Repetitions alone do not show that the weight went up."""
    chart = trained(trained(Chart(), 0, 2, 10), 1, 2, 20)
    figure = draw(chart)
    assert figure is not None
    first, second = figure.panels[1].bars
    assert second.height == 2 * first.height
    assert "kilograms" in figure.panels[1].heading
    without = draw(trained(Chart(), 0, 2))
    assert without is not None
    assert "repetitions and holds" in without.panels[1].heading


def test_function_follows_the_programs_own_measure() -> None:
    """The questionnaire of the condition, in its own direction."""
    chart = measured(measured(Chart(), 0, VISA_G=50, NPRS=5), 4, VISA_G=70, NPRS=3)
    figure = draw(chart)
    assert figure is not None
    function = figure.panels[2]
    assert "VISA-G" in function.heading
    assert "higher is better" in function.heading
    assert function.dots[1].y < function.dots[0].y
    assert "first 50, last 70" in figure.description


def test_years_of_care_show_their_newest_weeks() -> None:
    """A chart that can be read has an end."""
    chart = Chart()
    for week in range(100):
        chart = trained(chart, week, week % 10)
    figure = draw(chart)
    assert figure is not None
    assert len(figure.lines) == MAX_WEEKS
    assert figure.lines[-1].monday == date(2026, 3, 2) + 99 * WEEK
    assert all(figure.left <= dot.x <= figure.right for dot in figure.panels[0].dots)


def test_a_gap_of_years_does_not_squeeze_the_chart() -> None:
    """One old report before a long silence is left out rather than drawn a hundred weeks away."""
    figure = draw(trained(trained(Chart(), 0, 3), 300, 4))
    assert figure is not None
    assert len(figure.lines) == MAX_WEEKS


def test_phases_alerts_and_decisions_are_marked() -> None:
    """What happened stands below the weeks in which it did."""
    chart = trained(trained(Chart(), 0, 3), 3, 6)
    told: list[tuple[str, dict[str, Any], int]] = [
        ("care.program.planned.v1", program(phase_id="GT1"), 0),
        ("care.program.changed.v1", program(phase_id="GT2", version=2, previous_version=1, reason="On."), 2),
        ("care.escalation.raised.v1", escalation(), 3),
        ("care.clinician.decided.v1", {"decision_id": "d", "clinician_id": "c", "decision": "approve"}, 3),
    ]
    for kind, data, week in told:
        chart = note(chart, arrival(kind, data, event_id=f"{kind}-{week}", time=EPOCH + week * WEEK))
    figure = draw(chart)
    assert figure is not None
    strips = {strip.kind: strip.signs for strip in figure.strips}
    assert [sign.label for sign in strips["phase"]] == ["GT1", "GT2"]
    assert [sign.x for sign in strips["raised"]] == [sign.x for sign in strips["decision"]]
    assert figure.lines[3].cells[-1] == "alert: flare; decision: approve"


async def test_the_chart_is_drawn_with_a_name_a_description_and_the_same_numbers() -> None:
    """Who cannot see it hears it, and reads every number in the table."""
    case = PageCase()
    told = session("s-1", case.now, pain_during=3.5)
    case.tell("care.session.reported.v1", told, event_id="s-1")
    async with case.browser() as browser:
        page = (await browser.get(case.link())).text
    assert 'role="img" aria-labelledby="trend-title trend-desc"' in page
    assert re.search(r'<desc id="trend-desc">Weeks from 2 March 2026', page)
    assert "<td>3.5 (3.5)</td>" in page
    assert '<th scope="row">02 Mar 2026</th>' in page
