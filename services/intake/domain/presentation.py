"""How a patient presents, and whether that meets a rule's condition. What is unknown meets nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from shared.event.intake import Answer, IntakeSubmitted, Onset, Sex, Side
from shared.event.vocabulary import vocabulary
from shared.protocol.presentation import Presents


@dataclass(frozen=True, slots=True)
class Presentation:
    """The facts of an intake that rules read."""

    answers: Mapping[str, Answer]
    """Findings answered present or absent; the rest is unknown."""
    modifiers: frozenset[str]
    age_years: int
    sex: Sex
    side: Side
    onset: Onset
    duration_weeks: float

    def is_present(self, finding_id: str) -> bool:
        return self.answers.get(finding_id) == "present"

    def is_absent(self, finding_id: str) -> bool:
        return self.answers.get(finding_id) == "absent"

    def is_remote_only(self) -> bool:
        """No examination finding is answered that takes a clinician's hands. Source: contract 5.5."""
        return hands_on_findings().isdisjoint(self.answers)

    def answered(self, answers: Mapping[str, Answer]) -> "Presentation":
        """The same patient with these findings answered so."""
        return self._telling({**self.answers, **answers})

    def unanswered(self, finding_id: str) -> "Presentation":
        """The same patient before this finding was answered."""
        return self._telling({f: answer for f, answer in self.answers.items() if f != finding_id})

    def _telling(self, answers: Mapping[str, Answer]) -> "Presentation":
        return Presentation(
            answers, self.modifiers, self.age_years, self.sex, self.side, self.onset, self.duration_weeks
        )

    def meets(self, rule: Presents) -> bool:
        """Whether every part of the condition that is given holds."""
        return (
            all(map(self.is_present, rule.all_present))
            and (not rule.any_present or any(map(self.is_present, rule.any_present)))
            and not any(map(self.is_present, rule.none_present))
            and all(map(self.is_absent, rule.all_absent))
            and (not rule.any_modifier or any(m in self.modifiers for m in rule.any_modifier))
            and not any(m in self.modifiers for m in rule.no_modifier)
            and (not rule.onset or self.onset in rule.onset)
            and (not rule.sex or self.sex in rule.sex)
            and (not rule.side or self.side in rule.side)
            and (rule.age_at_least is None or self.age_years >= rule.age_at_least)
            and (rule.age_at_most is None or self.age_years <= rule.age_at_most)
            and (rule.weeks_at_least is None or self.duration_weeks >= rule.weeks_at_least)
            and (rule.weeks_at_most is None or self.duration_weeks <= rule.weeks_at_most)
        )


@cache
def hands_on_findings() -> frozenset[str]:
    """Examination findings that take a clinician's hands."""
    return frozenset(
        f for f, known in vocabulary().findings.items() if known.kind == "examination" and not known.remote
    )


def present(intake: IntakeSubmitted) -> Presentation:
    """Reads the facts of an intake."""
    return Presentation(
        answers={f: a for f, a in sorted(intake.findings.items()) if a != "unknown"},
        modifiers=frozenset(intake.modifiers),
        age_years=intake.age_years,
        sex=intake.sex,
        side=intake.side,
        onset=intake.onset,
        duration_weeks=intake.duration_weeks,
    )
