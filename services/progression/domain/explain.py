"""Puts decisions into the words and fields of the contract."""

from functools import lru_cache
from typing import Any

from services.progression.domain import packet
from services.progression.domain.basis import basis_of, basis_of_escalation, basis_of_status
from services.progression.domain.book import Book, Dose
from services.progression.domain.escalation import respond_by
from services.progression.domain.load import space_out, spacing_hours
from services.progression.domain.response import Assessment
from services.progression.domain.review import adherence_of_course, assessment_now, turn_at, verdict_now
from services.progression.domain.state import Escalation, ReachedNote, Snapshot
from services.progression.domain.statistic import week_of
from services.progression.domain.turn import Adjusted, Ground, LoadChange, Rewritten, Turn
from shared.event.adjustment import Change, GoalReached, LoadAdjusted
from shared.event.escalation import EscalationRaised, EscalationReason, Option, Sbar
from shared.event.program import PrescribedExercise, Prescription, ProgramChanged
from shared.protocol.library import Protocols

SITUATION: dict[EscalationReason, str] = {
    "red_flag": "A red flag was reported during care.",
    "flare": "Symptoms have flared severely.",
    "failed_conservative_care": "Conservative care has had enough dose and has not helped enough.",
    "non_adherence": "Too few of the sessions due are done.",
    "unclear_diagnosis": "The response does not fit the condition that is treated.",
    "clinician_review": "Something needs a clinician's look.",
    "adverse_response": "The patient responds badly to the load.",
    "no_contact": "Nothing is heard from the patient.",
}
RECOMMENDATION: dict[EscalationReason, str] = {
    "red_flag": "Contact the patient, examine the red flag, then resume, modify, refer or discharge.",
    "flare": "Screen for red flags again, look at what triggered it, then continue, modify or hold.",
    "failed_conservative_care": "Go through the list of what must be ruled out, then decide on the next option.",
    "non_adherence": "Ask what stands in the way, then continue or modify the program.",
    "unclear_diagnosis": "Examine again, then continue or reclassify.",
    "clinician_review": "Read the evidence, then continue, modify or hold.",
    "adverse_response": "Examine again and screen for red flags, then continue, modify or hold.",
    "no_contact": "Try to reach the patient, then continue or discharge.",
}


def prescription_of(s: Snapshot, book: Book, protocols: Protocols) -> Prescription:
    """The next session; nothing while held, ended or ill."""
    if s.status not in ("active", "proposed") or s.holds or s.rest_until is not None:
        return ()
    return tuple(_prescribed(s, track.dose, book, protocols) for track in s.tracks)


def assessment_of(said: Adjusted, protocols: Protocols, subject: str) -> Assessment | None:
    """How care was going when it was said; None where the program's conditions have no protocol here."""
    return assessment_now(turn_at(said.snapshot, (said.book,), protocols, subject, said.time))


def adjustment_of(said: Adjusted, assessment: Assessment, protocols: Protocols, subject: str) -> LoadAdjusted:
    """One `load.adjusted`, which tells how care was going then."""
    s = said.snapshot
    rationale = [*said.why, assessment.because]
    return LoadAdjusted(
        program_id=said.book.program_id,
        session_id=said.session_id,
        checkin_id=said.checkin_id,
        phase_id=s.stands[0].phase_id if s.stands else said.book.phase_id,
        prescription_seq=0,
        changes=tuple(_change(one, said.book, protocols) for one in said.changes),
        prescription=prescription_of(s, said.book, protocols),
        response=assessment.response,
        late=said.late,
        protocol=said.book.protocol_ref(),
        rationale=" ".join(dict.fromkeys(one for one in rationale if one)),
        references=_references([*said.rules, assessment.rule, *assessment.references], protocols),
        turning_point=said.turning_point or assessment.turning_point,
        basis=basis_of(said, assessment, protocols, subject),
    )


def changed_program(said: Rewritten, version: int, protocols: Protocols, subject: str) -> ProgramChanged:
    """One `program.changed` by progression: held, resumed or ended."""
    planned = said.book.payload()
    s = said.snapshot
    whole = {name: getattr(planned, name) for name in type(planned).model_fields}
    stands = {stand.condition_id: stand.phase_id for stand in s.stands}
    schedule = planned.schedule.model_copy(
        update={"sessions_per_week": s.sessions_per_week or planned.schedule.sessions_per_week}
    )
    whole |= {
        "version": version + 1,
        "previous_version": version,
        "status": said.status,
        "reason": said.reason,
        "rationale": said.reason,
        "turning_point": None,
        "basis": basis_of_status(said, protocols, subject),
        "prescription_seq": 0,
        "prescription": prescription_of(s, said.book, protocols) if said.status == "active" else (),
        "schedule": schedule,
        "phase_id": s.stands[0].phase_id if s.stands else planned.phase_id,
        "phase_by_condition": stands if planned.phase_by_condition else {},
    }
    return ProgramChanged.model_validate(whole)


def reached_goal(note: ReachedNote, program_id: str) -> GoalReached:
    return GoalReached(
        program_id=program_id,
        goal_id=note.goal_id,
        horizon=note.horizon,
        value=note.value,
        target=note.target,
        week=note.week,
    )


def raised(
    one: Escalation,
    escalation_id: str,
    s: Snapshot,
    book: Book | None,
    protocols: Protocols,
    subject: str,
    ground: Ground | None = None,
) -> EscalationRaised:
    """One `escalation.raised`, with the values that the decision read."""
    at = max(one.updated_at, one.raised_at)
    turn = turn_at(s, (book,) if book else (), protocols, subject, at)
    assessment = assessment_now(turn) if book else None
    sbar = _sbar(one, s, book, assessment)
    options: tuple[Option, ...] = ()
    evidence = _evidence(one, assessment)
    if one.reason == "failed_conservative_care" and book is not None and assessment is not None:
        whole = _packet(turn_at(s, (book,), protocols, subject, at), book, assessment)
        if whole is not None:
            sbar, options, evidence = whole.sbar, whole.options, whole.evidence | evidence
    return EscalationRaised(
        escalation_id=escalation_id,
        program_id=book.program_id if book else None,
        severity=one.severity,
        reason=one.reason,
        sbar=sbar,
        options=options,
        evidence=evidence,
        respond_by=respond_by(one, protocols.progression),
        holds_program=one.holds,
        basis=basis_of_escalation(one, s, ground, protocols, subject),
    )


def _packet(turn: Turn, book: Book, assessment: Assessment) -> packet.Packet | None:
    course, verdict, s = adherence_of_course(turn), verdict_now(turn), turn.s
    if course is None or verdict is None or s.statistic is None:
        return None
    return packet.assemble(
        tuple(protocol.name for protocol in turn.treated),
        tuple(protocol.course for protocol in turn.treated),
        book.payload().protocols,
        s.statistic,
        course,
        book.payload().adequate_course,
        assessment,
        verdict,
        _tried(turn, book),
        book.modifiers,
        weeks=week_of(s.statistic, turn.at),
        rivals=_rivals(turn, book),
    )


def _rivals(turn: Turn, book: Book) -> tuple[packet.Rival, ...]:
    conditions = turn.protocols.conditions
    return tuple(
        packet.Rival(conditions[one.condition_id].name, one.probability)
        for one in sorted(book.payload().rivals, key=lambda rival: (-rival.probability, rival.condition_id))
        if one.condition_id in conditions and one.condition_id not in book.conditions
    )


def _tried(turn: Turn, book: Book) -> tuple[packet.Tried, ...]:
    """What is prescribed now, and what was tried before, with the hardest dose that was tolerated."""
    known = {one.exercise_id: one for one in turn.s.tolerated}
    doses = {track.dose.exercise_id: track.dose for track in turn.s.tracks}
    found = []
    for exercise_id in (*doses, *(one for one in known if one not in doses)):
        tried = known.get(exercise_id)
        highest = tried.highest if tried else None
        dose = highest or doses.get(exercise_id)
        found.append(
            packet.Tried(
                _name(exercise_id, book, turn.protocols),
                dose_words(dose) if dose else "never shown to be tolerated",
                tried.times_reduced if tried else 0,
                highest is not None,
                tried.sessions if tried else 0,
                tried.sessions_done if tried else 0,
                tried.prescribed if tried else 0.0,
                tried.performed if tried else 0.0,
                "seconds" if dose is not None and dose.hold_s is not None else "repetitions",
            )
        )
    return tuple(found)


def _name(exercise_id: str, book: Book, protocols: Protocols) -> str:
    exercise = protocols.exercises.exercises.get(exercise_id)
    said = book.words.get(exercise_id)
    return said[0] if said else exercise.name if exercise else exercise_id.replace("_", " ")


def dose_words(dose: Dose) -> str:
    """A dose as one would say it."""
    words = f"{dose.sets} set{'s' if dose.sets != 1 else ''} of {dose.reps}"
    if dose.hold_s is not None:
        words += f" holds of {dose.hold_s:g} seconds"
    if dose.load_kg is not None:
        words += f" with {dose.load_kg:g} kg"
    elif dose.load_level is not None:
        words += f" at level {dose.load_level}"
    return words


def _sbar(one: Escalation, s: Snapshot, book: Book | None, assessment: Assessment | None) -> Sbar:
    if book is None:
        background = "No program of this patient is known here."
    else:
        names = " and ".join(condition.replace("_", " ") for condition in book.conditions)
        phase = f", phase {s.stands[0].phase_id}" if s.stands else ""
        week = assessment.response.week if assessment else 0
        background = f"Program for {names}{phase}, week {week}, {s.status}{' and held' if s.holds else ''}."
    return Sbar(
        situation=f"{SITUATION[one.reason]} {one.why}",
        background=background,
        assessment=assessment.because if assessment else "The values read are given as evidence.",
        recommendation=RECOMMENDATION[one.reason],
    )


def _evidence(one: Escalation, assessment: Assessment | None) -> dict[str, Any]:
    evidence: dict[str, Any] = {"rule": one.rule}
    for name, value in one.evidence:
        evidence.setdefault(name.replace(" ", "_"), []).append(value)
    if one.flags:
        evidence["red_flags"] = list(one.flags)
    if assessment is not None:
        response = assessment.response
        evidence["week"] = response.week
        evidence["sessions_done"] = response.sessions_done
        evidence["adherence"] = response.adherence
        evidence["pain_trend_per_week"] = response.pain_trend_per_week
        evidence["status"] = response.status
    return evidence


def _prescribed(s: Snapshot, dose: Dose, book: Book, protocols: Protocols) -> PrescribedExercise:
    rules, exercise = protocols.progression, protocols.exercises.exercises.get(dose.exercise_id)
    lighter = s.in_force(dose)
    spaced = space_out(lighter, exercise, rules)
    name, instructions = book.words.get(dose.exercise_id, (None, None))
    if name is None or instructions is None:
        name = exercise.name if exercise else dose.exercise_id.replace("_", " ")
        instructions = exercise.instructions if exercise else ""
    hours = spacing_hours(dose, exercise, rules)
    if hours is not None and f"{hours} hours" not in instructions:
        instructions = f"{instructions} Leave at least {hours} hours before you do it again.".strip()
    return _in_words(spaced, name, instructions, _label(dose, book, protocols))


@lru_cache(maxsize=4096)  # the same exercise is prescribed again after most sessions
def _in_words(dose: Dose, name: str, instructions: str, load_label: str | None) -> PrescribedExercise:
    return PrescribedExercise(
        name=name,
        instructions=instructions,
        load_label=load_label,
        **{field: getattr(dose, field) for field in Dose.__struct_fields__},
    )


_SORTED_FIELDS = tuple(sorted(Dose.__struct_fields__))


def _label(dose: Dose, book: Book, protocols: Protocols) -> str | None:
    if dose.load_level is None:
        return None
    said = book.labels.get(dose.exercise_id, {}).get(str(dose.load_level))
    exercise = protocols.exercises.exercises.get(dose.exercise_id)
    labels = exercise.level_labels if exercise else ()
    return said or (labels[dose.load_level] if dose.load_level < len(labels) else None)


def _change(one: LoadChange, book: Book, protocols: Protocols) -> Change:
    before, after = _fields(one.before), _fields(one.after)
    if one.before is one.after and one.before is not None:
        before, after = {}, {}
    elif before is not None and after is not None:
        names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
        before = {name: before[name] for name in names if name in before}
        after = {name: after[name] for name in names if name in after}
    return Change(
        exercise_id=one.exercise_id,
        decision=one.kind,
        from_=before,
        to=after,
        rule=one.rule,
        because=one.because,
    )


def _fields(dose: Dose | None) -> dict[str, Any] | None:
    if dose is None:
        return None
    return {name: value for name in _SORTED_FIELDS if (value := getattr(dose, name)) is not None}


def _references(rules: list[str], protocols: Protocols) -> tuple[str, ...]:
    return tuple(dict.fromkeys(rule for rule in rules if rule in protocols.evidence))
