"""How probable each condition is by itself. Source: evidence §1.5 and §1.6."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from services.intake.domain.presentation import Presentation
from shared.protocol.library import Protocols
from shared.protocol.recognition import CorrelationGroup, Likelihood, Recognition, Weighing
from shared.protocol.screening import Caps
from shared.protocol.source import EvidenceId

DECIMALS = 4

Reading = Literal["positive", "negative", "nothing"]


@dataclass(frozen=True, slots=True)
class Rating:
    """One condition with what speaks for and against it."""

    condition_id: str
    probability: float
    supporting: tuple[str, ...]
    opposing: tuple[str, ...]
    references: tuple[EvidenceId, ...]
    is_capped: bool
    """The ceiling for patients whom nobody has examined by hand holds it down."""


def read(figure: Likelihood, presentation: Presentation) -> Reading:
    """Whether a figure is positive, negative, or says nothing for what is answered so far."""
    answers = presentation.answers
    present = absent = 0
    for finding_id in figure.findings:
        answer = answers.get(finding_id)
        present += answer == "present"
        absent += answer == "absent"
    if present >= figure.positive_at:
        return "positive"
    return "negative" if len(figure.findings) - absent <= figure.negative_at else "nothing"


def ratio(figure: Likelihood, reading: Reading, presentation: Presentation) -> float:
    """How far a figure moves the odds for this patient; 1 where it says nothing."""
    if reading == "nothing":
        return 1.0
    said = figure.lr_positive if reading == "positive" else figure.lr_negative
    if said > 1 and figure.support_only_when is not None and not presentation.meets(figure.support_only_when):
        return 1.0
    return said


def group_ratio(group: CorrelationGroup, presentation: Presentation) -> float:
    """The one figure of a correlation group that says most; the supporting one of two equals."""
    strongest = replacing = 1.0
    is_replaced = False
    for figure in group.figures:
        reading = read(figure, presentation)
        if reading == "nothing":
            continue
        lr = ratio(figure, reading, presentation)
        if figure.replaces_group == "always" or figure.replaces_group == reading:
            is_replaced = True
            replacing = _stronger(replacing, lr)
        else:
            strongest = _stronger(strongest, lr)
    return float((replacing if is_replaced else strongest) ** group.exponent)


def _stronger(one: float, other: float) -> float:
    return max(one, other, key=lambda lr: (abs(math.log(lr)), lr)) if other != one else one


def probability(weighing: Weighing, presentation: Presentation, caps: Caps) -> float:
    """Prior odds times one figure of each group; all support and all opposition are capped. Missing counts 1."""
    odds = weighing.prior.value / (1 - weighing.prior.value)
    support = opposition = 1.0
    for group in weighing.groups:
        lr = group_ratio(group, presentation)
        if group.on_prior:
            odds *= lr
        elif lr > 1:
            support *= lr
        else:
            opposition *= lr
    odds *= min(support, caps.total_positive_at_most) * max(opposition, caps.total_negative_at_least)
    return odds / (1 + odds)


def estimate(recognition: Recognition, presentation: Presentation, caps: Caps) -> float:
    """The probability of a condition, under its ceiling where nobody has examined by hand, rounded."""
    value = probability(recognition, presentation, caps)
    if presentation.is_remote_only():
        value = min(value, recognition.remote_only_ceiling.value)
    return round(value, DECIMALS)


def rate(protocols: Protocols, presentation: Presentation) -> tuple[Rating, ...]:
    """All conditions, the most probable first."""
    caps = protocols.screening.caps
    ratings = []
    for condition_id, protocol in protocols.conditions.items():
        value = estimate(protocol.recognition, presentation, caps)
        supporting, opposing, references = _reasons(protocol.recognition, presentation)
        ratings.append(
            Rating(
                condition_id=condition_id,
                probability=value,
                supporting=supporting,
                opposing=opposing,
                references=references,
                is_capped=value < round(probability(protocol.recognition, presentation, caps), DECIMALS),
            )
        )
    return tuple(sorted(ratings, key=lambda rating: (-rating.probability, rating.condition_id)))


def estimates(
    protocols: Protocols, presentation: Presentation, known: "Estimated | None" = None
) -> Mapping[str, float]:
    """The probability of each condition, by id; what `known` differs in decides what is worked out anew."""
    if known is None:
        changed = None
    else:
        changed = {f for f, _ in presentation.answers.items() ^ known.presentation.answers.items()}
        if presentation.is_remote_only() != known.presentation.is_remote_only():
            changed = None
    return {
        condition_id: known.values[condition_id]
        if known is not None and changed is not None and changed.isdisjoint(protocol.recognition.mentions)
        else estimate(protocol.recognition, presentation, protocols.screening.caps)
        for condition_id, protocol in protocols.conditions.items()
    }


@dataclass(frozen=True, slots=True)
class Estimated:
    """Probabilities of the same patient with other answers."""

    presentation: Presentation
    values: Mapping[str, float]


def _reasons(
    weighing: Weighing, presentation: Presentation
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[EvidenceId, ...]]:
    supporting: set[str] = set()
    opposing: set[str] = set()
    references: set[EvidenceId] = set(weighing.prior.source)
    for figure in (figure for group in weighing.groups for figure in group.figures):
        reading = read(figure, presentation)
        lr = ratio(figure, reading, presentation)
        if lr == 1:
            continue
        references.update(figure.source)
        answer = presentation.is_present if reading == "positive" else presentation.is_absent
        (supporting if lr > 1 else opposing).update(filter(answer, figure.findings))
    return tuple(sorted(supporting)), tuple(sorted(opposing - supporting)), tuple(sorted(references))
