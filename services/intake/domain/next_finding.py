"""What to ask next: unanswered red flags, then what tells most about where care leads.

Where care leads is one of these: a program for each condition, or a clinician's review because the pain comes from
the spine, from the hip or from none of these. Each weighs by its own odds; only here, to compare questions, they are
made to sum to one. What an answer is worth is the information, in bits, that it is expected to bring about that.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from services.intake.domain.disposition import judge
from services.intake.domain.presentation import hands_on_findings
from services.intake.domain.probability import Picture
from services.intake.domain.red_flag import rank, urgency_of
from services.intake.domain.survey import Survey
from shared.event.classification import Disposition, NextFinding
from shared.event.intake import Answer
from shared.protocol.library import Protocols
from shared.protocol.recognition import Weighing

DECIMALS = 4
LEVEL: dict[Disposition, int] = {
    "program": -1,
    "more_information": -1,
    "clinician_review": 0,
    "urgent_referral": 1,
    "emergency": 2,
}
"""Only a red flag that is more urgent than what is known already is still worth asking."""
ANSWERS: tuple[Answer, Answer] = ("present", "absent")


def ask_next(survey: Survey) -> tuple[NextFinding, ...]:
    """Red flags by urgency, then findings that a patient can answer alone, then the others; each by information.

    Where care waits for an examination by hand, its tests lead.
    """
    verdict, rules = survey.verdict, survey.protocols.screening.next_findings
    flags = [flag for flag in verdict.unknown_flags if rank(urgency_of(flag)) > LEVEL[verdict.disposition]]
    asked = [
        NextFinding(
            finding_id=flag, information_gain_bits=round(entropy((rules.flag_prior, 1 - rules.flag_prior)), DECIMALS)
        )
        for flag in flags
    ]
    if (
        verdict.disposition in ("emergency", "urgent_referral")
        or verdict.flags
        or verdict.contradicted
        or verdict.route
    ):
        return tuple(asked)
    gains = _gains(survey)
    worth = [finding_id for finding_id, gain in gains.items() if gain >= rules.least_gain_bits]
    if not verdict.is_open or verdict.reviews:
        turning = _turning(worth, survey)
        worth = [finding_id for finding_id in worth if finding_id in turning]
    least = rules.least_share_of_best * max((gains[finding_id] for finding_id in worth), default=0.0)
    worth = [finding_id for finding_id in worth if gains[finding_id] >= least]
    hands_on = hands_on_findings()
    awaited = verdict.lacking.findings if verdict.lacking else ()
    chosen = sorted(worth, key=lambda f: (f not in awaited, f in hands_on, -gains[f], f))[: rules.findings_at_most]
    return (
        *asked,
        *(NextFinding(finding_id=finding_id, information_gain_bits=gains[finding_id]) for finding_id in chosen),
    )


def entropy(shares: Sequence[float]) -> float:
    """In bits; the shares sum to one."""
    return -sum(share * math.log2(share) for share in shares if share > 0)


def destinations(picture: Picture, protocols: Protocols, *, is_routed: bool) -> tuple[float, ...]:
    """How likely care leads to each condition's program, by its odds, and last to a clinician's review."""
    screening = protocols.screening
    if is_routed:
        return (*(0.0 for _ in picture.conditions), 1.0)
    unexplained = screening.next_findings.unexplained_prior
    odds = [weighed.odds for weighed in picture.conditions.values()]
    elsewhere = unexplained / (1 - unexplained) + sum(weighed.odds for weighed in picture.routes)
    total = sum(odds) + elsewhere
    return (*(one / total for one in odds), elsewhere / total)


def share_of(now: Sequence[float], one: Sequence[float], other: Sequence[float]) -> float:
    """How likely the first of two answers is: the mixture of what both lead to comes nearest to what holds now."""
    span = [a - b for a, b in zip(one, other, strict=True)]
    length = sum(step * step for step in span)
    if length < 1e-18:
        return 0.0
    along = sum(step * (a - b) for step, a, b in zip(span, now, other, strict=True))
    return min(1.0, max(0.0, along / length))


def expected_gain(now: Sequence[float], one: Sequence[float], other: Sequence[float]) -> float:
    """Bits that an answer is expected to bring, which leads to one of two distributions."""
    share = share_of(now, one, other)
    if share in (0.0, 1.0):
        return 0.0
    mixed = [share * a + (1 - share) * b for a, b in zip(one, other, strict=True)]
    return max(0.0, entropy(mixed) - share * entropy(one) - (1 - share) * entropy(other))


def questions(survey: Survey) -> Iterator[tuple[str, ...]]:
    """Unknown findings one by one, and those of a cluster together: a single test of a count says nothing yet."""
    known = survey.case.presentation.answers
    found: set[tuple[str, ...]] = set()
    for weighing in _weighings(survey.protocols):
        for figure in (figure for group in weighing.groups for figure in group.figures):
            unknown = tuple(sorted(finding for finding in figure.findings if finding not in known))
            found.update((finding,) for finding in unknown)
            if len(unknown) > 1:
                found.add(unknown)
    return iter(sorted(found))


def _weighings(protocols: Protocols) -> tuple[Weighing, ...]:
    conditions = [protocol.recognition for protocol in protocols.conditions.values()]
    return (*conditions, *(route.weighing for route in protocols.screening.routes))


def _gains(survey: Survey) -> dict[str, float]:
    gains: dict[str, float] = {}
    now = destinations(survey.verdict.picture, survey.protocols, is_routed=survey.verdict.route is not None)
    for asked in questions(survey):
        one, other = (_destinations(survey, dict.fromkeys(asked, answer)) for answer in ANSWERS)
        gain = round(expected_gain(now, one, other) / len(asked), DECIMALS)
        for finding_id in asked:
            gains[finding_id] = max(gains.get(finding_id, 0.0), gain)
    return gains


def _destinations(survey: Survey, answers: dict[str, Answer]) -> tuple[float, ...]:
    return destinations(survey.picture(answers), survey.protocols, is_routed=survey.is_routed(answers))


def _turning(worth: list[str], survey: Survey) -> frozenset[str]:
    """Those worth asking whose answer, alone or with its cluster, would turn the disposition or the primary."""
    past = _past_flags(survey)
    turning: set[str] = set()
    for question in questions(survey):
        if turning.issuperset(question) or not set(worth).intersection(question):
            continue
        if any(past.try_answers(dict.fromkeys(question, answer)) != past.outcome for answer in ANSWERS):
            turning.update(question)
    return frozenset(turning)


def _past_flags(survey: Survey) -> Survey:
    """The same survey with unanswered red flags read as absent."""
    if not survey.verdict.unknown_flags:
        return survey
    told = {flag: answer for flag, answer in survey.case.intake.red_flags.items() if answer != "unknown"}
    intake = survey.case.intake.model_copy(update={"red_flags": told, "red_flag_screen": "complete"})
    case = replace(survey.case, intake=intake)
    return Survey(case, judge(case, survey.protocols), survey.protocols)
