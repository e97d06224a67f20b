"""What intake shows of a patient: the classification that holds."""

from services.intake.domain.classification import classify
from services.intake.domain.disposition import Case, judge
from services.intake.domain.presentation import present
from services.intake.domain.red_flag import urgency_of
from services.intake.domain.state import Flag, IntakeState
from shared.event.classification import ConditionClassified
from shared.event.intake import IntakeSubmitted
from shared.view import Inquiry, View


def show_classification(state: IntakeState, inquiry: Inquiry) -> ConditionClassified | None:
    """The newest intake, classified as it was last published; None where only red flags are known.

    Where an intake repeats a red flag that stood open before it, `turning_point` and `basis` may name another way
    to turn it than the event did.
    """
    current = state.current
    if current is None:
        return None
    intake = IntakeSubmitted.model_validate_json(current.facts)
    presentation = present(intake)
    own = judge(Case(intake, presentation, current.time, current.suspected), inquiry.protocols).own_flags
    open_flags = next((one.flags for one in state.escalations if one.reason == "red_flag"), ())
    standing = tuple(
        flag
        for flag in open_flags
        if flag.red_flag_id in current.flags
        and all((flag.red_flag_id, flag.source) != (one.red_flag_id, one.source) for one in own)
    )
    known = {flag.red_flag_id for flag in (*own, *standing)}
    # One that came with another event, and that a clinician has settled since, stands in what was published.
    settled = tuple(
        Flag(red_flag_id=flag, urgency=urgency_of(flag), source="reported", time=current.classified_at)
        for flag in current.flags
        if flag not in known
    )
    case = Case(intake, presentation, current.time, current.suspected, (*standing, *settled))
    return classify(case, judge(case, inquiry.protocols), inquiry.protocols)


VIEWS: tuple[View[IntakeState], ...] = (
    View(
        "classification",
        "What the condition probably is, and what follows from it.",
        ConditionClassified,
        show_classification,
    ),
)
