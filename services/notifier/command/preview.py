"""`alerts preview`: the very words that somebody gets, and who gets what when if nobody answers."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from msgspec.structs import replace
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.notifier.channels.channel import Message
from services.notifier.channels.registry import make_channels
from services.notifier.command.inbox import planned
from services.notifier.command.office import AlertError, ArgumentError, Case, Office, as_json, work
from services.notifier.command.story import Id
from services.notifier.command.wording import step
from services.notifier.composition import Composition
from services.notifier.domain.index import DIGEST
from services.notifier.domain.ladder import PlannedStep, climb, find_alarm, is_open, plan, policy_of, rest
from services.notifier.domain.ledger import drain
from services.notifier.domain.rota import next_digest
from services.notifier.domain.state import Delivery
from services.notifier.page.access import link_for
from services.notifier.page.config import page_config
from shared.cli.terminal import console
from shared.event.envelope import derive_id

STEPS = 12
MOST_CLIMBS = 5000
"""Steps of the ladder between now and the instant asked for."""


@dataclass(frozen=True, slots=True)
class Preview:
    """`message` to `recipient` at `at`; `steps` from then on."""

    recipient: str
    channel: str
    at: datetime
    message: Message
    steps: tuple[PlannedStep, ...]
    zone: ZoneInfo
    is_set_up: bool
    """The channel is; else the log stands in."""


def preview(
    id: Id,  # noqa: A002  # the name on the command line
    as_: Annotated[str | None, typer.Option("--as", metavar="WHO", help="A recipient of the policies.")] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="RFC 3339; nobody has answered until then.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show the exact message that WHO gets, and the whole plan of who gets what when if nobody answers.

    Without --as it is whoever is told next. Nothing is sent, and nothing changes.
    """
    found = work(lambda office: _preview(office, id, as_, instant_of(at, office.now)))
    if json:
        message = found.message
        typer.echo(
            as_json(
                {
                    "as": found.recipient,
                    "channel": found.channel,
                    "at": found.at,
                    "subject": message.subject,
                    "text": message.text,
                    "html": message.html,
                    "data": dict(message.data),
                    "plan": [planned(one) for one in found.steps],
                }
            )
        )
        return
    _print(console(), found)


async def _preview(office: Office, wanted: str, who: str | None, at: datetime) -> Preview:
    case = _then(office, await office.find(wanted), at)
    await office.note("message", case.patient_id)
    policy = policy_of(office.policies, case.state)
    steps = plan(office.policies, case.state, case.alarm, at, steps=STEPS)
    recipient = office.recipient(who) if who else steps[0].recipients[0]
    ladder = policy.ladder(case.alarm.severity)
    channels = next(
        (found for one in ladder.steps if (found := office.policies.channels(recipient, one.channels))),
        office.policies.channels_of_last_resort(recipient),
    )
    delivery = Delivery(
        notification_id=derive_id("preview", case.alarm.escalation_id, recipient),
        about=case.alarm.about,
        kind="escalation" if ladder.digest is None else "digest",
        channel=channels[0],
        due_at=at if ladder.digest is None else next_digest(at, ladder.digest.at, policy.working_hours),
        recipient=recipient,
        escalation_id=case.alarm.escalation_id,
        urgent=case.alarm.severity == "emergency",
    )
    message = await _message(office, case, delivery, delivery.due_at)
    zone = ZoneInfo(policy.working_hours.timezone)
    is_set_up = channels[0] in make_channels(office.own)
    return Preview(recipient, channels[0], delivery.due_at, message, steps, zone, is_set_up)


async def _message(office: Office, case: Case, delivery: Delivery, at: datetime) -> Message:
    composition = Composition(office.policies, partial(link_for, page_config(office.own, office.settings)))
    if delivery.kind == "escalation":
        message = await composition.alert(case.state, delivery, case.patient_id, at)
        if message is None:
            raise AlertError(f"nothing is kept of escalation {delivery.escalation_id} any more")
        return message
    listed = await office.desk.listed(f"{DIGEST}{delivery.recipient}")
    waiting = [(one.patient_id, one.state, one.alarm.escalation_id) for one in await office.cases(listed)]
    if delivery.escalation_id not in [escalation_id for _, _, escalation_id in waiting]:
        waiting.append((case.patient_id, case.state, delivery.escalation_id))
    return composition.digest(delivery, delivery.notification_id, waiting, at)


def _then(office: Office, case: Case, at: datetime) -> Case:
    """The escalation as it will be at that instant if nobody answers: the very steps that the notifier would take."""
    state, alarm = case.state, case.alarm
    if not is_open(alarm):
        raise AlertError(f"escalation {alarm.escalation_id} is resolved: nobody is told any more")
    for _ in range(MOST_CLIMBS):
        if alarm.next_at is None or alarm.next_at > at:
            return Case(case.patient_id, state, alarm)
        due = alarm.next_at
        state, _entries = drain(rest(office.policies, climb(office.policies, state, alarm, due, due), due))
        alarm = find_alarm(state, alarm.escalation_id) or alarm
        state = replace(state, outbox=())
    raise ArgumentError("--at is too far ahead: so many steps are not planned")


def instant_of(text: str | None, now: datetime) -> datetime:
    if text is None:
        return now
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentError(f"--at {text!r} is no instant such as 2026-03-02T09:00:00Z") from None
    if instant.tzinfo is None:
        raise ArgumentError(f"--at {text!r} needs an offset, such as 2026-03-02T09:00:00Z")
    if instant < now:
        raise ArgumentError(f"--at {text!r} is over")
    return instant


def _print(to: Console, found: Preview) -> None:
    local = found.at.astimezone(found.zone)
    instead = "" if found.is_set_up else f"; {found.channel} is not set up, so that the log stands in"
    typer.echo(f"To:      {found.recipient} by {found.channel}{instead}")
    typer.echo(f"At:      {local:%a %Y-%m-%d %H:%M} {found.zone.key}")
    typer.echo(f"Subject: {found.message.subject}\n")
    typer.echo(found.message.text.rstrip())
    table = Table(box=None, pad_edge=False, title="\nIf nobody answers", title_justify="left", title_style="")
    for column in (f"at ({found.zone.key})", "step", "who", "note"):
        table.add_column(column, overflow="fold")
    for one in found.steps:
        at = f"{one.at.astimezone(found.zone):%a %Y-%m-%d %H:%M}"
        pairs = zip(one.recipients, one.channels, strict=True)
        who = ", ".join(f"{name} by {channel}" for name, channel in pairs)
        table.add_row(at, step(one.step), escape(who), escape(one.note))
    to.print(table)
    if not any(found.recipient in one.recipients for one in found.steps):
        typer.echo(f"{found.recipient} is not told in the next {len(found.steps)} steps")
