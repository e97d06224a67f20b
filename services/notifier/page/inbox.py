"""The inbox: what is open, acknowledged and resolved, the most urgent first, a page at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from services.notifier.domain.detail import find_detail
from services.notifier.domain.ladder import find_alarm, is_open, is_unanswered
from services.notifier.domain.policy import Policies
from services.notifier.domain.state import Alarm, NotifierState
from services.notifier.page.access import Place, Session
from services.notifier.page.desk import Desk
from services.notifier.page.team import concerns
from shared.event.vocabulary import URGENCIES

Status = Literal["waiting", "acknowledged", "resolved"]
SHOWN = ("current", "waiting", "acknowledged", "resolved")
"""`current`: all that is not resolved."""
MOST_READ = 1000
"""Open escalations looked at for one page, the soonest step first; the page says where there are more."""
MOST_RESOLVED = 300
"""Resolved ones, the newest first."""
PAGE = 25


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for, checked: an unknown word asks for everything."""

    show: str = "current"
    severity: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One escalation in the inbox."""

    patient: str
    escalation_id: str
    severity: str
    reason: str
    status: Status
    raised_at: datetime | None
    """When it was raised first, as far as is known."""
    respond_by: datetime | None
    next_at: datetime | None
    """Its next step; None where it is resolved."""
    resolved_at: datetime | None
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class Inbox:
    """One page of it. `total`: rows on all pages; `unread`: open escalations that were not looked at."""

    rows: tuple[Row, ...]
    query: Query
    total: int
    pages: int
    unread: int


def read_query(show: str, severity: str, page: str) -> Query:
    return Query(
        show if show in SHOWN else "current",
        severity if severity in URGENCIES else "",
        int(page) if page.isascii() and page.isdigit() and 1 <= len(page) <= 4 and int(page) else 1,
    )


async def read_inbox(desk: Desk, policies: Policies, session: Session, query: Query, now: datetime) -> Inbox:
    """What the session may see of what is asked for."""
    unread = 0
    if not session.is_of_team:
        places: list[Place] = list(session.opened)
    elif query.show == "resolved":
        places = [
            (one.subject, one.item) for one in await desk.listed("closed", newest_first=True, limit=MOST_RESOLVED)
        ]
    else:
        places = [(one.subject, one.item) for one in await desk.listed("open", limit=MOST_READ)]
        unread = max(0, await desk.count("open") - len(places))
    states = await desk.states({patient for patient, _ in places})
    rows = _sorted(
        row
        for patient, escalation_id in places
        if (state := states.get(patient)) is not None
        and (session.opens((patient, escalation_id)) and _may_see(policies, session, state))
        and (row := row_of(patient, state, escalation_id, now)) is not None
        and _is_asked_for(row, query)
    )
    pages = max(1, -(-len(rows) // PAGE))
    page = min(query.page, pages)
    shown = rows[(page - 1) * PAGE : page * PAGE]
    return Inbox(tuple(shown), Query(query.show, query.severity, page), len(rows), pages, unread)


def row_of(patient: str, state: NotifierState, escalation_id: str, now: datetime) -> Row | None:
    """None where no such escalation was raised, as far as is known."""
    alarm = find_alarm(state, escalation_id)
    detail = find_detail(state.chart.details, escalation_id)
    if alarm is None or alarm.raised_at is None:
        return None
    rises = detail.rises if detail else ()
    status = status_of(alarm)
    respond_by = alarm.respond_by or (detail.respond_by if detail else None)
    return Row(
        patient=patient,
        escalation_id=escalation_id,
        severity=detail.severity if detail and detail.rises else alarm.severity,
        reason=alarm.reason,
        status=status,
        raised_at=rises[0].at if rises else alarm.raised_at,
        respond_by=respond_by,
        next_at=alarm.next_at if status != "resolved" else None,
        resolved_at=alarm.resolved_at if status == "resolved" else None,
        is_overdue=status == "waiting" and respond_by is not None and respond_by < now,
    )


def status_of(alarm: Alarm) -> Status:
    if not is_open(alarm):
        return "resolved"
    return "waiting" if is_unanswered(alarm) else "acknowledged"


def _may_see(policies: Policies, session: Session, state: NotifierState) -> bool:
    return not session.is_of_team or concerns(policies, state, session.recipient)


def _is_asked_for(row: Row, query: Query) -> bool:
    if query.severity and row.severity != query.severity:
        return False
    return row.status == query.show or (query.show == "current" and row.status != "resolved")


def _sorted(rows: Iterable[Row]) -> list[Row]:
    """Unanswered before acknowledged, the more severe first, then what is due first; resolved: the newest first."""
    far = datetime.max.replace(tzinfo=UTC)
    order = ("waiting", "acknowledged", "resolved")

    def key(row: Row) -> tuple[int, float, int, datetime, str]:
        newest_first = -row.resolved_at.timestamp() if row.resolved_at else 0.0
        return (
            order.index(row.status),
            newest_first,
            -URGENCIES.index(row.severity),
            row.respond_by or far,
            row.escalation_id,
        )

    return sorted(rows, key=key)
