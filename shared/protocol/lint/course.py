"""Whether a condition's own thresholds lie in their ranges: recognition, doses, goals, pain, course and verdict."""

from collections.abc import Iterator

from shared.event.vocabulary import vocabulary
from shared.protocol import ceiling
from shared.protocol.condition import ConditionProtocol
from shared.protocol.course import AdequateRules, Improvement
from shared.protocol.document import Place
from shared.protocol.lint.folder import Folder
from shared.protocol.lint.problem import Problem
from shared.protocol.lint.threshold import check_dose, check_weighing, in_order, over, under
from shared.protocol.program import GoalRules


def check_conditions(folder: Folder) -> Iterator[Problem]:
    """Every version of every condition."""
    for name, protocol in folder.files.items():
        yield from _recognition(folder, name, protocol)
        yield from _program(folder, name, protocol)
        yield from _pain(name, protocol)
        yield from _adequate(name, protocol)
        yield from _measures(name, protocol)


def _recognition(folder: Folder, name: str, protocol: ConditionProtocol) -> Iterator[Problem]:
    recognition, bands = protocol.recognition, folder.protocols.screening.bands
    yield from check_weighing(folder, name, ("recognition",), recognition)
    remote = recognition.remote_only_ceiling.value
    if remote < bands.primary_at_least:
        message = f"without hands-on tests it stays at {remote:g}, below the {bands.primary_at_least:g} of a primary"
        place = ("recognition", "remote_only_ceiling", "value")
        yield Problem(name, place, message, "Raise it, or accept that it is never primary at a distance", "warning")


def _program(folder: Folder, name: str, protocol: ConditionProtocol) -> Iterator[Problem]:
    program = protocol.program
    for number, phase in enumerate(program.phases):
        place = ("program", "phases", number)
        for index, dose in enumerate(phase.exercises):
            yield from check_dose(folder, name, (*place, "exercises", index), dose, dose.exercise_id)
        weeks = [week for week, _, _ in phase.rep_scheme]
        if weeks and (weeks[0] != 1 or weeks != sorted(set(weeks))):
            message = "the weeks of the scheme must begin with 1 and rise"
            yield Problem(name, (*place, "rep_scheme"), message, "Put them in order")
        for _, sets, reps in phase.rep_scheme:
            yield from over(name, (*place, "rep_scheme"), "a number of sets", sets, ceiling.SETS_AT_MOST)
            yield from over(name, (*place, "rep_scheme"), "a number of repetitions", reps, ceiling.REPS_AT_MOST)
        if number < len(program.phases) - 1:
            days = phase.min_weeks * 7
            yield from under(name, (*place, "min_weeks"), "a stay in days", days, ceiling.PHASE_DAYS_AT_LEAST)
    if not 1 <= program.sessions_per_week <= 7:
        message = f"{program.sessions_per_week} sessions a week cannot be"
        yield Problem(name, ("program", "sessions_per_week"), message, "Choose 1 to 7")
    weeks_of_review = list(program.review_weeks)
    if weeks_of_review != sorted(set(weeks_of_review)) or any(week < 1 for week in weeks_of_review):
        yield Problem(name, ("program", "review_weeks"), "the weeks must be 1 or more and rise", "Put them in order")
    horizons = {goal.horizon for goal in program.goals}
    for horizon in ("short_term", "long_term"):
        if horizon not in horizons:
            yield Problem(name, ("program", "goals"), f"there is no {horizon} goal", "Add one")
    for number, goal in enumerate(program.goals):
        yield from _goal(name, ("program", "goals", number), goal)


def _goal(name: str, place: Place, goal: GoalRules) -> Iterator[Problem]:
    known = vocabulary().instruments[goal.instrument]
    if (goal.direction == "decrease") != known.lower_is_better:
        better = "lower" if known.lower_is_better else "higher"
        message = f"{goal.instrument} is better when {better}, and the goal is to {goal.direction} it"
        yield Problem(name, (*place, "direction"), message, "Turn the direction")
    for key in ("floor_target", "start_value"):
        value: float | None = getattr(goal, key)
        if value is not None and not known.minimum <= value <= known.maximum:
            message = f"{goal.instrument} runs from {known.minimum:g} to {known.maximum:g}, not to {value:g}"
            yield Problem(name, (*place, key), message, "Choose a value in that range")
    if goal.change_points is not None and not 0 < goal.change_points <= known.maximum - known.minimum:
        message = f"{goal.instrument} cannot change by {goal.change_points:g}"
        yield Problem(name, (*place, "change_points"), message, "Choose a change within its range")
    if goal.change_percent is not None and not 0 < goal.change_percent <= 100:
        message = f"{goal.change_percent:g} percent cannot be met"
        yield Problem(name, (*place, "change_percent"), message, "Choose 1 to 100")


def _pain(name: str, protocol: ConditionProtocol) -> Iterator[Problem]:
    pain, place = protocol.course.pain, ("course", "pain")
    allowed = ("allowed_at_most", pain.allowed_at_most)
    yield from in_order(name, place, ("progress_at_most", pain.progress_at_most), allowed)
    most = ceiling.PAIN_AT_MOST_NPRS
    yield from over(name, (*place, "progress_at_most"), "pain that may progress", pain.progress_at_most, most)
    rise = pain.morning_rise_at_most
    points = ceiling.MORNING_RISE_AT_MOST_POINTS
    yield from over(name, (*place, "morning_rise_at_most"), "a rise by the morning", rise, points)


def _adequate(name: str, protocol: ConditionProtocol) -> Iterator[Problem]:
    course, program = protocol.course, protocol.program
    rules: list[tuple[Place, AdequateRules]] = [(("course", "adequate"), course.adequate)]
    rules += [(("course", "adequate_variants", n), one) for n, one in enumerate(course.adequate_variants)]
    for place, one in rules:
        if one.review_week < one.min_weeks:
            message = f"care is judged in week {one.review_week}, before the {one.min_weeks} weeks it must last"
            yield Problem(name, (*place, "review_week"), message, f"Judge in week {one.min_weeks} or later")
        if one.min_sessions > one.min_weeks * program.sessions_per_week:
            message = f"{one.min_sessions} sessions do not fit into {one.min_weeks} weeks"
            yield Problem(name, (*place, "min_sessions"), message, "Ask for fewer, or for more weeks")
        least = ceiling.FAILED_WEEKS_AT_LEAST
        yield from under(name, (*place, "min_weeks"), "a course in weeks", one.min_weeks, least)
        sessions = ceiling.FAILED_SESSIONS_AT_LEAST
        yield from under(name, (*place, "min_sessions"), "a number of sessions", one.min_sessions, sessions)
        share = ceiling.FAILED_ADHERENCE_AT_LEAST
        yield from under(name, (*place, "min_adherence"), "adherence", one.min_adherence, share)
    if course.adequate.review_week not in program.review_weeks:
        message = f"week {course.adequate.review_week}, in which care is judged, is no week of review"
        yield Problem(name, ("program", "review_weeks"), message, "Add it", "warning")
    yield from _response(name, protocol)


def _response(name: str, protocol: ConditionProtocol) -> Iterator[Problem]:
    course = protocol.course
    review = ("the week in which care is judged", course.adequate.review_week)
    response, expected, dose = course.response, course.expected, course.dose
    early = ("early_warning_week", response.early_warning_week)
    yield from in_order(name, ("course", "response"), early, review)
    judged = ("judged_from_week", expected.judged_from_week)
    yield from in_order(name, ("course", "expected"), judged, review)
    weeks = ("weeks_at_effort", dose.weeks_at_effort)
    yield from in_order(name, ("course", "dose"), weeks, ("within_weeks", dose.within_weeks))
    most = ceiling.EFFORT_AT_MOST_RPE
    yield from over(name, ("course", "dose", "effort_rpe"), "an effort", dose.effort_rpe, most)
    at = [checkpoint.week for checkpoint in course.checkpoints]
    if at != sorted(set(at)):
        yield Problem(name, ("course", "checkpoints"), "the weeks must rise", "Put them in order")


def _measures(name: str, protocol: ConditionProtocol) -> Iterator[Problem]:
    """What judges the course must be asked for."""
    course = protocol.course
    asked = {measure.instrument for measure in protocol.program.measures}
    if course.measure not in asked:
        message = f"{course.measure} is never asked for"
        yield Problem(name, ("course", "measure"), message, "Add it to `program.measures`")
    primaries = {course.non_response.primary, *(one.primary for one in course.non_response.primary_variants)}
    criteria = {one.instrument for one in course.non_response.criteria}
    for primary in sorted(primaries - criteria):
        message = f"the primary criterion {primary} is none of the criteria"
        yield Problem(name, ("course", "non_response", "criteria"), message, "Add it")
    places: list[tuple[Place, Improvement]] = [
        (("course", "non_response", "criteria", n), one) for n, one in enumerate(course.non_response.criteria)
    ]
    for number, checkpoint in enumerate(course.checkpoints):
        any_of: Place = ("course", "checkpoints", number, "any_of")
        places += [((*any_of, n), one) for n, one in enumerate(checkpoint.any_of)]
    for place, one in places:
        known = vocabulary().instruments[one.instrument]
        most = known.maximum if one.of == "value" else known.maximum - known.minimum
        if one.points > most:
            message = f"{one.instrument} cannot gain {one.points:g}"
            yield Problem(name, (*place, "points"), message, f"Choose {most:g} at most")
        if one.instrument not in asked:
            message = f"{one.instrument} is never asked for: it stays unknown"
            yield Problem(name, (*place, "instrument"), message, "Add it to `program.measures`")
