"""How intake recognises a condition: its prior odds, and the figures that move them, in correlation groups."""

from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.event.vocabulary import FindingId
from shared.protocol.presentation import Presents
from shared.protocol.source import Figure, Record, Sourced

Ratio = Annotated[float, Field(gt=0, le=100)]


class Likelihood(Sourced):
    """One figure: a finding, a cluster of findings, or a fact about the patient, and how far it moves the odds.

    Positive where at least `positive_at` findings are present; negative where at most `negative_at` of them
    can still be present. Between the two, and where nothing is answered, it says nothing (ratio 1).
    """

    findings: tuple[FindingId, ...] = ()
    """None: a fact about the patient, positive where `support_only_when` holds."""
    positive_at: Annotated[int, Field(ge=0)] = 1
    negative_at: Annotated[int, Field(ge=0)] = 0
    lr_positive: Ratio = 1.0
    lr_negative: Ratio = 1.0
    support_only_when: Presents | None = None
    """Without it the figure still speaks against, never for: a shared position needs the pain's location."""
    replaces_group: Literal["never", "positive", "always"] = "never"
    """It is the group's figure whenever it is positive, or whenever it says anything."""

    @cached_property
    def mentions(self) -> frozenset[str]:
        """Every finding that can move it."""
        needed = self.support_only_when.mentions if self.support_only_when else frozenset()
        return needed.union(self.findings)

    @model_validator(mode="after")
    def _can_be_answered(self) -> Self:
        if not self.findings and (self.positive_at or self.support_only_when is None):
            raise ValueError("a figure without findings needs positive_at: 0 and support_only_when")
        if self.findings and not self.negative_at < self.positive_at <= len(self.findings):
            raise ValueError("a figure needs negative_at < positive_at <= the number of its findings")
        return self


class CorrelationGroup(Record):
    """Figures that measure the same thing: only the one that says most counts. Source: evidence X."""

    group: str
    figures: Annotated[tuple[Likelihood, ...], Field(min_length=1)]
    exponent: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Below 1 where the whole group correlates with another, e.g. 0.5 for the square root."""
    on_prior: bool = False
    """Its ratios multiply the prior odds, outside the caps on the evidence."""


class Weighing(Record):
    """Prior probability and evidence for one state against all others."""

    prior: Figure[Annotated[float, Field(gt=0, lt=1)]]
    groups: tuple[CorrelationGroup, ...]

    @model_validator(mode="after")
    def _groups_differ(self) -> Self:
        names = [group.group for group in self.groups]
        if len(names) != len(set(names)):
            raise ValueError("two groups have the same name")
        return self

    @cached_property
    def mentions(self) -> frozenset[str]:
        """Every finding that can move it."""
        figures = [figure for group in self.groups for figure in group.figures]
        return frozenset(finding for figure in figures for finding in figure.mentions)

    @cached_property
    def reach(self) -> dict[str, tuple[int, ...]]:
        """For every finding the places in `groups` of those that it can move."""
        return {
            finding: tuple(
                place
                for place, group in enumerate(self.groups)
                if any(finding in figure.mentions for figure in group.figures)
            )
            for finding in sorted(self.mentions)
        }


class HandsOnRule(Sourced):
    """However probable, no program before somebody has found one of these signs by hand. Source: evidence C6."""

    findings: Annotated[tuple[FindingId, ...], Field(min_length=1)]
    instead: tuple[Presents, ...] = ()
    """Patients for whom something else stands in for it."""


class Recognition(Weighing):
    """How intake recognises a condition."""

    remote_only_ceiling: Figure[Annotated[float, Field(gt=0, lt=1)]]
    """No more probable than this while nobody has laid hands on the patient."""
    needs_hands_on: HandsOnRule | None = None

    @cached_property
    def favourable(self) -> dict[str, Literal["present", "absent"]]:
        """The answer to each finding that helps this condition most."""
        figures = [figure for group in self.groups for figure in group.figures]
        asked = {finding for figure in figures for finding in figure.findings}
        helping = {finding for figure in figures if figure.lr_positive > 1 for finding in figure.findings}
        for figure in figures:
            if figure.support_only_when is not None:
                needed = (*figure.support_only_when.all_present, *figure.support_only_when.any_present)
                helping.update(needed)
                asked.update(needed, figure.support_only_when.all_absent)
        return {finding: "present" if finding in helping else "absent" for finding in sorted(asked)}
