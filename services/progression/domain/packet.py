"""The referral packet: what a clinician needs to decide after care that did not help.

Plain sentences without direct identifiers. Options are what the evidence offers next, never a decision;
surgery never comes by itself. Source: F.* and N.* of the condition, RULEOUT.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from services.progression.domain.adherence import AdherenceFigures
from services.progression.domain.response import Assessment
from services.progression.domain.statistic import Series, Statistic
from services.progression.domain.verdict import Verdict
from shared.event.escalation import Option, Sbar
from shared.event.explanation import ProtocolRef
from shared.event.program import AdequateCourse
from shared.event.vocabulary import vocabulary
from shared.protocol.course import Course

Json: TypeAlias = str | int | float | bool | list["Json"] | dict[str, "Json"] | None


class Tried(msgspec.Struct, frozen=True):
    """One exercise as it was prescribed during care."""

    name: str
    highest: str
    """The hardest dose that was tolerated, in words: `3 sets of 8 with 20 kg`."""
    times_reduced: int
    """By symptoms."""
    highest_was_tolerated: bool = True
    """False: the dose prescribed now, which no good session with its morning has shown to be tolerated."""
    sessions: int = 0
    """Reported while it was prescribed."""
    sessions_done: int = 0
    prescribed: float = 0.0
    performed: float = 0.0
    unit: Literal["repetitions", "seconds"] = "repetitions"


class Rival(msgspec.Struct, frozen=True):
    """Another diagnosis that was less probable when the program was planned."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Packet:
    """The fields of `care.escalation.raised` that explain it."""

    sbar: Sbar
    options: tuple[Option, ...]
    evidence: dict[str, Json]


def assemble(
    condition_names: tuple[str, ...],
    courses: tuple[Course, ...],
    protocols: tuple[ProtocolRef, ...],
    statistic: Statistic,
    adherence: AdherenceFigures,
    adequate: AdequateCourse,
    assessment: Assessment,
    verdict: Verdict,
    tried: tuple[Tried, ...],
    modifiers: tuple[str, ...],
    *,
    weeks: int,
    rivals: tuple[Rival, ...] = (),
) -> Packet:
    """The packet; equal arguments give equal bytes. `condition_names` and `courses` in the program's order.

    `weeks`: of the course that is judged; `adherence` is of it, too.
    """
    return Packet(
        sbar=_sbar(condition_names, weeks, adherence, adequate, verdict, rivals),
        options=options_for(courses, assessment.response.week, modifiers),
        evidence=_evidence(
            condition_names, weeks, protocols, statistic, adherence, adequate, assessment, verdict, tried, rivals
        ),
    )


def options_for(courses: tuple[Course, ...], week: int, modifiers: tuple[str, ...]) -> tuple[Option, ...]:
    """What the evidence offers next, in the protocols' order, each once, without what does not fit the patient."""
    found: dict[str, Option] = {}
    for course in courses:
        for option in course.options:
            if week >= option.from_week and set(option.not_with).isdisjoint(modifiers):
                found.setdefault(
                    option.option_id,
                    Option(
                        option_id=option.option_id,
                        label=option.label,
                        evidence_grade=option.evidence_grade,
                        references=option.source,
                    ),
                )
    return tuple(found.values())


def _sbar(
    names: tuple[str, ...],
    weeks: int,
    adherence: AdherenceFigures,
    adequate: AdequateCourse,
    verdict: Verdict,
    rivals: tuple[Rival, ...],
) -> Sbar:
    diagnosis = " and ".join(names).lower()
    found = [item for item in verdict.rule_out if item.result == "found"]
    open_items = [item for item in verdict.rule_out if item.result == "for_the_clinician"]
    other = "".join(f" {item.statement}: {item.detail}" for item in found)
    return Sbar(
        situation=f"After {weeks} weeks, exercise care for {diagnosis} has not helped by what matters to patients.",
        background=f"Working diagnosis: {diagnosis}.{_rivals(rivals)} {adherence.sessions_done} sessions were done of "
        f"{adherence.sessions_due} due{_percent(adherence.adherence)}, in {adherence.weeks_active} weeks; the "
        f"adequate course is {adequate.min_sessions} sessions over {adequate.min_weeks} weeks.{_effort(verdict)}",
        assessment=f"{verdict.because}{other}",
        recommendation="Please examine and decide on the next step; nothing follows by itself. Reports cannot show: "
        + "; ".join(_lowered(item.statement) for item in open_items if item.item != "k")
        + ".",
    )


def _evidence(
    names: tuple[str, ...],
    weeks: int,
    protocols: tuple[ProtocolRef, ...],
    statistic: Statistic,
    adherence: AdherenceFigures,
    adequate: AdequateCourse,
    assessment: Assessment,
    verdict: Verdict,
    tried: tuple[Tried, ...],
    rivals: tuple[Rival, ...],
) -> dict[str, Json]:
    response = assessment.response
    dose = verdict.dose
    return {
        "verdict": verdict.kind,
        "rule": verdict.rule,
        "weeks": weeks,
        "working_diagnosis": list(names),
        "rivals": [{"condition": rival.name, "probability": rival.probability} for rival in rivals],
        "protocols": [{"id": ref.id, "version": ref.version} for ref in protocols],
        "dose": {
            "sessions_done": adherence.sessions_done,
            "sessions_due": adherence.sessions_due,
            "weeks_due": adherence.weeks_due,
            "weeks_active": adherence.weeks_active,
            "min_sessions": adequate.min_sessions,
            "min_weeks": adequate.min_weeks,
            "min_adherence": adequate.min_adherence,
            "shortfalls": list(verdict.shortfalls),
            "reached": None if dose is None else dose.reached,
            "hardest_rpe": None if dose is None else dose.hardest_rpe,
            "weeks_at_effort": None if dose is None else dose.weeks_at_effort,
            "load_could_not_rise": None if dose is None else dose.stalled,
            # Supervised contacts are no event: advice to ask about, never a condition.
            "supervised_contacts": None,
        },
        "adherence": adherence.adherence,
        "adherence_4w": adherence.adherence_4w,
        "pain": {
            "trend_per_week": response.pain_trend_per_week,
            "trend_recent_per_week": assessment.pain_trend_recent_per_week,
            "improvement_points": assessment.pain_change_points,
            "expected_improvement_points": assessment.expected_change_points,
            "probability_of_meaningful_change": response.probability_of_meaningful_change,
            "trend_sd_per_week": response.pain_trend_sd_per_week,
            "in_sessions_by_week": [[s.week, round(s.pain_mean, 2)] for s in statistic.sessions],
        },
        "function": None if response.function_trend is None else response.function_trend.model_dump(mode="json"),
        "measures": [_measure(series) for series in statistic.series],
        "criteria": [
            {
                "measure": vocabulary().instruments[c.instrument].label,
                "met": c.met,
                "baseline": c.baseline,
                "now": c.now,
                "change": c.change,
                "needed": c.needed,
            }
            for c in verdict.criteria
        ],
        "tried": [
            {
                "exercise": t.name,
                "highest": t.highest,
                "highest_was_tolerated": t.highest_was_tolerated,
                "times_reduced": t.times_reduced,
                "sessions": t.sessions,
                "sessions_done": t.sessions_done,
                "prescribed": round(t.prescribed),
                "performed": round(t.performed),
                "unit": t.unit,
            }
            for t in tried
        ],
        "rule_out": [
            {"item": i.item, "statement": i.statement, "result": i.result, "detail": i.detail} for i in verdict.rule_out
        ],
        "references": list(verdict.references),
    }


def _measure(series: Series) -> dict[str, Json]:
    return {
        "instrument": series.instrument,
        "baseline": series.baseline,
        "first": None if series.first is None else series.first.value,
        "previous": None if series.previous is None else series.previous.value,
        "last": None if series.last is None else series.last.value,
        "best": series.best,
        "reports": series.moments.n,
        "by_week": [[w.week, round(w.mean, 2)] for w in series.weeks],
    }


def _rivals(rivals: tuple[Rival, ...]) -> str:
    """Every other diagnosis with what spoke for it at intake, the most probable first."""
    if not rivals:
        return ""
    told = ", ".join(f"{rival.name.lower()} {rival.probability:.0%}" for rival in rivals)
    return f" Less probable at intake: {told}."


def _percent(share: float | None) -> str:
    return "" if share is None else f" ({share:.0%})"


def _effort(verdict: Verdict) -> str:
    if verdict.dose is None or verdict.dose.hardest_rpe is None:
        return ""
    return f" The hardest effort of the last weeks was {verdict.dose.hardest_rpe:g} of 10."


def _lowered(statement: str) -> str:
    return statement[:1].lower() + statement[1:]
