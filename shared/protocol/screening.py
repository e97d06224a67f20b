"""What all conditions share in classification: thresholds, routes, reviews, deadlines."""

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from shared.event.vocabulary import FindingId
from shared.protocol.presentation import Presents
from shared.protocol.recognition import Weighing
from shared.protocol.source import Figure, Record, Sourced

Share = Annotated[float, Field(gt=0, lt=1)]


class Bands(Sourced):
    """What a probability is called, and from where on it counts."""

    primary_at_least: Share
    mixed_at_least: Share
    probable_at_least: Share


class Caps(Sourced):
    """Limits on all evidence for one condition together."""

    total_positive_at_most: Annotated[float, Field(gt=1)]
    total_negative_at_least: Share


class RouteRule(Sourced):
    """One way to meet a route: `at_least` of the findings present, and the condition."""

    findings: Annotated[tuple[FindingId, ...], Field(min_length=1)]
    at_least: Annotated[int, Field(ge=1)] = 1
    when: Presents = Presents()


class Route(Record):
    """Pain that comes from elsewhere: any of its rules sends the patient to a clinician first."""

    route: Literal["lumbar", "hip"]
    name: str
    rules: Annotated[tuple[RouteRule, ...], Field(min_length=1)]
    weighing: Weighing
    """For what to ask next only; the rules alone decide."""


class ReviewRule(Sourced):
    """Patients whom a clinician sees before any program."""

    because: str
    """Completes "A clinician looks first because ..."."""
    when: Presents
    unless_primary: str | None = None
    """A condition id that, where primary, needs no review."""


class RespondWithin(Sourced):
    """How soon a person must answer."""

    emergency_minutes: Annotated[int, Field(ge=1)]
    urgent_minutes: Annotated[int, Field(ge=1)]
    routine_working_days: Annotated[int, Field(ge=1)]


class NextFindingRules(Sourced):
    """What is asked next."""

    findings_at_most: Annotated[int, Field(ge=1, le=20)]
    least_gain_bits: Annotated[float, Field(ge=0)]
    least_share_of_best: Share
    """What tells less than this share of the most telling finding is not worth a question yet."""
    flag_prior: Share
    """How often a serious cause is behind the pain: what asking for a red flag is worth."""
    unexplained_prior: Share
    """How often the pain comes from none of the conditions and from neither spine nor hip."""


class ScreeningRules(Record):
    """What all conditions share in classification."""

    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    bands: Bands
    caps: Caps
    routes: tuple[Route, ...]
    reviews: tuple[ReviewRule, ...]
    respond_within: RespondWithin
    next_findings: NextFindingRules
    quiet_weeks_after_continue: Figure[int]
    """Weeks of event time before a reason that a clinician continued may be raised again."""

    @cached_property
    def mentions(self) -> frozenset[str]:
        """Every finding that decides about a route or a review."""
        return frozenset(
            {f for route in self.routes for rule in route.rules for f in (*rule.findings, *rule.when.mentions)}
            | {f for review in self.reviews for f in review.when.mentions}
        )
