"""A program as a clinician reads it: goals, phases, what is prescribed now, and what was changed and why."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from shared.event.adjustment import Change, LoadAdjusted
from shared.event.program import Prescription, ProgramChanged, ProgramPlanned

MAX_SHEETS = 2
MAX_GOALS = 12
MAX_PHASES = 8
MAX_DOSES = 24
MAX_CHANGES = 24
MAX_REVISIONS = 12
LONGEST = 300
"""Characters of a sentence kept."""

UNCHANGED = "hold"
"""The decision on an exercise that stays as it was: no change."""


class Aim(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One goal of the program."""

    goal_id: str
    statement: str
    long_term: bool
    instrument: str
    baseline: float | None
    target: float
    due_week: int


class Stage(Struct, frozen=True):
    """One phase of the program."""

    phase_id: str
    name: str
    intent: str


class Dose(Struct, frozen=True):
    """One exercise of the prescription in force, its dose in words."""

    exercise_id: str
    name: str
    words: str


class Standing(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How care goes, by the newest adjustment."""

    at: datetime
    by: str
    status: str
    week: int
    sessions_done: int
    adherence: float | None = None
    adherence_4w: float | None = None
    pain_trend_per_week: float | None = None
    probability_of_meaningful_change: float | None = None


class Sheet(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One program as its newest event left it. Without `as_of` only adjustments are known of it."""

    program_id: str
    latest_at: datetime
    as_of: datetime | None = None
    version: int = 0
    by: str = ""
    status: str = ""
    intake_id: str = ""
    conditions: tuple[str, ...] = ()
    aims: tuple[Aim, ...] = ()
    stages: tuple[Stage, ...] = ()
    phase_id: str = ""
    sessions_per_week: int = 0
    prescription_seq: int = 0
    doses: tuple[Dose, ...] = ()
    standing: Standing | None = None


class Step(Struct, frozen=True, array_like=True, order=True):
    """One exercise that was changed, and why."""

    at: datetime
    exercise_id: str
    decision: str
    before: str
    after: str
    rule: str
    because: str


class Revision(Struct, frozen=True, array_like=True, order=True):
    """One version of a program, and why it came."""

    at: datetime
    program_id: str
    version: int
    status: str
    because: str


def with_program(
    sheets: tuple[Sheet, ...], told: ProgramPlanned | ProgramChanged, at: datetime, by: str
) -> tuple[Sheet, ...]:
    sheet = _find(sheets, told.program_id, at)
    sheet = _prescribed(sheet, told.prescription_seq, told.prescription)
    if sheet.as_of is None or (sheet.as_of, sheet.version, sheet.by) < (at, told.version, by):
        sheet = replace(
            sheet,
            as_of=at,
            version=told.version,
            by=by,
            status=told.status,
            intake_id=told.intake_id,
            conditions=told.conditions,
            aims=tuple(
                Aim(
                    goal_id=goal.goal_id,
                    statement=goal.statement[:LONGEST],
                    long_term=goal.horizon == "long_term",
                    instrument=goal.measure.instrument,
                    baseline=goal.measure.baseline,
                    target=goal.measure.target,
                    due_week=goal.due_week,
                )
                for goal in told.goals[:MAX_GOALS]
            ),
            stages=tuple(Stage(p.phase_id, p.name, p.intent[:LONGEST]) for p in told.phases[:MAX_PHASES]),
            phase_id=told.phase_id,
            sessions_per_week=told.schedule.sessions_per_week,
        )
    return _with_sheet(sheets, sheet)


def with_adjustment(sheets: tuple[Sheet, ...], told: LoadAdjusted, at: datetime, by: str) -> tuple[Sheet, ...]:
    sheet = _prescribed(_find(sheets, told.program_id, at), told.prescription_seq, told.prescription)
    response = told.response
    if sheet.standing is None or (sheet.standing.at, sheet.standing.by) < (at, by):
        standing = Standing(
            at=at,
            by=by,
            status=response.status,
            week=response.week,
            sessions_done=response.sessions_done,
            adherence=response.adherence,
            adherence_4w=response.adherence_4w,
            pain_trend_per_week=response.pain_trend_per_week,
            probability_of_meaningful_change=response.probability_of_meaningful_change,
        )
        sheet = replace(sheet, standing=standing)
    return _with_sheet(sheets, sheet)


def steps_of(told: LoadAdjusted, at: datetime) -> tuple[Step, ...]:
    """What was changed. The same adjustment told again gives the same steps."""
    return tuple(_step(change, at) for change in told.changes if change.decision != UNCHANGED)


def revision_of(told: ProgramPlanned | ProgramChanged, at: datetime) -> Revision:
    because = told.reason if isinstance(told, ProgramChanged) else "Planned."
    return Revision(at, told.program_id, told.version, told.status, because[:LONGEST])


def dose_words(fields: Mapping[str, Any] | None) -> str:
    """Prescription fields as words: `3 sets, 8 repetitions, 20 kg`. Empty where nothing is told."""
    fields = fields or {}
    holds = fields.get("hold_s")
    words = []
    if (sets := fields.get("sets")) is not None:
        words.append(f"{sets} {_counted(sets, 'set')}")
    if (reps := fields.get("reps")) is not None:
        words.append(f"{reps} {_counted(reps, 'repetition' if holds is None else 'hold')}")
    if holds is not None:
        held = f"{holds / 60:g} min" if holds >= 120 and holds % 60 == 0 else f"{holds:g} s"
        if reps is None:
            words.append(f"held {held}")
        else:
            words[-1] += f" of {held}"
    if (load_kg := fields.get("load_kg")) is not None:
        words.append(f"{load_kg:g} kg")
    if (label := fields.get("load_label")) is not None:
        words.append(str(label))
    elif (level := fields.get("load_level")) is not None:
        words.append(f"level {level}")
    if (days := fields.get("days_per_week")) is not None:
        words.append(f"{days} days a week")
    if (times := fields.get("times_per_day")) is not None and times != 1:
        words.append(f"{times} times a day")
    if (effort := fields.get("target_rpe")) is not None:
        words.append(f"effort {effort:g} of 10")
    if (tempo := fields.get("tempo")) is not None:
        words.append(f"tempo {tempo}")
    return ", ".join(words)


def _counted(count: int, thing: str) -> str:
    return thing if count == 1 else f"{thing}s"


def _step(change: Change, at: datetime) -> Step:
    return Step(
        at,
        change.exercise_id,
        change.decision,
        dose_words(change.from_),
        dose_words(change.to),
        change.rule,
        change.because[:LONGEST],
    )


def _prescribed(sheet: Sheet, seq: int, prescription: Prescription) -> Sheet:
    # An adjustment of a program that another has replaced repeats its number, and prescribes nothing.
    if (seq, bool(prescription)) <= (sheet.prescription_seq, bool(sheet.doses)):
        return sheet
    doses = tuple(
        Dose(one.exercise_id, one.name, dose_words(one.model_dump(exclude_none=True)))
        for one in prescription[:MAX_DOSES]
    )
    return replace(sheet, prescription_seq=seq, doses=doses)


def _find(sheets: tuple[Sheet, ...], program_id: str, at: datetime) -> Sheet:
    known = next((sheet for sheet in sheets if sheet.program_id == program_id), None)
    if known is None:
        return Sheet(program_id=program_id, latest_at=at)
    return replace(known, latest_at=max(known.latest_at, at))


def _with_sheet(sheets: tuple[Sheet, ...], sheet: Sheet) -> tuple[Sheet, ...]:
    known = {one.program_id: one for one in sheets} | {sheet.program_id: sheet}
    kept = sorted(known.values(), key=lambda one: (one.latest_at, one.program_id))[-MAX_SHEETS:]
    return tuple(sorted(kept, key=lambda one: one.program_id))
