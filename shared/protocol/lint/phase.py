"""Whether a patient can come through the phases: each way out can be met by something that is reported."""

from collections.abc import Iterator

from shared.event.vocabulary import vocabulary
from shared.protocol.condition import ConditionProtocol
from shared.protocol.document import Place
from shared.protocol.lint.folder import Folder
from shared.protocol.lint.problem import Problem
from shared.protocol.program import Criterion, PhaseRules

NOTES_KEPT = 12
"""Of so many sessions the newest are looked at; a criterion that asks for more is never met."""


def check_phases(folder: Folder) -> Iterator[Problem]:
    """Numbers without gaps, criteria that can be met, exercises that their own phase allows."""
    for name, protocol in folder.files.items():
        yield from _numbers(name, protocol)
        scheduled = {measure.instrument for measure in protocol.program.measures}
        for index, phase in enumerate(protocol.program.phases):
            place = ("program", "phases", index)
            for part in ("entry", "exit"):
                criteria: tuple[Criterion, ...] = getattr(phase, part)
                for number, criterion in enumerate(criteria):
                    yield from _criterion(name, (*place, part, number), criterion, scheduled)
            yield from _allowed(folder, name, place, protocol, phase)


def _numbers(name: str, protocol: ConditionProtocol) -> Iterator[Problem]:
    phases = protocol.program.phases
    numbers = [phase.number for phase in phases]
    if numbers != list(range(1, len(numbers) + 1)):
        message = f"the phases are numbered {', '.join(map(str, numbers))}: the next one would not be found"
        yield Problem(name, ("program", "phases"), message, "Number them 1, 2, 3 in their order")
    for index, phase in enumerate(phases):
        if phase.phase_id[:2] != phases[0].phase_id[:2]:
            message = f"{phase.phase_id} does not begin with {phases[0].phase_id[:2]} as the first phase does"
            yield Problem(
                name, ("program", "phases", index, "phase_id"), message, "Give all phases the same two letters"
            )
        if not phase.exit and index < len(phases) - 1:
            message = f"{phase.phase_id} has no way out: it would be left after {phase.min_weeks} weeks whatever comes"
            remedy = "Say what must hold before it is left"
            yield Problem(name, ("program", "phases", index, "exit"), message, remedy, "warning")
    yield from _effort(name, protocol)


def _effort(name: str, protocol: ConditionProtocol) -> Iterator[Problem]:
    """The effort without which care is called under-dosed must be asked for in time."""
    dose, adequate, begins = protocol.course.dose, protocol.course.adequate, 0
    for phase in protocol.program.phases:
        if max((one.rpe.high for one in phase.exercises), default=0) >= dose.effort_rpe:
            break
        begins += phase.min_weeks
    else:
        message = f"no phase asks for the effort of {dose.effort_rpe:g} that an adequate dose needs"
        yield Problem(name, ("course", "dose", "effort_rpe"), message, "Lower it, or let a phase ask for more")
        return
    if begins + dose.weeks_at_effort > adequate.review_week:
        message = (
            f"an effort of {dose.effort_rpe:g} is not asked for before week {begins}, so {dose.weeks_at_effort} weeks "
            f"of it cannot be over in week {adequate.review_week}, when care is judged"
        )
        remedy = "Shorten the phases before it, or judge later"
        yield Problem(name, ("course", "dose", "effort_rpe"), message, remedy, "warning")


def _criterion(name: str, place: Place, criterion: Criterion, scheduled: set[str]) -> Iterator[Problem]:
    kind, value = criterion.kind, criterion.value
    if kind.startswith("instrument_"):
        yield from _instrument(name, place, criterion, scheduled)
    elif kind in ("session_pain_at_most", "week_at_least") and value is None:
        yield Problem(name, place, f"{kind} needs a value", "Give `value`")
    elif kind == "session_pain_at_most" and value is not None and not 0 <= value <= 10:
        yield Problem(name, (*place, "value"), f"pain is 0 to 10, not {value:g}", "Choose a value in that range")
    elif kind == "symptom_absent" and criterion.symptom is None:
        yield Problem(name, place, "symptom_absent needs a symptom", "Give `symptom`")
    if kind in ("session_pain_at_most", "morning_settled") and not 1 <= criterion.count <= NOTES_KEPT:
        message = f"the last {criterion.count} sessions are never looked at together"
        yield Problem(name, (*place, "count"), message, f"Choose 1 to {NOTES_KEPT}")


def _instrument(name: str, place: Place, criterion: Criterion, scheduled: set[str]) -> Iterator[Problem]:
    kind, value, percent = criterion.kind, criterion.value, criterion.percent
    if criterion.instrument is None:
        yield Problem(name, place, f"{kind} needs an instrument", "Give `instrument`")
        return
    known = vocabulary().instruments[criterion.instrument]
    if criterion.instrument not in scheduled:
        message = f"{criterion.instrument} is never asked for: the criterion could not be met"
        yield Problem(name, (*place, "instrument"), message, "Add it to `program.measures`")
    if value is None and (percent is None or kind != "instrument_improved"):
        needs = "value or percent" if kind == "instrument_improved" else "value"
        yield Problem(name, place, f"{kind} needs a {needs}", f"Give `{needs.split()[0]}`")
        return
    if kind == "instrument_improved":
        if value is not None and not 0 < value <= known.maximum - known.minimum:
            message = f"{criterion.instrument} cannot change by {value:g}"
            yield Problem(name, (*place, "value"), message, "Choose a change within the instrument's range")
        if percent is not None and not 0 < percent <= 100:
            yield Problem(name, (*place, "percent"), f"{percent:g} percent cannot be met", "Choose 1 to 100")
    elif value is not None and not known.minimum <= value <= known.maximum:
        message = f"{criterion.instrument} runs from {known.minimum:g} to {known.maximum:g}, not to {value:g}"
        yield Problem(name, (*place, "value"), message, "Choose a value in that range")


def _allowed(
    folder: Folder, name: str, place: Place, protocol: ConditionProtocol, phase: PhaseRules
) -> Iterator[Problem]:
    """What a phase lists, the library must allow there, or it is never prescribed."""
    condition = protocol.condition_id
    for index, dose in enumerate(phase.exercises):
        exercise = folder.protocols.exercises.exercises.get(dose.exercise_id)
        if exercise is None:
            continue
        here = (*place, "exercises", index, "exercise_id")
        says = {dose.exercise_id: phase.number} | protocol.program.allows
        earliest = exercise.earliest_phase.get(condition, says[dose.exercise_id])
        if earliest is None:
            message = f"{condition} never allows {dose.exercise_id}"
            yield Problem(name, here, message, "List another exercise, or allow it in exercises.yaml")
        elif earliest > phase.number:
            message = f"{condition} allows {dose.exercise_id} only from phase {earliest}"
            yield Problem(name, here, message, "List it later, or allow it earlier in exercises.yaml")
