"""Where the commands get what they show: the services' own Redis, policies and settings."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from services.notifier.app import make_service
from services.notifier.domain.index import CLOSED, OPEN
from services.notifier.domain.ladder import find_alarm
from services.notifier.domain.policy import Policies
from services.notifier.domain.state import Alarm, NotifierState
from services.notifier.policy_file import load_policies
from services.notifier.settings import NotifierSettings
from shared.cli.actor import act
from shared.cli.connection import connect
from shared.settings import SettingError, Settings, read_settings
from shared.stream.clock import make_clock
from shared.stream.desk import Desk, Listed

T = TypeVar("T")

EVERYTHING = 1_000_000
"""Items of a list at most, where all are wanted."""
CLOCK_WITHIN_S = 2.0


class AlertError(Exception):
    """A command cannot do what it was asked for. The message is one line."""


class ArgumentError(SettingError):
    """An argument cannot be used: wrong usage, as a wrong setting is."""


@dataclass(frozen=True, slots=True)
class Case:
    """One escalation, with all that is kept of its patient."""

    patient_id: str
    state: NotifierState
    alarm: Alarm


@dataclass(frozen=True, slots=True)
class Office:
    """One command's view."""

    desk: Desk[NotifierState]
    policies: Policies
    settings: Settings
    own: NotifierSettings
    now: datetime
    """By the clock that the services decide by."""

    async def find(self, wanted: str) -> Case:
        """The escalation whose id begins so. Raises AlertError unless it is exactly one."""
        listed = [item for name in (OPEN, CLOSED) for item in await self.desk.listed(name, limit=EVERYTHING)]
        found = {item.item: item for item in listed if item.item.startswith(wanted)}
        if wanted in found:
            found = {wanted: found[wanted]}
        if len(found) != 1:
            what = "no escalation has" if not found else f"{len(found)} escalations have"
            raise AlertError(
                f"{what} an id that begins with {wanted!r}; `adaptive-care alerts list` shows what is open"
            )
        (item,) = found.values()
        for case in await self.cases([item]):
            return case
        raise AlertError(f"nothing is kept of escalation {item.item} any more")

    async def cases(self, listed: list[Listed]) -> list[Case]:
        """In their order; what is no longer kept is left out."""
        states = await self.desk.states(item.subject for item in listed)
        found = []
        for item in listed:
            state = states.get(item.subject)
            alarm = find_alarm(state, item.item) if state else None
            if state is not None and alarm is not None:
                found.append(Case(item.subject, state, alarm))
        return found

    async def note(self, what: str, *patients: str) -> None:
        """Writes to the audit log that this was shown."""
        await self.desk.note(act("read", what, *patients))

    def recipient(self, name: str) -> str:
        """Raises ArgumentError where the policies know nobody of that name."""
        if name not in self.policies.recipients:
            known = ", ".join(self.policies.recipients) or "nobody"
            raise ArgumentError(f"the policies name no recipient {name!r}; they know {known}")
        return name


@asynccontextmanager
async def open_office() -> AsyncIterator[Office]:
    """Raises SettingError and RedisError as every command does."""
    settings, own = read_settings(Settings), read_settings(NotifierSettings)
    policies = load_policies(own.policies)
    async with connect(settings) as (client, partitions):
        settings = settings.model_copy(update={"partitions": partitions})
        desk = Desk(client, make_clock(settings.clock, client), settings, make_service(settings))
        try:
            now = await asyncio.wait_for(desk.now(), CLOCK_WITHIN_S)
        except TimeoutError:
            raise AlertError("the replay's clock is not set: no replay has begun") from None
        yield Office(desk, policies, settings, own, now)


def work(task: Callable[[Office], Awaitable[T]]) -> T:
    """Runs what needs Redis."""

    async def run() -> T:
        async with open_office() as office:
            return await task(office)

    return asyncio.run(run())


def as_json(value: Any) -> str:
    """One JSON document; instants as RFC 3339 in UTC."""
    return json.dumps(value, indent=2, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON")
