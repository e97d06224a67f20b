"""Whatever the mix, the circumstances and the equipment: no plan breaks a constraint."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any, get_args

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.planner.domain.state import PlannerState
from shared.event.intake import Equipment
from shared.event.program import ProgramChanged, ProgramPlanned
from shared.event.vocabulary import vocabulary
from shared.protocol.constraint import Case, exclusion
from shared.protocol.library import shipped_protocols
from tests.support.example import EPOCH
from tests.support.planner_case import (
    AUTO,
    CLINICIAN,
    CONDITIONS,
    GT,
    PHT,
    SIJ,
    classified,
    decided,
    program,
    run,
    stopped,
)

MIXES = st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=4, unique=True)
FACTS = st.fixed_dictionaries(
    {
        "modifiers": st.lists(st.sampled_from(sorted(vocabulary().modifiers)), max_size=5, unique=True),
        "equipment": st.lists(st.sampled_from(get_args(Equipment)), min_size=1, max_size=8, unique=True),
        "sessions_per_week": st.integers(1, 7),
        "side": st.sampled_from(["left", "right", "both"]),
        "findings_present": st.lists(
            st.sampled_from(["leg_paraesthesia_non_dermatomal", "sitting_pain_on_ischium"]), unique=True
        ),
        "measures": st.integers(0, 10).map(lambda pain: [{"instrument": "NPRS", "value": pain}]),
    }
)


def _case(planned: ProgramPlanned | ProgramChanged, phases: dict[str, int]) -> Case:
    protocols = shipped_protocols()
    return Case(
        programs={c: protocols.condition(c).program for c in planned.conditions},
        phases=phases,
        modifiers=protocols.modifiers.of(planned.intake.modifiers),
        mixes=protocols.mixes.of(planned.conditions),
        equipment=frozenset(planned.intake.equipment),
    )


@settings(max_examples=150, deadline=None)
@given(mix=MIXES, facts=FACTS)
def test_no_plan_breaks_a_constraint(mix: list[str], facts: dict[str, Any]) -> None:
    """Every exercise of the session and of each phase is allowed by all that is known of the patient."""
    probabilities = {c: 0.7 - 0.05 * i for i, c in enumerate(mix)}
    planned = program(classified(probabilities, **facts))
    protocols = shipped_protocols()
    library = protocols.exercises

    assert planned.conditions == tuple(mix)
    first = _case(planned, dict.fromkeys(mix, 1))
    assert [exclusion(e.exercise_id, first, library) for e in planned.prescription] == [None] * len(
        planned.prescription
    )
    assert 4 <= len(planned.prescription) <= 5
    assert len({e.exercise_id for e in planned.prescription}) == len(planned.prescription)
    assert planned.schedule.sessions_per_week == max(e.days_per_week or 0 for e in planned.prescription)
    assert planned.schedule.sessions_per_week <= facts["sessions_per_week"]
    assert not {e.exercise_id for e in planned.prescription} & {a.exercise_id for a in planned.avoid}
    for phase in planned.phases:
        number = int(phase.phase_id[-1])
        case = _case(planned, dict.fromkeys(mix, number))
        assert all(exclusion(e.exercise_id, case, library) is None for e in phase.exercises)
    for condition in mix:
        own = {g.goal_id for g in protocols.condition(condition).program.goals}
        horizons = {g.horizon for g in planned.goals if g.goal_id in own}
        assert horizons == {"short_term", "long_term"}


@settings(max_examples=60, deadline=None)
@given(likeliest=st.sampled_from(CONDITIONS), facts=FACTS)
def test_the_start_program_is_safe_whatever_it_turns_out_to_be(likeliest: str, facts: dict[str, Any]) -> None:
    """Approved while undetermined: light work that the likeliest condition and all circumstances allow."""
    planned = program(
        classified({likeliest: 0.4}, disposition="clinician_review", **facts),
        decided("approve", intake_id="intake-1"),
    )
    library = shipped_protocols().exercises
    case = replace(_case(planned, {likeliest: 1}), start=shipped_protocols().start_program)

    assert 4 <= len(planned.prescription) <= 5
    assert all(exclusion(e.exercise_id, case, library) is None for e in planned.prescription)
    assert all(library.exercises[e.exercise_id].max_flexion_deg <= 70 for e in planned.prescription)
    assert 2 in planned.schedule.review_weeks


@settings(max_examples=30, deadline=None)
@given(mix=MIXES, facts=FACTS)
def test_the_same_input_gives_the_same_bytes(mix: list[str], facts: dict[str, Any]) -> None:
    """Planning draws no chance."""
    event = classified({c: 0.7 - 0.05 * i for i, c in enumerate(mix)}, **facts)

    assert program(event).model_dump_json() == program(event).model_dump_json()


def _end(order: tuple[Any, ...], clinician: bool) -> tuple[Any, ...]:
    """What is in force in the end: version and sequence count publications, so they may differ."""
    state, drafts, _ = run(*order, policy=CLINICIAN if clinician else AUTO)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=PlannerState) == state
    last: dict[str, Any] = {}
    for draft in drafts:
        if isinstance(draft.data, ProgramPlanned | ProgramChanged):
            data = draft.data
            last[data.program_id] = (data.status, data.conditions, data.prescription, data.goals)
    assert state is not None
    episodes = [
        (e.intake_id, e.classified, e.approved, e.reclassified, e.removed, e.ended, e.escalation_id is None)
        for e in state.episodes
    ]
    return episodes, state.waiting, {p: v for p, v in last.items() if v[0] != "ended"}


def test_any_order_of_arrival_ends_in_the_same_program() -> None:
    """Decisions before classifications, stops before programs, late intakes: the end is the same."""
    histories = [
        (
            classified({GT: 0.85}),
            decided("reclassify", hours=1, program_id="prg-intake-1", conditions=[SIJ]),
            decided("reclassify", event_id="d-2", hours=2, program_id="prg-intake-1", conditions=[PHT]),
            classified({GT: 0.85}, event_id="c-2", time=EPOCH + timedelta(hours=3), modifiers=["diabetes"]),
        ),
        (
            classified({GT: 0.85}),
            decided("approve", hours=1, program_id="prg-intake-1"),
            decided(
                "modify",
                event_id="d-2",
                hours=2,
                program_id="prg-intake-1",
                changes={"remove_exercises": ["double_leg_squat"]},
            ),
            stopped(hours=3),
        ),
        (
            classified({GT: 0.4}, disposition="clinician_review"),
            decided("approve", hours=1, intake_id="intake-1"),
            decided("discharge", event_id="d-2", hours=2, program_id="prg-intake-1"),
        ),
    ]
    for history in histories:
        for clinician in (False, True):
            expected = _end(history, clinician)
            for order in permutations(history):
                assert _end(order, clinician)[0] == expected[0]
                if expected[0][0][5] is None:
                    assert _end(order, clinician) == expected
