"""Who must look, how soon, and in which words. Source: contract §6, evidence NOTIFY."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from services.intake.domain.disposition import Verdict
from services.intake.domain.rationale import TOLD, flag_label
from services.intake.domain.red_flag import rank, urgency_of, weigh
from services.intake.domain.state import Flag, OpenEscalation
from shared.decision import Draft
from shared.event.escalation import EscalationRaised, EscalationReason, EscalationResolved, Sbar
from shared.event.intake import IntakeSubmitted
from shared.event.vocabulary import Urgency, vocabulary
from shared.protocol.library import Protocols
from shared.protocol.screening import RespondWithin

SATURDAY = 5
RECOMMENDATION: dict[Urgency, str] = {
    "emergency": "Contact the patient now and arrange emergency care; no exercise until a clinician has decided.",
    "urgent": "Contact the patient today and arrange the examination; no exercise until a clinician has decided.",
    "routine": "See the patient or call, and decide how care goes on.",
}


def reason_for(verdict: Verdict) -> EscalationReason | None:
    """Why a person must look at this verdict; None where nobody must."""
    if verdict.disposition in ("program", "more_information"):
        return None
    if verdict.flags:
        return "red_flag"
    if verdict.contradicted or not (verdict.route or verdict.reviews):
        return "unclear_diagnosis"
    return "clinician_review"


def severity_of(flags: tuple[Flag, ...]) -> Urgency:
    """That of the most urgent flag."""
    return max((weigh(flag) for flag in flags), key=rank, default="routine")


def answer_by(since: datetime, severity: Urgency, within: RespondWithin) -> datetime:
    """When a person must have answered; working days are Monday to Friday in UTC."""
    if severity == "emergency":
        return since + timedelta(minutes=within.emergency_minutes)
    if severity == "urgent":
        return since + timedelta(minutes=within.urgent_minutes)
    day, left = since, within.routine_working_days
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < SATURDAY
    return day


def grow(escalation: OpenEscalation, flags: tuple[Flag, ...]) -> OpenEscalation:
    """The same escalation with these flags; its severity never falls while it is open."""
    severity = max(escalation.severity, severity_of(flags), key=rank)
    return msgspec.structs.replace(escalation, flags=flags, severity=severity)


def is_worse(before: OpenEscalation, after: OpenEscalation) -> bool:
    """Whether it must be raised again: more severe, or a red flag that it did not name yet."""
    known = {flag.red_flag_id for flag in before.flags}
    return rank(after.severity) > rank(before.severity) or any(f.red_flag_id not in known for f in after.flags)


def raise_flags(escalation: OpenEscalation, time: datetime, now: datetime, protocols: Protocols) -> Draft:
    """The red flags of a patient, told to a person."""
    flags = sorted(escalation.flags, key=lambda flag: (-rank(weigh(flag)), flag.red_flag_id))
    found = "; ".join(
        f'"{flag_label(flag.red_flag_id)}" ({urgency_of(flag.red_flag_id)}), which {TOLD[flag.source]}'
        for flag in flags
    )
    return _raise(
        escalation,
        Sbar(
            situation=f"Red flags in the intake for buttock pain: {found}.",
            background="Red flags come before any classification and stop exercise where they are emergency or urgent.",
            assessment="A serious cause is not excluded. A single flag is no diagnosis.",
            recommendation=RECOMMENDATION[escalation.severity],
        ),
        {
            "flags": [
                {"red_flag_id": f.red_flag_id, "urgency": f.urgency, "source": f.source, "told_at": f.time.isoformat()}
                for f in flags
            ],
            "references": _rows(flags),
        },
        time,
        now,
        protocols,
        holds_program=escalation.severity != "routine",
    )


def raise_review(
    escalation: OpenEscalation,
    intake: IntakeSubmitted,
    verdict: Verdict,
    rationale: str,
    time: datetime,
    now: datetime,
    protocols: Protocols,
) -> Draft:
    """A case that is unclear or that a clinician must see before any program."""
    unclear = escalation.reason == "unclear_diagnosis"
    situation = (
        "The answers of an intake for buttock pain do not lead to a clear picture."
        if unclear
        else "An intake for buttock pain needs a clinician's look before any program."
    )
    evidence: dict[str, Any] = {
        "probabilities": dict(verdict.estimates),
        "contradicted_flags": list(verdict.contradicted),
        "referral_route": verdict.route[0].route if verdict.route else None,
        "reviews": [rule.because for rule in verdict.reviews],
        "references": list(verdict.references),
    }
    return _raise(
        escalation,
        Sbar(
            situation=situation,
            background=f"Age {intake.age_years}, sex {intake.sex}, side {intake.side}, {intake.onset} onset, "
            f"{intake.duration_weeks:g} weeks.",
            assessment=rationale,
            recommendation="Examine within two weeks, then reclassify, approve or refer."
            if unclear
            else RECOMMENDATION["routine"],
        ),
        evidence,
        time,
        now,
        protocols,
        holds_program=False,
    )


def resolve(escalation: OpenEscalation, resolution: str, decision_id: str | None, time: datetime) -> Draft:
    """Closes an escalation, by a decision or because a newer intake took its ground away."""
    return Draft(
        data=EscalationResolved.model_validate(
            {
                "escalation_id": escalation.escalation_id,
                "reason": escalation.reason,
                "resolution": resolution,
                "decision_id": decision_id,
            }
        ),
        time=time,
        key=escalation.escalation_id,
    )


def _raise(
    escalation: OpenEscalation,
    sbar: Sbar,
    evidence: dict[str, Any],
    time: datetime,
    now: datetime,
    protocols: Protocols,
    *,
    holds_program: bool,
) -> Draft:
    within = protocols.screening.respond_within
    return Draft(
        data=EscalationRaised(
            escalation_id=escalation.escalation_id,
            severity=escalation.severity,
            reason=escalation.reason,
            sbar=sbar,
            evidence=evidence,
            respond_by=answer_by(max(time, now), escalation.severity, within),
            holds_program=holds_program,
        ),
        time=time,
        key=escalation.reason,
    )


def _rows(flags: list[Flag]) -> list[str]:
    labels = vocabulary().red_flags
    return sorted({row for flag in flags for row in labels[flag.red_flag_id].evidence.split(", ")})
