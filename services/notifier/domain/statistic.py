"""What the ledgers of many escalations say about alerting: how fast, how many, how useful, how often overridden.

Every figure has its denominator, and is None where there is none.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.event.vocabulary import URGENCIES

Entry = Mapping[str, Any]

OVERRIDES = ("continue", "resume")
"""Answers after which care goes on as it was before the alert."""
_CALLS = ("created", "worsened")


@dataclass(frozen=True, slots=True)
class Answering:
    """How soon the escalations of one severity were acknowledged. One that worsened is asked about anew."""

    calls: int
    acknowledged: int
    p50_s: float | None
    """Of those that were acknowledged, as is `p90_s`: the smallest time that so many did not exceed."""
    p90_s: float | None


@dataclass(frozen=True, slots=True)
class Burden:
    """What one recipient was sent. Days are those in UTC on which something was."""

    alerts: int
    days: int
    most_in_a_day: int

    @property
    def per_day(self) -> float:
        return self.alerts / self.days


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """How the alerts of one rule fared."""

    alerts: int
    answered: int
    overridden: int
    """Those whose newest decision, beside mere acknowledgements, is one of `OVERRIDES`."""

    @property
    def override_share(self) -> float | None:
        return self.overridden / self.answered if self.answered else None


@dataclass(frozen=True, slots=True)
class AlertStatistics:
    """Of all escalations whose ledgers were given."""

    escalations: int
    answering: dict[str, Answering]
    """By severity, the gravest first."""
    burdens: dict[str, Burden]
    """By recipient."""
    rated: int
    """Answers that said whether the alert was useful."""
    useful: int
    rules: dict[str, RuleRecord]

    @property
    def useful_share(self) -> float | None:
        return self.useful / self.rated if self.rated else None


def statistics(ledgers: Mapping[str, Sequence[Entry]]) -> AlertStatistics:
    """By escalation id its entries, in their order."""
    waits: dict[str, list[float | None]] = defaultdict(list)
    sent: dict[str, Counter[str]] = defaultdict(Counter)
    alerts: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    overridden: Counter[str] = Counter()
    ratings: list[bool] = []
    for entries in ledgers.values():
        for severity, wait in _waits(entries):
            waits[severity].append(wait)
        for entry in entries:
            if entry["kind"] == "sent":
                sent[entry["recipient"]][entry["at"][:10]] += 1
            elif entry["kind"] == "acknowledged" and entry.get("useful") is not None:
                ratings.append(bool(entry["useful"]))
        rule = next((entry.get("rule") for entry in entries if entry["kind"] == "created"), None) or "unknown"
        alerts[rule] += 1
        intents = [entry["intent"] for entry in entries if entry["kind"] == "acknowledged"]
        decisions = [intent for intent in intents if intent != "acknowledge"]
        answered[rule] += bool(intents)
        overridden[rule] += bool(decisions) and decisions[-1] in OVERRIDES
    return AlertStatistics(
        escalations=len(ledgers),
        answering={severity: _answering(waits[severity]) for severity in reversed(URGENCIES) if waits[severity]},
        burdens={name: Burden(days.total(), len(days), max(days.values())) for name, days in sorted(sent.items())},
        rated=len(ratings),
        useful=sum(ratings),
        rules={rule: RuleRecord(alerts[rule], answered[rule], overridden[rule]) for rule in sorted(alerts)},
    )


def _waits(entries: Iterable[Entry]) -> list[tuple[str, float | None]]:
    """For each call its severity, and the seconds until the first answer after it; None: none came before the next."""
    waits: list[tuple[str, float | None]] = []
    asked: tuple[str, datetime] | None = None
    for entry in sorted(entries, key=lambda entry: (_instant(entry), entry["kind"] not in _CALLS)):
        if entry["kind"] in _CALLS:
            if asked is not None:
                waits.append((asked[0], None))
            asked = (entry["severity"], _instant(entry))
        elif entry["kind"] == "acknowledged" and asked is not None:
            waits.append((asked[0], (_instant(entry) - asked[1]).total_seconds()))
            asked = None
    return waits if asked is None else [*waits, (asked[0], None)]


def _answering(waits: Sequence[float | None]) -> Answering:
    known = sorted(wait for wait in waits if wait is not None)
    return Answering(len(waits), len(known), _quantile(known, 50), _quantile(known, 90))


def _quantile(ordered: Sequence[float], percent: int) -> float | None:
    """By the nearest rank, so that it is a time that was measured."""
    if not ordered:
        return None
    return ordered[-(-len(ordered) * percent // 100) - 1]


def _instant(entry: Entry) -> datetime:
    return datetime.fromisoformat(entry["at"])
