"""Whether enough exercises remain, whatever a patient's equipment, circumstances and mix.

The question is the planner's own (`shared.protocol.constraint`): what is counted is what a session could hold
of the phase's own exercises and the library's fallback, by a patient who has no equipment and names no goal.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations, product

from shared.protocol.condition import ConditionProtocol
from shared.protocol.constraint import Case, exclusion
from shared.protocol.document import Place
from shared.protocol.lint.folder import Folder
from shared.protocol.lint.problem import Problem
from shared.protocol.mix import Mix
from shared.protocol.modifier import Modifier
from shared.protocol.program import PhaseRules
from shared.protocol.start_program import StartProgram


def check_room(folder: Folder) -> Iterator[Problem]:
    """Each condition alone, with each modifier and route, each pair of conditions, and the safe start."""
    for name, protocol in folder.files.items():
        for number, phase in enumerate(protocol.program.phases):
            for what, case in _alone(folder, protocol, phase):
                yield from _count(folder, name, ("program", "phases", number), what, case, (phase,))
    pairs = combinations(sorted(folder.newest(), key=lambda item: item[1].condition_id), 2)
    for (_, one), (name, other) in pairs:
        yield from _mixed(folder, name, one, other)
    yield from _start(folder)


def _alone(folder: Folder, protocol: ConditionProtocol, phase: PhaseRules) -> Iterator[tuple[str, Case]]:
    programs = {protocol.condition_id: protocol.program}
    phases = {protocol.condition_id: phase.number}
    yield "without equipment", Case(programs, phases, activities=())
    for modifier_id, modifier in sorted(folder.protocols.modifiers.modifiers.items()):
        yield f"without equipment, {_words(modifier_id)}", Case(programs, phases, (modifier,), activities=())
    for route in ("lumbar", "hip"):
        mixes = folder.protocols.mixes.of((protocol.condition_id,), route)
        yield f"without equipment, with referral from the {route}", Case(programs, phases, (), mixes, activities=())


def _mixed(folder: Folder, name: str, one: ConditionProtocol, other: ConditionProtocol) -> Iterator[Problem]:
    """The two move through their phases one at a time: every pair of phases can come."""
    ids = (one.condition_id, other.condition_id)
    mixes = folder.protocols.mixes.of(ids)
    short: list[Problem] = []
    for first, second in product(one.program.phases, other.program.phases):
        case = Case(
            {one.condition_id: one.program, other.condition_id: other.program},
            {one.condition_id: first.number, other.condition_id: second.number},
            (),
            mixes,
            activities=(),
        )
        what = f"mixed with {_words(one.condition_id)}, in the phases {first.phase_id} and {second.phase_id}"
        short.extend(_count(folder, name, ("program",), what, case, (first, second)))
    yield from short[:1]
    if len(short) > 1:
        message = f"the same holds in {len(short) - 1} more pairs of phases with {_words(one.condition_id)}"
        yield Problem(name, ("program",), message, "Allow more exercises of the library (`allows`)")


def _start(folder: Folder) -> Iterator[Problem]:
    start = folder.protocols.start_program
    rules: dict[str, tuple[Modifier, ...]] = {"without equipment": ()}
    for modifier_id, modifier in sorted(folder.protocols.modifiers.modifiers.items()):
        rules[f"without equipment, {_words(modifier_id)}"] = (modifier,)
    for _, protocol in folder.newest():
        for what, modifiers in rules.items():
            programs = {protocol.condition_id: protocol.program}
            case = Case(programs, {protocol.condition_id: 1}, modifiers, start=start, activities=())
            where = f"the safe start program with {_words(protocol.condition_id)} most probable, {what}"
            yield from _count(folder, "start_program.yaml", ("exercises",), where, case, start)


def _count(
    folder: Folder,
    name: str,
    place: Place,
    what: str,
    case: Case,
    pools: tuple[PhaseRules, ...] | StartProgram,
) -> Iterator[Problem]:
    library, size = folder.protocols.exercises, folder.protocols.mixes.session
    rules: tuple[Mix | Modifier, ...] = (*case.mixes, *case.modifiers)
    listed = pools.exercises if isinstance(pools, StartProgram) else [e for pool in pools for e in pool.exercises]
    wanted = [*(dose.exercise_id for dose in listed), *(dose.exercise_id for dose in library.fallback)]
    candidates = [e for e in dict.fromkeys(wanted) if e in library.exercises]
    reasons = {exercise_id: exclusion(exercise_id, case, library) for exercise_id in candidates}
    left = sum(reason is None for reason in reasons.values())
    if left >= size.at_least:
        return
    counted = Counter(reason for reason in reasons.values() if reason is not None)
    because = "; ".join(f"{reason} ({count})" for reason, count in sorted(counted.items()))
    message = f"{left} of at least {size.at_least} exercises remain {what}, because {because}"
    remedy = "Allow more exercises of the library (`allows`, or `earliest_phase` there), or loosen a limit"
    yield Problem(name, place, message, remedy if rules or case.start else f"{remedy}, or list more in the phase")


def _words(identifier: str) -> str:
    return identifier.replace("_", " ")
