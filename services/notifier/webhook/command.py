"""`adaptive-care webhooks`: subscriptions as an operator sees and changes them.

A running notifier sees a change within a second or two. Keys are shown once, when they are made.
"""

import asyncio
import json as json_
import re
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from services.notifier.channels.channel import DeliveryError, PassingError
from services.notifier.channels.guard import parse_allowed
from services.notifier.command.office import ArgumentError, as_json
from services.notifier.settings import NotifierSettings
from services.notifier.webhook.endpoint import Endpoint
from services.notifier.webhook.pace import Pace
from shared.cli.connection import connect
from shared.cli.terminal import console
from shared.settings import Settings, read_settings
from shared.stream.clock import make_clock
from shared.stream.webhook.office import Office
from shared.stream.webhook.route import Gap
from shared.stream.webhook.standing import Look
from shared.stream.webhook.subscription import (
    BY_NAME_ONLY,
    MAX_KEYS,
    TYPES,
    Subscription,
    WebhookError,
    new_id,
    new_key,
)

T = TypeVar("T")
Id = Annotated[str, typer.Argument(help="As `adaptive-care webhooks list` shows it.", metavar="WEBHOOK")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
EVERYTHING = "care.*"
CLOCK_WITHIN_S = 1.0
_PREFIX = re.compile(r"[A-Za-z0-9._:-]{0,128}")


def work(task: Callable[[Office, Settings], Awaitable[T]]) -> T:
    """Runs what needs Redis. Raises SettingError and RedisError as every command does."""

    async def run() -> T:
        settings = read_settings(Settings)
        async with connect(settings) as (client, partitions):
            return await task(Office(client, partitions, timedelta(days=settings.retention_days)), settings)

    return asyncio.run(run())


def instant(text: str, option: str) -> datetime:
    """Raises ArgumentError where it is no instant with an offset."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentError(f"{option} must be an instant such as 2026-03-01T09:30:00Z, not {text!r}") from None
    if found.tzinfo is None:
        raise ArgumentError(f"{option} needs an offset, as in {text}Z or {text}+01:00")
    return found.astimezone(UTC)


def list_(json: Json = False) -> None:
    """List the subscriptions: where they go, how they stand, since when something waits, and what is missing."""

    async def gather(office: Office, _: Settings) -> list[dict[str, Any]]:
        return [await _row(office, one) for one in (await office.subscriptions.all()).values()]

    rows = work(gather)
    if json:
        typer.echo(as_json(rows))
        return
    if not rows:
        typer.echo("there are no webhooks; `adaptive-care webhooks add URL` makes one")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("webhook", "endpoint", "types", "patients", "status", "waiting since"):
        table.add_column(column, overflow="fold", no_wrap=column == "webhook")
    for row in rows:
        why = f" since {row['since']}: {row['cause']}" if row["cause"] else ""
        table.add_row(
            row["id"],
            escape(row["endpoint"]),
            escape("\n".join(row["types"])),
            escape(f"{row['patients']}…" if row["patients"] else "all"),
            escape(f"{row['status']}{why}"),
            str(row["waiting_since"] or "nothing waits"),
        )
    console().print(table)
    for row in rows:
        for gap in row["missing"]:
            typer.echo(
                f"{row['id']} did not get {gap['events']} events of {gap['stream']} that were published from "
                f"{gap['first']} to {gap['last']}: they were older than twice CARE_RETENTION_DAYS"
            )


def add(
    url: Annotated[str, typer.Argument(help="Where events are posted: https://…")],
    type_: Annotated[
        list[str] | None,
        typer.Option("--type", help="An event type, `*` for anything, such as `care.escalation.*`; may be repeated."),
    ] = None,
    patients: Annotated[str, typer.Option(help="Only patients whose id begins so.")] = "",
    from_: Annotated[
        str | None, typer.Option("--from", help="Also what was published since this instant, as far as it is kept.")
    ] = None,
    json: Json = False,
) -> None:
    """Subscribe an endpoint, and show its key: once, never again."""
    types = tuple(dict.fromkeys(type_ or [EVERYTHING]))
    since = instant(from_, "--from") if from_ else None
    _check_types(types)
    if not _PREFIX.fullmatch(patients):
        raise ArgumentError("--patients must be the beginning of patient ids: letters, digits and . _ : - only")

    async def subscribe(office: Office, _: Settings) -> Subscription:
        now_ms = await office.now_ms()
        since_ms = min(now_ms, max(0, round(since.timestamp() * 1000) - 1)) if since else now_ms
        one = Subscription(new_id(), url, types, patients, (new_key(),), since_ms, datetime.now(UTC))
        await _check_endpoint(one)
        await office.subscriptions.add(one)
        return one

    one = work(subscribe)
    if json:
        typer.echo(json_.dumps({"id": one.id, "key": one.keys[0]}))
        return
    whose = f"patients whose id begins with {patients}" if patients else "all patients"
    typer.echo(f"webhook {one.id}: {', '.join(types)} of {whose}, from {from_ or 'now'} on")
    typer.echo(f"key, shown only now: {one.keys[0]}")


def remove(webhook: Id) -> None:
    """End a subscription and delete its ledger."""

    async def end(office: Office, _: Settings) -> None:
        one = await office.subscriptions.find(webhook)
        await office.subscriptions.remove(one.id, range(office.partitions))

    work(end)
    typer.echo(f"webhook {webhook} is removed, with its ledger and keys")


def pause(webhook: Id) -> None:
    """Send nothing until `resume`; what is published meanwhile is kept, up to twice CARE_RETENTION_DAYS."""

    async def hold(office: Office, settings: Settings) -> None:
        await office.subscriptions.find(webhook)
        await office.standing(webhook).hold(await _now(office, settings))

    work(hold)
    typer.echo(f"webhook {webhook} is paused until `adaptive-care webhooks resume {webhook}`")


def resume(webhook: Id) -> None:
    """Send again at once, also where the endpoint had failed or had ended it by 410; forgets what was missing."""

    async def go_on(office: Office, settings: Settings) -> str:
        await office.subscriptions.find(webhook)
        for route in office.routes(webhook):
            await route.forget_gaps()
        return await office.standing(webhook).resume(await _now(office, settings))

    before = work(go_on)
    typer.echo(f"webhook {webhook} is active" + ("" if before != "active" else ", as it was"))


def rotate_key(
    webhook: Id,
    retire_old: Annotated[
        bool, typer.Option("--retire-old", help="Make no key, but sign with the newest alone from now on.")
    ] = False,
    json: Json = False,
) -> None:
    """Make a new key, and show it once. Events are signed with it and the one before until `--retire-old`."""

    async def rotate(office: Office, _: Settings) -> Subscription:
        one = await office.subscriptions.find(webhook)
        keys = one.keys[:1] if retire_old else (new_key(), *one.keys)[:MAX_KEYS]
        one = msgspec.structs.replace(one, keys=keys)
        await office.subscriptions.change(one)
        return one

    one = work(rotate)
    if json:
        typer.echo(json_.dumps({"id": one.id, "keys": len(one.keys)} | ({} if retire_old else {"key": one.keys[0]})))
    elif retire_old:
        typer.echo(f"webhook {webhook} is signed with its newest key alone")
    else:
        typer.echo(f"key, shown only now: {one.keys[0]}")
        typer.echo(f"both keys sign until `adaptive-care webhooks rotate-key {webhook} --retire-old`")


def test(webhook: Id) -> None:
    """Post one signed test event from here, past the queue, and say what the endpoint answered."""

    async def post(office: Office, _: Settings) -> str:
        one = await office.subscriptions.find(webhook)
        event_id = f"test-{secrets.token_hex(8)}"
        event = {
            "specversion": "1.0",
            "id": event_id,
            "source": "//adaptive-care/notifier",
            "type": "care.webhook.tested.v1",
            "subject": "test",
            "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "data": {},
        }
        try:
            return (await _endpoint(one).post(event_id, json_.dumps(event).encode())).code
        except DeliveryError as error:
            raise WebhookError(f"the test event was not taken: {error.cause}") from None

    typer.echo(f"the endpoint took the test event: {work(post)}")


def _endpoint(one: Subscription) -> Endpoint:
    own = read_settings(NotifierSettings)
    return Endpoint(one.url, one.keys, parse_allowed(own.webhook_allow), Pace().post_s)


async def _check_endpoint(one: Subscription) -> None:
    """What will be refused for ever is refused now; a host that does not answer may do so later."""
    try:
        await _endpoint(one).check()
    except PassingError:
        typer.echo("the host of this endpoint is not known right now; it is tried all the same", err=True)
    except DeliveryError as error:
        raise ArgumentError(f"{error.cause}; see CARE_WEBHOOK_ALLOW for hosts of your own") from None


def _check_types(types: tuple[str, ...]) -> None:
    for pattern in types:
        one = Subscription("", "", (pattern,), "", (), 0, datetime.now(UTC))
        if not one.streams():
            offered = ", ".join(name for name in TYPES if name not in BY_NAME_ONLY)
            raise ArgumentError(f"no output event is of type {pattern!r}; there are {offered}")


async def _now(office: Office, settings: Settings) -> datetime:
    """By the clock that the services decide by; before a replay has begun, by this machine's."""
    if settings.clock == "wall":
        return datetime.now(UTC)
    try:
        return await asyncio.wait_for(make_clock(settings.clock, office.client).now(), CLOCK_WITHIN_S)
    except TimeoutError:
        return datetime.now(UTC)


async def _row(office: Office, one: Subscription) -> dict[str, Any]:
    look: Look = await office.standing(one.id).look()
    parts = urlsplit(one.url)
    missing = [
        _missing(f"{stream.value} (partition {route.partition})", gap)
        for route in office.routes(one.id)
        for stream, gap in (await route.gaps()).items()
    ]
    return {
        "id": one.id,
        "endpoint": f"{parts.scheme}://{parts.netloc}",  # a path may be a secret
        "types": list(one.types),
        "patients": one.patients,
        "keys": len(one.keys),
        "status": look.status,
        "since": look.since,
        "cause": look.cause,
        "waiting_since": await office.oldest(one),
        "missing": missing,
    }


def _missing(where: str, gap: Gap) -> dict[str, Any]:
    first, last = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (gap.first_ms, gap.last_ms))
    return {"stream": where, "events": gap.events, "first": first, "last": last}
