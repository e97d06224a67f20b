"""When a person must look: one open escalation for each reason, with what adds to it as evidence."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from services.progression.domain.hold import hold
from services.progression.domain.state import Closed, Escalation, Quiet, Resolution
from services.progression.domain.turn import Turn, with_open, worse
from shared.event.envelope import derive_id
from shared.event.escalation import EscalationReason
from shared.event.vocabulary import URGENCIES, Urgency, vocabulary
from shared.protocol.ceiling import at_least
from shared.protocol.progression import ProgressionRules

EVIDENCE_LIMIT = 12
FLAG_LIMIT = 40


def escalate(
    turn: Turn,
    reason: EscalationReason,
    severity: Urgency,
    rule: str,
    why: str,
    *,
    evidence: tuple[tuple[str, str], ...] = (),
    respond_within_h: int | None = None,
) -> bool:
    """Opens an escalation, or adds to the one of its reason. False where it stays quiet after `continue`."""
    found = turn.s.escalation(reason)
    if found is not None:
        more = tuple(pair for pair in evidence if pair not in found.evidence)
        rises = worse(severity, found.severity)
        if more or rises:
            turn.s = with_open(
                turn.s,
                replace(
                    found,
                    severity=severity if rises else found.severity,
                    why=why if rises else found.why,
                    updated_at=turn.at,
                    evidence=(*found.evidence, *more)[-EVIDENCE_LIMIT:],
                ),
            )
        return True
    if _is_quiet(turn, reason, severity):
        return False
    turn.s = with_open(
        turn.s,
        Escalation(
            reason=reason,
            escalation_id=derive_id(turn.subject, reason, turn.cause),
            severity=severity,
            raised_at=turn.at,
            updated_at=turn.at,
            holds=False,
            rule=rule,
            why=why,
            evidence=evidence[-EVIDENCE_LIMIT:],
            respond_within_h=respond_within_h,
        ),
    )
    return True


def raise_flags(turn: Turn, flags: tuple[str, ...]) -> bool:
    """Red flags, before anything else. True where one of them is new.

    Source: R1, RF19; contract guarantee 4.
    """
    rules = turn.protocols.progression
    urgencies = {flag: flag_urgency(flag, rules) for flag in flags}
    known = {flag: urgency for flag, urgency in urgencies.items() if urgency is not None}
    found = turn.s.escalation("red_flag")
    had = found.flags if found else ()
    fresh = [f for f in sorted(known) if f not in had and not _is_quiet_flag(turn, f, known[f])]
    if not fresh:
        return False
    all_flags = (*had, *fresh)[:FLAG_LIMIT]
    severity = _most_urgent([known[f] for f in fresh])
    if found is not None and not worse(severity, found.severity):
        severity = found.severity
    holds = any(rules.symptom_flags.holds_program(known[f]) for f in fresh) or (found is not None and found.holds)
    labels = ", ".join(flag_label(flag) for flag in all_flags)
    turn.s = with_open(
        turn.s,
        Escalation(
            reason="red_flag",
            escalation_id=found.escalation_id if found else derive_id(turn.subject, "red_flag", turn.cause),
            severity=severity,
            raised_at=found.raised_at if found else turn.at,
            updated_at=turn.at,
            holds=holds,
            rule=flag_evidence(fresh[0]),
            why=f"The patient reported: {labels}.",
            evidence=tuple(("red flag", flag_label(flag)) for flag in all_flags),
            flags=all_flags,
        ),
    )
    for flag in fresh:
        turn.say(flag_evidence(flag), f"A red flag was reported: {flag_label(flag)}.")
    if holds:
        hold(turn, "red_flag", "A red flag holds the program until a clinician decides.")
    return True


def resolve(
    turn: Turn,
    reason: EscalationReason,
    how: Resolution,
    *,
    decision_id: str | None = None,
    flags_seen: tuple[str, ...] | None = None,
) -> None:
    """Closes one. A red flag that the clinician could not know of stays open."""
    found = turn.s.escalation(reason)
    if found is None:
        return
    if reason == "red_flag" and flags_seen is not None:
        unseen = tuple(flag for flag in found.flags if flag not in flags_seen)
        if unseen:
            rules = turn.protocols.progression
            urgencies: list[Urgency] = [flag_urgency(flag, rules) or "routine" for flag in unseen]
            severity = _most_urgent(urgencies)
            turn.s = with_open(
                turn.s,
                replace(
                    found,
                    escalation_id=derive_id(turn.subject, "red_flag", found.escalation_id, *unseen),
                    flags=unseen,
                    severity=severity,
                    holds=any(rules.symptom_flags.holds_program(u) for u in urgencies),
                    why=f"The patient reported: {', '.join(flag_label(flag) for flag in unseen)}.",
                    evidence=tuple(("red flag", flag_label(flag)) for flag in unseen),
                ),
            )
            return
    others = [one for one in turn.s.closed if one.reason != reason]
    closed = Closed(reason, how, turn.at, decision_id)
    turn.set(
        open=tuple(one for one in turn.s.open if one.reason != reason),
        closed=tuple(sorted([*others, closed], key=lambda one: one.reason)),
    )


def silence(turn: Turn, found: Escalation) -> None:
    """After `continue`: quiet for some weeks unless it gets more severe."""
    until = turn.at + timedelta(weeks=turn.protocols.progression.quiet.weeks)
    others = [one for one in turn.s.quiet if one.reason != found.reason]
    quiet = Quiet(found.reason, until, found.severity, found.flags)
    turn.set(quiet=tuple(sorted([*others, quiet], key=lambda one: one.reason)))


def respond_by(escalation: Escalation, rules: ProgressionRules) -> datetime:
    """Source: NOTIFY, P15."""
    start = escalation.updated_at if escalation.reason == "red_flag" else escalation.raised_at
    if escalation.respond_within_h is not None:
        return start + timedelta(hours=escalation.respond_within_h)
    respond = rules.respond
    if escalation.severity == "emergency":
        return start + timedelta(minutes=respond.emergency_minutes)
    if escalation.severity == "urgent":
        return start + timedelta(minutes=respond.urgent_minutes)
    due, left = start, respond.routine_working_days
    while left:
        due += timedelta(days=1)
        if due.isoweekday() <= 5:
            left -= 1
    return due


def flag_urgency(symptom: str, rules: ProgressionRules) -> Urgency | None:
    """How urgent a symptom is as a red flag; None where it is none."""
    flag = vocabulary().red_flags.get(symptom)
    return flag.urgency if flag else at_least(symptom, rules.symptom_flags.urgency.get(symptom))


def flag_label(flag: str) -> str:
    found = vocabulary().red_flags.get(flag)
    return found.label if found else vocabulary().symptoms.get(flag, flag.replace("_", " "))


def flag_evidence(flag: str) -> str:
    found = vocabulary().red_flags.get(flag)
    return found.evidence.split(",")[0] if found else "RF19"


def _is_quiet(turn: Turn, reason: str, severity: Urgency) -> bool:
    return any(
        one.reason == reason and turn.at < one.until and not worse(severity, one.severity) for one in turn.s.quiet
    )


def _is_quiet_flag(turn: Turn, flag: str, urgency: Urgency) -> bool:
    # An emergency is never kept quiet, even where a clinician went on with the same flag before.
    return urgency != "emergency" and any(
        one.reason == "red_flag" and turn.at < one.until and flag in one.flags for one in turn.s.quiet
    )


def _most_urgent(urgencies: list[Urgency]) -> Urgency:
    return URGENCIES[max(URGENCIES.index(one) for one in urgencies)]
