"""Draws up the whole program that one case calls for."""

from services.planner.domain.basis import basis_of
from services.planner.domain.case import Patient
from services.planner.domain.goal import set_goals
from services.planner.domain.merge import leading_condition
from services.planner.domain.outline import phase_table, session_of
from services.planner.domain.prescription import weights_on_hand
from services.planner.domain.rationale import explain, references, turning_point
from services.planner.domain.selection import phase_of
from shared.event.explanation import Basis, ProtocolRef
from shared.event.program import (
    AdequateCourse,
    Avoid,
    CheckinSchedule,
    MeasureSchedule,
    Phase,
    ProgramChanged,
    ProgramPlanned,
    ProgramStatus,
    Rival,
    Schedule,
    Topic,
)
from shared.protocol.condition import ConditionProtocol
from shared.protocol.program import AvoidRule, PhaseRules


def program_id_of(intake_id: str) -> str:
    return f"prg-{intake_id}"


def draw_up(patient: Patient, version: int, status: ProgramStatus, because: tuple[Basis, ...] = ()) -> ProgramPlanned:
    """The program from its first phase. `prescription` is empty for one that is held or ended, which rest on
    `because` alone: why the program has its status.
    """
    leader = patient.protocol(leading_condition(patient))
    session = session_of(patient)
    phases = tuple(_phase(patient, p, phase) for p in patient.treated for phase in p.program.phases)
    days = max((e.days_per_week or 1 for e in session), default=1)
    intake_id = patient.classification.intake_id
    return ProgramPlanned(
        program_id=program_id_of(intake_id),
        version=version,
        intake_id=intake_id,
        status=status,
        prescription_seq=0,
        conditions=patient.conditions,
        goals=set_goals(patient),
        phases=phases,
        prescription=() if status in ("held", "ended") else session,
        education=_education(patient),
        schedule=_schedule(patient, days),
        adequate_course=_adequate_course(patient),
        avoid=_avoid(patient),
        protocol=_ref(leader),
        rationale=explain(patient, session, (phase.exercises for phase in phases)),
        references=references(patient),
        turning_point=turning_point(patient),
        basis=because if status in ("held", "ended") else (*because, *basis_of(patient)),
        phase_id=phase_of(patient, leader.condition_id, 1).phase_id,
        phase_by_condition={c: phase_of(patient, c, 1).phase_id for c in patient.conditions},
        protocols=tuple(_ref(p) for p in patient.treated),
        mix_id="+".join(m.mix_id for m in patient.mixes) or None,
        intake=patient.facts.model_copy(update={"load_steps_kg": weights_on_hand(patient)}),
        rivals=tuple(
            Rival(condition_id=c.condition_id, probability=c.probability)
            for c in patient.classification.conditions
            if c.condition_id not in patient.conditions
        ),
    )


def change(planned: ProgramPlanned, previous_version: int, reason: str) -> ProgramChanged:
    """The same program as a change of the version before."""
    fields = {name: getattr(planned, name) for name in ProgramPlanned.model_fields}
    return ProgramChanged(**fields, previous_version=previous_version, reason=reason)


def _ref(protocol: ConditionProtocol) -> ProtocolRef:
    return ProtocolRef(id=protocol.condition_id, version=protocol.version)


def _phase(patient: Patient, protocol: ConditionProtocol, phase: PhaseRules) -> Phase:
    return Phase(
        phase_id=phase.phase_id,
        name=phase.name,
        intent=phase.intent,
        entry_criteria=tuple(c.statement for c in phase.entry),
        exit_criteria=tuple(c.statement for c in phase.exit),
        exercises=phase_table(patient, protocol, phase),
    )


def _education(patient: Patient) -> tuple[Topic, ...]:
    """The union of all that is taught, in the order of who asks for it."""
    library = patient.protocols.education.topics
    lists = [p.program.education for p in patient.treated]
    lists += [rule.education for rule in patient.circumstances]
    if patient.is_start:
        lists.insert(0, patient.protocols.start_program.education)
    ids = dict.fromkeys(topic_id for topics in lists for topic_id in topics)
    return tuple(
        Topic(topic_id=i, title=library[i].title, text=library[i].text, references=library[i].source) for i in ids
    )


def _schedule(patient: Patient, days: int) -> Schedule:
    every: dict[str, int] = {}
    for protocol in patient.treated:
        for rule in protocol.program.measures:
            every[rule.instrument] = min(rule.every_weeks, every.get(rule.instrument, rule.every_weeks))
    reviews = {week for p in patient.treated for week in p.program.review_weeks}
    if patient.is_start:
        reviews.add(patient.protocols.start_program.reexamine_week)
    return Schedule(
        sessions_per_week=days,
        checkin=CheckinSchedule(
            next_morning=any(p.program.next_morning_checkin for p in patient.treated),
            measures=tuple(MeasureSchedule(instrument=i, every_weeks=w) for i, w in every.items()),
        ),
        review_weeks=tuple(sorted(reviews)),
    )


def _adequate_course(patient: Patient) -> AdequateCourse:
    """The longer and larger course of a mix. Source: §6.1."""
    rules = [p.course.adequate_for(patient.facts.modifiers) for p in patient.treated]
    min_weeks = max(r.min_weeks for r in rules)
    return AdequateCourse(
        min_weeks=min_weeks,
        min_sessions=max(r.min_sessions for r in rules),
        min_adherence=max(r.min_adherence for r in rules),
        review_week=max(min_weeks, *(r.review_week for r in rules)),
    )


def _avoid(patient: Patient) -> tuple[Avoid, ...]:
    rules: list[AvoidRule] = []
    if patient.is_start:
        rules.extend(patient.protocols.start_program.avoid)
    for protocol in patient.treated:
        rules.extend(protocol.program.avoid)
    for rule in patient.circumstances:
        rules.extend(rule.avoid)
    unique = {rule.what: rule for rule in reversed(rules)}
    kept = [rule for rule in rules if unique[rule.what] is rule]
    return tuple(Avoid(what=r.what, reason=r.reason, exercise_id=r.exercise_id) for r in kept)
