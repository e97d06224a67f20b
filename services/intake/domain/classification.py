"""The classification that goes over the wire."""

from services.intake.domain.change import Change, FindingAnswered, threshold, values
from services.intake.domain.disposition import Case, Verdict
from services.intake.domain.ground import flag_row
from services.intake.domain.next_finding import ask_next
from services.intake.domain.probability import rate
from services.intake.domain.rationale import explain, say_turn
from services.intake.domain.red_flag import rank
from services.intake.domain.survey import Outcome, Survey
from services.intake.domain.turning import Turn, find_turn
from shared.event.classification import ConditionClassified, IntakeFacts, RaisedFlag, RatedCondition
from shared.event.explanation import Basis, ProtocolRef
from shared.event.intake import IntakeSubmitted
from shared.event.vocabulary import vocabulary
from shared.protocol.library import Protocols

UNDETERMINED = "undetermined"
"""No condition is primary."""


def classify(case: Case, verdict: Verdict, protocols: Protocols) -> ConditionClassified:
    """Puts a verdict into words and numbers."""
    ratings = rate(protocols, verdict.picture)
    survey = Survey(case, verdict, protocols)
    asked = ask_next(survey)
    turn = find_turn(survey)
    turning_point = say_turn(turn, verdict, protocols)
    red_flags = vocabulary().red_flags
    references = set(verdict.references)
    references.update(row for rating in ratings for row in rating.references)
    references.update(row for flag in verdict.flags for row in red_flags[flag.red_flag_id].evidence.split(", "))
    references.update(row for flag in verdict.contradicted for row in red_flags[flag].evidence.split(", "))
    references.update(protocols.screening.bands.source)
    return ConditionClassified(
        intake_id=case.intake.intake_id,
        disposition=verdict.disposition,
        conditions=tuple(
            RatedCondition(
                condition_id=rating.condition_id,
                probability=rating.probability,
                supporting=rating.supporting,
                opposing=rating.opposing,
            )
            for rating in ratings
        ),
        primary=verdict.primary,
        mixed=verdict.mixed,
        red_flags=tuple(
            RaisedFlag(red_flag_id=flag.red_flag_id, urgency=flag.urgency, source=flag.source)
            for flag in sorted(verdict.flags, key=lambda flag: (-rank(flag.urgency), flag.red_flag_id))
        ),
        referral_route=verdict.route[0].route if verdict.route else None,
        next_findings=asked,
        intake=take_facts(case.intake),
        protocol=ProtocolRef(id="intake", version=protocols.screening.version),
        rationale=explain(case, verdict, ratings, [item.finding_id for item in asked], turning_point, protocols),
        references=tuple(sorted(references)),
        turning_point=turning_point,
        basis=lay_out(turn, verdict, protocols),
    )


def lay_out(turn: Turn | None, verdict: Verdict, protocols: Protocols) -> tuple[Basis, ...]:
    """The change that would have turned it, field by field, to be tried on the intake."""
    if turn is None:
        standing = max(verdict.flags, key=lambda flag: (rank(flag.urgency), flag.red_flag_id))
        row = flag_row(standing.red_flag_id)
        path = f"red_flags.{standing.red_flag_id}"
        return (Basis(rule=row, input=path, value="present", source=(row,), then=verdict.disposition),)
    together = 1 if len(turn.changes) > 1 else None
    return tuple(
        Basis(
            rule=change.rule,
            input=change.input,
            value=values(change)[0],
            threshold=threshold(change),
            source=_rows(change, protocols),
            turned_by=values(change)[1],
            then=_then(turn.outcome, verdict),
            together=together,
        )
        for change in turn.changes
    )


def _rows(change: Change, protocols: Protocols) -> tuple[str, ...]:
    """The rule's own row, and those of what a finding weighs."""
    weighed = {
        row
        for protocol in protocols.conditions.values()
        for group in protocol.recognition.groups
        for figure in group.figures
        for row in figure.source
        if isinstance(change, FindingAnswered) and change.finding_id in figure.findings
    }
    return (change.rule, *sorted(weighed - {change.rule}))


def _then(outcome: Outcome, verdict: Verdict) -> str:
    """What turned: the disposition, else which condition is primary."""
    if outcome.disposition != verdict.disposition:
        return outcome.disposition
    return outcome.primary or UNDETERMINED


def take_facts(intake: IntakeSubmitted) -> IntakeFacts:
    """What the planner needs of the intake; the notes are not among it."""
    return IntakeFacts(
        age_years=intake.age_years,
        sex=intake.sex,
        side=intake.side,
        onset=intake.onset,
        duration_weeks=intake.duration_weeks,
        findings_present=tuple(sorted(f for f, answer in intake.findings.items() if answer == "present")),
        modifiers=tuple(sorted(set(intake.modifiers))),
        measures=intake.measures,
        activity_goals=intake.activity_goals,
        sessions_per_week=intake.sessions_per_week,
        equipment=intake.equipment,
        load_steps_kg=intake.load_steps_kg,
    )
