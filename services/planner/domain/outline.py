"""The exercises and doses of a plan without its words: what two plans are compared by."""

from dataclasses import dataclass, field

from services.planner.domain.case import Patient
from services.planner.domain.merge import leading_condition
from services.planner.domain.prescription import prescribe
from services.planner.domain.selection import phase_of, select_phase, select_session
from shared.event.program import PrescribedExercise, Prescription
from shared.protocol.condition import ConditionProtocol
from shared.protocol.constraint import obstacle
from shared.protocol.modifier import phase_factor
from shared.protocol.program import PhaseRules


@dataclass(frozen=True, slots=True)
class Outline:
    """The first session, and each phase's table."""

    patient: Patient
    session: dict[str, PrescribedExercise] = field(default_factory=dict)
    phases: dict[str, Prescription] = field(default_factory=dict)

    def turns(self, other: "Outline") -> list[str]:
        """What the other plan has and this one has not: exercises of the session, doses in it, exercises later."""
        new = [e for e in other.session if e not in self.session]
        doses = [
            f"{e} {name} {value:g}"
            for e, theirs in other.session.items()
            if (mine := self.session.get(e)) is not None
            for name, value, own in (
                ("reps", theirs.reps, mine.reps),
                ("hold_s", theirs.hold_s, mine.hold_s),
                ("effort", theirs.target_rpe, mine.target_rpe),
            )
            if value is not None and value != own
        ]
        later = [
            f"{phase_id} {e.exercise_id}"
            for phase_id, table in other.phases.items()
            for e in table
            if phase_id not in self.phases or e.exercise_id not in {one.exercise_id for one in self.phases[phase_id]}
        ]
        return [*new, *doses, *later]

    def obstacle_condition(self, exercise_id: str) -> str | None:
        """The condition that keeps an exercise out of the first session."""
        found = obstacle(exercise_id, self.patient.restrictions(), self.patient.protocols.exercises)
        return None if found is None else found.condition


def outline(patient: Patient) -> Outline:
    """Everything that is to be done, by session and phase."""
    return Outline(
        patient,
        {e.exercise_id: e for e in session_of(patient)},
        {
            phase.phase_id: phase_table(patient, protocol, phase)
            for protocol in patient.treated
            for phase in protocol.program.phases
        },
    )


def session_of(patient: Patient) -> Prescription:
    """The first session as a patient reads it."""
    scheme = None if patient.is_start else phase_of(patient, leading_condition(patient), 1)
    return prescribe(patient, select_session(patient), scheme)


def phase_table(patient: Patient, protocol: ConditionProtocol, phase: PhaseRules) -> Prescription:
    """What a phase will hold once every condition treated has come as far."""
    doses = select_phase(patient, protocol.condition_id, phase)
    return prescribe(patient, doses, phase, _earliest_week(patient, protocol, phase))


def _earliest_week(patient: Patient, protocol: ConditionProtocol, phase: PhaseRules) -> int:
    """The week of the program, from 0, before which a phase cannot begin."""
    weeks = sum(p.min_weeks for p in protocol.program.phases if p.number < phase.number)
    return int(weeks * phase_factor(patient.modifiers))
