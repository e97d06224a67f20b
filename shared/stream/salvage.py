"""Red flags act even where the event that reports them is rejected (guarantee 4 of the contract)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from shared.decision import FlagsSalvaged
from shared.event.envelope import derive_id
from shared.event.vocabulary import Urgency, vocabulary
from shared.event.wire import Identifier, Instant, Stream

SUDDEN_SEVERE_PAIN = "sudden_severe_pain"
"""A symptom that counts as an urgent red flag (contract, escalations)."""
_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier)
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


def salvage(
    content: Mapping[str, Any],
    *,
    stream: Stream,
    subject: str,
    cause: str,
    correlation_id: str | None,
    latest: datetime,
    now: datetime,
) -> FlagsSalvaged | None:
    """The red flags of a rejected event, or None. `cause` names the event or, failing that, the entry."""
    data = content.get("data")
    if not isinstance(data, dict):
        return None
    if stream not in (Stream.SESSIONS, Stream.INTAKES):
        return None
    # Whichever stream it came in by: a report in the wrong one is rejected, too.
    answers = data.get("red_flags")
    reported = answers.items() if isinstance(answers, dict) else ()
    ticked = [flag for flag, answer in reported if answer == "present"]
    flags = _known([*_strings(data.get("symptoms")), *ticked])
    if stream is Stream.INTAKES:  # intake knows the red flags of the vocabulary only
        flags = tuple(flag for flag in flags if flag[0] in vocabulary().red_flags)
    if not flags:
        return None
    salvaged_id = derive_id("salvage", cause)
    return FlagsSalvaged(
        id=salvaged_id,
        subject=subject,
        time=_instant(content.get("time"), latest) or now,
        correlation_id=correlation_id or salvaged_id,
        red_flags=flags,
        program_id=_identifier(data.get("program_id")),
    )


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _known(reported: Iterable[str]) -> tuple[tuple[str, Urgency], ...]:
    urgencies: dict[str, Urgency] = {flag.red_flag_id: flag.urgency for flag in vocabulary().red_flags.values()}
    urgencies.setdefault(SUDDEN_SEVERE_PAIN, "urgent")
    return tuple((flag, urgencies[flag]) for flag in sorted(set(reported)) if flag in urgencies)


def _instant(value: object, latest: datetime) -> datetime | None:
    try:
        instant = _INSTANT.validate_python(value)
    except (ValidationError, ValueError, OverflowError):
        return None
    return instant if instant <= latest else None


def _identifier(value: object) -> str | None:
    try:
        return _IDENTIFIER.validate_python(value, strict=True)
    except ValidationError:
        return None
