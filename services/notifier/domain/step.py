"""What one input changes, before timers and lists are drawn up from the state."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.notifier.domain.state import NotifierState
from shared.decision import Draft, Outcome, Rejection


@dataclass(frozen=True, slots=True)
class Step:
    """The new state and what goes out with it. Ledger entries are on the state until `decide` drains them."""

    state: NotifierState
    drafts: tuple[Draft, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    outcome: Outcome = "handled"
    rule: str = ""
    effect: bool = False
    register: Mapping[str, str] = field(default_factory=dict)
