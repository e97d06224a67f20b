"""Pain that was there before the session: what it does to load, and what it does not. Source: J-REST."""

from typing import Any

import pytest

from services.progression.domain.load import volume_of
from tests.support.progression import Care, at, checkin, performed, planned, session

HAMSTRING = "proximal_hamstring_tendinopathy"


def begun(condition: str) -> Care:
    care = Care()
    care.feed(planned(condition=condition))
    return care


def decisions(care: Care) -> set[str]:
    return {change.decision for change in care.adjustments[-1].changes}


def volumes(care: Care) -> dict[str, float]:
    assert care.state is not None
    return {track.dose.exercise_id: volume_of(track.dose) for track in care.state.head.tracks}


@pytest.mark.parametrize(
    ("before", "during", "is_held"), [(4.0, 5.0, True), (3.0, 4.0, False), (2.0, 4.0, False), (None, 4.0, False)]
)
def test_pain_that_was_there_holds_where_pain_that_came_lowers(
    before: float | None, during: float, is_held: bool
) -> None:
    """In hamstring tendinopathy 4/10 is too much, unless it was there before and rose by one point at most."""
    care = begun(HAMSTRING)
    care.feed(session(at(0.1), performed(care.prescription), pain=during, pain_before=before))
    assert (decisions(care) == {"hold"}) is is_held


def test_strong_pain_at_rest_takes_no_exercise_out_and_no_load_below_four_fifths() -> None:
    """Seven of ten before and in every session: the load falls a little, once, and care goes on."""
    care = begun(HAMSTRING)
    first = volumes(care)
    for day in range(0, 40, 2):
        care.pass_time(at(day + 0.1))
        care.feed(session(at(day + 0.1), performed(care.prescription), pain=7, pain_before=7))
        care.feed(checkin(at(day + 0.9), morning=7.0))
    last = volumes(care)
    assert last.keys() == first.keys()
    assert all(0.8 * first[one] - 1e-9 <= last[one] <= first[one] for one in first)
    assert sum(last.values()) < sum(first.values())


def test_pain_at_rest_never_lets_load_rise() -> None:
    """Four of ten before, in and after each session is held for weeks: nothing rises by it."""
    care = begun("gluteal_tendinopathy")
    for day in range(0, 20, 2):
        care.pass_time(at(day + 0.1))
        care.feed(session(at(day + 0.1), performed(care.prescription), pain=4, pain_before=4))
        care.feed(checkin(at(day + 0.9), morning=4.0))
    assert not any(change.decision == "progress" for told in care.adjustments for change in told.changes)


@pytest.mark.parametrize(("morning", "light"), [(3.0, "green"), (4.0, "amber")])
def test_a_morning_worse_by_one_only_holds_and_by_two_counts_against_the_session(morning: float, light: str) -> None:
    """One point is what a rating errs by; two points matter to patients. Neither lets load rise."""
    care = begun("gluteal_tendinopathy")
    care.feed(session(at(0.1), performed(care.prescription), pain=2, pain_before=2))
    care.feed(checkin(at(0.9), morning=morning))
    assert care.state is not None
    assert care.state.head.notes[-1].light == light
    assert "progress" not in decisions(care)


def test_a_red_symptom_takes_no_exercise_out_whose_own_pain_is_fine() -> None:
    """Tingling lowers the load of every exercise; which one brought it nobody knows, so all of them stay."""
    care = begun("deep_gluteal_syndrome")
    first = volumes(care).keys()
    for day in (0, 2, 4):
        care.pass_time(at(day + 0.1))
        done: list[dict[str, Any]] = [
            one | {"sets": [each | {"pain": 0} for each in one["sets"]]} for one in performed(care.prescription)
        ]
        care.feed(session(at(day + 0.1), done, pain=1, pain_before=1, symptoms=["paraesthesia"]))
    assert not any(change.decision == "stop" for told in care.adjustments for change in told.changes)
    assert len(volumes(care)) == len(first)
