"""What comes after the late window: for the statistics, whatever came before it, and no load by itself."""

from services.progression.domain.fact import LateFact
from shared.decision import Arrival
from tests.support.progression import Care, at, checkin, performed, planned, session

FORGOTTEN = 3.1
"""The day of a session that is told three weeks later. Without it two of three sessions were done."""


def good(care: Care, day: float) -> list[Arrival]:
    """A session without much pain, and a settled morning."""
    return [
        session(at(day), performed(care.prescription), pain=1),
        checkin(at(day + 0.8), morning=2, session_id=f"session-{at(day).isoformat()}"),
    ]


def three_weeks() -> Care:
    """Two sessions a week where three are due: too few to leave the first phase."""
    care = Care()
    care.feed(planned())
    for day in (1.1, 5.1, 8.1, 10.1, 15.1, 17.1):
        for event in good(care, day):
            care.pass_time(event.time)
            care.feed(event)
    care.pass_time(at(22))
    return care


def phase_of(care: Care) -> str:
    assert care.state is not None
    return care.state.head.stands[0].phase_id


def test_no_load_follows_from_it() -> None:
    """It is told as late, counts, and leaves the prescription as it is."""
    care = three_weeks()
    for event in good(care, 22.1):
        care.feed(event)
    told, before = len(care.drafts), care.prescription
    care.feed(session(at(FORGOTTEN), [], pain=1))
    (late,) = care.adjustments[-1:]
    assert len(care.drafts) == told + 1
    assert late.late
    assert late.changes == ()
    assert [one.model_dump() for one in late.prescription] == before
    assert late.response is not None
    assert late.response.sessions_done == 8
    assert phase_of(care) == "GT1"


def test_the_next_step_knows_of_it_whatever_came_first() -> None:
    """A morning that is told right before it and one right after it end in the same phase and load."""
    ends = []
    for forgotten_at in (1, 2):
        care = three_weeks()
        events = good(care, 22.1)
        events.insert(forgotten_at, session(at(FORGOTTEN), [], pain=1))
        events.append(session(at(24.1), performed(care.prescription), pain=1))
        for event in events:
            care.feed(event)
        assert care.state is not None
        assert phase_of(care) == "GT2"
        ends.append((care.state.head, care.prescription))
    assert ends[0] == ends[1]


def test_it_goes_on_counting_when_all_is_folded_anew() -> None:
    """Also where care began so recently that all of it lies in the window."""
    care = Care()
    care.feed(planned())
    for day in (1.1, 5.1, 8.1, 10.1, 15.1):
        for event in good(care, day):
            care.feed(event)
    care.feed(session(at(17.5), performed(care.prescription), pain=1))
    care.feed(session(at(FORGOTTEN), performed(care.prescription), pain=1))
    care.feed(session(at(12.1), performed(care.prescription), pain=1))
    assert care.state is not None
    assert care.state.head.adherence is not None
    assert care.state.head.adherence.done == 8
    (late,) = [fact for fact in care.state.window if isinstance(fact, LateFact)]
    assert late.time == at(FORGOTTEN + 14)
