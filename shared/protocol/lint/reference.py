"""Whether everything that a file names exists, and whether ids are unique."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from shared.event.vocabulary import vocabulary
from shared.protocol.condition import ConditionProtocol
from shared.protocol.document import Place
from shared.protocol.limit import Limit
from shared.protocol.lint.folder import Folder
from shared.protocol.lint.problem import Problem, nearest

_CONDITION_REMEDY = "Name a condition of this folder, or add its file"


def check_references(folder: Folder) -> Iterator[Problem]:
    """Conditions, topics, exercises and symptoms that are named and do not exist; ids that stand twice."""
    yield from _ids(folder)
    for name, protocol in folder.files.items():
        yield from _condition(folder, name, protocol)
    yield from _exercises(folder)
    yield from _modifiers(folder)
    yield from _mixes(folder)
    yield from _start_program(folder)
    yield from _progression(folder)
    yield from _screening(folder)


def _condition(folder: Folder, name: str, protocol: ConditionProtocol) -> Iterator[Problem]:
    program, course = protocol.program, protocol.course
    yield from _topics(folder, name, ("program", "education"), program.education)
    yield from _limits(folder, name, ("program", "limits"), program.limits)
    for number, phase in enumerate(program.phases):
        place = ("program", "phases", number)
        for index, dose in enumerate(phase.exercises):
            yield from _in_library(folder, name, (*place, "exercises", index, "exercise_id"), dose.exercise_id)
        for part in ("entry", "exit"):
            for index, criterion in enumerate(getattr(phase, part)):
                if criterion.symptom is not None:
                    yield from _symptoms(name, (*place, part, index, "symptom"), (criterion.symptom,))
    for exercise_id in program.allows:
        yield from _in_library(folder, name, ("program", "allows", exercise_id), exercise_id)
        library = folder.protocols.exercises.exercises.get(exercise_id)
        if library is not None and protocol.condition_id in library.earliest_phase:
            message = f"exercises.yaml already says from which phase {protocol.condition_id} allows {exercise_id}"
            yield Problem(name, ("program", "allows", exercise_id), message, "Say it in one of the two only")
    yield from _symptoms(name, ("course", "pain", "regress_symptoms"), course.pain.regress_symptoms)
    yield from _symptoms(name, ("course", "psychosocial", "symptoms"), course.psychosocial.symptoms)
    stem = name.removeprefix("conditions/").removesuffix(".yaml")
    if not stem.startswith(protocol.condition_id):
        remedy = f"Call the file {protocol.condition_id}.yaml"
        yield Problem(name, ("condition_id",), "the file's name does not begin with the condition's id", remedy)


def _exercises(folder: Folder) -> Iterator[Problem]:
    name, library = "exercises.yaml", folder.protocols.exercises
    for exercise_id in sorted(vocabulary().exercises.keys() - library.exercises.keys()):
        message = f"the library does not hold {exercise_id} of the vocabulary"
        yield Problem(name, ("exercises",), message, "Add it with its constraint tags", "warning")
    for exercise_id, exercise in library.exercises.items():
        place = ("exercises", exercise_id)
        yield from _conditions(folder, name, (*place, "earliest_phase"), exercise.earliest_phase, keys=True)
        for index, late in enumerate(exercise.late):
            yield from _conditions(folder, name, (*place, "late", index, "condition"), (late.condition,))
        yield from _chain(folder, exercise_id, "easier")
        yield from _chain(folder, exercise_id, "harder")
    for index, dose in enumerate(library.fallback):
        yield from _in_library(folder, name, ("fallback", index, "exercise_id"), dose.exercise_id)


def _chain(folder: Folder, start: str, way: str) -> Iterator[Problem]:
    """Easier than easier must not lead back."""
    exercises, at = folder.protocols.exercises.exercises, getattr(folder.protocols.exercises.exercises[start], way)
    for _ in exercises:
        if at is None:
            return
        if at == start:
            message = f"{start} is {way} than itself, by way of others"
            yield Problem("exercises.yaml", ("exercises", start, way), message, f"Break the ring of {way}")
            return
        at = getattr(exercises[at], way)


def _modifiers(folder: Folder) -> Iterator[Problem]:
    name, rules = "modifiers.yaml", folder.protocols.modifiers.modifiers
    for modifier_id in sorted(vocabulary().modifiers.keys() - rules.keys()):
        message = f"{modifier_id} of the vocabulary has no rule: it would change nothing"
        yield Problem(name, ("modifiers",), message, "Add it, if only with a note for the clinician", "warning")
    for modifier_id, modifier in rules.items():
        place = ("modifiers", modifier_id)
        yield from _topics(folder, name, (*place, "education"), modifier.education)
        yield from _limits(folder, name, (*place, "limits"), modifier.limits)
        yield from _all_in_library(folder, name, place, modifier)


def _mixes(folder: Folder) -> Iterator[Problem]:
    name, rules = "mixes.yaml", folder.protocols.mixes
    for part in ("neural", "tendon", "hampers"):
        yield from _conditions(folder, name, ("dominance", part), getattr(rules.dominance, part), keys=True)
    for number, mix in enumerate(rules.mixes):
        place = ("mixes", number)
        yield from _conditions(folder, name, (*place, "conditions"), mix.conditions)
        yield from _limits(folder, name, (*place, "limits"), mix.limits)
        yield from _topics(folder, name, (*place, "education"), mix.education)
        yield from _all_in_library(folder, name, place, mix)
        if bool(mix.conditions) == (mix.route is not None) or len(mix.conditions) == 1:
            message = f"{mix.mix_id} must name two conditions or more, or a route, and not both"
            yield Problem(name, place, message, "Give `conditions` or `route`")


def _start_program(folder: Folder) -> Iterator[Problem]:
    name, start = "start_program.yaml", folder.protocols.start_program
    yield from _topics(folder, name, ("education",), start.education)
    yield from _limits(folder, name, ("limits",), start.limits)
    for index, dose in enumerate(start.exercises):
        yield from _in_library(folder, name, ("exercises", index, "exercise_id"), dose.exercise_id)


def _progression(folder: Folder) -> Iterator[Problem]:
    name, rules = "progression.yaml", folder.protocols.progression
    yield from _symptoms(name, ("flare", "neurological_symptoms"), rules.flare.neurological_symptoms)
    yield from _symptoms(name, ("illness", "symptom"), (rules.illness.symptom,))
    yield from _symptoms(name, ("unfit", "symptoms"), rules.unfit.symptoms)
    yield from _symptoms(name, ("symptom_flags", "urgency"), rules.symptom_flags.urgency)
    yield from _conditions(folder, name, ("unfit", "explained_for"), rules.unfit.explained_for)


def _screening(folder: Folder) -> Iterator[Problem]:
    for index, review in enumerate(folder.protocols.screening.reviews):
        if review.unless_primary is not None:
            place = ("reviews", index, "unless_primary")
            yield from _conditions(folder, "screening.yaml", place, (review.unless_primary,))


def _ids(folder: Folder) -> Iterator[Problem]:
    """Ids that must name one thing only."""
    for name, protocol in folder.files.items():
        program = protocol.program
        yield from _twice(name, ("program", "phases"), (phase.phase_id for phase in program.phases))
        yield from _twice(name, ("program", "goals"), (goal.goal_id for goal in program.goals))
        yield from _twice(name, ("program", "measures"), (measure.instrument for measure in program.measures))
        yield from _twice(name, ("course", "options"), (option.option_id for option in protocol.course.options))
        for number, phase in enumerate(program.phases):
            place = ("program", "phases", number, "exercises")
            yield from _twice(name, place, (dose.exercise_id for dose in phase.exercises))
    yield from _twice("mixes.yaml", ("mixes",), (mix.mix_id for mix in folder.protocols.mixes.mixes))
    routes = (route.route for route in folder.protocols.screening.routes)
    yield from _twice("screening.yaml", ("routes",), routes)
    yield from _shared_ids(folder)


def _shared_ids(folder: Folder) -> Iterator[Problem]:
    """In a mix phases of two conditions stand side by side, and a goal that both name stands once."""
    phases: dict[str, str] = {}
    goals: dict[str, tuple[str, str, str]] = {}
    versions: dict[tuple[str, str], str] = {}
    for name, protocol in folder.files.items():
        condition = protocol.condition_id
        first = versions.setdefault((condition, protocol.version), name)
        if first != name:
            message = f"{first} already holds {condition} in version {protocol.version}"
            yield Problem(name, ("version",), message, "Give the newer one a higher version")
        for number, phase in enumerate(protocol.program.phases):
            if phases.setdefault(phase.phase_id, condition) != condition:
                place = ("program", "phases", number, "phase_id")
                message = f"{phase.phase_id} is a phase of {phases[phase.phase_id]} too"
                yield Problem(name, place, message, "Use two letters that no other condition uses")
        for number, goal in enumerate(protocol.program.goals):
            owner, *meaning = goals.setdefault(goal.goal_id, (name, goal.instrument, goal.direction))
            if meaning != [goal.instrument, goal.direction]:
                message = f"{owner} gives the goal {goal.goal_id} another instrument or direction"
                yield Problem(name, ("program", "goals", number, "goal_id"), message, "Give it an id of its own")


def _twice(name: str, place: Place, ids: Iterable[str]) -> Iterator[Problem]:
    for twice, count in sorted(Counter(ids).items()):
        if count > 1:
            yield Problem(name, place, f"{twice} stands {count} times", "Keep one of them, or give each its own id")


def _all_in_library(folder: Folder, name: str, place: Place, rule: Any) -> Iterator[Problem]:
    for part in ("excluded_exercises", "first"):
        for index, exercise_id in enumerate(getattr(rule, part)):
            yield from _in_library(folder, name, (*place, part, index), exercise_id)


def _in_library(folder: Folder, name: str, place: Place, exercise_id: str) -> Iterator[Problem]:
    if exercise_id not in folder.protocols.exercises.exercises:
        yield Problem(name, place, f"exercises.yaml does not hold {exercise_id}", "Add it there, or name another one")


def _topics(folder: Folder, name: str, place: Place, topics: Iterable[str]) -> Iterator[Problem]:
    known = folder.protocols.education.topics
    for index, topic in enumerate(topics):
        if topic not in known:
            remedy = nearest(topic, known, "Add the topic there")
            yield Problem(name, (*place, index), f"education.yaml holds no topic {topic}", remedy)


def _symptoms(name: str, place: Place, symptoms: Iterable[str]) -> Iterator[Problem]:
    known = vocabulary().symptoms
    for symptom in symptoms:
        if symptom not in known:
            remedy = nearest(symptom, known, "Use a symptom of the vocabulary")
            yield Problem(name, place, f"no patient can report {symptom}", remedy)


def _conditions(
    folder: Folder, name: str, place: Place, conditions: Iterable[str], *, keys: bool = False
) -> Iterator[Problem]:
    for condition in conditions:
        if condition not in folder.known:
            where = (*place, condition) if keys else place
            yield Problem(
                name,
                where,
                f"there is no condition {condition}",
                nearest(condition, folder.known, _CONDITION_REMEDY),
            )


def _limits(folder: Folder, name: str, place: Place, limits: Iterable[Limit]) -> Iterator[Problem]:
    for index, limit in enumerate(limits):
        here = (*place, index)
        if limit.condition is not None:
            yield from _conditions(folder, name, (*here, "condition"), (limit.condition,))
        for number, exercise_id in enumerate(limit.exempt):
            yield from _in_library(folder, name, (*here, "exempt", number), exercise_id)
