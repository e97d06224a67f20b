"""The reasons of a classification, in words that a clinician can read."""

from collections.abc import Iterable

from services.intake.domain.disposition import Case, Verdict, judge
from services.intake.domain.probability import Estimated, Rating
from services.intake.domain.state import Flag
from shared.event.classification import Disposition
from shared.event.intake import Answer
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
MISSING_AT_MOST = 5


def explain(
    case: Case, verdict: Verdict, ratings: tuple[Rating, ...], missing: Iterable[str], protocols: Protocols
) -> str:
    """What speaks for the disposition and for each condition, what against, and what is not known."""
    sentences = [f"The intake leads to {CONSEQUENCE[verdict.disposition]}: {_because(case, verdict, protocols)}."]
    own = {flag.red_flag_id for flag in verdict.own_flags}
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
    if verdict.route:
        route, rule = verdict.route
        found = [f for f in rule.findings if case.presentation.is_present(f)]
        sentences.append(f"Findings that point to {route.name}: {listed(found)}.")
    sentences.extend(describe(rating, case, protocols) for rating in ratings)
    if verdict.mixed:
        sentences.append("Two or more conditions are probable enough, so this is a mixed presentation.")
    unknown = [finding_label(item) for item in missing]
    if unknown:
        more = f", and {len(unknown) - MISSING_AT_MOST} more" if len(unknown) > MISSING_AT_MOST else ""
        sentences.append(f"Not known and worth asking: {'; '.join(unknown[:MISSING_AT_MOST])}{more}.")
    sentences.append("The weights are design judgements; no condition is confirmed by them.")
    return " ".join(sentences)


def describe(rating: Rating, case: Case, protocols: Protocols) -> str:
    """One condition in one or two sentences."""
    text = f"{protocols.conditions[rating.condition_id].name}: {_percent(rating.probability)}, "
    text += _band(rating.probability, protocols.screening.bands)
    if rating.is_capped:
        text += ", held down because nobody has examined by hand yet"
    text += "."
    if rating.supporting:
        text += f" For it: {_answers(rating.supporting, case)}."
    if rating.opposing:
        text += f" Against it: {_answers(rating.opposing, case)}."
    return text


def turn(case: Case, verdict: Verdict, protocols: Protocols) -> str:
    """The smallest change that would have turned the decision, in words."""
    own = {flag.red_flag_id for flag in verdict.own_flags}
    if any(flag.red_flag_id not in own for flag in verdict.flags):
        return "A clinician's decision on the red flag that stands from earlier would turn this."
    if verdict.disposition in ("emergency", "urgent_referral") or verdict.flags:
        return f"Without {_flags(verdict.flags)} the decision would have rested on the other answers."
    if verdict.contradicted:
        labels = ", ".join(f'"{flag_label(flag)}"' for flag in verdict.contradicted)
        return f"A clear answer to {labels} would turn this."
    if verdict.reviews:
        return f"A clinician's decision would turn this; no answer can, because {verdict.reviews[0].because}."
    if verdict.disposition == "more_information" and any(
        vocabulary().red_flags[flag].urgency != "routine" for flag in verdict.unknown_flags
    ):
        cleared = judge(case, protocols, assume_flags_absent=True)
        return f"With every open red flag answered as absent it would be {CONSEQUENCE[cleared.disposition]}."
    return _smallest_answer(case, verdict, protocols)


def _smallest_answer(case: Case, verdict: Verdict, protocols: Protocols) -> str:
    """The single answer that turns the decision and moves the leading condition's probability least."""
    known_already = Estimated(case.presentation, verdict.estimates)
    leading = max(sorted(verdict.estimates), key=lambda condition_id: verdict.estimates[condition_id])
    turning: list[tuple[float, str, str]] = []
    opposite: dict[Answer, tuple[Answer, ...]] = {
        "present": ("absent",),
        "absent": ("present",),
        "unknown": ("present", "absent"),
    }
    for finding_id in sorted(vocabulary().findings):
        known: Answer = case.presentation.answers.get(finding_id, "unknown")
        for answer in opposite[known]:
            turned = judge(case.answered({finding_id: answer}), protocols, known=known_already)
            if (turned.disposition, turned.primary) == (verdict.disposition, verdict.primary):
                continue
            moved = abs(turned.estimates[leading] - verdict.estimates[leading])
            became = CONSEQUENCE[turned.disposition]
            if turned.primary and turned.disposition == "program":
                became += f" for {protocols.conditions[turned.primary].name.lower()}"
            text = f'Had "{finding_label(finding_id)}" been {answer} instead of {known}, it would have been {became}.'
            turning.append((round(moved, 4), finding_id, text))
    if turning:
        return min(turning)[2]
    return (
        f"No single answer would have turned it: {protocols.conditions[leading].name.lower()} stands at "
        f"{_percent(verdict.estimates[leading])}, and {_percent(protocols.screening.bands.primary_at_least)} decides."
    )


def _because(case: Case, verdict: Verdict, protocols: Protocols) -> str:
    if verdict.flags:
        return f"red flags come before everything else, here {_flags(verdict.flags)}"
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
        if verdict.primary is None:
            reasons.append("no condition is probable enough yet and unknown findings could change that")
        return " and ".join(reasons)
    if verdict.primary is None:
        return "no condition is probable enough and nothing that is unknown could change that"
    name = protocols.conditions[verdict.primary].name.lower()
    return f"{name} is {_band(verdict.estimates[verdict.primary], protocols.screening.bands)} and no red flag is open"


def _band(value: float, bands: Bands) -> str:
    if value >= bands.probable_at_least:
        return "probable"
    return "possible" if value >= bands.primary_at_least else "not probable enough"


def _flags(flags: tuple[Flag, ...]) -> str:
    return ", ".join(f'"{flag_label(flag.red_flag_id)}"' for flag in flags)


def listed(findings: Iterable[str]) -> str:
    return "; ".join(finding_label(finding_id) for finding_id in findings)


def _answers(findings: Iterable[str], case: Case) -> str:
    return "; ".join(
        finding_label(finding_id) + ("" if case.presentation.is_present(finding_id) else " (absent)")
        for finding_id in findings
    )


def finding_label(finding_id: str) -> str:
    """A finding's label, or a red flag's."""
    finding = vocabulary().findings.get(finding_id)
    return finding.label if finding else flag_label(finding_id)


def flag_label(red_flag_id: str) -> str:
    return vocabulary().red_flags[red_flag_id].label


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"
