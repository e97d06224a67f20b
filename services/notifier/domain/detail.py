"""What an escalation rests on, for the clinician who opens it: text, rule, values, options, evidence.

The ladder needs none of it: who is told, and when, stands in the alarm.
"""

import json
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from shared.event.escalation import EscalationRaised, EscalationResolved
from shared.event.explanation import Basis, Scalar

MAX_DETAILS = 12
MAX_GROUNDS = 30
MAX_CHOICES = 12
MAX_RISES = 8
LONGEST_TEXT = 2_000
LONGEST_EVIDENCE = 8_000
"""Characters of JSON; the largest values give way first."""


class Choice(Struct, frozen=True):
    """What the evidence offers next."""

    label: str
    evidence_grade: str
    references: tuple[str, ...]


class Ground(Struct, frozen=True, array_like=True):
    """One thing that the escalation rests on, and what would have turned it (`Basis`)."""

    rule: str
    input: str
    value: Scalar
    threshold: Scalar
    source: tuple[str, ...]
    turned_by: Scalar
    then: str
    together: int | None


class Rise(Struct, frozen=True, array_like=True, order=True):
    """One time that it was raised: first, or worse, or with more."""

    at: datetime
    by: str
    severity: str


class Ending(Struct, frozen=True, array_like=True, order=True):
    """How it was closed."""

    at: datetime
    resolution: str
    decision_id: str


class Detail(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One escalation, as its newest `raised` tells of it. Without `rises` only its end is known."""

    escalation_id: str
    rises: tuple[Rise, ...] = ()
    """Oldest first."""
    correlation_id: str = ""
    severity: str = "routine"
    reason: str = ""
    program_id: str = ""
    respond_by: datetime | None = None
    holds_program: bool = False
    situation: str = ""
    background: str = ""
    assessment: str = ""
    recommendation: str = ""
    choices: tuple[Choice, ...] = ()
    evidence: str = "{}"
    """A JSON object."""
    grounds: tuple[Ground, ...] = ()
    ending: Ending | None = None

    @property
    def about(self) -> str:
        """Id of the newest `raised`."""
        return self.rises[-1].by if self.rises else ""

    @property
    def is_resolved(self) -> bool:
        return self.ending is not None and (not self.rises or self.ending.at >= self.rises[-1].at)


def find_detail(details: tuple[Detail, ...], escalation_id: str) -> Detail | None:
    return next((detail for detail in details if detail.escalation_id == escalation_id), None)


def with_raised(
    details: tuple[Detail, ...], raised: EscalationRaised, at: datetime, by: str, correlation_id: str
) -> tuple[Detail, ...]:
    known = find_detail(details, raised.escalation_id) or Detail(escalation_id=raised.escalation_id)
    rise = Rise(at, by, raised.severity)
    rises = tuple(sorted({*known.rises, rise})[-MAX_RISES:])
    detail = replace(known, rises=rises)
    if rises[-1] == rise:
        sbar = raised.sbar
        detail = replace(
            detail,
            correlation_id=correlation_id,
            severity=raised.severity,
            reason=raised.reason,
            program_id=raised.program_id or "",
            respond_by=raised.respond_by,
            holds_program=raised.holds_program,
            situation=sbar.situation[:LONGEST_TEXT],
            background=sbar.background[:LONGEST_TEXT],
            assessment=sbar.assessment[:LONGEST_TEXT],
            recommendation=sbar.recommendation[:LONGEST_TEXT],
            choices=tuple(
                Choice(option.label, option.evidence_grade, option.references)
                for option in raised.options[:MAX_CHOICES]
            ),
            evidence=_within(raised.evidence),
            grounds=tuple(_ground(basis) for basis in raised.basis[:MAX_GROUNDS]),
        )
    return _with_detail(details, detail)


def with_resolved(details: tuple[Detail, ...], resolved: EscalationResolved, at: datetime) -> tuple[Detail, ...]:
    known = find_detail(details, resolved.escalation_id) or Detail(escalation_id=resolved.escalation_id)
    ending = Ending(at, resolved.resolution, resolved.decision_id or "")
    newest = ending if known.ending is None else max(known.ending, ending)
    return _with_detail(details, replace(known, ending=newest, reason=known.reason or resolved.reason))


def _with_detail(details: tuple[Detail, ...], detail: Detail) -> tuple[Detail, ...]:
    """Resolved ones make room first, then the oldest."""
    known = {one.escalation_id: one for one in details} | {detail.escalation_id: detail}
    kept = sorted(known.values(), key=_weight)[-MAX_DETAILS:]
    return tuple(sorted(kept, key=lambda one: one.escalation_id))


def _weight(detail: Detail) -> tuple[bool, str, str]:
    at = detail.rises[-1].at if detail.rises else detail.ending.at if detail.ending else None
    return (not detail.is_resolved, at.isoformat() if at else "", detail.escalation_id)


def _ground(basis: Basis) -> Ground:
    return Ground(
        basis.rule,
        basis.input,
        basis.value,
        basis.threshold,
        basis.source,
        basis.turned_by,
        basis.then,
        basis.together,
    )


def _within(evidence: dict[str, Any]) -> str:
    """As JSON of bounded length: the largest values are replaced by a word that they were left out."""
    kept = dict(evidence)
    while len(text := json.dumps(kept, separators=(",", ":"), ensure_ascii=False)) > LONGEST_EVIDENCE and kept:
        largest = max(kept, key=lambda key: (len(json.dumps(kept[key], ensure_ascii=False)), key))
        if kept[largest] == LEFT_OUT:
            return "{}"
        kept[largest] = LEFT_OUT
    return text


LEFT_OUT = "left out: too long"
