"""Whether the thresholds that all conditions share lie in their ranges, fit each other and keep the envelope."""

from collections.abc import Iterator

from shared.protocol import ceiling
from shared.protocol.document import Place
from shared.protocol.lint.folder import Folder
from shared.protocol.lint.problem import Problem
from shared.protocol.program import Dose
from shared.protocol.recognition import Weighing


def check_thresholds(folder: Folder) -> Iterator[Problem]:
    """Of screening, progression, mixes and the doses of every file."""
    yield from _screening(folder)
    yield from _progression(folder)
    yield from _mixes(folder)
    for index, dose in enumerate(folder.protocols.exercises.fallback):
        yield from check_dose(folder, "exercises.yaml", ("fallback", index), dose, dose.exercise_id)
    for index, dose in enumerate(folder.protocols.start_program.exercises):
        yield from check_dose(folder, "start_program.yaml", ("exercises", index), dose, dose.exercise_id)


def over(name: str, place: Place, what: str, value: float, most: float) -> Iterator[Problem]:
    """More than the safety envelope lets through, whatever a protocol says."""
    if value > most + 1e-9:
        message = f"{what} of {value:g} is more than the {most:g} beyond which nothing passes"
        yield Problem(name, place, message, f"Ask for {most:g} at most: more is never given", "warning")


def under(name: str, place: Place, what: str, value: float, least: float) -> Iterator[Problem]:
    """Less than the safety envelope demands, whatever a protocol says."""
    if value < least - 1e-9:
        message = f"{what} of {value:g} is less than the {least:g} that always holds"
        yield Problem(name, place, message, f"Ask for {least:g} at least: less never counts", "warning")


def in_order(name: str, place: Place, low: tuple[str, float], high: tuple[str, float]) -> Iterator[Problem]:
    """The first must not be above the second."""
    if low[1] > high[1]:
        message = f"{low[0]} ({low[1]:g}) is above {high[0]} ({high[1]:g})"
        yield Problem(name, place, message, "Put them in order")


def check_weighing(folder: Folder, name: str, place: Place, weighing: Weighing) -> Iterator[Problem]:
    """A finding cannot raise the odds both when present and when absent, nor lower them both times."""
    caps = folder.protocols.screening.caps
    for number, group in enumerate(weighing.groups):
        for index, figure in enumerate(group.figures):
            here = (*place, "groups", number, "figures", index)
            positive, negative = figure.lr_positive, figure.lr_negative
            if (positive > 1 and negative > 1) or (positive < 1 and negative < 1):
                way = "raise" if positive > 1 else "lower"
                message = f"present ({positive:g}) and absent ({negative:g}) both {way} the odds"
                yield Problem(name, here, message, "One of the two ratios must be on the other side of 1")
            if positive == negative == 1:
                yield Problem(name, here, "the figure says nothing", "Give a ratio, or take it out", "warning")
            if not group.on_prior and max(positive, negative) > caps.total_positive_at_most:
                message = f"a ratio above {caps.total_positive_at_most:g} is cut to that by the caps on all evidence"
                yield Problem(name, here, message, "Lower the ratio", "warning")


def check_dose(folder: Folder, name: str, place: Place, dose: Dose, exercise_id: str) -> Iterator[Problem]:
    """One exercise's dose: what the contract can carry, and what the envelope lets through."""
    effort = folder.protocols.progression.effort
    if not 0 <= dose.rpe.low <= dose.rpe.high <= 10:
        message = f"effort runs from 0 to 10, not from {dose.rpe.low:g} to {dose.rpe.high:g}"
        yield Problem(name, (*place, "rpe"), message, "Choose a range within it")
    elif dose.rpe.high > effort.allowed_at_most:
        message = f"an effort of {dose.rpe.high:g} never counts as done well: {effort.allowed_at_most:g} is allowed"
        yield Problem(name, (*place, "rpe", "high"), message, "Lower it", "warning")
    if not (dose.reps.low >= 1 and dose.reps.high <= 100 and float(dose.reps.low).is_integer()):
        message = f"{dose.reps.low:g} to {dose.reps.high:g} repetitions cannot be prescribed"
        yield Problem(name, (*place, "reps"), message, "Use whole numbers from 1 to 100")
    if dose.hold_s is not None and dose.hold_s.low < 1:
        message = f"a hold of {dose.hold_s.low:g} s cannot be prescribed"
        yield Problem(name, (*place, "hold_s", "low"), message, "Use 1 second or more")
    exercise = folder.protocols.exercises.exercises.get(exercise_id)
    yield from over(name, (*place, "rpe", "high"), "an effort", dose.rpe.high, ceiling.EFFORT_AT_MOST_RPE)
    yield from over(name, (*place, "sets"), "a number of sets", dose.sets, ceiling.SETS_AT_MOST)
    yield from over(name, (*place, "reps", "high"), "a number of repetitions", dose.reps.high, ceiling.REPS_AT_MOST)
    most = ceiling.TIMES_PER_DAY_AT_MOST
    yield from over(name, (*place, "times_per_day"), "a number of times a day", dose.times_per_day, most)
    if dose.hold_s is not None and exercise is not None:
        longest = ceiling.AEROBIC_AT_MOST_S if exercise.kind == "aerobic" else ceiling.HOLD_AT_MOST_S
        yield from over(name, (*place, "hold_s", "high"), "a hold in seconds", dose.hold_s.high, longest)
    if exercise is not None and exercise.kind == "energy_storage":
        hours = folder.protocols.progression.spacing.energy_storage_hours
        if dose.days_per_week * hours > 7 * 24:
            message = f"{dose.days_per_week} days a week are not {hours} hours apart"
            yield Problem(name, (*place, "days_per_week"), message, "Ask for fewer days", "warning")


def _screening(folder: Folder) -> Iterator[Problem]:
    name, rules, mixes = "screening.yaml", folder.protocols.screening, folder.protocols.mixes
    bands, respond = rules.bands, rules.respond_within
    mixed, primary = ("mixed_at_least", bands.mixed_at_least), ("primary_at_least", bands.primary_at_least)
    yield from in_order(name, ("bands",), mixed, primary)
    yield from in_order(name, ("bands",), primary, ("probable_at_least", bands.probable_at_least))
    emergency = ("emergency_minutes", respond.emergency_minutes)
    yield from in_order(name, ("respond_within",), emergency, ("urgent_minutes", respond.urgent_minutes))
    for number, route in enumerate(rules.routes):
        yield from check_weighing(folder, name, ("routes", number, "weighing"), route.weighing)
        for index, rule in enumerate(route.rules):
            if rule.at_least > len(rule.findings):
                message = f"{rule.at_least} of {len(rule.findings)} findings can never be present"
                yield Problem(name, ("routes", number, "rules", index, "at_least"), message, "Lower it")
    for key, own, other in (
        ("threshold", mixes.threshold.value, bands.mixed_at_least),
        ("probable_from", mixes.probable_from.value, bands.probable_at_least),
    ):
        if own != other:
            message = f"{own:g} here and {other:g} in the bands of screening.yaml"
            yield Problem("mixes.yaml", (key, "value"), message, "Intake and planner should agree", "warning")


def _progression(folder: Folder) -> Iterator[Problem]:
    name, rules = "progression.yaml", folder.protocols.progression
    effort, cap, flare, spacing, respond = rules.effort, rules.cap, rules.flare, rules.spacing, rules.respond
    progress = ("progress_at_most", effort.progress_at_most)
    yield from in_order(name, ("effort",), progress, ("allowed_at_most", effort.allowed_at_most))
    yield from in_order(name, ("cap",), ("per_session", cap.per_session), ("per_week", cap.per_week))
    severe = ("severe_pain", flare.severe_pain)
    yield from in_order(name, ("flare",), ("unsettled_above", flare.unsettled_above), severe)
    yield from in_order(name, ("flare",), ("mild_hours", flare.mild_hours), ("severe_days", flare.severe_days * 24))
    heavy = ("heavy_hours", spacing.heavy_hours)
    yield from in_order(name, ("spacing",), heavy, ("energy_storage_hours", spacing.energy_storage_hours))
    emergency = ("emergency_minutes", respond.emergency_minutes)
    yield from in_order(name, ("respond",), emergency, ("urgent_minutes", respond.urgent_minutes))
    for first, second in zip(rules.gap.steps, rules.gap.steps[1:], strict=False):
        longer = (f"that after {second.missed_days} days", second.load_factor)
        shorter = (f"the load after {first.missed_days} days", first.load_factor)
        yield from in_order(name, ("gap", "steps"), longer, shorter)
    allowed = effort.allowed_at_most
    yield from over(name, ("effort", "allowed_at_most"), "an effort", allowed, ceiling.EFFORT_AT_MOST_RPE)
    yield from over(name, ("effort", "step_rpe"), "a step of effort", effort.step_rpe, ceiling.EFFORT_STEP_RPE)
    yield from over(name, ("cap", "per_session"), "a rise", cap.per_session, ceiling.LOAD_PER_SESSION)
    yield from over(name, ("cap", "per_week"), "a rise", cap.per_week, ceiling.LOAD_PER_WEEK)
    step_kg = cap.step_kg_where_none_is_known
    yield from over(
        name, ("cap", "step_kg_where_none_is_known"), "a step in kilograms", step_kg, ceiling.SMALLEST_STEP_KG
    )
    double = rules.double_progression
    most = ceiling.SMALLEST_STEP_REPS
    yield from over(name, ("double_progression", "reps_step"), "a step", double.reps_step, most)
    hold_s = ceiling.SMALLEST_STEP_HOLD_S
    yield from over(name, ("double_progression", "hold_step_s"), "a step in seconds", double.hold_step_s, hold_s)
    yield from over(name, ("aerobic", "step_share"), "a rise", rules.aerobic.step_share, ceiling.LOAD_PER_SESSION)
    most_s = ceiling.SMALLEST_STEP_AEROBIC_S
    yield from over(name, ("aerobic", "whole_s"), "a step in seconds", rules.aerobic.whole_s, most_s)
    yield from under(name, ("spacing", "heavy_hours"), "a rest in hours", spacing.heavy_hours, ceiling.HEAVY_HOURS)
    rest = ceiling.ENERGY_STORAGE_HOURS
    yield from under(name, ("spacing", "energy_storage_hours"), "a rest", spacing.energy_storage_hours, rest)
    from_rpe = spacing.heavy_from_rpe
    yield from over(name, ("spacing", "heavy_from_rpe"), "an effort", from_rpe, ceiling.HEAVY_FROM_RPE)
    days = ceiling.VARIANT_AFTER_DAYS
    yield from under(name, ("variant", "days"), "a number of days", rules.variant.days, days)
    hours = ceiling.WELL_AGAIN_AFTER_HOURS
    yield from under(name, ("illness", "rest_hours"), "a rest in hours", rules.illness.rest_hours, hours)
    least = ceiling.PHASE_SESSIONS_AT_LEAST
    yield from under(name, ("advance", "sessions"), "a number of sessions", rules.advance.sessions, least)
    for urgency in ceiling.HOLDING:
        if not rules.symptom_flags.holds_program(urgency):
            message = f"an open red flag that is {urgency} does not hold the program here, and does all the same"
            yield Problem(name, ("symptom_flags", "holds"), message, f"Add {urgency}", "warning")


def _mixes(folder: Folder) -> Iterator[Problem]:
    name, size = "mixes.yaml", folder.protocols.mixes.session
    yield from in_order(name, ("session",), ("at_least", size.at_least), ("at_most", size.at_most))
    yield from over(name, ("session", "at_most"), "a session", size.at_most, ceiling.EXERCISES_AT_MOST)
    for key, figure in (
        ("threshold", folder.protocols.mixes.threshold),
        ("probable_from", folder.protocols.mixes.probable_from),
    ):
        if not 0 < figure.value < 1:
            yield Problem(name, (key, "value"), f"{figure.value:g} is no probability", "Choose one between 0 and 1")
