"""What follows from an intake: red flags first, then a clinician's review, then questions, then a program.

Source: contract 5.1 to 5.5; evidence R1, C6, C7.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.intake.domain.hope import Hope, could_be_primary, hope_for
from services.intake.domain.presentation import Presentation
from services.intake.domain.probability import Picture, paint
from services.intake.domain.red_flag import Screen, gather, screen, urgency_of
from services.intake.domain.route import find_route
from services.intake.domain.state import Flag
from shared.event.classification import Disposition
from shared.event.intake import Answer, IntakeSubmitted
from shared.protocol.library import Protocols
from shared.protocol.recognition import HandsOnRule
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
        return Case(self.intake, self.presentation.answered(answers), self.time, self.suspected, self.standing)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A disposition with all that it rests on."""

    disposition: Disposition
    primary: str | None
    mixed: bool
    picture: Picture
    screened: Screen
    own_flags: tuple[Flag, ...]
    """Those of this intake alone."""
    flags: tuple[Flag, ...]
    unknown_flags: tuple[str, ...]
    route: tuple[Route, RouteRule] | None
    reviews: tuple[ReviewRule, ...]
    hope: Hope
    is_open: bool
    """Nothing is primary yet, and findings that are unknown could change that."""
    lacking: HandsOnRule | None
    """Signs of what is primary that somebody must find by hand before any program."""
    references: tuple[str, ...]

    @property
    def estimates(self) -> Mapping[str, float]:
        """The probability of each condition, by id."""
        return self.picture.estimates

    @property
    def contradicted(self) -> tuple[str, ...]:
        """Red flags answered absent although other answers imply them."""
        return self.screened.contradicted


def judge(
    case: Case,
    protocols: Protocols,
    *,
    near: Verdict | None = None,
    picture: Picture | None = None,
) -> Verdict:
    """Judges a case.

    `near`: the verdict on the same case with other answers to findings, of which all that they do not touch is kept;
    `picture`: the case's own, where it is known already.
    """
    screening = protocols.screening
    presentation = case.presentation
    if near is None:
        changed: dict[str, Answer] = {}
        picture = picture or paint(protocols, presentation)
        hope = hope_for(protocols, presentation)
        screened = screen(case.intake, presentation, protocols.red_flags)
    else:
        known = near.picture.presentation.answers
        changed = {f: answer for f, answer in presentation.answers.items() if known.get(f) != answer}
        picture = picture or near.picture.answered(changed, screening.caps)
        hope = near.hope
        touched = not protocols.red_flags.mentions.isdisjoint(changed)
        screened = screen(case.intake, presentation, protocols.red_flags) if touched else near.screened
    own_flags = _own(case, screened) if near is None or screened is not near.screened else near.own_flags
    flags = gather(own_flags, case.standing) if own_flags or case.standing else ()
    primary, mixed = lead(picture.estimates, screening.bands)
    if near is not None and screening.mentions.isdisjoint(changed):
        route = near.route
    else:
        route = find_route(presentation, screening)
    reviews = tuple(
        rule
        for rule in screening.reviews
        if (rule.unless_primary is None or rule.unless_primary != primary) and presentation.meets(rule.when)
    )
    is_open = primary is None and could_be_primary(hope, changed, protocols)
    hands_on = protocols.conditions[primary].recognition.needs_hands_on if primary else None
    if hands_on is not None and is_shown(hands_on, presentation):
        hands_on = None
    can_examine = hands_on is not None and any(f not in presentation.answers for f in hands_on.findings)
    references = {row for rule in reviews for row in rule.source} | set(screened.references)
    if route:
        references.update(route[1].source)
    if hands_on is not None:
        references.update(hands_on.source)
    return Verdict(
        disposition=_dispose(
            flags,
            needs_review=bool(screened.contradicted or route or reviews),
            must_ask=is_open or can_examine or any(urgency_of(flag) != "routine" for flag in screened.unknown),
            is_clear=primary is not None and hands_on is None,
        ),
        primary=primary,
        mixed=mixed,
        picture=picture,
        screened=screened,
        own_flags=own_flags,
        flags=flags,
        unknown_flags=screened.unknown,
        route=route,
        reviews=reviews,
        hope=hope,
        is_open=is_open,
        lacking=hands_on,
        references=tuple(sorted(references)),
    )


def is_shown(rule: HandsOnRule, presentation: Presentation) -> bool:
    """Whether a sign was found by hand, or something stands in for it. A negative test opens nothing."""
    return any(map(presentation.is_present, rule.findings)) or any(map(presentation.meets, rule.instead))


def _dispose(flags: tuple[Flag, ...], *, needs_review: bool, must_ask: bool, is_clear: bool) -> Disposition:
    certain = {flag.urgency for flag in flags if flag.source != "suspected"}
    if "emergency" in certain:
        return "emergency"
    if "urgent" in certain:
        return "urgent_referral"
    if flags or needs_review:
        return "clinician_review"
    if must_ask:
        return "more_information"
    return "program" if is_clear else "clinician_review"


def _own(case: Case, screened: Screen) -> tuple[Flag, ...]:
    def flag(red_flag_id: str, source: str) -> Flag:
        return Flag(
            red_flag_id=red_flag_id,
            urgency=urgency_of(red_flag_id),
            source="reported" if source == "reported" else "derived" if source == "derived" else "suspected",
            time=case.time,
            intake_id=case.intake.intake_id,
        )

    return gather(
        (flag(red_flag_id, source) for red_flag_id, source in screened.present),
        (flag(red_flag_id, "suspected") for red_flag_id in case.suspected if red_flag_id not in screened.spared),
    )


def lead(rated: Mapping[str, float], bands: Bands) -> tuple[str | None, bool]:
    """The condition that is primary, if one is, and whether another is probable enough beside it."""
    first = min(rated, key=lambda condition_id: (-rated[condition_id], condition_id))
    if rated[first] < bands.primary_at_least:
        return None, False
    return first, sum(value >= bands.mixed_at_least for value in rated.values()) >= 2
