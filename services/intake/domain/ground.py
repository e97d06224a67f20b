"""What a disposition stands on besides probabilities, and what would take that away."""

from services.intake.domain.change import (
    Change,
    FindingAnswered,
    FlagAnswered,
    ModifierLeftOut,
    NotesLeftOut,
    Older,
    ScreenCompleted,
)
from services.intake.domain.disposition import Case, Verdict
from services.intake.domain.red_flag import urgency_of
from services.intake.domain.state import Flag
from shared.event.vocabulary import vocabulary
from shared.protocol.source import EvidenceId


def lift_ground(case: Case, verdict: Verdict) -> tuple[Change, ...]:
    """The changes that take away the first thing on which the verdict stands; none where no answer can."""
    match verdict.disposition:
        case "emergency":
            return _lift_flags(case, [f for f in verdict.flags if _is_certain(f) and f.urgency == "emergency"])
        case "urgent_referral":
            return _lift_flags(case, [f for f in verdict.flags if _is_certain(f) and f.urgency == "urgent"])
        case "clinician_review":
            return _lift_review(case, verdict)
        case "more_information":
            return _answer_flags(case, verdict)
        case "program":
            return ()


def flag_row(red_flag_id: str) -> EvidenceId:
    """The evidence row of a red flag."""
    return vocabulary().red_flags[red_flag_id].evidence.split(", ")[0]


def _is_certain(flag: Flag) -> bool:
    return flag.source != "suspected"


def _lift_flags(case: Case, flags: list[Flag]) -> tuple[Change, ...]:
    standing = {flag.red_flag_id for flag in case.standing}
    if any(flag.red_flag_id in standing for flag in flags):
        return ()
    told: list[Change] = [
        FlagAnswered(f.red_flag_id, case.intake.red_flags.get(f.red_flag_id), "absent", flag_row(f.red_flag_id))
        for f in flags
        if _is_certain(f)
    ]
    written = [flag for flag in flags if not _is_certain(flag)]
    return (*told, NotesLeftOut(flag_row(written[0].red_flag_id))) if written else tuple(told)


def _lift_review(case: Case, verdict: Verdict) -> tuple[Change, ...]:
    if verdict.flags:
        return _lift_flags(case, list(verdict.flags))
    if verdict.contradicted:
        return (FlagAnswered(verdict.contradicted[0], "absent", "present", flag_row(verdict.contradicted[0])),)
    if verdict.route:
        _, rule = verdict.route
        found = [f for f in rule.findings if case.presentation.is_present(f)]
        spare = len(found) - rule.at_least
        return tuple(FindingAnswered(f, "present", "absent", rule.source[0]) for f in found[: spare + 1])
    lifting: list[Change] = []
    for review in verdict.reviews:
        row = review.source[0]
        if review.when.age_at_most is not None:
            lifting.append(Older(case.intake.age_years, review.when.age_at_most + 1, row))
        lifting.extend(ModifierLeftOut(m, row) for m in review.when.any_modifier if m in case.presentation.modifiers)
    return tuple(lifting)


def _answer_flags(case: Case, verdict: Verdict) -> tuple[Change, ...]:
    told = case.intake.red_flags
    open_flags = [flag for flag in verdict.unknown_flags if urgency_of(flag) != "routine"]
    asked: list[Change] = [FlagAnswered(f, "unknown", "absent", flag_row(f)) for f in open_flags if f in told]
    if len(asked) < len(open_flags):
        first = next(flag for flag in open_flags if flag not in told)
        asked.append(ScreenCompleted(flag_row(first)))
    return tuple(asked)
