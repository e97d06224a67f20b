"""What is wrong in a resource that came in: where, as a FHIR path, and what to do about it.

Everything that is wrong is told at once, so that a sender need not send a file ten times.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """`path` such as `QuestionnaireResponse.item[3].answer[0]`."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class FhirError(Exception):
    """A resource cannot be read. Nothing of it was taken."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def path_of(root: str, location: tuple[int | str, ...]) -> str:
    """A FHIR path from where a validator stood."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return root + "".join(steps)
