"""A program as the planner wrote it: what progression reads of it, and the whole to publish it again."""

import zlib
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from shared.event.explanation import ProtocolRef
from shared.event.intake import Equipment, Side
from shared.event.program import PrescribedExercise, ProgramChanged, ProgramPlanned
from shared.protocol.condition import ConditionProtocol
from shared.protocol.library import ProtocolError, Protocols


class Dose(Struct, frozen=True, array_like=True):
    """How much of one exercise; its words stand in the book."""

    exercise_id: str
    sets: int
    reps: int
    target_rpe: float
    side: Side
    hold_s: float | None = None
    equipment: Equipment | None = None
    load_kg: float | None = None
    load_level: int | None = None
    days_per_week: int | None = None
    times_per_day: int | None = None
    tempo: str | None = None
    rest_s: int | None = None


class PlannedPhase(Struct, frozen=True, array_like=True):
    phase_id: str
    doses: tuple[Dose, ...]


class Book(Struct, frozen=True, omit_defaults=True):
    """One version of one program."""

    program_id: str
    version: int
    time: datetime
    conditions: tuple[str, ...]
    protocols: tuple[tuple[str, str], ...]
    """Id and version, one for each condition."""
    phase_id: str
    phase_by_condition: dict[str, str]
    phases: tuple[PlannedPhase, ...]
    doses: tuple[Dose, ...]
    """The next session as the planner prescribed it."""
    sessions_per_week: int
    days: tuple[int, ...] | None
    measures: tuple[str, ...]
    """Instruments that check-ins owe."""
    has_education: bool
    load_steps_kg: dict[str, tuple[float, ...]]
    modifiers: tuple[str, ...]
    words: dict[str, tuple[str, str]]
    """Exercise id to its name and instructions."""
    labels: dict[str, dict[str, str]]
    """Exercise id to the label of each load level that the program names."""
    whole: bytes
    """The payload, compressed JSON."""
    leader: str = ""
    """The condition that leads a mix."""
    mixes: tuple[str, ...] = ()
    """Ids of the mixes' and routes' rules that the plan obeys."""
    equipment: tuple[Equipment, ...] = ()
    able_days: int = 7
    """Days a week on which the patient can exercise."""
    review_weeks: tuple[int, ...] = ()

    def phase(self, phase_id: str) -> PlannedPhase | None:
        return next((phase for phase in self.phases if phase.phase_id == phase_id), None)

    def protocol_ref(self) -> ProtocolRef:
        """Of the leading condition."""
        found = next((one for one in self.protocols if one[0] == self.leader), self.protocols[0])
        return ProtocolRef(id=found[0], version=found[1])

    def payload(self) -> ProgramPlanned:
        return _unpack(self.whole)


def write_book(time: datetime, data: ProgramPlanned | ProgramChanged) -> Book:
    """Takes down what the planner published."""
    words: dict[str, tuple[str, str]] = {}
    labels: dict[str, dict[str, str]] = {}
    for exercise in (*(e for phase in data.phases for e in phase.exercises), *data.prescription):
        words[exercise.exercise_id] = (exercise.name, exercise.instructions)
        if exercise.load_level is not None and exercise.load_label is not None:
            labels.setdefault(exercise.exercise_id, {})[str(exercise.load_level)] = exercise.load_label
    schedule = data.schedule
    return Book(
        program_id=data.program_id,
        version=data.version,
        time=time,
        conditions=data.conditions,
        protocols=tuple((ref.id, ref.version) for ref in data.protocols)
        or ((data.protocol.id, data.protocol.version),),
        phase_id=data.phase_id,
        phase_by_condition=dict(sorted(data.phase_by_condition.items())),
        phases=tuple(
            PlannedPhase(phase.phase_id, tuple(dose_of(exercise) for exercise in phase.exercises))
            for phase in data.phases
        ),
        doses=tuple(dose_of(exercise) for exercise in data.prescription),
        sessions_per_week=schedule.sessions_per_week,
        days=schedule.days,
        measures=tuple(measure.instrument for measure in schedule.checkin.measures),
        has_education=bool(data.education),
        load_steps_kg={kind: tuple(sorted(set(kg))) for kind, kg in sorted(data.intake.load_steps_kg.items())},
        modifiers=data.intake.modifiers,
        words=dict(sorted(words.items())),
        labels=dict(sorted(labels.items())),
        whole=zlib.compress(_planned(data).model_dump_json().encode(), 6),
        leader=data.protocol.id if data.protocol.id in data.conditions else data.conditions[0],
        mixes=tuple(data.mix_id.split("+")) if data.mix_id else (),
        equipment=data.intake.equipment,
        able_days=data.intake.sessions_per_week,
        review_weeks=schedule.review_weeks,
    )


def dose_of(exercise: PrescribedExercise) -> Dose:
    return Dose(
        exercise_id=exercise.exercise_id,
        sets=exercise.sets,
        reps=exercise.reps,
        target_rpe=exercise.target_rpe,
        side=exercise.side,
        hold_s=exercise.hold_s,
        equipment=exercise.equipment,
        load_kg=exercise.load_kg,
        load_level=exercise.load_level,
        days_per_week=exercise.days_per_week,
        times_per_day=exercise.times_per_day,
        tempo=exercise.tempo,
        rest_s=exercise.rest_s,
    )


def treated(book: Book, protocols: Protocols) -> tuple[ConditionProtocol, ...]:
    """The protocols that the program began with, the leading condition's first.

    The newest version stands in where the one it began with is no longer shipped.
    """
    found = []
    for index, condition in enumerate(book.conditions):
        version = book.protocols[index][1] if index < len(book.protocols) else None
        try:
            found.append(protocols.condition(condition, version))
        except ProtocolError:
            if condition in protocols.conditions:
                found.append(protocols.conditions[condition])
    return tuple(found)


def with_words(book: Book, exercise_ids: Iterable[str], protocols: Protocols) -> Book:
    """With name and instructions of exercises that the planner did not lay out, as it would put them."""
    library = protocols.exercises.exercises
    missing = [one for one in exercise_ids if one not in book.words and one in library]
    if not missing:
        return book
    alternates = any(mix.alternate_tendons for mix in protocols.mixes.of(book.conditions))
    words = dict(book.words)
    for exercise_id in missing:
        exercise = library[exercise_id]
        parts = [exercise.instructions]
        if exercise.unilateral and book.payload().intake.side == "both":
            parts.append(protocols.mixes.bilateral.instruction)
        if alternates and len(exercise.loads) == 1:
            other = "hamstring" if exercise.loads[0] == "gluteal" else "gluteal"
            parts.append(f"Do this on other days than the {other} exercises.")
        words[exercise_id] = (exercise.name, " ".join(parts))
    return replace(book, words=words)


@lru_cache(maxsize=64)
def _unpack(whole: bytes) -> ProgramPlanned:
    return ProgramPlanned.model_validate_json(zlib.decompress(whole))


def _planned(data: ProgramPlanned | ProgramChanged) -> ProgramPlanned:
    if isinstance(data, ProgramPlanned):
        return data
    return ProgramPlanned.model_validate({name: getattr(data, name) for name in ProgramPlanned.model_fields})
