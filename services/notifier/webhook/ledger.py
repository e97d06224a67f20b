"""`webhooks deliveries` and `webhooks resend`: what was sent, and what shall be sent once more."""

import secrets
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from services.notifier.command.office import ArgumentError, as_json
from services.notifier.webhook.command import Id, Json, instant, work
from shared.cli.terminal import console
from shared.event.wire import Stream
from shared.settings import Settings
from shared.stream.webhook.feed import before, parts
from shared.stream.webhook.office import Office
from shared.stream.webhook.route import Delivery, Resend, Route, member
from shared.stream.webhook.subscription import Subscription, WebhookError

OUTCOMES = ("delivered", "failed", "given_up", "refused_for_good", "missing")
NOT_OVER = ("failed", "refused_for_good")
LAST = 2**64 - 1
PAGE = 500


def deliveries(
    webhook: Id,
    event: Annotated[str, typer.Option("--id", help="Only those of the event of this id.")] = "",
    outcome: Annotated[str, typer.Option(help=f"Only those with this outcome: {', '.join(OUTCOMES)}.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many at most: the newest.")] = 50,
    json: Json = False,
) -> None:
    """List the ledger of deliveries, the newest first. It names no patient, and is kept for CARE_RETENTION_DAYS."""
    if outcome and outcome not in OUTCOMES:
        raise ArgumentError(f"--outcome must be one of {', '.join(OUTCOMES)}, not {outcome!r}")

    async def gather(office: Office, _: Settings) -> list[Delivery]:
        await office.subscriptions.find(webhook)
        found: list[Delivery] = []
        for route in office.routes(webhook):
            rows: list[Delivery] = []
            async for row in route.deliveries():
                if (not event or row.event_id == event) and (not outcome or row.outcome == outcome):
                    rows.append(row)
                if len(rows) == limit:
                    break
            found += rows
        return sorted(found, key=lambda row: row.at, reverse=True)[:limit]

    rows = work(gather)
    if json:
        typer.echo(as_json([asdict(row) for row in rows]))
        return
    if not rows:
        typer.echo("nothing of that is in the ledger")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("when", "event", "type", "tries", "outcome", "answer"):
        table.add_column(column, overflow="fold")
    for row in rows:
        told = f"{row.outcome} (resent)" if row.resend else row.outcome
        table.add_row(row.at, escape(row.event_id), row.type, str(row.tries), told, escape(row.cause))
    console().print(table)


def resend(
    webhook: Id,
    event: Annotated[str, typer.Option("--id", help="The event of this id.")] = "",
    from_: Annotated[str, typer.Option("--from", help="Everything published from this instant on …")] = "",
    to: Annotated[str, typer.Option(help="… up to this one.")] = "",
) -> None:
    """Send again what was sent before: one event, or all that was published within a time, in order per patient."""
    if bool(event) == bool(from_ or to) or (not event and not (from_ and to)):
        raise ArgumentError("give either --id, or --from and --to")
    times = (instant(from_, "--from"), instant(to, "--to")) if from_ else None
    if times and times[0] > times[1]:
        raise ArgumentError("--from must not be later than --to")

    async def request(office: Office, settings: Settings) -> int:
        one = await office.subscriptions.find(webhook)
        if times is None:
            await _request_event(office, one, event)
            return 1
        return await _request_range(office, one, times, by_event_time=settings.clock == "replay")

    count = work(request)
    if count == 0:
        raise WebhookError("nothing that was sent to this webhook, and is still kept, was published within that time")
    typer.echo(f"{count} {'event is' if count == 1 else 'events are'} sent again, between those that are new")


async def _request_event(office: Office, one: Subscription, event_id: str) -> None:
    for route in office.routes(one.id):
        async for row in route.deliveries():
            if row.event_id != event_id:
                continue
            if row.outcome in NOT_OVER and not await _is_over(route, one, row):
                raise WebhookError(f"event {event_id} has not been taken yet, and is tried again by itself")
            if await office.event(route.partition, row.stream, row.entry_id) is None:
                raise WebhookError(f"event {event_id} is no longer in its stream: it is older than CARE_RETENTION_DAYS")
            after, until = {row.stream: before(row.entry_id)}, {row.stream: row.entry_id}
            await route.request(Resend(await _new_id(office), after, until))
            return
    raise WebhookError(
        f"the ledger of webhook {one.id} knows no event {event_id!r}: it was not sent yet, or longer ago than is kept"
    )


async def _is_over(route: Route, one: Subscription, row: Delivery) -> bool:
    place = await route.place()
    cursor = place.cursors.get(row.stream, one.start())
    return parts(row.entry_id) <= parts(cursor) or member(row.stream, row.entry_id) in place.ahead


async def _request_range(
    office: Office, one: Subscription, times: tuple[datetime, datetime], *, by_event_time: bool
) -> int:
    """In a replay entries are written within seconds, so there an event's own time counts. Returns how many."""
    first_ms, last_ms = (round(time.timestamp() * 1000) for time in times)
    count = 0
    for route in office.routes(one.id):
        place = await route.place()
        after, until = dict[Stream, str](), dict[Stream, str]()
        for stream in one.streams():
            cursor = place.cursors.get(stream, one.start())  # what lies behind it is still to come by itself
            after[stream] = "0-0" if by_event_time else before(f"{max(1, first_ms)}-0")
            last = cursor if by_event_time else min(cursor, f"{last_ms}-{LAST}", key=parts)
            until[stream] = last
        own = (times[0].isoformat(), times[1].isoformat()) if by_event_time else None
        wanted = Resend(await _new_id(office), after, until, own)
        found = await _count(office, route, one, wanted)
        if found:
            await route.request(wanted)
        count += found
    return count


async def _count(office: Office, route: Route, one: Subscription, wanted: Resend) -> int:
    positions, count, is_last = dict(wanted.after), 0, False
    while not is_last:
        page = await office.page(route.partition, positions, wanted.until, PAGE)
        is_last = page.is_last
        for row in page.rows:
            positions[row.stream] = row.entry_id
            head = row.head
            count += head is not None and one.wants(head.type, head.subject) and wanted.includes(head.time)
    return count


async def _new_id(office: Office) -> str:
    """Those asked for first come first."""
    return f"{await office.now_ms()}-{secrets.token_hex(4)}"
