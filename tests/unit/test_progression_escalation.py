"""One open escalation for each reason, and how long a reason stays quiet."""

from tests.support.progression import Care, at, checkin, decided, performed, planned, session


def start() -> Care:
    care = Care()
    care.feed(planned())
    return care


def low_weeks(care: Care, first: int, last: int) -> None:
    """One session a week of three, and a report at its end."""
    for week in range(first, last):
        care.pass_time(at(7 * week + 0.1))
        care.feed(session(at(7 * week + 0.1), performed(care.prescription)))
        care.pass_time(at(7 * week + 5))
        care.feed(checkin(at(7 * week + 5), morning=2.0, measures=[{"instrument": "NPRS", "value": 3}]))
    care.pass_time(at(7 * last + 0.05))


def told(care: Care, reason: str) -> list[str]:
    return [one.escalation_id for one in care.raised if one.reason == reason]


def test_what_is_open_is_not_raised_again() -> None:
    """Week after week of too few sessions is one escalation, not many."""
    care = start()
    low_weeks(care, 0, 6)
    assert len(told(care, "non_adherence")) == 1


def test_continue_keeps_a_reason_quiet_for_four_weeks_of_event_time() -> None:
    """A clinician who goes on is not asked again about the same thing before four weeks have passed."""
    care = start()
    low_weeks(care, 0, 3)
    first = told(care, "non_adherence")[0]
    care.feed(decided(at(21.1), "continue", escalation_id=first))
    assert care.resolved[-1].resolution == "continue"
    low_weeks(care, 4, 7)
    assert told(care, "non_adherence") == [first]
    low_weeks(care, 7, 9)
    assert len(told(care, "non_adherence")) == 2
    assert told(care, "non_adherence")[1] != first


def test_a_rise_in_severity_breaks_the_quiet() -> None:
    """Red sessions were let go on; pain that then rises three weeks running is urgent and told at once."""
    care = start()
    for day in (0.1, 2.1):
        care.feed(session(at(day), performed(care.prescription), pain=8))
    first = told(care, "adverse_response")[0]
    care.feed(decided(at(3), "continue", escalation_id=first))
    for week, pain in enumerate((3, 4, 5, 6)):
        care.pass_time(at(7 * week + 6))
        care.feed(checkin(at(7 * week + 6), measures=[{"instrument": "NPRS", "value": pain}]))
    again = [one for one in care.raised if one.reason == "adverse_response"]
    assert [one.severity for one in again] == ["routine", "urgent"]


def test_getting_worse_raises_the_same_escalation_again() -> None:
    """An open escalation that grows more severe keeps its id."""
    care = start()
    for day in (0.1, 2.1):
        care.feed(session(at(day), performed(care.prescription), pain=8))
    for week, pain in enumerate((3, 4, 5, 6)):
        care.pass_time(at(7 * week + 6))
        care.feed(checkin(at(7 * week + 6), measures=[{"instrument": "NPRS", "value": pain}]))
    found = [one for one in care.raised if one.reason == "adverse_response"]
    assert [one.severity for one in found] == ["routine", "urgent"]
    assert len({one.escalation_id for one in found}) == 1


def test_another_red_flag_is_never_lost_to_the_quiet() -> None:
    """`continue` on one flag keeps that flag quiet, not the next one."""
    care = start()
    care.feed(checkin(at(1), symptoms=["inflammatory_back_pain"]))
    first = told(care, "red_flag")[0]
    care.feed(decided(at(2), "continue", escalation_id=first))
    care.feed(checkin(at(3), symptoms=["inflammatory_back_pain"]))
    assert told(care, "red_flag") == [first]
    care.feed(checkin(at(4), symptoms=["inflammatory_back_pain", "claudication"]))
    assert care.raised[-1].evidence["red_flags"] == ["claudication"]


def test_the_status_is_failed_exactly_while_that_escalation_is_open() -> None:
    """In every adjustment of every decision both come and go together."""
    care = start()
    for week in range(14):
        for day in (0, 2, 4):
            care.feed(session(at(7 * week + day + 0.1), performed(care.prescription, rpe=6.5), pain=2))
            measures = [{"instrument": "NPRS", "value": 5}, {"instrument": "GROC", "value": 0}] if day == 4 else []
            care.feed(checkin(at(7 * week + day + 0.9), morning=2.0, measures=measures))
            care.pass_time(at(7 * week + day + 1.9))
    failed = told(care, "failed_conservative_care")[0]
    care.feed(decided(at(98), "continue", escalation_id=failed))
    seen = set()
    for decision in care.decisions:
        assert decision.state is not None
        is_open = decision.state.head.escalation("failed_conservative_care") is not None
        told_last = [d.data.response.status for d in decision.drafts if hasattr(d.data, "response")]
        if told_last:
            assert (told_last[-1] == "failed_conservative_care") == is_open
            seen.add(is_open)
    assert seen == {True, False}
