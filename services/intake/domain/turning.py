"""The smallest change of an intake that would have turned its disposition or what is primary.

Fewest answers first, and of equally few the likeliest. Red flags that nobody raised are looked at last: any of them
turns anything, which says little about this patient.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from services.intake.domain.change import Change, FindingAnswered, FlagAnswered, amend
from services.intake.domain.disposition import judge
from services.intake.domain.ground import flag_row, lift_ground
from services.intake.domain.next_finding import destinations, share_of
from services.intake.domain.survey import Outcome, Survey, outcome_of
from shared.event.intake import Answer
from shared.event.vocabulary import vocabulary
from shared.protocol.source import EvidenceId

GROUNDS_AT_MOST = 6
STRONGEST = 6
"""Answers that move a condition most: pairs are sought among these."""
OTHER_ANSWERS: Mapping[Answer, tuple[Answer, ...]] = {
    "present": ("absent",),
    "absent": ("present",),
    "unknown": ("present", "absent"),
}


@dataclass(frozen=True, slots=True)
class Turn:
    """Changes that together, and none of them left out, lead to another outcome."""

    changes: tuple[Change, ...]
    outcome: Outcome


def find_turn(survey: Survey) -> Turn | None:
    """The smallest change found; None where a clinician's word alone can turn it."""
    lifted = _without_grounds(survey)
    if lifted is not None and len(lifted.changes) == 1:
        return lifted
    if survey.verdict.disposition not in ("emergency", "urgent_referral"):
        turn = _single(survey) or lifted or _pair(survey)
        if turn is not None:
            return turn
    return lifted or _flagged(survey)


def _without_grounds(survey: Survey) -> Turn | None:
    changes: tuple[Change, ...] = ()
    case, verdict = survey.case, survey.verdict
    for _ in range(GROUNDS_AT_MOST):
        lifting = lift_ground(case, verdict)
        if not lifting:
            return None
        changes += lifting
        case = amend(survey.case, changes)
        verdict = judge(case, survey.protocols)
        if outcome_of(verdict) != survey.outcome:
            return _least(changes, outcome_of(verdict), survey)
    return None


def _least(changes: tuple[Change, ...], outcome: Outcome, survey: Survey) -> Turn:
    """Leaves out what is not needed."""
    for change in changes if 1 < len(changes) <= GROUNDS_AT_MOST else ():
        fewer = tuple(other for other in changes if other != change)
        turned = outcome_of(judge(amend(survey.case, fewer), survey.protocols))
        if fewer and turned != survey.outcome:
            changes, outcome = fewer, turned
    return Turn(changes, outcome)


def _single(survey: Survey) -> Turn | None:
    """The likeliest single answer that turns it, first one that turns the disposition.

    What nobody has asked is likelier to come out so than what was answered is to be wrong.
    """
    turning: list[tuple[tuple[bool, bool, float, float, str], Answer, Outcome]] = []
    leading = _leading(survey)
    for finding_id, answer in _other_answers(survey):
        outcome = survey.try_answers({finding_id: answer})
        if outcome != survey.outcome:
            moved = abs(survey.picture({finding_id: answer}).estimates[leading] - survey.verdict.estimates[leading])
            is_same = outcome.disposition == survey.outcome.disposition
            is_told = finding_id in survey.case.presentation.answers
            key = is_same, is_told, -round(_likelihood(survey, finding_id, answer), 4), round(moved, 4), finding_id
            turning.append((key, answer, outcome))
    if not turning:
        return None
    (*_, finding_id), answer, outcome = min(turning, key=lambda one: one[0])
    return _turn(survey, {finding_id: answer}, outcome)


def _pair(survey: Survey) -> Turn | None:
    """Two answers that turn it together: those of one cluster, else of those that move a condition most."""
    tried: set[tuple[str, ...]] = set()
    for answers in (*_clusters(survey), *_strongest(survey)):
        key = tuple(f"{finding_id}={answer}" for finding_id, answer in sorted(answers.items()))
        if key in tried:
            continue
        tried.add(key)
        outcome = survey.try_answers(answers)
        if outcome != survey.outcome:
            return _turn(survey, answers, outcome)
    return None


def _flagged(survey: Survey) -> Turn | None:
    """A red flag that is worse than all that is known."""
    if survey.outcome.disposition == "emergency":
        return None
    for red_flag_id, known in vocabulary().red_flags.items():
        was = survey.case.intake.red_flags.get(red_flag_id)
        if known.urgency == "emergency" and was != "present":
            change = FlagAnswered(red_flag_id, was, "present", flag_row(red_flag_id))
            outcome = outcome_of(judge(amend(survey.case, (change,)), survey.protocols))
            return Turn((change,), outcome)
    return None


def _turn(survey: Survey, answers: Mapping[str, Answer], outcome: Outcome) -> Turn:
    rule, threshold = _rule(survey, answers)
    told = survey.case.intake.findings
    return Turn(
        tuple(
            FindingAnswered(finding_id, told.get(finding_id), answer, rule, threshold)
            for finding_id, answer in sorted(answers.items())
        ),
        outcome,
    )


def _rule(survey: Survey, answers: Mapping[str, Answer]) -> tuple[EvidenceId, float | None]:
    """The rule by which these answers turn the case."""
    before, after = survey.verdict, survey.judge(answers)
    if after.flags != before.flags and after.flags:
        return flag_row(after.flags[0].red_flag_id), None
    if after.contradicted != before.contradicted and after.contradicted:
        return flag_row(after.contradicted[0]), None
    if after.route != before.route and after.route is not None:
        return after.route[1].source[0], None
    if before.route != after.route and before.route is not None:
        return before.route[1].source[0], None
    lacking = before.lacking or after.lacking
    if lacking is not None and after.primary == before.primary:
        return lacking.source[0], None
    return "BANDS", survey.protocols.screening.bands.primary_at_least


def _leading(survey: Survey) -> str:
    rated = survey.verdict.estimates
    return max(sorted(rated), key=lambda condition_id: rated[condition_id])


def _other_answers(survey: Survey) -> Iterator[tuple[str, Answer]]:
    known = survey.case.presentation.answers
    for finding_id in sorted(vocabulary().findings):
        for answer in OTHER_ANSWERS[known.get(finding_id, "unknown")]:
            yield finding_id, answer


def _likelihood(survey: Survey, finding_id: str, answer: Answer) -> float:
    """How likely an answer is by all the others."""
    before = survey.verdict.picture
    if finding_id in survey.case.presentation.answers:
        before = before.unanswered(finding_id, survey.protocols.screening.caps)

    def leads(told: Answer) -> tuple[float, ...]:
        return destinations(survey.picture({finding_id: told}), survey.protocols, is_routed=False)

    present = share_of(destinations(before, survey.protocols, is_routed=False), leads("present"), leads("absent"))
    return present if answer == "present" else 1 - present


def _clusters(survey: Survey) -> Iterator[dict[str, Answer]]:
    """Two findings of one figure, both present or both absent."""
    known = survey.case.presentation.answers
    for _, protocol in sorted(survey.protocols.conditions.items()):
        for figure in (figure for group in protocol.recognition.groups for figure in group.figures):
            for pair in combinations(sorted(figure.mentions), 2):
                answers: tuple[Answer, Answer] = ("present", "absent")
                for answer in answers:
                    if all(known.get(finding_id) != answer for finding_id in pair):
                        yield dict.fromkeys(pair, answer)


def _strongest(survey: Survey) -> Iterator[dict[str, Answer]]:
    """For each condition pairs of the answers that help it most; for the primary, of those that harm it most."""
    threshold = _logit(survey.protocols.screening.bands.primary_at_least)
    primary = survey.verdict.primary
    for condition_id, weighed in survey.verdict.picture.conditions.items():
        now = math.log(weighed.odds)
        sign = -1 if condition_id == primary else 1
        needed = sign * (threshold - now)
        moves = []
        for finding_id, answer in _other_answers(survey):
            turned = survey.picture({finding_id: answer}).conditions[condition_id]
            step = 0.0 if turned is weighed else sign * (math.log(turned.odds) - now)
            if step > 0:
                moves.append((-round(step, 9), finding_id, answer))
        for (one, f, a), (other, g, b) in combinations(sorted(moves)[:STRONGEST], 2):
            if f != g and -one - other >= needed - 1e-6:
                yield {f: a, g: b}


def _logit(share: float) -> float:
    return math.log(share / (1 - share))
