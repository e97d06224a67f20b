"""The simulated world: it must behave as bodies do, and each kind of patient as its name says."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.event.program import PrescribedExercise
from shared.event.wire import Stream
from shared.protocol.library import shipped_protocols
from shared.settings import Settings
from shared.simulation.care import Care
from shared.simulation.clinician import Clinician
from shared.simulation.cohort import SERVICES, live_through, simulate
from shared.simulation.course import Archetype, Course
from shared.simulation.external_load import session_load
from shared.simulation.latent import Body, Model, Traits
from shared.simulation.patient import Patient, draw_patient
from shared.simulation.presentation import TEXTBOOK
from shared.simulation.trial import Reproduced, reproduce
from shared.simulation.truth import responds
from shared.simulation.wire import Raised, at
from shared.simulation.world import world
from shared.stream.discovery import load_services
from tests.support.protocol_folder import change, copy_of_shipped

MODELS: tuple[Model, ...] = ("tissue", "fitness_fatigue")
SQUAT = PrescribedExercise(
    exercise_id="single_leg_squat",
    name="Single-leg squat",
    sets=2,
    reps=5,
    load_kg=2.0,
    target_rpe=4,
    side="left",
    instructions="",
)
STEP = SQUAT.model_copy(update={"exercise_id": "band_side_step", "load_kg": None, "load_level": 1})
HOLD = SQUAT.model_copy(update={"exercise_id": "bridge_hold_long_lever", "load_kg": None, "reps": 1, "hold_s": 30.0})


def typical(**changes: float) -> Traits:
    """The mean patient, without any trait of chance."""
    means = {name: spread.mean for name, spread in world().traits.items()}
    return Traits(**means | {"natural_per_week": 0.0} | changes)


def body(model: Model, **changes: float) -> Body:
    patient = dataclasses.replace(draw_patient(0, 1, 1), traits=typical(**changes))
    return patient.body(model)


def trained(model: Model, load: float, days: int = 56, **changes: float) -> Body:
    """After a session every second day; the last three nights are quiet."""
    found = body(model, **changes)
    for day in range(days):
        if day % 2 == 0 and day < days - 3:
            found.bear(load)
        found.sleep(0.0)
    return found


def one(kind: Archetype, number: int = 0, weeks: int = 16, model: Model = "tissue") -> tuple[Patient, Course]:
    """A patient of this archetype and the course under the adaptive plan."""
    patient = draw_patient(number, weeks, 7, archetype=kind)
    return patient, live_through(patient, model, weeks, shipped_protocols())[0]


# ---- bodies ----


@pytest.mark.parametrize("model", MODELS)
def test_more_load_within_the_window_makes_a_body_stronger_and_calmer(model: Model) -> None:
    """Who trains harder, within what is tolerated, bears more and hurts less in the end."""
    light, hard = trained(model, 0.5), trained(model, 0.9)
    assert hard.capacity > light.capacity > body(model).capacity
    assert hard.pain_nprs < light.pain_nprs < body(model).pain_nprs


@pytest.mark.parametrize("model", MODELS)
def test_an_overload_hurts_the_next_morning_and_fades(model: Model) -> None:
    """The day itself is as it was, the morning after is worse, a week later it is over."""
    found = body(model)
    before = found.pain_nprs
    found.bear(4.0)
    assert found.pain_nprs == before
    found.sleep(0.0)
    assert found.pain_nprs > before + 1
    assert found.irritation_nprs > 1
    for _ in range(14):
        found.sleep(0.0)
    assert found.pain_nprs < before + 0.3


@pytest.mark.parametrize("model", MODELS)
def test_who_does_not_respond_gets_stronger_and_hurts_as_before(model: Model) -> None:
    """Strength comes to everybody who trains; less pain only to those who respond."""
    found = trained(model, 0.9, response=0.0)
    assert found.capacity > 1.05
    assert found.pain_nprs == pytest.approx(typical().pain_nprs, abs=0.05)


@pytest.mark.parametrize("model", MODELS)
def test_a_stronger_body_bears_an_unaccustomed_day_better(model: Model) -> None:
    """The same heavy day in the garden hurts less after training."""
    weak, strong = body(model), trained(model, 0.9)
    rises = []
    for found in (weak, strong):
        before = found.pain_nprs
        # A load at the limit first, so that the day comes on top in a model that has no window.
        found.bear(1.0)
        found.sleep(1.5)
        rises.append(found.pain_nprs - before)
    assert rises[0] > rises[1] > 0


def test_pain_that_load_took_away_comes_back_without_it_where_nothing_heals() -> None:
    """The two models differ: one keeps what was healed, in the other fitness fades and pain returns."""
    kept, lost = trained("tissue", 0.9), trained("fitness_fatigue", 0.9)
    ends = kept.pain_nprs, lost.pain_nprs
    for _ in range(120):
        kept.sleep(0.0)
        lost.sleep(0.0)
    assert kept.pain_nprs <= ends[0] + 0.01
    assert lost.pain_nprs > ends[1] + 0.5


# ---- load ----


@pytest.mark.parametrize(
    ("exercise", "harder"),
    [
        (SQUAT, {"sets": 3}),
        (SQUAT, {"reps": 6}),
        (SQUAT, {"load_kg": 3.0}),
        (SQUAT, {"target_rpe": 5}),
        (SQUAT, {"times_per_day": 2}),
        (SQUAT, {"exercise_id": "hop_or_jump"}),
        (STEP, {"load_level": 2}),
        (HOLD, {"hold_s": 35.0}),
    ],
)
def test_every_axis_raises_the_load(exercise: PrescribedExercise, harder: dict[str, object]) -> None:
    """Whatever a program raises, the scale on which plans are compared sees it."""
    protocols = shipped_protocols()
    assert session_load((exercise.model_copy(update=harder),), protocols) > session_load((exercise,), protocols)


def test_a_second_exercise_adds_to_the_load_by_less_than_its_own() -> None:
    """Two exercises are more than one, and not twice as much."""
    protocols = shipped_protocols()
    alone, both = session_load((SQUAT,), protocols), session_load((SQUAT, HOLD), protocols)
    assert alone < both < alone + session_load((HOLD,), protocols)
    assert session_load((), protocols) == 0


# ---- patients ----


def test_the_same_patient_is_drawn_again_without_the_others() -> None:
    """A patient's chance is the patient's own, so that a finding can be looked at again."""
    assert draw_patient(17, 12, 3) == draw_patient(17, 12, 3)
    assert draw_patient(17, 12, 3) != draw_patient(17, 12, 4)
    assert draw_patient(17, 12, 3).traits != draw_patient(18, 12, 3).traits


@pytest.mark.parametrize("condition_id", sorted(TEXTBOOK))
def test_textbook_findings_get_a_program_without_a_clinician(condition_id: str) -> None:
    """Each condition's textbook patient is classified and starts at once."""
    number = next(
        number for number in range(200) if draw_patient(number, 2, 5).presentation.condition_ids == (condition_id,)
    )
    course = live_through(draw_patient(number, 2, 5), "tissue", 2, shipped_protocols())[0]
    assert course.disposition == "program"
    assert course.sessions_due > 0
    assert course.condition_id == condition_id


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("kind", "holds"),
    [
        ("responder", lambda share: share > 0.9),
        ("slow_responder", lambda share: share > 0.5),
        ("non_responder", lambda share: share < 0.2),
        ("under_doser", lambda share: share > 0.9),
        ("wrong_diagnosis", lambda share: share < 0.2),
        ("deteriorating", lambda share: share == 0),
    ],
)
def test_who_responds_follows_from_the_body_and_not_from_the_name(
    kind: Archetype, holds: Callable[[float], bool], model: Model
) -> None:
    """The truth is computed from the best load; archetypes are made so that it mostly agrees with their names."""
    patients = [draw_patient(number, 20, 11, archetype=kind) for number in range(40)]
    assert holds(sum(responds(patient, model, 20) for patient in patients) / len(patients))


def test_a_slow_responder_is_later_than_a_responder() -> None:
    """After 6 weeks of the best load most responders are better and most slow ones not yet."""
    shares = {}
    kinds: tuple[Archetype, ...] = ("responder", "slow_responder")
    for kind in kinds:
        patients = [draw_patient(number, 20, 11, archetype=kind) for number in range(40)]
        shares[kind] = sum(responds(patient, "tissue", 6) for patient in patients) / 40
    assert shares["responder"] > 0.7
    assert shares["slow_responder"] < 0.4


def test_an_under_doser_trains_too_seldom_or_too_lightly() -> None:
    """Less than half of the sessions, or less than 6 tenths of what is asked."""
    for number in range(30):
        traits = draw_patient(number, 2, 11, archetype="under_doser").traits
        assert traits.adherence <= 0.45 or traits.excess <= 0.6
    number = next(n for n in range(30) if draw_patient(n, 2, 7, archetype="under_doser").traits.excess == 1)
    _, course = one("under_doser", number)
    assert course.sessions_done < 0.6 * course.sessions_due


def test_an_over_reacher_does_a_third_more_at_least() -> None:
    """What is done is 1.3 to 1.6 times what is prescribed."""
    patient, _ = one("over_reacher", weeks=2)
    assert 1.3 <= patient.traits.excess <= 1.6


def test_a_flare_prone_patient_flares_more_under_a_plan_that_rises_blindly() -> None:
    """The same ten percent a week cost the irritable patient more days of flare."""
    kinds: tuple[Archetype, ...] = ("responder", "flare_prone")
    days = {
        kind: sum(
            live_through(draw_patient(n, 12, 7, archetype=kind), "tissue", 12, shipped_protocols())[2].flare_days
            for n in range(3)
        )
        for kind in kinds
    }
    assert days["flare_prone"] > days["responder"]


def test_a_silent_patient_reports_nothing_after_the_sampled_week_and_is_missed() -> None:
    """Silence is noticed: somebody is asked to get in touch."""
    patient, course = one("silent")
    assert patient.silent_from is not None
    assert all(load == 0 for load in course.load[patient.silent_from // 7 + 1 :])
    contact = course.first("no_contact")
    assert contact is not None
    assert contact.day > patient.silent_from - 7


def test_a_deteriorating_patient_hurts_more_in_the_end() -> None:
    """Whatever is done, pain rises, and it counts as no change for the better."""
    _, course = one("deteriorating")
    assert course.pain_nprs[-1] > course.pain_nprs[0]
    assert not course.has_meaningful_change
    assert not course.responds


def test_care_ends_with_the_referral_and_else_goes_on_to_the_end() -> None:
    """After a red flag a clinician refers within hours: from then on no month in care is counted."""
    _, flagged = one("red_flag", 0)
    _, responder = one("responder", 0)
    assert flagged.red_flag_day is not None
    assert flagged.ended_day is not None
    assert flagged.red_flag_day <= flagged.ended_day <= flagged.red_flag_day + 2
    assert responder.ended_day is None


@pytest.mark.parametrize("number", range(4))
def test_a_red_flag_is_raised_by_the_event_that_tells_of_it_and_ends_care(number: int) -> None:
    """From the report on nobody trains on."""
    patient, course = one("red_flag", number)
    assert patient.red_flag_on is not None
    assert course.red_flag_day is not None
    assert course.red_flag_day >= patient.red_flag_on
    alert = course.first("red_flag")
    assert alert is not None
    assert alert.is_same_event
    assert all(load == 0 for load in course.load[int(course.red_flag_day) // 7 + 2 :])


# ---- courses ----


def test_the_same_seed_gives_the_same_courses_with_one_process_or_two() -> None:
    """A run can be repeated on any machine, to the last digit."""
    alone = list(simulate(11, 2, 5, processes=1))
    assert list(simulate(11, 2, 5, processes=2)) == alone
    assert list(simulate(11, 2, 6, processes=1)) != alone


def test_candidate_protocols_are_read_by_each_process_for_itself(tmp_path: Path) -> None:
    """A folder with another rule gives other courses, and the same ones however many processes share the work."""
    folder = copy_of_shipped(tmp_path / "protocols")
    change(folder, "progression.yaml", "effort: {progress_at_most: 7", "effort: {progress_at_most: 2")
    alone = list(simulate(11, 3, 5, protocols=folder, processes=1))
    assert list(simulate(11, 3, 5, protocols=folder, processes=2)) == alone
    assert alone != list(simulate(11, 3, 5, processes=1))


def test_weekly_series_begin_at_week_0_and_plans_meet_the_same_patient() -> None:
    """Every plan starts from the same pain, capacity and first prescription."""
    told: list[int] = []
    [(adaptive, fixed, naive)] = simulate(1, 4, 5, processes=1, progress=told.append)
    for course in (adaptive, fixed, naive):
        assert {len(course.pain_nprs), len(course.capacity), len(course.load), len(course.status)} == {5}
        assert course.pain_nprs[0] == adaptive.pain_nprs[0]
    assert [course.plan for course in (adaptive, fixed, naive)] == ["adaptive", "fixed", "naive"]
    assert fixed.load[1] == naive.load[1]
    assert naive.load[4] == pytest.approx(fixed.load[4] * 1.1**3)
    assert told == [1]


def test_no_load_rises_after_a_painful_session_or_a_bad_morning() -> None:
    """In no course of a small cohort did a rise follow a warning."""
    assert sum(courses[0].unsafe_progressions for courses in simulate(8, 8, 9, processes=1)) == 0


@pytest.mark.parametrize("number", [0, 1, 5])
def test_states_handed_on_as_they_are_change_no_output(number: int) -> None:
    """The faster way publishes the same bytes as states that are written and read again, as in Redis."""
    services = tuple(make(Settings(clock="replay")) for make in load_services(SERVICES).values())
    published = []
    for keeps_decoded in (True, False):
        patient = draw_patient(number, 16, 1)
        care = Care(patient, "tissue", services, shipped_protocols(), 16, keeps_decoded=keeps_decoded)
        care.live()
        streams = [care.pipeline.entries(stream) for stream in Stream]
        published.append((streams, care.pipeline.record("progression", f"p{number:05d}"), care.diary))
    assert published[0] == published[1]
    assert len(published[0][1]) > 0


# ---- the clinician ----


def raised(escalation_id: str, reason: str, severity: str, *, holds: bool = False) -> Raised:
    data = {"escalation_id": escalation_id, "reason": reason, "severity": severity, "holds_program": holds}
    return Raised(at(10, 7), None, data)


@pytest.mark.parametrize(
    ("asked", "days", "answer"),
    [
        (raised("e", "red_flag", "urgent", holds=True), 0.1, "refer"),
        (raised("e", "failed_conservative_care", "routine"), 3, "refer"),
        (raised("e", "flare", "urgent", holds=True), 2, "resume"),
        (raised("e", "non_adherence", "routine"), 3, "continue"),
        (raised("e", "adverse_response", "urgent"), 1, "continue"),
    ],
)
def test_the_clinician_answers_in_time_and_once(asked: Raised, days: float, answer: str) -> None:
    """Not before it is due, and not a second time."""
    clinician = Clinician()
    clinician.hear(asked)
    due = asked.time + (at(1, 0) - at(0, 0)) * days
    assert list(clinician.visit(asked.time)) == []
    assert [one["decision"] for one in clinician.visit(due)] == [answer]
    assert list(clinician.visit(due)) == []


def test_a_referral_makes_what_else_was_asked_void() -> None:
    """Care that has ended needs no further answer."""
    clinician = Clinician()
    clinician.hear(raised("a", "red_flag", "emergency"))
    clinician.hear(raised("b", "non_adherence", "routine"))
    assert [one["decision"] for one in clinician.visit(at(20, 0))] == ["refer"]
    assert list(clinician.visit(at(40, 0))) == []


# ---- trials ----


@pytest.mark.parametrize("model", MODELS)
def test_the_world_reproduces_the_trials_that_it_was_fitted_to(model: Model) -> None:
    """Every published figure is met within the tolerance, with one set of parameters."""
    found = reproduce(1, model=model)
    off = [one for one in found if not one.is_within]
    assert off == []
    assert {(one.row, one.arm) for one in found} == {tuple(name.split("/")) for name in world().trial.arms}
    assert {one.fitted for one in found} == {True, False}


def test_a_figure_beyond_its_tolerance_is_seen() -> None:
    """A world that misses a trial does not pass as one that meets it."""
    assert Reproduced("Z01", "EDX", "NPRS", 1.5, 2.0, 0.5, fitted=True).is_within
    assert not Reproduced("Z01", "EDX", "NPRS", 1.5, 2.1, 0.5, fitted=True).is_within


def test_every_figure_of_the_world_names_its_source() -> None:
    """What is assumed can be looked up, row by row."""
    rows = set(shipped_protocols().evidence)
    assumed = world()
    blocks = [
        assumed.external_load,
        assumed.tissue,
        assumed.fitness_fatigue,
        assumed.report,
        assumed.mix,
        assumed.event,
        assumed.trial,
        assumed.trial.injection,
        *assumed.trial.arms.values(),
        *assumed.traits.values(),
        *(spread for spreads in assumed.archetypes.values() for spread in spreads.values()),
    ]
    assert {source for block in blocks for source in block.source} <= rows
    assert sum(assumed.mix.shares.values()) == pytest.approx(1)
