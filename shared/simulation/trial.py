"""Published trials done over in the simulated world: rows Z01 and Z03 of the evidence base.

Patients are the cohort's own responders and non-responders in the evidence's mix, their bodies the cohort's latent
model. The load is the trial's published dose, not the services': an effort asked for by week, which the supervised
patient meets (load = intensity of that effort x capacity), at the published frequency. So the world is fitted to what
was done in the trial, and never to make the services' own doses look right. An injection is relief without load.

What was fitted (`fitted` in the data): the rates of both models and the natural course to the arms of Z01, with Z03 in
sight. The effort of the home exercises of Z03 is in no row, so one figure an arm was tried at several values until its
NPRS and GROC shares lay within the tolerance in both models: they are fits. Only VISA-G of Z03 was not aimed at; it was
seen meanwhile, so it is a weak prediction. No one effort of the isotonic arm keeps both shares within the tolerance in
both models on every seed, so each model has its own there (`rpe_by_model`), as it has its own rates. The first guess of
these efforts, 4 to 5 of 10, missed: NPRS shares of .71 to .75 against .55 and .58. Z03 has 11 and 12 completers: its
shares are uncertain by more than the tolerance.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp
from random import Random

from shared.simulation.care import is_training_day
from shared.simulation.course import Archetype
from shared.simulation.diary import Diary
from shared.simulation.latent import Model
from shared.simulation.patient import Patient, draw_patient
from shared.simulation.report import Reporter
from shared.simulation.world import Arm, Published, world


@dataclass(frozen=True, slots=True)
class Reproduced:
    """One published figure beside the simulated one: shares 0 to 1, NPRS at the end, VISA-G as points gained."""

    row: str
    arm: str
    figure: str
    published: float
    simulated: float
    tolerance: float
    fitted: bool

    @property
    def is_within(self) -> bool:
        return abs(self.simulated - self.published) <= self.tolerance + 1e-9


@dataclass(frozen=True, slots=True)
class _Outcome:
    nprs_before: float
    nprs: float
    groc: float
    visa_gained: float


def reproduce(
    seed: int, progress: Callable[[int], None] = lambda done: None, *, model: Model = "tissue"
) -> tuple[Reproduced, ...]:
    """Every published figure with its simulated one. `progress` hears how many arms are done."""
    rules = world().trial
    outcomes: dict[str, list[_Outcome]] = {}
    for done, (name, arm) in enumerate(rules.arms.items(), 1):
        outcomes[name] = _run(name, arm, seed, model)
        progress(done)
    return tuple(
        Reproduced(
            one.row,
            one.arm,
            one.figure,
            one.value,
            _figure(outcomes[f"{one.row}/{one.arm}"], one),
            _near(one),
            one.fitted,
        )
        for one in rules.published
    )


def _run(name: str, arm: Arm, seed: int, model: Model) -> list[_Outcome]:
    rules, found = world().trial, []
    for number in range(rules.patients):
        kind: Archetype = "responder" if number < rules.responder_share * rules.patients else "non_responder"
        patient = draw_patient(number, arm.weeks, seed, archetype=kind)
        if Random(f"{seed}:{name}:{number}").random() < arm.lost:  # noqa: S311  # a simulation, no secret
            continue
        found.append(_outcome(name, arm, patient, model))
    return found


def _outcome(name: str, arm: Arm, patient: Patient, model: Model) -> _Outcome:
    body, report = patient.body(model), world().report
    efforts = arm.rpe_by_model.get(model, arm.rpe_by_week)
    diary = Diary.begin(body)
    for day in range(arm.weeks * 7):
        if day:
            body.sleep(patient.days[day - 1].unaccustomed)
        diary.note_day(body)
        if is_training_day(day, arm.sessions_per_week) and patient.days[day].attendance < arm.adherence:
            rpe = efforts[min(day // 7, len(efforts) - 1)]
            body.bear(max(0.0, rpe - report.rpe_at_rest) / report.rpe_per_intensity * body.capacity)
    start, end = patient.traits.pain_nprs, diary.week_nprs
    if arm.injection:
        end *= 1 - _relief(patient.chance(f"{name}:injection"), arm.weeks * 7 - 3)
    chance = patient.chance(f"{name}:reports")
    reporter = Reporter(chance, start)
    first, last = patient.days[0], patient.days[-1]
    before = reporter.measures(("NPRS", "VISA-G"), start, first)
    after = reporter.measures(("NPRS", "VISA-G"), end, last)
    groc = report.groc_per_full_recovery * (start - end) / start + chance.gauss(0, report.groc_sd)
    return _Outcome(before["NPRS"], after["NPRS"], groc, after["VISA-G"] - before["VISA-G"])


def _relief(chance: Random, day: int) -> float:
    rules = world().trial.injection
    if chance.random() >= rules.works_in or day < rules.begins_after_days:
        return 0.0
    return rules.relief * exp(-(day - rules.begins_after_days) / (7 * rules.lasts_weeks))


def _figure(outcomes: list[_Outcome], wanted: Published) -> float:
    values = {
        "success": [float(one.groc >= world().trial.success_groc) for one in outcomes],
        "NPRS": [one.nprs for one in outcomes],
        "GROC>=2": [float(round(one.groc) >= 2) for one in outcomes],
        "NPRS>=2": [float(one.nprs_before - one.nprs >= 2) for one in outcomes],
        "VISA-G": [one.visa_gained for one in outcomes],
    }[wanted.figure]
    return sum(values) / len(values)


def _near(wanted: Published) -> float:
    rules = world().trial
    return {"NPRS": rules.nprs_tolerance, "VISA-G": rules.visa_tolerance}.get(wanted.figure, rules.share_tolerance)
