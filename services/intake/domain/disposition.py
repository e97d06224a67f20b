"""What follows from an intake: red flags first, then a clinician's review, then questions, then a program.

Source: contract 5.1 to 5.5; evidence R1, C6, C7.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from services.intake.domain.presentation import Presentation
from services.intake.domain.probability import Estimated, estimate, estimates
from services.intake.domain.red_flag import gather, screen, urgency_of
from services.intake.domain.route import find_route
from services.intake.domain.state import Flag
from shared.event.classification import Disposition
from shared.event.intake import Answer, IntakeSubmitted
from shared.protocol.library import Protocols
from shared.protocol.recognition import Recognition
from shared.protocol.screening import Bands, ReviewRule, Route, RouteRule


@dataclass(frozen=True, slots=True)
class Case:
    """An intake as it is judged: its facts, and red flags that stay from earlier."""

    intake: IntakeSubmitted
    """Read for its red flag answers only; its free text is gone."""
    presentation: Presentation
    time: datetime
    suspected: tuple[str, ...] = ()
    standing: tuple[Flag, ...] = ()
    """Told earlier or elsewhere, and not settled by a clinician."""

    def answered(self, answers: Mapping[str, Answer]) -> "Case":
        """The same case with these findings answered so."""
        return replace(self, presentation=self.presentation.answered(answers))


@dataclass(frozen=True, slots=True)
class Verdict:
    """A disposition with all that it rests on."""

    disposition: Disposition
    primary: str | None
    mixed: bool
    estimates: Mapping[str, float]
    own_flags: tuple[Flag, ...]
    """Those of this intake alone."""
    flags: tuple[Flag, ...]
    contradicted: tuple[str, ...]
    unknown_flags: tuple[str, ...]
    route: tuple[Route, RouteRule] | None
    reviews: tuple[ReviewRule, ...]
    is_open: bool
    """Nothing is primary yet, and findings that are unknown could change that."""
    references: tuple[str, ...]

    @property
    def is_undetermined(self) -> bool:
        """Nothing is primary, and nothing that is unknown could change that."""
        return self.primary is None and not self.is_open


def judge(
    case: Case, protocols: Protocols, *, assume_flags_absent: bool = False, known: Estimated | None = None
) -> Verdict:
    """Judges a case; `assume_flags_absent` reads unanswered red flags as absent, to look past them.

    `known`: probabilities of the same patient with other answers, which save work.
    """
    screening = protocols.screening
    presentation = case.presentation
    screened = screen(case.intake, presentation, protocols.red_flags)
    own_flags = gather(
        (
            Flag(
                red_flag_id=red_flag_id,
                urgency=urgency_of(red_flag_id),
                source="reported" if source == "reported" else "derived",
                time=case.time,
                intake_id=case.intake.intake_id,
            )
            for red_flag_id, source in screened.present
        ),
        (
            Flag(
                red_flag_id=red_flag_id,
                urgency=urgency_of(red_flag_id),
                source="suspected",
                time=case.time,
                intake_id=case.intake.intake_id,
            )
            for red_flag_id in case.suspected
        ),
    )
    flags = gather(own_flags, case.standing)
    unknown = () if assume_flags_absent else screened.unknown
    rated = estimates(protocols, presentation, known)
    primary, mixed = _rank(rated, screening.bands)
    route = find_route(presentation, screening)
    reviews = tuple(
        rule
        for rule in screening.reviews
        if presentation.meets(rule.when) and (rule.unless_primary is None or rule.unless_primary != primary)
    )
    is_open = primary is None and _could_be_primary(protocols, presentation)
    certain = {flag.urgency for flag in flags if flag.source != "suspected"}
    disposition: Disposition
    if "emergency" in certain:
        disposition = "emergency"
    elif "urgent" in certain:
        disposition = "urgent_referral"
    elif flags or screened.contradicted or route or reviews:
        disposition = "clinician_review"
    elif is_open or any(urgency_of(flag) != "routine" for flag in unknown):
        disposition = "more_information"
    elif primary is None:
        disposition = "clinician_review"
    else:
        disposition = "program"
    references = {row for rule in reviews for row in rule.source} | set(screened.references)
    if route:
        references.update(route[1].source)
    return Verdict(
        disposition=disposition,
        primary=primary,
        mixed=mixed,
        estimates=rated,
        own_flags=own_flags,
        flags=flags,
        contradicted=screened.contradicted,
        unknown_flags=unknown,
        route=route,
        reviews=reviews,
        is_open=is_open,
        references=tuple(sorted(references)),
    )


def _rank(rated: Mapping[str, float], bands: Bands) -> tuple[str | None, bool]:
    first = min(rated, key=lambda condition_id: (-rated[condition_id], condition_id))
    if rated[first] < bands.primary_at_least:
        return None, False
    return first, sum(value >= bands.mixed_at_least for value in rated.values()) >= 2


def _could_be_primary(protocols: Protocols, presentation: Presentation) -> bool:
    """Whether the most favourable answers to all that is unknown would make some condition primary."""
    screening = protocols.screening
    return any(
        estimate(protocol.recognition, _favour(protocol.recognition, presentation), screening.caps)
        >= screening.bands.primary_at_least
        for protocol in protocols.conditions.values()
    )


def _favour(recognition: Recognition, presentation: Presentation) -> Presentation:
    figures = [figure for group in recognition.groups for figure in group.figures]
    asked = {finding for figure in figures for finding in figure.findings}
    helping = {finding for figure in figures if figure.lr_positive > 1 for finding in figure.findings}
    for figure in figures:
        if figure.support_only_when is not None:
            needed = (*figure.support_only_when.all_present, *figure.support_only_when.any_present)
            helping.update(needed)
            asked.update(needed, figure.support_only_when.all_absent)
    unknown = sorted(asked - presentation.answers.keys())
    return presentation.answered({f: "present" if f in helping else "absent" for f in unknown})
