"""The ledger: what happened to an escalation, in an order that nobody can change unseen."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from services.notifier.domain import ledger
from services.notifier.domain.state import Alarm, NotifierState
from services.notifier.domain.statistic import Answering, Burden, RuleRecord, statistics
from shared.chain import verify
from tests.support.example import EPOCH
from tests.support.notifier_case import NotifierCase, acknowledge, escalation

RAISED = "care.escalation.raised.v1"
DECIDED = "care.clinician.decided.v1"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def kept(case: NotifierCase) -> list[dict[str, Any]]:
    return [dict(entry) for entry in case.ledger]


def told(case: NotifierCase) -> list[str]:
    """The kinds of what was noted, without the messages' own."""
    return [entry["kind"] for entry in case.ledger if entry["kind"] not in ("claimed", "sent")]


def answered() -> NotifierCase:
    """Raised, told, worsened, told again, acknowledged, resolved."""
    case = NotifierCase()
    basis = [{"rule": "P16", "input": "pain_during", "value": 7, "threshold": 5, "source": ["P16"], "then": "none"}]
    case.tell(RAISED, escalation(basis=basis))
    case.advance(EPOCH + HOUR)
    case.tell(RAISED, escalation(severity="emergency"))
    case.advance(EPOCH + HOUR + 20 * MINUTE)
    case.tell(DECIDED, acknowledge())
    case.tell(
        "care.escalation.resolved.v1",
        {"escalation_id": "escalation-1", "reason": "flare", "resolution": "continue", "decision_id": "decision-1"},
    )
    return case


def test_the_ledger_tells_the_whole_story_in_its_order() -> None:
    """Who asks a year later why nobody came reads it here."""
    case = answered()
    assert told(case) == [
        "created",
        "planned",
        "worsened",
        "planned",
        "escalated",
        "planned",
        "planned",
        "acknowledged",
        "resolved",
    ]
    created = kept(case)[0]
    assert {name: created[name] for name in ("seq", "severity", "reason", "rule", "prev")} == {
        "seq": 1,
        "severity": "urgent",
        "reason": "flare",
        "rule": "P16",
        "prev": "",
    }
    (resolved,) = (entry for entry in kept(case) if entry["kind"] == "resolved")
    assert (resolved["by"], resolved["resolution"], resolved["at"]) == (
        "clinician-1",
        "continue",
        "2026-03-02T10:20:00Z",
    )


def test_the_chain_holds() -> None:
    """Each entry names the one before it, over every decision of the case."""
    assert verify(kept(answered())) is None


@pytest.mark.parametrize("change", ["altered", "dropped", "swapped", "forged"])
def test_a_change_to_the_ledger_is_found_where_it_was_made(change: str) -> None:
    """Whoever alters, drops or moves an entry breaks the chain there; forging one breaks it at the next."""
    entries = kept(answered())
    match change:
        case "altered":
            entries[2]["severity"] = "routine"
        case "dropped":
            del entries[2]
        case "swapped":
            entries[2], entries[3] = entries[3], entries[2]
        case "forged":
            alarm = Alarm(escalation_id="escalation-1", ledger_seq=1, ledger_hash=entries[0]["hash"])
            entries[1] = ledger.append(alarm, "resolved", EPOCH)[1]
    assert verify(entries) == 3


def test_a_ledger_holds_no_text_of_the_escalation() -> None:
    """It is kept apart from the patient's story: ids, codes and roles only."""
    for entry in kept(answered()):
        assert "Pain" not in str(entry)
        assert "@" not in str(entry)


def test_the_ledger_is_on_its_way_within_a_decision_only() -> None:
    """What was committed is not committed again."""
    case = answered()
    assert case.state is not None
    assert case.state.ledger == ()


def test_an_entry_is_in_utc_whatever_the_clock_s_zone() -> None:
    """The same instant gives the same bytes."""
    alarm = Alarm(escalation_id="e")
    lisbon = timezone(timedelta(hours=1))
    local = ledger.append(alarm, "created", datetime(2026, 7, 1, 10, tzinfo=lisbon))
    assert local == ledger.append(alarm, "created", datetime(2026, 7, 1, 9, tzinfo=UTC))
    assert local[1]["at"] == "2026-07-01T09:00:00Z"


def test_an_escalation_that_is_not_known_has_no_ledger() -> None:
    """A message of one that made room for others changes nothing."""
    state = NotifierState()
    assert ledger.note(state, "gone", "sent", EPOCH) is state


def test_the_statistics_have_their_denominators() -> None:
    """How soon, for whom, how useful, how often overridden: each with what it is a share of."""
    case = answered()
    entries = [entry for entry in kept(case) if entry["kind"] not in ("claimed", "sent")]
    planned = [entry for entry in entries if entry["kind"] == "planned"]
    entries += [{"kind": "sent", "recipient": entry["recipient"], "at": entry["at"]} for entry in planned]
    silent: list[dict[str, Any]] = [
        {"kind": "created", "severity": "urgent", "at": "2026-03-03T00:00:00Z", "rule": "P16"}
    ]
    fast: list[dict[str, Any]] = [
        {"kind": "created", "severity": "emergency", "at": "2026-03-03T00:00:00Z", "rule": "RF01"},
        {"kind": "acknowledged", "at": "2026-03-03T00:01:00Z", "intent": "continue", "useful": False},
    ]
    found = statistics({"escalation-1": entries, "escalation-2": silent, "escalation-3": fast})
    assert found.answering == {
        "emergency": Answering(2, 2, 60, 1200),
        "urgent": Answering(2, 0, None, None),
    }
    assert found.burdens == {"lead_clinician": Burden(1, 1, 1), "on_call": Burden(3, 1, 3)}
    assert found.burdens["on_call"].per_day == 3
    assert (found.rated, found.useful_share) == (1, 0)
    assert found.rules == {"P16": RuleRecord(2, 1, 0), "RF01": RuleRecord(1, 1, 1)}
    assert found.rules["RF01"].override_share == 1


def test_without_alerts_there_is_no_share_and_no_time() -> None:
    """Nothing is not zero."""
    found = statistics({})
    assert (found.escalations, found.useful_share, found.answering, found.burdens) == (0, None, {}, {})
