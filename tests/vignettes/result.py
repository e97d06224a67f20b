"""What the intake service makes of each vignette, and where that differs from what would be right."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from shared.event.classification import ConditionClassified
from shared.event.escalation import EscalationRaised
from shared.event.vocabulary import Urgency, vocabulary
from shared.stream.pure_pipeline import PurePipeline
from tests.support.example import EPOCH, wire
from tests.support.four_services import four_services_pipeline
from tests.vignettes.vignette import Vignette, vignettes

SEVERITY: dict[str, Urgency] = {"emergency": "emergency", "urgent_referral": "urgent", "clinician_review": "routine"}
"""The least with which a clinician is called. Words that suggest an emergency bring a review, and call as urgent."""


@dataclass(frozen=True, slots=True)
class Result:
    """One vignette through the runtime's own decode, the intake core and the runtime's own encode."""

    vignette: Vignette
    found: ConditionClassified
    escalations: tuple[EscalationRaised, ...]

    @property
    def flags(self) -> frozenset[str]:
        return frozenset(flag.red_flag_id for flag in self.found.red_flags)

    @property
    def missed_flags(self) -> tuple[str, ...]:
        return tuple(flag for flag in self.vignette.expected.red_flags if flag not in self.flags)

    @property
    def is_disposition_right(self) -> bool:
        return self.found.disposition in self.vignette.expected.disposition

    @property
    def is_primary_right(self) -> bool:
        """Right, or not judged."""
        return self.vignette.expected.primary is None or self.found.primary in self.vignette.expected.primary

    @property
    def is_false_emergency(self) -> bool:
        return self.found.disposition == "emergency" and not self.vignette.may_be_emergency

    @property
    def forbidden(self) -> tuple[str, ...]:
        """What must never have been concluded and was."""
        must_not = self.vignette.must_not
        disposition = [self.found.disposition] if self.found.disposition in must_not.disposition else []
        primary = [self.found.primary or "no condition"] if self.found.primary in must_not.primary else []
        return (*disposition, *primary)

    def deviations(self) -> Iterator[str]:
        """Every difference from the expectation, in words."""
        expected = self.vignette.expected
        if not self.is_disposition_right:
            yield f"disposition {self.found.disposition}, expected {' or '.join(expected.disposition)}"
        if not self.is_primary_right:
            wanted = " or ".join(condition or "no condition" for condition in expected.primary or ())
            yield f"primary {self.found.primary or 'no condition'}, expected {wanted} ({self.probabilities()})"
        if expected.mixed is not None and self.found.mixed != expected.mixed:
            yield f"{'mixed' if self.found.mixed else 'not mixed'}, expected otherwise ({self.probabilities()})"
        if expected.route is not None and (self.found.referral_route or "none") != expected.route:
            yield f"route {self.found.referral_route or 'none'}, expected {expected.route}"
        if self.missed_flags:
            yield f"red flags not found: {', '.join(self.missed_flags)}"
        if expected.ask_red_flags and not self._asks_a_red_flag_first():
            yield "no red flag is asked first"
        if self.forbidden:
            yield f"must never be: {', '.join(self.forbidden)}"
        if self.is_false_emergency:
            yield "false emergency"

    def probabilities(self) -> str:
        """All four, most probable first."""
        return ", ".join(f"{rated.condition_id} {rated.probability:.2f}" for rated in self.found.conditions)

    def _asks_a_red_flag_first(self) -> bool:
        asked = [step.finding_id for step in self.found.next_findings]
        answered = {*self.vignette.intake.red_flags, *self.vignette.intake.red_flags_absent}
        return bool(asked) and asked[0] in set(vocabulary().red_flags) - answered


def _run(pipeline: PurePipeline, vignette: Vignette) -> Result:
    data = vignette.intake.data(f"intake-{vignette.id}")
    pipeline.submit(wire("care.intake.submitted.v1", data, subject=vignette.id, event_id=vignette.id))
    published = [event.data for event in pipeline.published(patient=vignette.id)]
    (found,) = (data for data in published if isinstance(data, ConditionClassified))
    return Result(vignette, found, tuple(data for data in published if isinstance(data, EscalationRaised)))


def run(cases: Iterable[Vignette]) -> tuple[Result, ...]:
    """Submits each as a patient of its own."""
    pipeline = four_services_pipeline(EPOCH, ("intake",))
    return tuple(_run(pipeline, vignette) for vignette in cases)


@cache
def results() -> tuple[Result, ...]:
    return run(vignettes())
