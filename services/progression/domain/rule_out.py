"""The chain a) to k) that is walked, and logged, before care is called failed. Source: RULEOUT.

What no event can show is for the clinician; it never counts as done.
"""

from typing import Literal

import msgspec

from services.progression.domain.statistic import Statistic
from shared.event.vocabulary import vocabulary
from shared.protocol.course import Course

Result = Literal["done", "not_done", "found", "for_the_clinician"]


class RuleOut(msgspec.Struct, frozen=True):
    """One item: `found` speaks for another explanation than failed care."""

    item: str
    statement: str
    result: Result
    detail: str


def walk(
    statistic: Statistic,
    course: Course,
    *,
    delivered: bool,
    dose_reached: bool | None,
    modifiers: tuple[str, ...],
    mixed: bool,
    symptoms: tuple[str, ...],
    education_delivered: bool,
) -> tuple[RuleOut, ...]:
    """All items in their order. To be called outside a flare and without an open red flag."""
    unseen: Result = "for_the_clinician"
    education = "was delivered" if education_delivered else "was not part of the program"
    labels = ", ".join(sorted(vocabulary().modifiers.get(m, "unknown modifier") for m in modifiers))
    psychosocial, psychosocial_detail = _psychosocial(statistic, course, symptoms)
    return (
        RuleOut("a", "Enough sessions over enough weeks", "done" if delivered else "not_done", ""),
        RuleOut(
            "b",
            "Dose reached",
            unseen if dose_reached is None else "done" if dose_reached else "not_done",
            "Effort was not reported." if dose_reached is None else "",
        ),
        RuleOut("c", "Technique checked", unseen, "No report shows how the exercises were done."),
        RuleOut(
            "d",
            "Advice on compression and load followed",
            unseen,
            f"Education {education}; whether it is followed no report shows.",
        ),
        RuleOut("e", "Not within a flare", "done", "No flare in the last 10 days."),
        RuleOut("f", "Red flags screened again", unseen, "No red flag is open; a full screen needs the clinician."),
        RuleOut(
            "g",
            "Classification examined again",
            "found" if mixed else unseen,
            "More than one condition is treated." if mixed else "Mixed, lumbar and hip causes need an examination.",
        ),
        RuleOut("h", "Psychosocial factors", psychosocial, psychosocial_detail),
        RuleOut(
            "i",
            "Medicines and other illness",
            "found" if modifiers else unseen,
            f"Known: {labels}." if modifiers else "None is known from the intake.",
        ),
        RuleOut("j", "The patient's goal revised", unseen, "No report shows it."),
        RuleOut("k", "Clinician signs", unseen, "This is the proposal to sign."),
    )


def _psychosocial(statistic: Statistic, course: Course, symptoms: tuple[str, ...]) -> tuple[Result, str]:
    rules = course.psychosocial
    found = [vocabulary().symptoms[s] for s in sorted(set(symptoms) & set(rules.symptoms))]
    screened = _value(statistic, "STARTMSK")
    confidence = _value(statistic, "PSEQ")
    if screened is not None and screened >= rules.startmsk_at_least:
        found.append(f"STarT MSK {screened:g}, high risk")
    if confidence is not None and confidence < rules.pseq_below:
        found.append(f"low pain self-efficacy, PSEQ {confidence:g}")
    if found:
        return "found", f"{'; '.join(found)}: a psychologically informed path comes first."
    if screened is not None:
        return "done", f"STarT MSK {screened:g}, not high."
    return "for_the_clinician", "No screening was reported."


def _value(statistic: Statistic, instrument: str) -> float | None:
    """The newest value, the intake's where nothing newer was reported."""
    series = statistic.of(instrument)
    if series is None:
        return None
    return series.baseline if series.last is None else series.last.value
