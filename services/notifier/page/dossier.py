"""Everything behind one escalation, in the order in which a clinician reads it, for the templates."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.notifier.domain.attendance import Attendance, attendance
from services.notifier.domain.chart import Decided
from services.notifier.domain.detail import Choice, Detail, Ground, find_detail
from services.notifier.domain.ladder import PlannedStep, find_alarm, plan, policy_of
from services.notifier.domain.policy import Policies
from services.notifier.domain.sheet import Revision, Sheet, Step
from services.notifier.domain.state import Alarm, NotifierState
from services.notifier.page.figure import Figure, draw
from services.notifier.page.inbox import Row, row_of
from services.notifier.page.wording import LEDGER, RESOLUTIONS, SEVERITIES, instrument, number, percent, plain
from shared.event.vocabulary import vocabulary
from shared.protocol.library import Protocols

MOST_FACTS = 60
NEXT_STEPS = 4
NOT_FACTS = ("references", "protocols", "in_sessions_by_week", "by_week")
"""Shown elsewhere: as references, and in the chart."""
RECENT = timedelta(weeks=4)


@dataclass(frozen=True, slots=True)
class Text:
    """SBAR."""

    situation: str
    background: str
    assessment: str
    recommendation: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One value that the decision read, or that says how much is known."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Reference:
    """One row of the evidence base."""

    row: str
    statement: str
    mark: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger."""

    at: datetime
    what: str
    about: str


@dataclass(frozen=True, slots=True)
class Dossier:
    """One escalation of one patient."""

    row: Row
    about: str
    """Id of the newest `raised`."""
    zone: ZoneInfo
    """The clinic's."""
    now: datetime
    text: Text
    holds_program: bool
    rises: tuple[tuple[datetime, str], ...]
    grounds: tuple[Ground, ...]
    facts: tuple[Fact, ...]
    known: tuple[Fact, ...]
    """How complete the data are."""
    choices: tuple[Choice, ...]
    references: tuple[Reference, ...]
    figure: Figure | None
    sheet: Sheet | None
    conditions: tuple[str, ...]
    """Names of what the program treats."""
    revisions: tuple[Revision, ...]
    steps: tuple[Step, ...]
    decided: tuple[Decided, ...]
    ledger: tuple[Entry, ...]
    next_steps: tuple[PlannedStep, ...]
    attendance: Attendance
    """Whether the patient is being reached and takes part."""
    resolution: str
    all_conditions: tuple[tuple[str, str], ...]
    """Id and name of each condition that a protocol describes."""


def open_dossier(
    policies: Policies,
    protocols: Protocols,
    patient: str,
    state: NotifierState,
    escalation_id: str,
    ledger: Sequence[Mapping[str, Any]],
    now: datetime,
) -> Dossier | None:
    """None where no such escalation is known."""
    row = row_of(patient, state, escalation_id, now)
    alarm = find_alarm(state, escalation_id)
    if row is None or alarm is None:
        return None
    chart = state.chart
    detail = find_detail(chart.details, escalation_id)
    evidence: dict[str, Any] = json.loads(detail.evidence) if detail else {}
    sheet = _sheet(state, (detail.program_id if detail else "") or alarm.program_id)
    names = {condition: protocol.name for condition, protocol in protocols.conditions.items()}
    grounds = detail.grounds if detail else ()
    choices = detail.choices if detail else tuple(Choice(o.label, o.evidence_grade, ()) for o in alarm.options)
    wanted = [
        *(row for choice in choices for row in choice.references),
        *(row for ground in grounds for row in (ground.rule, *ground.source)),
        *(row for row in evidence.get("references", ()) if isinstance(row, str)),
    ]
    return Dossier(
        row=row,
        about=(detail.about if detail else "") or alarm.about,
        zone=ZoneInfo(policy_of(policies, state).working_hours.timezone),
        now=now,
        text=_text(alarm, detail),
        holds_program=detail is not None and detail.holds_program,
        rises=tuple((rise.at, rise.severity) for rise in detail.rises) if detail else (),
        grounds=grounds,
        facts=tuple(_facts(evidence))[:MOST_FACTS],
        known=tuple(_known(state, sheet, now)),
        choices=choices,
        references=tuple(_references(protocols, wanted)),
        figure=draw(chart),
        sheet=sheet,
        conditions=tuple(names.get(condition, plain(condition)) for condition in (sheet.conditions if sheet else ())),
        revisions=tuple(reversed([one for one in chart.revisions if sheet and one.program_id == sheet.program_id])),
        steps=tuple(reversed(chart.steps)),
        decided=tuple(reversed(chart.decided)),
        ledger=tuple(_entry(entry) for entry in ledger if entry.get("escalation_id") == escalation_id),
        next_steps=plan(policies, state, alarm, now, NEXT_STEPS),
        attendance=attendance(state, policies.reminder, now),
        resolution=_resolution(detail),
        all_conditions=tuple(names.items()),
    )


def exercise_name(protocols: Protocols, exercise_id: str) -> str:
    found = protocols.exercises.exercises.get(exercise_id)
    return found.name if found else plain(exercise_id)


def _text(alarm: Alarm, detail: Detail | None) -> Text:
    source = detail if detail is not None and detail.rises else alarm
    return Text(source.situation, source.background, source.assessment, source.recommendation)


def _sheet(state: NotifierState, program_id: str) -> Sheet | None:
    """The escalation's program; without one, the newest."""
    sheets = [sheet for sheet in state.chart.sheets if sheet.as_of is not None]
    own = next((sheet for sheet in sheets if sheet.program_id == program_id), None)
    return own or max(sheets, key=lambda sheet: (sheet.latest_at, sheet.program_id), default=None)


def _resolution(detail: Detail | None) -> str:
    if detail is None or detail.ending is None:
        return ""
    return RESOLUTIONS.get(detail.ending.resolution, plain(detail.ending.resolution))


def _known(state: NotifierState, sheet: Sheet | None, now: datetime) -> Iterator[Fact]:
    """What was reported, and what is missing, so that nobody takes silence for health."""
    zone = ZoneInfo("UTC")
    recent = [week for week in state.chart.weeks if week.monday >= (now - RECENT).date()]
    sessions = sum(week.sessions for week in recent)
    if sheet is not None and sheet.sessions_per_week:
        due = sheet.sessions_per_week * 4
        yield Fact("Sessions reported in the last 4 weeks", f"{sessions} of about {due} planned")
    else:
        yield Fact("Sessions reported in the last 4 weeks", str(sessions))
    mornings = sum(week.mornings for week in recent)
    yield Fact("Mornings after reported in the last 4 weeks", str(mornings))
    heard = "never" if state.heard_at is None else f"{state.heard_at.astimezone(zone):%d %b %Y}"
    yield Fact("Patient last heard of", heard)
    if sheet is not None and sheet.standing is not None:
        standing = sheet.standing
        yield Fact(
            "Sessions done in the program", f"{standing.sessions_done}, {percent(standing.adherence)} of those due"
        )
    newest: dict[str, tuple[datetime, float]] = {}
    for week in state.chart.weeks:
        for reading in week.readings:
            newest[reading.instrument] = (reading.at, reading.value)
    for name, (at, value) in sorted(newest.items()):
        yield Fact(f"{instrument(name)}, newest", f"{number(value)} on {at.astimezone(zone):%d %b %Y}")


def _facts(evidence: Mapping[str, Any], under: str = "") -> Iterator[Fact]:
    for key, value in evidence.items():
        if key in NOT_FACTS:
            continue
        label = f"{under}{', ' if under else ''}{plain(key)}"
        if isinstance(value, dict):
            yield from _facts(value, label)
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            for item in value:
                lead = next((part for part in item.values() if isinstance(part, str)), "")
                rest = {name: part for name, part in item.items() if part != lead}
                yield Fact(f"{label}: {_label(lead)}" if lead else label, _spoken(rest))
        elif value is not None and value != []:
            yield Fact(label, _spoken(value))


def _spoken(value: Any) -> str:
    """A JSON value in words."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return number(value, 2)
        case dict():
            parts = [(plain(str(k)), v) for k, v in value.items() if v is not None and k not in NOT_FACTS]
            return "; ".join(f"{key} {_spoken(part)}" for key, part in parts)
        case list():
            return ", ".join(_spoken(item) for item in value)
        case str():
            return _label(value)
        case _:
            return str(value)


def _label(value: str) -> str:
    """The label of a red flag or symptom; other words as they are, ids without underscores."""
    words = vocabulary()
    if value in words.red_flags:
        return words.red_flags[value].label
    if value in words.symptoms:
        return words.symptoms[value]
    return plain(value) if " " not in value else value


def _references(protocols: Protocols, rows: Iterable[str]) -> Iterator[Reference]:
    for row in dict.fromkeys(rows):
        found = protocols.evidence.get(row)
        if found is not None:
            yield Reference(row, found.statement, found.mark)


def _entry(entry: Mapping[str, Any]) -> Entry:
    kind = str(entry.get("kind", ""))
    return Entry(
        datetime.fromisoformat(str(entry["at"]).replace("Z", "+00:00")),
        LEDGER.get(kind, plain(kind)),
        ", ".join(_entry_facts(entry)),
    )


def _entry_facts(entry: Mapping[str, Any]) -> Iterator[str]:
    """Names as they are, codes as words."""
    for key, form in _LEDGER_FACTS:
        value = entry.get(key)
        if isinstance(value, bool) or value in (None, ""):
            continue
        match key:
            case "severity":
                yield SEVERITIES.get(str(value), str(value)).lower()
            case "resolution":
                yield RESOLUTIONS.get(str(value), plain(str(value)))
            case "step":
                yield f"step {value}" if value else "last resort"
            case "reason" | "intent" | "why" | "cause":
                yield plain(str(value))
            case _:
                yield form.format(value)
    if isinstance(entry.get("useful"), bool):
        yield "said to be useful" if entry["useful"] else "said not to be useful"


_LEDGER_FACTS = (
    ("severity", ""),
    ("reason", ""),
    ("rule", "rule {}"),
    ("recipient", "{}"),
    ("rota", "rota {}"),
    ("by", "by {}"),
    ("intent", ""),
    ("resolution", ""),
    ("channel", "by {}"),
    ("step", ""),
    ("why", ""),
    ("cause", ""),
)
"""In the order in which they are read, with the form of what is a name."""
