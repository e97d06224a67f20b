"""`alerts show`: one escalation as a clinician reads it behind the link, with its ledger as a timeline."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.notifier.command.inbox import planned, seen_by
from services.notifier.command.office import AlertError, Case, Office, as_json, work
from services.notifier.command.stats import ledgers
from services.notifier.command.wording import moment
from services.notifier.domain.ladder import is_open
from services.notifier.domain.state import NotifierState
from services.notifier.domain.statistic import Entry
from services.notifier.message.context import Completeness, NextStep, Option, Story, Value
from services.notifier.message.rendering import sbar_text
from services.notifier.page.dossier import Dossier, open_dossier
from shared.chain import verify
from shared.cli.terminal import console
from shared.event.explanation import Basis
from shared.protocol.library import load_protocols, shipped_protocols

RECENT_WEEKS = 4

Id = Annotated[str, typer.Argument(metavar="ID", help="The id of an escalation, or its beginning.")]


def show(
    id: Id,  # noqa: A002  # the name on the command line
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show one escalation: its story, who was told when, and whether its ledger is whole. Status 1 where it is not."""

    async def gather(office: Office) -> tuple[Case, Dossier, list[Entry]]:
        case = await office.find(id)
        await office.note("escalation", case.patient_id)
        entries = (await ledgers(office, case.patient_id)).get(case.alarm.escalation_id, [])
        return case, _dossier(office, case, entries), entries

    case, dossier, entries = work(gather)
    broken = check_chain(case, entries)
    if json:
        typer.echo(as_json(_content(case, dossier, entries, broken)))
    else:
        _print(console(), case, dossier, broken)
    if broken:
        raise typer.Exit(1)


def check_chain(case: Case, entries: Sequence[Entry]) -> str:
    """What is wrong with a ledger; empty where each entry follows from the one before, up to what the state names."""
    alarm = case.alarm
    if not entries:
        return "the ledger is empty" if alarm.ledger_seq else ""
    before = (int(entries[0]["seq"]) - 1, str(entries[0]["prev"]))
    seq = verify(entries, before)
    if seq is not None:
        return f"entry {seq} does not follow from the one before"
    if (entries[-1]["seq"], entries[-1]["hash"]) != (alarm.ledger_seq, alarm.ledger_hash):
        return f"it ends at entry {entries[-1]['seq']}, and the state names entry {alarm.ledger_seq} as its last"
    return ""


def _dossier(office: Office, case: Case, entries: Sequence[Entry]) -> Dossier:
    folder = office.settings.protocols
    protocols = load_protocols(folder) if folder else shipped_protocols()
    found = open_dossier(
        office.policies, protocols, case.patient_id, case.state, case.alarm.escalation_id, entries, office.now
    )
    if found is None:
        raise AlertError(f"nothing is kept of escalation {case.alarm.escalation_id} any more")
    return found


def _story(case: Case, dossier: Dossier) -> Story:
    """What the template of the whole story is given."""
    alarm, text = case.alarm, dossier.text
    return Story(
        patient_id=case.patient_id,
        escalation_id=alarm.escalation_id,
        severity=alarm.severity,
        reason=alarm.reason,
        raised_at=dossier.row.raised_at or alarm.raised_at or dossier.now,
        situation=text.situation,
        background=text.background,
        assessment=text.assessment,
        recommendation=text.recommendation,
        respond_by=alarm.respond_by,
        program_id=alarm.program_id,
        zone=dossier.zone.key,
        rules=tuple(
            Basis(
                rule=ground.rule,
                input=ground.input,
                value=ground.value,
                threshold=ground.threshold,
                source=ground.source,
                turned_by=ground.turned_by,
                then=ground.then,
                together=ground.together,
            )
            for ground in dossier.grounds
        ),
        values=tuple(Value(fact.label, fact.value) for fact in dossier.facts),
        completeness=_completeness(case.state, dossier),
        options=tuple(Option(one.label, one.evidence_grade, one.references) for one in dossier.choices),
        next_steps=tuple(
            NextStep(one.at, one.recipients, tuple(dict.fromkeys(one.channels)), one.note) for one in dossier.next_steps
        ),
    )


def _completeness(state: NotifierState, dossier: Dossier) -> Completeness:
    """Of the last weeks; not known is what the program asks for and the patient has never answered."""
    weeks = state.chart.weeks[-RECENT_WEEKS:]
    answered = {reading.instrument for week in state.chart.weeks for reading in week.readings}
    answered |= {instrument for instrument, _ in state.measured}
    owed = {measure.instrument for program in state.programs for measure in program.measures}
    sheet = dossier.sheet
    return Completeness(
        sessions_reported=sum(week.sessions for week in weeks),
        sessions_due=sheet.sessions_per_week * len(weeks) if sheet and sheet.sessions_per_week else None,
        newest_report_at=state.heard_at,
        missing=tuple(sorted(owed - answered)),
    )


def _print(to: Console, case: Case, dossier: Dossier, broken: str) -> None:
    typer.echo(sbar_text(_story(case, dossier)).rstrip())
    answer = seen_by(case)
    if not is_open(case.alarm):
        how = dossier.resolution or case.alarm.resolution.replace("_", " ")
        typer.echo(f"\nResolved {moment(case.alarm.resolved_at)} UTC: {how}")
    elif answer is not None:
        typer.echo(f"\nSeen by {answer.by} at {moment(answer.at)} UTC: {answer.intent}")
    table = Table(box=None, pad_edge=False, title="\nLedger (UTC)", title_justify="left", title_style="")
    for column in ("at", "what", "about"):
        table.add_column(column, overflow="fold")
    for entry in dossier.ledger:
        table.add_row(moment(entry.at), escape(entry.what), escape(entry.about))
    to.print(table)
    if broken:
        to.print(f"[bold red]The ledger is broken:[/bold red] {escape(broken)}")
    else:
        to.print(f"The ledger is whole: {len(dossier.ledger)} entries, each bound to the one before.", highlight=False)


def _content(case: Case, dossier: Dossier, entries: Sequence[Entry], broken: str) -> dict[str, Any]:
    alarm, answer, text = case.alarm, seen_by(case), dossier.text
    return {
        "escalation_id": alarm.escalation_id,
        "patient_id": case.patient_id,
        "program_id": alarm.program_id or None,
        "severity": alarm.severity,
        "reason": alarm.reason,
        "raised_at": dossier.row.raised_at,
        "respond_by": alarm.respond_by,
        "resolved_at": alarm.resolved_at,
        "resolution": alarm.resolution or None,
        "sbar": {
            "situation": text.situation,
            "background": text.background,
            "assessment": text.assessment,
            "recommendation": text.recommendation,
        },
        "acknowledged": {"by": answer.by, "intent": answer.intent, "at": answer.at} if answer else None,
        "next_steps": [planned(one) for one in dossier.next_steps],
        "ledger": list(entries),
        "ledger_fault": broken or None,
    }
