"""What events say about the patient, folded so that any order of arrival ends in the same facts."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from services.notifier.domain.contact import standing_refusals
from services.notifier.domain.state import (
    MAX_MORNINGS,
    MAX_PROGRAMS,
    MAX_SESSIONS,
    Away,
    Morning,
    NotifierState,
    OwedMeasure,
    Patient,
    Program,
    QuietHours,
    Resolving,
    Said,
    Session,
)
from shared.event.decision import ClinicianDecided
from shared.event.patient import PatientUpdated
from shared.event.program import ProgramChanged, ProgramPlanned
from shared.event.session import CheckinReported, SessionReported

T = TypeVar("T")


def zone_of(patient: Patient) -> ZoneInfo:
    """The patient's time zone; UTC where none was told."""
    return ZoneInfo(patient.timezone.value if patient.timezone else "UTC")


def note_update(state: NotifierState, update: PatientUpdated, at: datetime, by: str) -> NotifierState:
    """Each field by itself: what is left out stays, the newest event wins."""
    patient = state.patient

    def newest(known: Said[T] | None, value: T | None) -> Said[T] | None:
        if value is None or (known is not None and (known.at, known.by) >= (at, by)):
            return known
        return Said(value, at, by)

    quiet, away = update.quiet_hours, update.away
    contact = newest(patient.contact, None if update.contact is None else tuple(sorted(update.contact.items())))
    return replace(
        state,
        patient=Patient(
            timezone=newest(patient.timezone, update.timezone),
            quiet_hours=newest(patient.quiet_hours, QuietHours(quiet.start, quiet.end) if quiet else None),
            contact=contact,
            reminders=newest(patient.reminders, update.consent.reminders if update.consent else None),
            care_team=newest(patient.care_team, update.care_team),
            language=newest(patient.language, update.language),
            away=newest(patient.away, Away(away.from_, away.to) if away else None),
            refused=standing_refusals(patient.refused, contact.value if contact else ()),
        ),
    )


def note_program(state: NotifierState, told: ProgramPlanned | ProgramChanged, at: datetime, by: str) -> NotifierState:
    def fold(program: Program) -> Program:
        program = replace(program, planned_at=_earliest(program.planned_at, at))
        program = _prescribed(program, told.prescription_seq, bool(told.prescription))
        if program.as_of is not None and (program.as_of, program.version, program.by) >= (
            at,
            told.version,
            by,
        ):
            return program
        schedule = told.schedule
        return replace(
            program,
            status=told.status,
            as_of=at,
            version=told.version,
            by=by,
            sessions_per_week=schedule.sessions_per_week,
            days=tuple(sorted(set(schedule.days or ()))),
            next_morning=schedule.checkin.next_morning,
            measures=tuple(OwedMeasure(m.instrument, m.every_weeks) for m in schedule.checkin.measures),
        )

    return _with_program(state, told.program_id, at, fold)


def note_prescription(state: NotifierState, program_id: str, seq: int, prescribes: bool, at: datetime) -> NotifierState:
    return _with_program(state, program_id, at, lambda program: _prescribed(program, seq, prescribes))


def note_stop(state: NotifierState, program_id: str, at: datetime) -> NotifierState:
    return _with_program(
        state, program_id, at, lambda program: replace(program, stopped_at=_latest(program.stopped_at, at))
    )


def note_session(state: NotifierState, session: SessionReported, at: datetime) -> NotifierState:
    done = Session(session.started_at, session.session_id, session.program_id)
    return replace(
        state,
        sessions=_newest(state.sessions, done, MAX_SESSIONS),
        heard_at=_latest(state.heard_at, at),
    )


def note_checkin(state: NotifierState, checkin: CheckinReported, at: datetime) -> NotifierState:
    measured = dict(state.measured)
    for measure in checkin.measures:
        measured[measure.instrument] = _latest(measured.get(measure.instrument), checkin.reported_at)
    mornings = state.mornings
    if checkin.next_morning_pain is not None:
        mornings = _newest(mornings, Morning(checkin.reported_at, checkin.session_id or ""), MAX_MORNINGS)
    return replace(
        state,
        mornings=mornings,
        measured=tuple(sorted(measured.items())),
        heard_at=_latest(state.heard_at, at),
    )


def note_closing(state: NotifierState, at: datetime) -> NotifierState:
    """A referral or discharge: what was planned until then has ended."""
    return replace(state, closed_at=_latest(state.closed_at, at))


def note_resolving(state: NotifierState, decided: ClinicianDecided, at: datetime) -> NotifierState:
    """A clinician who decides more than to look or to wait has heard of the patient: reminders may begin anew."""
    if decided.decision in ("acknowledge", "hold"):
        return state
    new = Resolving(at, decided.decision_id, decided.decision, decided.escalation_id or "")
    known = state.resolving
    is_newer = known is None or (known.at, known.decision_id) < (new.at, new.decision_id)
    return replace(state, resolving=new) if is_newer else state


def program_in_force(state: NotifierState) -> Program | None:
    """The newest program that the patient is asked to follow, if there is one."""
    active = [program for program in state.programs if _is_followed(state, program)]
    return max(active, key=lambda program: (program.planned_at, program.program_id), default=None)


def _is_followed(state: NotifierState, program: Program) -> bool:
    if program.status != "active" or program.stopped_at is not None or program.planned_at is None:
        return False
    return state.closed_at is None or program.planned_at > state.closed_at


def _prescribed(program: Program, seq: int, prescribes: bool) -> Program:
    if seq <= program.prescription_seq:
        return program
    return replace(program, prescription_seq=seq, prescribes=prescribes)


def _with_program(
    state: NotifierState, program_id: str, at: datetime, fold: Callable[[Program], Program]
) -> NotifierState:
    programs = {program.program_id: program for program in state.programs}
    known = programs.get(program_id) or Program(program_id=program_id, latest_at=at)
    programs[program_id] = replace(fold(known), latest_at=max(known.latest_at, at))
    kept = sorted(programs.values(), key=lambda program: (program.latest_at, program.program_id))
    return replace(state, programs=tuple(sorted(kept[-MAX_PROGRAMS:], key=lambda program: program.program_id)))


def _newest(known: Iterable[T], new: T, most: int) -> tuple[T, ...]:
    return tuple(sorted({*known, new})[-most:])  # type: ignore[type-var]  # Session and Morning are ordered


def _latest(known: datetime | None, new: datetime) -> datetime:
    return new if known is None else max(known, new)


def _earliest(known: datetime | None, new: datetime) -> datetime:
    return new if known is None else min(known, new)
