"""What other answers would lead to."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.intake.domain.disposition import Case, Verdict, judge, lead
from services.intake.domain.hope import could_be_primary
from services.intake.domain.probability import Picture
from services.intake.domain.route import find_route
from shared.event.classification import Disposition
from shared.event.intake import Answer
from shared.protocol.library import Protocols


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a case leads to."""

    disposition: Disposition
    primary: str | None


class Survey:
    """Tries answers on one case, and remembers what each led to. Lives for a single classification."""

    def __init__(self, case: Case, verdict: Verdict, protocols: Protocols) -> None:
        self.case = case
        self.verdict = verdict
        self.protocols = protocols
        self.outcome = outcome_of(verdict)
        self._pictures: dict[tuple[tuple[str, Answer], ...], Picture] = {}
        self._deciding = protocols.red_flags.mentions | protocols.screening.mentions

    def picture(self, answers: Mapping[str, Answer]) -> Picture:
        """How probable everything is with these findings answered so."""
        key = tuple(sorted(answers.items()))
        known = self._pictures.get(key)
        if known is None:
            known = self._pictures[key] = self.verdict.picture.answered(answers, self.protocols.screening.caps)
        return known

    def is_routed(self, answers: Mapping[str, Answer]) -> bool:
        """Whether they send the patient to spine or hip."""
        if self.protocols.screening.mentions.isdisjoint(answers):
            return self.verdict.route is not None
        return find_route(self.case.presentation.answered(answers), self.protocols.screening) is not None

    def try_answers(self, answers: Mapping[str, Answer]) -> Outcome:
        """What the case leads to with these findings answered so."""
        picture = self.picture(answers)
        primary, _ = lead(picture.estimates, self.protocols.screening.bands)
        if primary == self.verdict.primary and self.verdict.lacking is None and self._deciding.isdisjoint(answers):
            if primary is not None:
                return self.outcome
            if self.verdict.is_open and could_be_primary(self.verdict.hope, answers, self.protocols):
                return self.outcome
        return outcome_of(self.judge(answers))

    def judge(self, answers: Mapping[str, Answer]) -> Verdict:
        """The same in full."""
        return judge(self.case.answered(answers), self.protocols, near=self.verdict, picture=self.picture(answers))


def outcome_of(verdict: Verdict) -> Outcome:
    return Outcome(verdict.disposition, verdict.primary)
