"""Tells a clinician that a program awaits approval, and says when that is settled."""

import re
from datetime import datetime, timedelta

import msgspec

from services.planner.domain.case import Patient
from services.planner.domain.program import program_id_of
from services.planner.domain.state import Episode
from shared.decision import Draft
from shared.event.decision import ClinicianDecided
from shared.event.escalation import EscalationRaised, EscalationResolved, Sbar
from shared.event.program import ProgramPlanned
from shared.protocol.library import Protocols

_ID = re.compile(r"^esc-plan-(\d+)-(.+)$")


def escalation_id_of(intake_id: str, version: int) -> str:
    return f"esc-plan-{version}-{intake_id}"


def intake_of_escalation(escalation_id: str | None) -> str | None:
    """The intake of one of our own escalations; None for another service's."""
    found = _ID.match(escalation_id or "")
    return found[2] if found else None


def ask_approval(
    escalation_id: str, planned: ProgramPlanned, patient: Patient, time: datetime, protocols: Protocols
) -> Draft:
    """A routine escalation: the program does not begin before someone has looked. Source: NOTIFY."""
    names = " and ".join(p.name.lower() for p in patient.treated)
    probabilities = {c: patient.probability(c) for c in patient.conditions}
    raised = EscalationRaised(
        escalation_id=escalation_id,
        program_id=planned.program_id,
        severity="routine",
        reason="clinician_review",
        sbar=Sbar(
            situation=f"A program for {names} awaits approval.",
            background=f"Side: {patient.facts.side}. Pain has lasted {patient.facts.duration_weeks:g} weeks. "
            f"The patient can exercise on {patient.sessions} days a week.",
            assessment=planned.rationale,
            recommendation="Approve the program, modify it, or name other conditions. Until then it does not begin.",
        ),
        evidence={"conditions": probabilities, "version": planned.version},
        respond_by=_working_days_after(time, protocols.progression.respond.routine_working_days),
        holds_program=False,
    )
    return Draft(raised, time, key=escalation_id)


def resolve_approval(
    episode: Episode, time: datetime, decision: ClinicianDecided | None, stopped: bool
) -> tuple[Episode, tuple[Draft, ...]]:
    """Closes our escalation, where one is open."""
    if episode.escalation_id is None:
        return episode, ()
    known = ("approve", "modify", "reclassify", "refer", "discharge", "continue", "resume")
    resolution = (
        decision.decision if decision and decision.decision in known else "stopped" if stopped else "superseded"
    )
    resolved = EscalationResolved.model_validate(
        {
            "escalation_id": episode.escalation_id,
            "program_id": program_id_of(episode.intake_id),
            "reason": "clinician_review",
            "resolution": resolution,
            "decision_id": decision.decision_id if decision else None,
        }
    )
    closed = msgspec.structs.replace(episode, escalation_id=None)
    return closed, (Draft(resolved, time, key=episode.escalation_id),)


def _working_days_after(time: datetime, days: int) -> datetime:
    while days:
        time += timedelta(days=1)
        days -= time.isoweekday() <= 5
    return time
