"""The two plans that follow nobody: the first prescription for ever, and ten percent more of it every week."""

from collections.abc import Sequence

from shared.event.program import PrescribedExercise
from shared.protocol.library import Protocols
from shared.simulation.care import exercises_of, is_training_day
from shared.simulation.course import Plan
from shared.simulation.diary import Diary
from shared.simulation.external_load import session_load
from shared.simulation.latent import Model
from shared.simulation.patient import Patient

NAIVE_RISE_PER_WEEK = 0.10


def follow(
    patient: Patient,
    model: Model,
    prescription: Sequence[PrescribedExercise],
    sessions_per_week: int,
    plan: Plan,
    weeks: int,
    protocols: Protocols,
) -> tuple[Diary, int]:
    """The same days and attendance as under the adaptive plan; the diary, and how many sessions were due."""
    body = patient.body(model)
    diary, due = Diary.begin(body), 0
    loads: dict[int, float] = {}
    for day in range(weeks * 7):
        if day:
            body.sleep(patient.days[day - 1].unaccustomed)
            if day % 7 == 0:
                diary.close_week(body)
        diary.note_day(body)
        if not prescription or not is_training_day(day, sessions_per_week):
            continue
        due += 1
        if not patient.trains(day):
            continue
        weekday = day % 7
        if weekday not in loads:
            loads[weekday] = session_load(exercises_of(day, prescription, sessions_per_week), protocols)
        grown = (1 + NAIVE_RISE_PER_WEEK) ** (day // 7) if plan == "naive" else 1.0
        load = loads[weekday] * grown * patient.traits.excess
        if load > 0:
            body.bear(load)
            diary.note_session(load)
    body.sleep(0.0)
    diary.close_week(body)
    return diary, due
