"""The reasons of a classification, in words that a clinician can read."""

import re
from collections.abc import Iterable
from typing import assert_never

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
from services.intake.domain.probability import Rating
from services.intake.domain.survey import Outcome
from services.intake.domain.turning import Turn
from shared.event.classification import Disposition
from shared.event.vocabulary import vocabulary
from shared.protocol.library import Protocols
from shared.protocol.screening import Bands

CONSEQUENCE: dict[Disposition, str] = {
    "emergency": "emergency care now",
    "urgent_referral": "an urgent referral",
    "clinician_review": "a clinician's review",
    "more_information": "more questions",
    "program": "an exercise program",
}
TOLD = {
    "reported": "was answered as present",
    "derived": "follows from other answers",
    "suspected": "is suspected from the patient's own words and must be asked",
}
REASONS_AT_MOST = 4


def explain(
    case: Case,
    verdict: Verdict,
    ratings: tuple[Rating, ...],
    missing: Iterable[str],
    turning_point: str,
    protocols: Protocols,
) -> str:
    """What speaks for the disposition and for each condition, what against, what is not known, what had turned it.

    Each condition is named once, short of the last sentence but one, which says what would have turned it.
    """
    sentences = [f"This leads to {CONSEQUENCE[verdict.disposition]}, because {_because(case, verdict, protocols)}."]
    sentences.extend(_flag_sentences(verdict))
    if verdict.route:
        route, rule = verdict.route
        found = [f for f in rule.findings if case.presentation.is_present(f)]
        sentences.append(f"Pointing to {route.name}: {_listed(_short(finding_label(f)) for f in found)}.")
    bands = protocols.screening.bands
    weighty = [r for place, r in enumerate(ratings) if place == 0 or r.probability >= bands.mixed_at_least]
    sentences.extend(describe(rating, case, protocols) for rating in weighty)
    lighter = [r for r in ratings if r not in weighty]
    if lighter:
        named = (f"{_name(r.condition_id, protocols)} ({_percent(r.probability)})" for r in lighter)
        sentences.append(f"Less likely: {_listed(named)}.")
    unknown = [_short(finding_label(item)) for item in missing]
    if unknown:
        sentences.append(f"Not known and worth asking: {_listed(unknown)}.")
    sentences.append(turning_point)
    sentences.append("The weights are judgements, and none of this confirms a condition.")
    return " ".join(sentences)


def describe(rating: Rating, case: Case, protocols: Protocols) -> str:
    """One condition: how probable, what speaks for it and what against."""
    name = protocols.conditions[rating.condition_id].name
    text = f"{name} is {_band(rating.probability, protocols.screening.bands)} ({_percent(rating.probability)})"
    text += ", held down because nobody has examined by hand yet." if rating.is_capped else "."
    if rating.supporting:
        text += f" For it: {_listed(_answers(rating.supporting, case))}."
    if rating.opposing:
        text += f" Against it: {_listed(_answers(rating.opposing, case))}."
    return text


def say_turn(turn: Turn | None, verdict: Verdict, protocols: Protocols) -> str:
    """The smallest change that would have turned the decision, in words."""
    if turn is None:
        return "Only a clinician's decision on the red flag that stands from earlier would turn this."
    became = _outcome(turn.outcome, verdict, protocols)
    said = [_change(change) for change in turn.changes]
    if len(said) > REASONS_AT_MOST:
        return f"Had every open red flag been answered as absent, it would have been {became}."
    (first, *_) = turn.changes
    text = f"Had {' and '.join(said)}, it would have been {became}."
    if isinstance(first, FlagAnswered) and first.answer == "present" and first.red_flag_id not in verdict.contradicted:
        return f"No one or two other answers would have turned it; only a red flag would. {text}"
    return f"No single answer would have turned it. {text}" if len(said) > 1 else text


def _change(change: Change) -> str:
    match change:
        case FindingAnswered():
            return f'"{finding_label(change.finding_id)}" been {change.answer} instead of {change.was or "unknown"}'
        case FlagAnswered():
            return f'the red flag "{flag_label(change.red_flag_id)}" been answered as {change.answer}'
        case ScreenCompleted():
            return "every red flag been asked for and none been present"
        case NotesLeftOut():
            return "the patient's own words held no sign of danger"
        case ModifierLeftOut():
            return f'"{vocabulary().modifiers[change.modifier_id]}" not been reported'
        case Older():
            return f"the patient been {change.age_years} years old"
        case _:
            assert_never(change)


def _outcome(outcome: Outcome, verdict: Verdict, protocols: Protocols) -> str:
    words = CONSEQUENCE[outcome.disposition]
    if outcome.disposition == "program" and outcome.primary:
        return f"{words} for {_name(outcome.primary, protocols)}"
    if outcome.disposition == verdict.disposition:
        leading = f"{_name(outcome.primary, protocols)} as" if outcome.primary else "no condition as"
        return f"{words} with {leading} the most probable"
    return words


def _flag_sentences(verdict: Verdict) -> list[str]:
    own = {flag.red_flag_id for flag in verdict.own_flags}
    sentences = []
    for flag in verdict.flags:
        sentence = f'Red flag "{flag_label(flag.red_flag_id)}" ({flag.urgency}) {TOLD[flag.source]}'
        if flag.red_flag_id not in own:
            sentence += ", in an earlier report; it stands until a clinician has decided on it"
        sentences.append(sentence + ".")
    sentences.extend(
        f'Red flag "{flag_label(red_flag_id)}" was answered as absent, but other answers imply it: '
        "a clinician must clear this up."
        for red_flag_id in verdict.contradicted
    )
    return sentences


def _because(case: Case, verdict: Verdict, protocols: Protocols) -> str:
    if verdict.flags:
        return "red flags come before everything else"
    reasons = []
    if verdict.contradicted:
        reasons.append("answers contradict each other about a red flag")
    if verdict.route:
        reasons.append(f"the findings suggest {verdict.route[0].name}")
    reasons.extend(rule.because for rule in verdict.reviews)
    if reasons:
        return " and ".join(reasons)
    if verdict.disposition == "more_information":
        if any(vocabulary().red_flags[flag].urgency != "routine" for flag in verdict.unknown_flags):
            reasons.append("emergency or urgent red flags are not answered yet")
        if verdict.lacking:
            reasons.append("what is most probable needs an examination by hand before any program")
        if verdict.primary is None:
            reasons.append("no condition is probable enough yet, which unknown findings could change")
        return " and ".join(reasons)
    if verdict.primary is None:
        return "no condition is probable enough and nothing that is unknown could change that"
    if verdict.lacking:
        return "an examination by hand found none of the signs that what is most probable should have"
    if verdict.mixed:
        return "two or more conditions are probable enough and no red flag is open"
    band = _band(verdict.estimates[verdict.primary], protocols.screening.bands)
    return f"one condition is {band} and no red flag is open"


def _band(value: float, bands: Bands) -> str:
    if value >= bands.probable_at_least:
        return "probable"
    return "possible" if value >= bands.primary_at_least else "not probable enough"


def _answers(findings: Iterable[str], case: Case) -> Iterable[str]:
    for finding_id in findings:
        yield _short(finding_label(finding_id)) + ("" if case.presentation.is_present(finding_id) else " (absent)")


def _listed(items: Iterable[str]) -> str:
    """The first few, and how many more there are."""
    every = list(items)
    more = f"; and {len(every) - REASONS_AT_MOST} more" if len(every) > REASONS_AT_MOST else ""
    return "; ".join(every[:REASONS_AT_MOST]) + more


def _short(label: str) -> str:
    """A label up to its first aside, for a list."""
    return re.split(r"[;:(]", label)[0].strip()


def finding_label(finding_id: str) -> str:
    """A finding's label, or a red flag's."""
    finding = vocabulary().findings.get(finding_id)
    return finding.label if finding else flag_label(finding_id)


def flag_label(red_flag_id: str) -> str:
    return vocabulary().red_flags[red_flag_id].label


def _name(condition_id: str, protocols: Protocols) -> str:
    return protocols.conditions[condition_id].name.lower()


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"
