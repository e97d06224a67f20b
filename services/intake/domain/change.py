"""Another value of one field of an intake, to see what it would have led to."""

from dataclasses import dataclass
from typing import assert_never

from services.intake.domain.disposition import Case
from services.intake.domain.presentation import present
from shared.event.explanation import Scalar
from shared.event.intake import Answer
from shared.protocol.source import EvidenceId


@dataclass(frozen=True, slots=True)
class FindingAnswered:
    """A finding is answered so."""

    finding_id: str
    was: Answer | None
    answer: Answer
    rule: EvidenceId
    threshold: float | None = None
    """The probability that decides, where one does."""

    @property
    def input(self) -> str:
        return f"findings.{self.finding_id}"


@dataclass(frozen=True, slots=True)
class FlagAnswered:
    """A red flag is answered so."""

    red_flag_id: str
    was: Answer | None
    answer: Answer
    rule: EvidenceId

    @property
    def input(self) -> str:
        return f"red_flags.{self.red_flag_id}"


@dataclass(frozen=True, slots=True)
class ScreenCompleted:
    """Every red flag was asked for, and what is left out is absent."""

    rule: EvidenceId
    input: str = "red_flag_screen"


@dataclass(frozen=True, slots=True)
class NotesLeftOut:
    """Without the patient's own words, which make a red flag suspected."""

    rule: EvidenceId
    input: str = "notes"


@dataclass(frozen=True, slots=True)
class ModifierLeftOut:
    """The patient is without this."""

    modifier_id: str
    rule: EvidenceId

    @property
    def input(self) -> str:
        return f"modifiers.{self.modifier_id}"


@dataclass(frozen=True, slots=True)
class Older:
    """The patient is of this age."""

    was: int
    age_years: int
    rule: EvidenceId
    input: str = "age_years"


Change = FindingAnswered | FlagAnswered | ScreenCompleted | NotesLeftOut | ModifierLeftOut | Older


def threshold(change: Change) -> Scalar:
    """What the rule compares with: the probability or the age that decides."""
    match change:
        case FindingAnswered():
            return change.threshold
        case Older():
            return change.age_years
        case _:
            return None


def values(change: Change) -> tuple[Scalar, Scalar]:
    """What the intake says, and what it would have had to say. Of notes the first is kept out."""
    match change:
        case FindingAnswered() | FlagAnswered():
            return change.was, change.answer
        case ScreenCompleted():
            return "partial", "complete"
        case NotesLeftOut():
            return None, ""
        case ModifierLeftOut():
            return True, False
        case Older():
            return change.was, change.age_years
        case _:
            assert_never(change)


def amend(case: Case, changes: tuple[Change, ...]) -> Case:
    """The same case with these changes."""
    intake, suspected = case.intake, case.suspected
    for change in changes:
        match change:
            case FindingAnswered():
                update: dict[str, object] = {"findings": {**intake.findings, change.finding_id: change.answer}}
            case FlagAnswered():
                update = {"red_flags": {**intake.red_flags, change.red_flag_id: change.answer}}
            case ScreenCompleted():
                update = {"red_flag_screen": "complete"}
            case NotesLeftOut():
                update, suspected = {}, ()
            case ModifierLeftOut():
                update = {"modifiers": tuple(m for m in intake.modifiers if m != change.modifier_id)}
            case Older():
                update = {"age_years": change.age_years}
            case _:
                assert_never(change)
        intake = intake.model_copy(update=update)
    return Case(intake, present(intake), case.time, suspected, case.standing)
