"""What the clinician's page shows is folded in any order, and its size has an end."""

from datetime import date, timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notifier.domain.chart import MAX_DECIDED, MAX_MARKS, Chart, note
from services.notifier.domain.detail import LEFT_OUT, LONGEST_EVIDENCE, MAX_DETAILS, find_detail
from services.notifier.domain.sheet import MAX_CHANGES, MAX_REVISIONS, dose_words
from services.notifier.domain.week import MAX_WEEKS
from shared.decision import Arrival
from tests.support.example import EPOCH, arrival
from tests.support.notifier_case import acknowledge, escalation, program, session

DAY = timedelta(days=1)
SESSION = "care.session.reported.v1"
CHECKIN = "care.checkin.reported.v1"
ADJUSTED = "care.load.adjusted.v1"
PLANNED = "care.program.planned.v1"
CHANGED = "care.program.changed.v1"
RAISED = "care.escalation.raised.v1"
RESOLVED = "care.escalation.resolved.v1"
DECIDED = "care.clinician.decided.v1"


def adjusted(n: int, **changes: Any) -> dict[str, Any]:
    """An adjustment that takes one exercise a step further."""
    return {
        "program_id": "program-1",
        "session_id": f"s-{n}",
        "checkin_id": None,
        "phase_id": "GT1",
        "prescription_seq": n,
        "changes": [
            {
                "exercise_id": "arabesque",
                "decision": "progress",
                "from": {"reps": 8},
                "to": {"reps": 8 + n % 5},
                "rule": "P02",
                "because": f"Session {n} went well.",
            }
        ],
        "prescription": program()["prescription"],
        "response": {
            "status": "on_track",
            "week": n // 3,
            "sessions_done": n,
            "adherence": 0.9,
            "adherence_4w": 0.9,
            "pain_trend_per_week": -0.2,
            "probability_of_meaningful_change": 0.5,
            "minimal_important_change": {"instrument": "NPRS", "points": 2},
        },
        "late": False,
        "protocol": {"id": "gluteal_tendinopathy", "version": "1.0.0"},
        "rationale": "It went well.",
    } | changes


def performed(n: int, at: Any, pain: float, load_kg: float) -> dict[str, Any]:
    sets = [{"reps": 8, "load_kg": load_kg, "rpe": 6.5}, {"reps": 7, "load_kg": load_kg, "rpe": 7}]
    return session(f"s-{n}", at, pain_during=pain, exercises=[{"exercise_id": "arabesque", "sets": sets}, SKIPPED])


SKIPPED = {"exercise_id": "side_plank", "skipped": True}


def history() -> list[Arrival]:
    """Three weeks: a plan, sessions, mornings, a flare, an escalation that rises, decisions, the end of it."""
    flare = adjusted(2)["response"] | {"status": "flare"}
    told: list[tuple[int, str, dict[str, Any]]] = [
        (0, PLANNED, program(intake=program()["intake"] | {"measures": [{"instrument": "NPRS", "value": 5}]})),
        (1, SESSION, performed(1, EPOCH + DAY, 3.3, 10.5)),
        (2, CHECKIN, {"checkin_id": "c-1", "reported_at": (EPOCH + 2 * DAY).isoformat(), "next_morning_pain": 2.1}),
        (2, ADJUSTED, adjusted(1)),
        (3, SESSION, performed(2, EPOCH + 3 * DAY, 6.7, 12)),
        (4, ADJUSTED, adjusted(2, response=flare)),
        (4, RAISED, escalation(severity="routine")),
        (5, RAISED, escalation(severity="urgent", evidence={"pain": 6.7})),
        (6, DECIDED, acknowledge(useful=True)),
        (
            7,
            CHECKIN,
            {
                "checkin_id": "c-2",
                "reported_at": (EPOCH + 7 * DAY).isoformat(),
                "measures": [{"instrument": "NPRS", "value": 4}, {"instrument": "VISA-G", "value": 61}],
            },
        ),
        (8, DECIDED, acknowledge(decision_id="d-2", decision="hold", rationale="Rest first.")),
        (8, CHANGED, program(version=2, previous_version=1, reason="A clinician holds it.", status="held")),
        (9, RESOLVED, {"escalation_id": "escalation-1", "reason": "flare", "resolution": "continue"}),
        (15, "care.goal.reached.v1", GOAL),
    ]
    return [
        arrival(kind, data, event_id=f"e-{n:02}", time=EPOCH + day * DAY) for n, (day, kind, data) in enumerate(told)
    ]


GOAL = {"program_id": "program-1", "goal_id": "g-1", "horizon": "short_term", "value": 3, "target": 3, "week": 2}


def folded(arrivals: list[Arrival]) -> Chart:
    chart = Chart()
    for one in arrivals:
        chart = note(chart, one)
    return chart


@given(st.permutations(history()))
@settings(max_examples=200)
def test_any_order_of_arrival_gives_the_same_chart(shuffled: list[Arrival]) -> None:
    """A phone that reports days later changes nothing about what a clinician sees in the end."""
    assert msgspec.json.encode(folded(shuffled)) == msgspec.json.encode(folded(history()))


def test_a_week_holds_what_was_done_and_felt_in_it() -> None:
    """Pain, repetitions, kilograms and effort of the week's sessions, and the newest measures."""
    first, second = folded(history()).weeks[:2]
    assert (first.monday, first.sessions, first.repetitions) == (date(2026, 3, 2), 2, 30)
    assert (first.pain_sum, first.pain_worst, first.kg_sum, first.effort) == (1000, 670, 33750, 700)
    assert (first.mornings, first.morning_sum) == (1, 210)
    assert first.flare_at == EPOCH + 4 * DAY
    assert first.status is not None
    assert first.status.word == "flare"
    assert [(r.instrument, r.value) for r in second.readings] == [("NPRS", 4), ("VISA-G", 61)]


def test_an_escalation_keeps_every_rise_and_its_newest_text() -> None:
    """What was routine on Friday and urgent on Saturday shows both, and the values of the newest."""
    detail = find_detail(folded(history()).details, "escalation-1")
    assert detail is not None
    assert [rise.severity for rise in detail.rises] == ["routine", "urgent"]
    assert (detail.severity, detail.evidence, detail.is_resolved) == ("urgent", '{"pain":6.7}', True)


def test_the_program_shows_its_newest_version_and_why_each_came() -> None:
    """Who opens the page sees that it is held, and by whose reason."""
    chart = folded(history())
    (sheet,) = chart.sheets
    assert (sheet.version, sheet.status, sheet.prescription_seq) == (2, "held", 2)
    assert [(r.version, r.because) for r in chart.revisions] == [(1, "Planned."), (2, "A clinician holds it.")]
    assert next((s.before, s.after, s.because) for s in chart.steps) == (
        "8 repetitions",
        "9 repetitions",
        "Session 1 went well.",
    )


def test_a_number_that_is_repeated_without_a_prescription_does_not_empty_it() -> None:
    """A late session of a program that was replaced repeats the number, and prescribes nothing."""
    planned = arrival(PLANNED, program(), event_id="p-1")
    repeated = arrival(ADJUSTED, adjusted(1, prescription=[]), event_id="a-1", time=EPOCH + DAY)
    for order in ([planned, repeated], [repeated, planned]):
        (sheet,) = folded(order).sheets
        assert [dose.exercise_id for dose in sheet.doses] == ["arabesque"]


def test_years_of_care_do_not_make_the_chart_grow() -> None:
    """Whatever comes in, at most sixty weeks, forty marks and a dozen of the rest stay: the newest."""
    chart = Chart()
    sizes = []
    for n in range(1, 600):
        at = EPOCH + n * 2 * DAY
        told: list[tuple[str, dict[str, Any]]] = [
            (SESSION, performed(n, at, n % 10, 10)),
            (ADJUSTED, adjusted(n)),
            (CHANGED, program(version=n + 1, previous_version=n, reason="More.")),
            (RAISED, escalation(escalation_id=f"escalation-{n}", evidence={"long": "x" * 5000})),
            (DECIDED, acknowledge(decision_id=f"d-{n}", decision="continue", rationale="y" * 4000)),
        ]
        for kind, data in told:
            chart = note(chart, arrival(kind, data, event_id=f"{kind}-{n}", time=at))
        sizes.append(len(msgspec.json.encode(chart)))
    assert (len(chart.weeks), len(chart.marks), len(chart.steps)) == (MAX_WEEKS, MAX_MARKS, MAX_CHANGES)
    assert (len(chart.decided), len(chart.revisions), len(chart.details)) == (MAX_DECIDED, MAX_REVISIONS, MAX_DETAILS)
    assert max(sizes[300:]) <= max(sizes[:300]) + 300


def test_an_open_escalation_is_not_crowded_out_by_closed_ones() -> None:
    """The page of what still needs an answer never loses its text."""
    chart = note(Chart(), arrival(RAISED, escalation(escalation_id="open"), event_id="e-0"))
    for n in range(30):
        at = EPOCH + (n + 1) * DAY
        one = {"escalation_id": f"closed-{n}", "reason": "flare"}
        chart = note(chart, arrival(RAISED, escalation(**one), event_id=f"r-{n}", time=at))
        resolved = one | {"resolution": "continue"}
        chart = note(chart, arrival(RESOLVED, resolved, event_id=f"x-{n}", time=at + DAY / 2))
    assert find_detail(chart.details, "open") is not None


def test_evidence_that_is_too_long_gives_way_value_by_value() -> None:
    """A long list of measures is left out and said to be; the short values stay."""
    evidence = {"long": "x" * LONGEST_EVIDENCE, "short": 1}
    chart = note(Chart(), arrival(RAISED, escalation(evidence=evidence), event_id="e-0"))
    detail = find_detail(chart.details, "escalation-1")
    assert detail is not None
    assert msgspec.json.decode(detail.evidence) == {"long": LEFT_OUT, "short": 1}


def test_an_event_that_says_nothing_for_the_page_leaves_the_chart_as_it_is() -> None:
    """No write for nothing."""
    chart = Chart()
    assert note(chart, arrival("care.patient.updated.v1", {"timezone": "Europe/Lisbon"}, event_id="u-1")) is chart


def test_a_dose_reads_as_words() -> None:
    """A clinician reads sets, repetitions and kilograms, not field names."""
    assert dose_words({"sets": 3, "reps": 8, "load_kg": 22.5, "target_rpe": 6}) == (
        "3 sets, 8 repetitions, 22.5 kg, effort 6 of 10"
    )
    assert dose_words({"sets": 1, "reps": 5, "hold_s": 30.0}) == "1 set, 5 holds of 30 s"
    assert dose_words({"sets": 1, "reps": 1, "hold_s": 1200}) == "1 set, 1 hold of 20 min"
    assert dose_words({"hold_s": 45}) == "held 45 s"
    assert dose_words(None) == ""
