"""The simulated bodies under any load: bounded, and never better for being hurt."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.simulation.latent import Model, rest_pain, session_pain
from shared.simulation.patient import draw_patient
from shared.simulation.world import world

MODELS: tuple[Model, ...] = ("tissue", "fitness_fatigue")
DAYS = st.lists(st.tuples(st.floats(0, 8, allow_nan=False), st.floats(0, 1, allow_nan=False)), min_size=1, max_size=40)


@pytest.mark.parametrize("model", MODELS)
@given(number=st.integers(0, 300), days=DAYS)
@settings(max_examples=40, deadline=None)
def test_pain_and_capacity_stay_within_their_bounds(model: Model, number: int, days: list[tuple[float, float]]) -> None:
    """Whatever a patient does, pain is 0 to 10 and strength neither vanishes nor grows without end."""
    patient = draw_patient(number, 1, 2)
    body = patient.body(model)
    for load, unaccustomed in days:
        if load:
            intensity = body.bear(load)
            assert 0 <= session_pain(rest_pain(body, patient.traits), intensity, patient.traits) <= 10
        body.sleep(unaccustomed)
        assert 0 <= body.irritation_nprs <= 10
        assert 0 <= body.pain_nprs <= 10
        assert 0.8 * patient.traits.capacity <= body.capacity
        assert body.capacity <= world().tissue.highest_capacity * patient.traits.capacity


@pytest.mark.parametrize("model", MODELS)
@given(number=st.integers(0, 300), load=st.floats(0.1, 6), more=st.floats(0, 4))
@settings(max_examples=40, deadline=None)
def test_a_heavier_session_never_makes_the_next_morning_better(
    model: Model, number: int, load: float, more: float
) -> None:
    """Irritation of the morning after rises with the load or stays."""
    patient = draw_patient(number, 1, 2)
    mornings = []
    for session in (load, load + more):
        body = patient.body(model)
        body.bear(session)
        body.sleep(0.0)
        mornings.append(body.irritation_nprs)
    # In fitness_fatigue the heavier session also makes a little fitter at once, which bears a little more.
    assert mornings[1] >= mornings[0] - 1e-9 or mornings[0] == 10


@pytest.mark.parametrize("model", MODELS)
@given(number=st.integers(0, 300), response=st.floats(0, 1.5), more=st.floats(0, 0.5))
@settings(max_examples=40, deadline=None)
def test_who_responds_more_never_hurts_more(model: Model, number: int, response: float, more: float) -> None:
    """With the same sessions, a stronger response to load ends in no more pain."""
    ends = []
    for trait in (response, response + more):
        drawn = draw_patient(number, 1, 2)
        body = dataclasses.replace(drawn, traits=dataclasses.replace(drawn.traits, response=trait)).body(model)
        for day in range(42):
            if day % 2 == 0:
                body.bear(0.7)
            body.sleep(0.0)
        ends.append(body.pain_nprs)
    assert ends[1] <= ends[0] + 1e-9
