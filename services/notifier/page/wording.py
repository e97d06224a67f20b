"""The page's words for the contract's ids, and its way to write instants, ages and numbers."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from shared.event.decision import DecisionKind
from shared.event.vocabulary import vocabulary

SEVERITIES = {"emergency": "Emergency", "urgent": "Urgent", "routine": "Routine"}
REASONS = {
    "red_flag": "Red flag",
    "flare": "Flare",
    "failed_conservative_care": "Conservative care has not helped",
    "non_adherence": "Too few sessions",
    "unclear_diagnosis": "Unclear diagnosis",
    "clinician_review": "Clinician's review",
    "adverse_response": "Adverse response",
    "no_contact": "No contact",
}
STATES = {"waiting": "Waits for an answer", "acknowledged": "Acknowledged", "resolved": "Resolved"}
STATUSES = {
    "on_track": "on track",
    "slow": "slower than expected",
    "plateau": "no change in weeks",
    "flare": "flare",
    "worsening": "worsening",
    "under_dosed": "too little done to judge",
    "insufficient_data": "too little reported to judge",
    "failed_conservative_care": "conservative care has not helped",
    "resolved": "goals reached",
}
RESOLUTIONS = {
    "continue": "care goes on as it was",
    "resume": "program resumed",
    "approve": "program approved",
    "modify": "program changed",
    "reclassify": "classified anew",
    "refer": "referred",
    "discharge": "discharged",
    "stopped": "the patient stopped the program",
    "superseded": "later data took its ground away",
}
CHANGES = {
    "progress": "harder",
    "regress": "easier",
    "stop": "stopped",
    "substitute": "replaced",
    "introduce": "new",
}
LEDGER = {
    "created": "Raised",
    "deduplicated": "Raised again with nothing worse; nobody was told twice",
    "worsened": "Became worse",
    "suppressed": "Not told",
    "skipped": "Passed over",
    "planned": "To be told",
    "claimed": "On its way",
    "sent": "Told",
    "failed": "Could not be told",
    "uncertain": "May have been told: the other side did not answer",
    "acknowledged": "Answered",
    "escalated": "Nobody answered: on to the next step",
    "reopened": "Opened again: acknowledged, but not resolved in time",
    "resolved": "Resolved",
    "dead_lettered": "Given up, and kept for the operators",
}


@dataclass(frozen=True, slots=True)
class DecisionWords:
    """How one decision is offered."""

    kind: DecisionKind
    label: str
    effect: str
    """What follows from it, by the contract."""
    asks_reason: bool = True


DECISIONS: tuple[DecisionWords, ...] = (
    DecisionWords("acknowledge", "Acknowledge", "I have seen it. Nobody else is called; it stays open.", False),
    DecisionWords(
        "continue",
        "Continue as it was",
        "Closes this. The program goes on as it was; a hold stays. The same reason is not raised again for 4 weeks, "
        "unless it gets worse.",
    ),
    DecisionWords("hold", "Hold the program", "No session is prescribed until someone resumes."),
    DecisionWords("resume", "Resume the program", "Closes this, ends the hold and prescribes the next session."),
    DecisionWords("modify", "Change the program", "Closes this, applies your changes and ends the hold."),
    DecisionWords(
        "approve", "Approve the proposed program", "A program that waits for approval becomes active.", False
    ),
    DecisionWords("reclassify", "Name another condition", "Closes this and plans anew for the conditions you name."),
    DecisionWords("refer", "Refer", "Closes everything that is open and ends the program."),
    DecisionWords("discharge", "Discharge", "Closes everything that is open and ends the program."),
)
WORDS_OF: dict[str, DecisionWords] = {words.kind: words for words in DECISIONS}


def plain(name: str) -> str:
    """An id as words, where nothing better is known: `sudden_severe_pain` as `sudden severe pain`."""
    return name.replace("_", " ")


def field(path: str) -> str:
    """A field path of an event as words: `history.measures.NPRS` as `measures, NPRS`."""
    return plain(path.removeprefix("history.").replace("[]", "").replace(".", ", "))


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def instrument(name: str) -> str:
    found = vocabulary().instruments.get(name)
    return found.label if found else name


def instant(at: datetime, zone: ZoneInfo) -> str:
    """`Mon 2 Mar 2026, 09:00 UTC`."""
    local = at.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} {local.tzname()}"


def age(span: timedelta) -> str:
    """In the largest unit that fits: `20 minutes`, `5 hours`, `3 days`."""
    minutes = int(abs(span).total_seconds() // 60)
    for size, unit in ((1440, "day"), (60, "hour")):
        if minutes >= 2 * size:
            return f"{minutes // size} {unit}s"
    if minutes < 1:
        return "less than a minute"
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def number(value: float | int | None, digits: int = 1) -> str:
    """Without a trailing zero; a dash where nothing was told."""
    if value is None:
        return "–"
    return f"{round(value, digits):g}"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
