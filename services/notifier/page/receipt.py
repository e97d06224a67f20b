"""After a decision: a signed word in the address of the page that says so, and a short wait for its effect."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.notifier.domain.detail import find_detail
from services.notifier.domain.state import NotifierState
from services.notifier.page.access import Place
from services.notifier.page.desk import Desk
from services.notifier.page.seal import Seal

LIFE = timedelta(hours=1)
WAIT_S = 1.5
STEP_S = 0.1


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a decision was taken down. `has_effect`: the notifier has handled it."""

    kind: str
    decision_id: str
    at: datetime
    has_effect: bool = False


def write_receipt(seal: Seal, place: Place, receipt: Receipt) -> str:
    patient, escalation = place
    at = receipt.at.isoformat()
    content = {"p": patient, "e": escalation, "k": receipt.kind, "d": receipt.decision_id, "at": at}
    return seal.write("receipt", content, receipt.at + LIFE)


def read_receipt(seal: Seal, word: str, place: Place, state: NotifierState, now: datetime) -> Receipt | None:
    """None unless we wrote it, about this escalation: nobody else can make the page say that something was decided."""
    content = seal.read("receipt", word, now)
    if content is None or (content["p"], content["e"]) != place:
        return None
    has_effect = is_known(state, place[1], content["d"])
    return Receipt(content["k"], content["d"], datetime.fromisoformat(content["at"]), has_effect)


def is_known(state: NotifierState, escalation_id: str, decision_id: str) -> bool:
    """Whether the decision has come back from the stream, or what it resolved has."""
    if any(one.decision_id == decision_id for one in state.chart.decided):
        return True
    detail = find_detail(state.chart.details, escalation_id)
    return detail is not None and detail.ending is not None and detail.ending.decision_id == decision_id


async def await_effect(desk: Desk, place: Place, decision_id: str) -> None:
    """So that the next page shows what the decision did; where that takes longer, the page says so."""
    for _ in range(round(WAIT_S / STEP_S)):
        state = await desk.state(place[0])
        if state is None or is_known(state, place[1], decision_id):
            return
        await asyncio.sleep(STEP_S)
