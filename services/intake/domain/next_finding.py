"""What to ask next: unanswered red flags, then what tells most, where it could change what follows."""

import math
from collections.abc import Iterator

from services.intake.domain.disposition import Case, Verdict, judge
from services.intake.domain.probability import Estimated, probability
from services.intake.domain.red_flag import rank, urgency_of
from shared.event.classification import Disposition, NextFinding
from shared.event.intake import Answer
from shared.event.vocabulary import vocabulary
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


def ask_next(case: Case, verdict: Verdict, protocols: Protocols) -> tuple[NextFinding, ...]:
    """Red flags by urgency, then findings by expected information; of equals, first what can be done remotely."""
    rules = protocols.screening.next_findings
    flags = [flag for flag in verdict.unknown_flags if rank(urgency_of(flag)) > LEVEL[verdict.disposition]]
    asked = [
        NextFinding(finding_id=flag, information_gain_bits=round(entropy(rules.flag_prior), DECIMALS)) for flag in flags
    ]
    if (
        verdict.disposition in ("emergency", "urgent_referral")
        or verdict.flags
        or verdict.contradicted
        or verdict.route
    ):
        return tuple(asked)
    findings = vocabulary().findings
    gains = _gains(case, protocols)
    worth = [finding_id for finding_id, gain in gains.items() if gain >= rules.least_gain_bits]
    if not verdict.is_open or verdict.reviews:
        turning = _turning(worth, case, verdict, protocols)
        worth = [finding_id for finding_id in worth if finding_id in turning]

    def order(finding_id: str) -> tuple[float, bool, str]:
        finding = findings[finding_id]
        return -gains[finding_id], finding.kind == "examination" and not finding.remote, finding_id

    chosen = sorted(worth, key=order)[: rules.findings_at_most]
    return (
        *asked,
        *(NextFinding(finding_id=finding_id, information_gain_bits=gains[finding_id]) for finding_id in chosen),
    )


def entropy(value: float) -> float:
    """Of a yes or no, in bits."""
    if not 0 < value < 1:
        return 0.0
    return -value * math.log2(value) - (1 - value) * math.log2(1 - value)


def expected_gain(now: float, one: float, other: float) -> float:
    """Bits expected from an answer that leads to one of two probabilities.

    How likely each answer is follows from the model itself: the expected probability is the one of now.
    """
    low, high = sorted((one, other))
    if high - low < 1e-9 or not low <= now <= high:
        return 0.0
    share = (now - low) / (high - low)
    return max(0.0, entropy(now) - share * entropy(high) - (1 - share) * entropy(low))


def _weighings(protocols: Protocols) -> tuple[Weighing, ...]:
    conditions = [protocol.recognition for protocol in protocols.conditions.values()]
    return (*conditions, *(route.weighing for route in protocols.screening.routes))


def _gains(case: Case, protocols: Protocols) -> dict[str, float]:
    gains: dict[str, float] = {}
    caps = protocols.screening.caps
    for weighing in _weighings(protocols):
        now = probability(weighing, case.presentation, caps)
        for asked in _questions(weighing, case):
            one, other = (
                probability(weighing, case.presentation.answered(_all(asked, answer)), caps) for answer in _ANSWERS
            )
            gain = round(expected_gain(now, one, other) / len(asked), DECIMALS)
            for finding_id in asked:
                gains[finding_id] = max(gains.get(finding_id, 0.0), gain)
    return gains


_ANSWERS: tuple[Answer, Answer] = ("present", "absent")


def _all(asked: tuple[str, ...], answer: Answer) -> dict[str, Answer]:
    return dict.fromkeys(asked, answer)


def _questions(weighing: Weighing, case: Case) -> Iterator[tuple[str, ...]]:
    """Unknown findings one by one, and those of a cluster together: a single test of a count says nothing yet."""
    known = case.presentation.answers
    questions: set[tuple[str, ...]] = set()
    for figure in (figure for group in weighing.groups for figure in group.figures):
        unknown = tuple(sorted(finding for finding in figure.findings if finding not in known))
        questions.update((finding,) for finding in unknown)
        if len(unknown) > 1:
            questions.add(unknown)
    return iter(sorted(questions))


def _turning(worth: list[str], case: Case, verdict: Verdict, protocols: Protocols) -> frozenset[str]:
    """Those worth asking whose answer, alone or with its cluster, would turn the disposition or the primary."""
    known = Estimated(case.presentation, verdict.estimates)
    past_flags = judge(case, protocols, assume_flags_absent=True, known=known)
    questions = {question for weighing in _weighings(protocols) for question in _questions(weighing, case)}
    turning: set[str] = set()
    for question in sorted(questions):
        if turning.issuperset(question) or not set(worth).intersection(question):
            continue
        for answer in _ANSWERS:
            turned = judge(case.answered(_all(question, answer)), protocols, assume_flags_absent=True, known=known)
            if (turned.disposition, turned.primary) != (past_flags.disposition, past_flags.primary):
                turning.update(question)
                break
    return frozenset(turning)
