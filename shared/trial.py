"""Two sets of protocols over the same recorded events: whose care would go otherwise, from when on, and how.

Each patient goes by themselves through the services' pure cores, once with the old protocols and once with the
new ones. What care was at each instant is read off what the services published, without ids of events, versions
of protocols, words and the numbering of prescriptions: so protocols that say the same differ in nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from shared.event.adjustment import LoadAdjusted
from shared.event.classification import ConditionClassified
from shared.event.envelope import Event
from shared.event.escalation import EscalationRaised, EscalationResolved
from shared.event.program import PrescribedExercise, Prescription, ProgramChanged, ProgramPlanned
from shared.event.wire import Stream
from shared.protocol.library import Protocols
from shared.recording import Recorded
from shared.service import Service
from shared.stream.pure_pipeline import PurePipeline

Aspect = Literal["classification", "program", "prescription", "hold", "verdict", "escalation", "failure"]
ASPECTS: Final[tuple[Aspect, ...]] = (
    "classification",
    "program",
    "prescription",
    "hold",
    "verdict",
    "escalation",
    "failure",
)
OF_CARE = frozenset({Stream.CLASSIFICATIONS, Stream.PROGRAMS, Stream.ADJUSTMENTS})
"""Services that write none of these decide nothing of the care itself."""

Value = Mapping[str, str]
_INSTANT = timedelta(milliseconds=1)
_NOTHING: Value = {}


@dataclass(frozen=True, slots=True)
class Moment:
    """From an instant on an aspect of care is this."""

    at: datetime
    value: Value
    rule: str


@dataclass(slots=True)
class Course:
    """What became of one patient under one set of protocols."""

    moments: dict[Aspect, list[Moment]] = field(default_factory=lambda: defaultdict(list))
    rejected: int = 0
    """Events that the services rejected."""

    def add(self, aspect: Aspect, at: datetime, value: Value, rule: str) -> None:
        """Appends what is new; time never runs backward, also where a late report is told of."""
        moments = self.moments[aspect]
        if moments:
            at = max(at, moments[-1].at)
            if moments[-1].at == at:
                moments.pop()
        if (moments[-1].value if moments else _NOTHING) != value:
            moments.append(Moment(at, value, rule))


@dataclass(frozen=True, slots=True)
class Turning:
    """The first instant at which an aspect of one patient's care differs; only what differs is told."""

    patient: str
    aspect: Aspect
    at: datetime
    old: Value
    new: Value
    rule: str


@dataclass(slots=True)
class Outcome:
    """What a whole trial found."""

    patients: int = 0
    events: int = 0
    turnings: list[Turning] = field(default_factory=list)
    rejected_old: int = 0
    rejected_new: int = 0

    def changed(self) -> int:
        """Patients whose care differs in anything."""
        return len({turning.patient for turning in self.turnings})

    def count(self, aspect: Aspect) -> int:
        """Patients whose care differs in this."""
        return sum(turning.aspect == aspect for turning in self.turnings)


def try_protocols(
    events: Iterable[Recorded],
    services: Sequence[Service[Any]],
    old: Protocols,
    new: Protocols,
    *,
    settle: timedelta,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """Runs both over each patient's events in order of time, and on for `settle` after the last of them."""
    patients: dict[str, list[Recorded]] = defaultdict(list)
    for event in sorted(events, key=lambda event: (event.time, event.event_id)):
        patients[event.subject].append(event)
    cores = [service for service in services if not OF_CARE.isdisjoint(service.writes)]
    outcome = Outcome()
    for patient in sorted(patients):
        mine = patients[patient]
        before, after = (run(mine, cores, protocols, settle) for protocols in (old, new))
        outcome.patients += 1
        outcome.events += len(mine)
        outcome.rejected_old += before.rejected
        outcome.rejected_new += after.rejected
        outcome.turnings.extend(compare(patient, before, after))
        progress(outcome.patients, len(patients))
    return outcome


def run(
    events: Sequence[Recorded], services: Sequence[Service[Any]], protocols: Protocols, settle: timedelta
) -> Course:
    """One patient's course: the clock follows the events. A core that fails on a protocol is a finding, no end."""
    course = Course()
    pipeline = PurePipeline(services, events[0].time, protocols=protocols)
    try:
        for event in events:
            if event.time > pipeline.now:
                # What is due before an event fires before it, as it does in life.
                pipeline.advance(event.time - _INSTANT)
                pipeline.now = event.time
            pipeline.submit(event.raw)
        pipeline.advance(events[-1].time + settle)
    except Exception as error:  # a protocol that a core cannot follow: this patient's care ends here, the others' not
        course.add("failure", pipeline.now, {"failure": type(error).__name__}, "")
    _read(course, pipeline)
    return course


def compare(patient: str, old: Course, new: Course) -> Iterator[Turning]:
    """The first difference of each aspect."""
    for aspect in ASPECTS:
        before, after = old.moments.get(aspect, []), new.moments.get(aspect, [])
        for at in sorted({moment.at for moment in (*before, *after)}):
            one, other = _at(before, at), _at(after, at)
            was, becomes = (one.value if one else _NOTHING), (other.value if other else _NOTHING)
            if was != becomes:
                rules = (moment.rule for moment in (other, one) if moment is not None and moment.at == at)
                yield Turning(patient, aspect, at, *_differing(was, becomes), next(filter(None, rules), ""))
                break


def _at(moments: Sequence[Moment], at: datetime) -> Moment | None:
    return next((moment for moment in reversed(moments) if moment.at <= at), None)


def _differing(old: Value, new: Value) -> tuple[Value, Value]:
    keys = [key for key in dict.fromkeys((*old, *new)) if old.get(key) != new.get(key)]
    return {key: old[key] for key in keys if key in old}, {key: new[key] for key in keys if key in new}


def _read(course: Course, pipeline: PurePipeline) -> None:
    """What the services published, in the order in which it holds."""
    course.rejected = len(pipeline.entries(Stream.DEAD_LETTERS))
    rules = {(step.service, step.at): step.rule for step in pipeline.steps if step.rule}
    for event in pipeline.published(Stream.CLASSIFICATIONS):
        if isinstance(event.data, ConditionClassified):
            course.add("classification", event.time, _classification(event.data), _rule(event, rules))
    holding: dict[str, EscalationRaised] = {}
    for event in pipeline.published(Stream.ESCALATIONS):
        if isinstance(event.data, EscalationRaised):
            holding[event.data.escalation_id] = event.data
        elif isinstance(event.data, EscalationResolved):
            holding.pop(event.data.escalation_id, None)
        else:
            continue
        course.add("escalation", event.time, _open(holding.values()), _rule(event, rules))
    _read_program(course, pipeline, rules)


def _read_program(course: Course, pipeline: PurePipeline, rules: Mapping[tuple[str, datetime], str]) -> None:
    told = [*pipeline.published(Stream.PROGRAMS), *pipeline.published(Stream.ADJUSTMENTS)]
    for event in sorted(told, key=lambda event: event.time):
        data, rule = event.data, _rule(event, rules)
        if isinstance(data, ProgramPlanned | ProgramChanged):
            course.add("program", event.time, _program(data), rule)
            course.add("hold", event.time, {"program": data.status}, rule)
            course.add("prescription", event.time, _prescription(data.phase_id, data.prescription), rule)
        elif isinstance(data, LoadAdjusted):
            rule = ", ".join(dict.fromkeys(change.rule for change in data.changes)) or rule
            course.add("verdict", event.time, {"status": data.response.status}, rule)
            if not data.late:
                course.add("prescription", event.time, _prescription(data.phase_id, data.prescription), rule)


def _rule(event: Event[Any], rules: Mapping[tuple[str, datetime], str]) -> str:
    service = event.source.rpartition("/")[2]
    return rules.get((service, event.time)) or ", ".join(getattr(event.data, "references", ())[:3])


def _classification(data: ConditionClassified) -> Value:
    return {
        "disposition": data.disposition,
        "primary": data.primary or "undetermined",
        "mixed": "yes" if data.mixed else "no",
        "route": data.referral_route or "none",
        "red flags": " ".join(sorted(flag.red_flag_id for flag in data.red_flags)) or "none",
    }


def _open(escalations: Iterable[EscalationRaised]) -> Value:
    return {
        one.reason: " ".join((one.severity, *(["holds"] if one.holds_program else []), *_options(one)))
        for one in escalations
    }


def _options(one: EscalationRaised) -> list[str]:
    return [f"options: {', '.join(option.option_id for option in one.options)}"] if one.options else []


def _program(data: ProgramPlanned | ProgramChanged) -> Value:
    course = data.adequate_course
    value = {
        "conditions": " ".join(data.conditions),
        "sessions a week": str(data.schedule.sessions_per_week),
        "reviews": " ".join(map(str, data.schedule.review_weeks)),
        "measures": " ".join(f"{one.instrument}/{one.every_weeks}" for one in data.schedule.checkin.measures),
        "adequate course": f"{course.min_weeks} weeks, {course.min_sessions} sessions, {course.min_adherence:g}, "
        f"review {course.review_week}",
        "education": " ".join(topic.topic_id for topic in data.education),
        "avoid": " ".join(sorted(one.exercise_id for one in data.avoid if one.exercise_id)) or "none",
    }
    for goal in data.goals:
        measure = goal.measure
        value[f"goal {goal.goal_id}"] = f"{measure.instrument} {measure.target:g} by week {goal.due_week}"
    for phase in data.phases:
        listed = "; ".join(f"{one.exercise_id} {_dose(one)}" for one in phase.exercises)
        value[f"phase {phase.phase_id}"] = listed
    return value


def _prescription(phase_id: str, prescription: Prescription) -> Value:
    return {"phase": phase_id} | {one.exercise_id: _dose(one) for one in prescription}


def _dose(one: PrescribedExercise) -> str:
    parts = [f"{one.sets}x{one.reps}"]
    parts += [f"{one.hold_s:g} s"] if one.hold_s is not None else []
    parts += [f"{one.load_kg:g} kg"] if one.load_kg is not None else []
    parts += [f"level {one.load_level}"] if one.load_level is not None else []
    parts += [one.equipment] if one.equipment is not None else []
    parts += [f"{one.days_per_week} days"] if one.days_per_week is not None else []
    parts += [f"{one.times_per_day} times"] if one.times_per_day is not None else []
    parts += [one.tempo] if one.tempo is not None else []
    parts += [f"rest {one.rest_s} s"] if one.rest_s is not None else []
    return " ".join((*parts, f"RPE {one.target_rpe:g}"))
