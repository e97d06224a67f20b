"""How probable each condition is by itself. Source: evidence §1.5 and §1.6."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from services.intake.domain.presentation import Presentation
from shared.event.intake import Answer
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
    """The most telling first, as in `opposing`."""
    opposing: tuple[str, ...]
    references: tuple[EvidenceId, ...]
    is_capped: bool
    """The ceiling for patients whom nobody has examined by hand holds it down."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """One weighing of one patient: the ratio of each correlation group, kept so that another answer costs little."""

    weighing: Weighing
    ratios: tuple[float, ...]
    """Of each group, in the order of the protocol."""
    odds: float

    def answered(self, presentation: Presentation, changed: Iterable[str], caps: Caps) -> "Weighed":
        """The same patient with other answers to the changed findings: only their groups are read again."""
        reach = self.weighing.reach
        places = {place for finding_id in changed for place in reach.get(finding_id, ())}
        if not places:
            return self
        groups = self.weighing.groups
        ratios = tuple(
            group_ratio(groups[place], presentation) if place in places else lr for place, lr in enumerate(self.ratios)
        )
        if ratios == self.ratios:
            return self
        return Weighed(self.weighing, ratios, _odds(self.weighing, ratios, caps))

    @property
    def probability(self) -> float:
        return self.odds / (1 + self.odds)


@dataclass(frozen=True, slots=True)
class Picture:
    """Every condition and every route to elsewhere, weighed for one presentation."""

    presentation: Presentation
    conditions: Mapping[str, Weighed]
    routes: tuple[Weighed, ...]
    estimates: Mapping[str, float]
    """The probability of each condition, by id."""

    def answered(self, answers: Mapping[str, Answer], caps: Caps) -> "Picture":
        """The same patient with these findings answered so."""
        return self._become(self.presentation.answered(answers), tuple(answers), caps)

    def unanswered(self, finding_id: str, caps: Caps) -> "Picture":
        """The same patient before this finding was answered."""
        return self._become(self.presentation.unanswered(finding_id), (finding_id,), caps)

    def _become(self, presentation: Presentation, changed: tuple[str, ...], caps: Caps) -> "Picture":
        conditions = {c: weighed.answered(presentation, changed, caps) for c, weighed in self.conditions.items()}
        is_remote_only = presentation.is_remote_only()
        moved = is_remote_only != self.presentation.is_remote_only()
        estimates = {
            c: self.estimates[c]
            if weighed is self.conditions[c] and not moved
            else _estimate(weighed, is_remote_only=is_remote_only)
            for c, weighed in conditions.items()
        }
        routes = tuple(weighed.answered(presentation, changed, caps) for weighed in self.routes)
        return Picture(presentation, conditions, routes, estimates)


def weigh(weighing: Weighing, presentation: Presentation, caps: Caps) -> Weighed:
    """Reads every group of one weighing."""
    ratios = tuple(group_ratio(group, presentation) for group in weighing.groups)
    return Weighed(weighing, ratios, _odds(weighing, ratios, caps))


def _odds(weighing: Weighing, ratios: tuple[float, ...], caps: Caps) -> float:
    """Prior odds times one figure of each group; all support and all opposition are capped. Missing counts 1."""
    odds = weighing.prior.value / (1 - weighing.prior.value)
    support = opposition = 1.0
    for group, lr in zip(weighing.groups, ratios, strict=True):
        if lr == 1:
            continue
        if group.on_prior:
            odds *= lr
        elif lr > 1:
            support *= lr
        else:
            opposition *= lr
    return odds * min(support, caps.total_positive_at_most) * max(opposition, caps.total_negative_at_least)


def paint(protocols: Protocols, presentation: Presentation) -> Picture:
    """Weighs all conditions and routes."""
    caps = protocols.screening.caps
    is_remote_only = presentation.is_remote_only()
    conditions = {c: weigh(protocol.recognition, presentation, caps) for c, protocol in protocols.conditions.items()}
    return Picture(
        presentation=presentation,
        conditions=conditions,
        routes=tuple(weigh(route.weighing, presentation, caps) for route in protocols.screening.routes),
        estimates={c: _estimate(weighed, is_remote_only=is_remote_only) for c, weighed in conditions.items()},
    )


def _estimate(weighed: Weighed, *, is_remote_only: bool) -> float:
    """Under its ceiling where nobody has examined by hand, rounded."""
    value = weighed.probability
    if is_remote_only and isinstance(weighed.weighing, Recognition):
        value = min(value, weighed.weighing.remote_only_ceiling.value)
    return round(value, DECIMALS)


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
    """The ratio that is further from 1 in either direction."""
    far, farther = max(one, 1 / one), max(other, 1 / other)
    return max(one, other) if far == farther else one if far > farther else other


def rate(protocols: Protocols, picture: Picture) -> tuple[Rating, ...]:
    """All conditions, the most probable first."""
    ratings = []
    for condition_id, weighed in picture.conditions.items():
        value = picture.estimates[condition_id]
        supporting, opposing, references = _reasons(weighed.weighing, picture.presentation)
        ratings.append(
            Rating(
                condition_id=condition_id,
                probability=value,
                supporting=supporting,
                opposing=opposing,
                references=references,
                is_capped=value < round(weighed.probability, DECIMALS),
            )
        )
    return tuple(sorted(ratings, key=lambda rating: (-rating.probability, rating.condition_id)))


def _reasons(
    weighing: Weighing, presentation: Presentation
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[EvidenceId, ...]]:
    supporting: dict[str, float] = {}
    opposing: dict[str, float] = {}
    references: set[EvidenceId] = set(weighing.prior.source)
    for figure in (figure for group in weighing.groups for figure in group.figures):
        reading = read(figure, presentation)
        lr = ratio(figure, reading, presentation)
        if lr == 1:
            continue
        references.update(figure.source)
        answer = presentation.is_present if reading == "positive" else presentation.is_absent
        side = supporting if lr > 1 else opposing
        for finding_id in filter(answer, figure.findings):
            side[finding_id] = max(side.get(finding_id, 1.0), lr, 1 / lr)
    return (
        _most_telling_first(supporting),
        tuple(f for f in _most_telling_first(opposing) if f not in supporting),
        tuple(sorted(references)),
    )


def _most_telling_first(weights: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(sorted(weights, key=lambda finding_id: (-weights[finding_id], finding_id)))
