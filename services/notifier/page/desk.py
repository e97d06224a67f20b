"""What the page needs of the runtime: to read, and to publish a decision."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from services.notifier.domain.state import NotifierState
from shared.event.envelope import Event
from shared.settings import Settings
from shared.stream.audit import Act


class Listed(Protocol):
    """One escalation in a list over all patients."""

    @property
    def subject(self) -> str: ...

    @property
    def item(self) -> str: ...

    @property
    def at(self) -> datetime: ...


class Desk(Protocol):
    """The part of `shared.stream.desk.Desk` that the page uses. Only `submit` and, to the audit log, `note` write."""

    @property
    def settings(self) -> Settings: ...

    async def now(self) -> datetime: ...

    async def listed(
        self, name: str, *, until: datetime | None = None, newest_first: bool = False, limit: int = 100
    ) -> Sequence[Listed]: ...

    async def count(self, name: str) -> int: ...

    async def state(self, subject: str) -> NotifierState | None: ...

    async def states(self, subjects: Iterable[str]) -> dict[str, NotifierState]: ...

    async def ledger(self, subject: str) -> list[dict[str, Any]]: ...

    async def submit(self, event: Event[Any]) -> str: ...

    async def note(self, act: Act) -> None: ...
