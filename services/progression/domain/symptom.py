"""What is heard of symptoms: red flags first, then what is unknown, what recurs and what does not fit."""

import re

from services.progression.domain.escalation import escalate, flag_urgency, raise_flags
from services.progression.domain.turn import Turn
from shared.event.vocabulary import vocabulary

SYMPTOM_LIMIT = 8
READABLE = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
"""An id may be shown as it came; anything else might be a patient's own words."""


def hear(turn: Turn, symptoms: tuple[str, ...]) -> None:
    """Takes in every symptom of a report, whatever else becomes of it."""
    raise_flags(turn, symptoms)
    rules, known = turn.protocols.progression, vocabulary()
    unknown = [s for s in symptoms if s not in known.symptoms and flag_urgency(s, rules) is None]
    if unknown:
        words = ", ".join(sorted({one if READABLE.fullmatch(one) else "one that cannot be read" for one in unknown}))
        escalate(
            turn,
            "clinician_review",
            "routine",
            "J-DESIGN",
            "The patient reported a symptom that this system does not know.",
            evidence=(("unknown symptoms", words),),
        )
        turn.say("J-DESIGN", f"A symptom was reported that this system does not know: {words}.")
    heard = [s for s in symptoms if s in known.symptoms]
    if heard:
        last = dict(turn.s.heard)
        last |= {symptom: max(turn.at, last.get(symptom, turn.at)) for symptom in heard}
        turn.set(
            symptoms=tuple(sorted({*turn.s.symptoms, *heard}))[-SYMPTOM_LIMIT:],
            heard=tuple(sorted(last.items())),
        )


def follow_fit(turn: Turn, symptoms: tuple[str, ...]) -> None:
    """Symptoms that the treated condition does not explain, report after report."""
    rule, book = turn.protocols.progression.unfit, turn.book
    if book is None or not set(book.conditions).isdisjoint(rule.explained_for):
        return
    odd = sorted(set(symptoms) & set(rule.symptoms))
    turn.set(unfit=turn.s.unfit + 1 if odd else 0)
    if odd and turn.s.unfit >= rule.reports:
        labels = ", ".join(vocabulary().symptoms[s] for s in odd)
        escalate(
            turn,
            "unclear_diagnosis",
            rule.severity,
            "C8",
            "Symptoms keep coming that the treated condition does not explain.",
            evidence=(("symptoms", labels),),
        )
