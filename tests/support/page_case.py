"""The clinician's page over services in memory: tell it events, open it as a browser would, read what was decided."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import httpx
from starlette.types import ASGIApp

from services.notifier.domain.ladder import is_open
from services.notifier.domain.policy import Policies
from services.notifier.domain.state import NotifierState
from services.notifier.page.access import Place, inbox_link_for, link_for
from services.notifier.page.app import make_page
from services.notifier.page.config import PageConfig
from services.notifier.policy_file import load_policies
from shared.event.envelope import Event
from shared.event.registry import adapter
from shared.event.wire import Stream
from shared.settings import Settings
from shared.stream.audit import Act
from shared.stream.desk import Listed
from shared.stream.pure_pipeline import PurePipeline
from tests.support.example import EPOCH, wire
from tests.support.four_services import four_services_pipeline
from tests.support.notifier_case import escalation

KEYS = ("a-key-of-at-least-thirty-two-characters",)
URL = "https://care.example"
PLACE = ("patient-1", "escalation-1")


class PureDesk:
    """What `Desk` offers, over services in memory."""

    def __init__(self, pipeline: PurePipeline) -> None:
        self.settings = Settings(clock="replay")
        self.pipeline = pipeline
        self.patients: list[str] = []
        self.submitted: list[Event[Any]] = []
        self.noted: list[Act] = []

    async def now(self) -> datetime:
        return self.pipeline.now

    async def listed(
        self, name: str, *, until: datetime | None = None, newest_first: bool = False, limit: int = 100
    ) -> list[Listed]:
        found = [
            Listed(patient, alarm.escalation_id, at)
            for patient, state in (await self.states(self.patients)).items()
            for alarm in state.alarms
            if alarm.raised_at and is_open(alarm) == (name == "open")
            if (at := alarm.resolved_at if name == "closed" else alarm.next_at or alarm.raised_at)
        ]
        return sorted(found, key=lambda one: (one.at, one.item), reverse=newest_first)[:limit]

    async def count(self, name: str) -> int:
        return len(await self.listed(name, limit=10**6))

    async def state(self, subject: str) -> NotifierState | None:
        found: NotifierState | None = self.pipeline.state("notifier", subject)
        return found

    async def states(self, subjects: Iterable[str]) -> dict[str, NotifierState]:
        found = {subject: await self.state(subject) for subject in subjects}
        return {subject: state for subject, state in found.items() if state is not None}

    async def ledger(self, subject: str) -> list[dict[str, Any]]:
        return []

    async def submit(self, event: Event[Any]) -> str:
        self.submitted.append(event)
        self.pipeline.submit(adapter(event.type).dump_json(event))
        return "1-0"

    async def note(self, act: Act) -> None:
        self.noted.append(act)


class PageCase:
    """Starts on Monday 2 March 2026, 09:00 UTC, with one urgent flare of `patient-1`, and the notifier alone."""

    def __init__(
        self, *, access: str = "link", policies: Policies | None = None, url: str | None = URL, raised: bool = True
    ) -> None:
        self.policies = policies or load_policies(None)
        self.desk = PureDesk(four_services_pipeline(EPOCH, ("notifier",)))
        self.config = PageConfig(KEYS, url, access)  # type: ignore[arg-type]  # one of two words
        self.page: ASGIApp = make_page(self.desk, self.policies, self.config)
        if raised:
            self.tell("care.escalation.raised.v1", escalation(), event_id="raised-1")

    def tell(self, event_type: str, data: dict[str, Any], *, event_id: str, subject: str = "patient-1") -> None:
        """An event that happens now."""
        if subject not in self.desk.patients:
            self.desk.patients.append(subject)
        self.desk.pipeline.submit(wire(event_type, data, subject=subject, event_id=event_id, time=self.now))

    @property
    def now(self) -> datetime:
        return self.desk.pipeline.now

    def advance(self, span: timedelta) -> None:
        self.desk.pipeline.advance(self.now + span)

    def link(self, recipient: str = "on_call", place: Place = PLACE) -> str:
        found = link_for(self.config, recipient, *place, self.now)
        assert found is not None
        return found

    def inbox_link(self, recipient: str = "on_call") -> str:
        found = inbox_link_for(self.config, recipient, self.now)
        assert found is not None
        return found

    def browser(self, *, follow_redirects: bool = True) -> httpx.AsyncClient:
        """Keeps cookies."""
        transport = httpx.ASGITransport(self.page, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=URL, follow_redirects=follow_redirects)

    def decisions(self) -> list[Event[Any]]:
        return self.desk.pipeline.published(Stream.DECISIONS)
