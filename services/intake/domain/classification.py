"""The classification that goes over the wire."""

from services.intake.domain.disposition import Case, Verdict
from services.intake.domain.next_finding import ask_next
from services.intake.domain.probability import rate
from services.intake.domain.rationale import explain, turn
from services.intake.domain.red_flag import rank
from shared.event.classification import ConditionClassified, IntakeFacts, RaisedFlag, RatedCondition
from shared.event.explanation import ProtocolRef
from shared.event.intake import IntakeSubmitted
from shared.event.vocabulary import vocabulary
from shared.protocol.library import Protocols


def classify(case: Case, verdict: Verdict, protocols: Protocols) -> ConditionClassified:
    """Puts a verdict into words and numbers."""
    ratings = rate(protocols, case.presentation)
    asked = ask_next(case, verdict, protocols)
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
        rationale=explain(case, verdict, ratings, [item.finding_id for item in asked], protocols),
        references=tuple(sorted(references)),
        turning_point=turn(case, verdict, protocols),
    )


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
