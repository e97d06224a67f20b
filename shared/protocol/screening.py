"""What all conditions share in classification: thresholds, routes, reviews, deadlines."""

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
    flag_prior: Share
    """How often a serious cause is behind the pain: what asking for a red flag is worth."""


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
