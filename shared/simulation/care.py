"""One patient's adaptive plan: reports go through the services' pure cores, and what they prescribe is done.

A day has a morning (the answer after a session, the week's measures), a clinician's visit, an evening session and a
late visit. Sessions lie on the same weekdays under every plan (Monday, Friday, Wednesday, …, as many as prescribed).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from shared.event.program import PrescribedExercise
from shared.protocol.library import Protocols
from shared.service import Service
from shared.simulation.clinician import SEVERITIES, Clinician, decision
from shared.simulation.course import Alert
from shared.simulation.diary import Diary
from shared.simulation.external_load import intensity_of, session_load
from shared.simulation.latent import Body, Model, rest_pain, session_pain
from shared.simulation.patient import Day, Patient
from shared.simulation.report import Reporter
from shared.simulation.wire import CLINICIAN, EVENING, INTAKE, LATE, MORNING, Inbox, at, event, instant
from shared.simulation.world import HappeningRules, world
from shared.stream.pure_pipeline import PurePipeline

TRAINING_DAYS = (0, 4, 2, 6, 3, 1, 5)
"""Days of the week from 0 Monday in the order in which they are taken."""
MEASURES_BY_DAY = 5
"""Measures owed since the week began are sent with a morning's answer, or alone from this day of the week on."""


LAST_IN_WEEK = "on other days than the gluteal exercises"
"""Who has two tendons to load reads this, and does the hamstring's on the days that are left."""


def is_training_day(day: int, days_per_week: int) -> bool:
    """Whether a session that is due on so many days a week is due today."""
    return day % 7 in TRAINING_DAYS[:days_per_week]


def exercises_of(
    day: int, prescription: Sequence[PrescribedExercise], sessions_per_week: int
) -> list[PrescribedExercise]:
    """The exercises that are due today, as the patient reads the prescription."""
    due = []
    for exercise in prescription:
        days = min(exercise.days_per_week or sessions_per_week, sessions_per_week)
        first = sessions_per_week - days if LAST_IN_WEEK in exercise.instructions else 0
        if day % 7 in TRAINING_DAYS[first : first + days]:
            due.append(exercise)
    return due


DELOAD = "P13"
"""The rule of the lighter week of every few."""
ENDS_OF_DELOAD = {("progress", DELOAD), ("regress", "P15")}
"""It was tolerated, or a flare took its place."""


@dataclass(slots=True)
class Tally:
    """What happened beside the diary."""

    alerts: list[Alert] = field(default_factory=list)
    sessions_due: int = 0
    unsafe_progressions: int = 0
    red_flag_day: float | None = None
    ended_day: float | None = None
    """Since when care has ended."""
    efforts: list[tuple[int, float]] = field(default_factory=list)
    """(day, hardest effort as told) of each session: effort is what somebody feels, nobody else knows it."""
    shares: list[tuple[int, float]] = field(default_factory=list)
    """(day, share done of what was prescribed) of each session."""
    progress_days: list[float] = field(default_factory=list)
    """When more of an exercise that loads was prescribed because the load before it had been tolerated."""
    lighter: list[tuple[float, float | None]] = field(default_factory=list)
    """From when to when the load was lighter by plan; None: still."""
    days_done: list[int] = field(default_factory=list)
    days_due: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Session:
    session_id: str
    pain_before: float
    pain_during: float
    morning: float | None = None


class Care:
    """One patient under the adaptive plan."""

    def __init__(
        self,
        patient: Patient,
        model: Model,
        services: Sequence[Service[Any]],
        protocols: Protocols,
        weeks: int,
        *,
        keeps_decoded: bool = True,
    ) -> None:
        self.patient, self.weeks, self.protocols = patient, weeks, protocols
        self.body: Body = patient.body(model)
        self.diary = Diary.begin(self.body)
        self.tally = Tally()
        self.first: dict[str, Any] | None = None
        """The first program."""
        self.first_prescription: tuple[PrescribedExercise, ...] = ()
        self._rules: HappeningRules = world().event
        self._id = f"p{patient.number:05d}"
        self._pipeline = PurePipeline(services, at(0, INTAKE), protocols=protocols, keeps_decoded=keeps_decoded)
        self.inbox = Inbox(self._pipeline)
        self._reports: Random = patient.chance("reports")
        self._reporter = Reporter(self._reports, patient.traits.pain_nprs)
        self._clinician = Clinician()
        self._severity: dict[str, int] = {}
        self._sessions: dict[str, _Session] = {}
        self._checkins: dict[str, str | None] = {}
        self._last: _Session | None = None
        self._owed_week: int | None = None
        self._rose_nprs = 0.0

    @property
    def pipeline(self) -> PurePipeline:
        """The services with all that they hold, for whoever looks closer."""
        return self._pipeline

    def live(self) -> None:
        """From the intake to the last day."""
        self._come_in()
        for day in range(self.weeks * 7):
            if day:
                before = self.body.irritation_nprs
                self.body.sleep(self.patient.days[day - 1].unaccustomed)
                self._rose_nprs = self.body.irritation_nprs - before
                if day % 7 == 0:
                    self._close_week(day)
                self._report_morning(day)
                self._visit(day, CLINICIAN)
            self.diary.note_day(self.body)
            self._train(day)
            self._visit(day, LATE)
        self.body.sleep(0.0)
        self._close_week(self.weeks * 7)
        self._pipeline.advance(at(self.weeks * 7, CLINICIAN))
        self._read(None)

    # ---- what the patient sends ----

    def _come_in(self) -> None:
        condition = self.patient.presentation.condition_ids[0]
        baseline = ["NPRS", "PSFS", self.protocols.condition(condition).course.measure, "PSEQ"]
        values = self._reporter.measures(baseline, self.patient.traits.pain_nprs, self.patient.days[0])
        # Whoever has less pain than 3 does not come.
        values["NPRS"] = max(3.0, values["NPRS"])
        measures = [{"instrument": name, "value": value} for name, value in sorted(values.items())]
        intake = self.patient.presentation.intake | {"intake_id": f"{self._id}-intake", "measures": measures}
        self._send(at(0, INTAKE), "care.intake.submitted.v1", "intake", intake)
        conditions = list(self.patient.presentation.condition_ids)
        if self.inbox.program is None:
            reclassified = decision(
                "reclassify", f"{self._id}-first", intake_id=f"{self._id}-intake", conditions=conditions
            )
            self._send(at(0, INTAKE + 2), "care.clinician.decided.v1", "first", reclassified)
        if self.inbox.program is not None and self.inbox.program["status"] == "proposed":
            approved = decision("approve", f"{self._id}-approve", program_id=self.inbox.program["program_id"])
            self._send(at(0, CLINICIAN), "care.clinician.decided.v1", "approve", approved)
        self.first = self.inbox.program
        self.first_prescription = self.inbox.prescription

    def _report_morning(self, day: int) -> None:
        today, traits = self.patient.days[day], self.patient.traits
        if day % 7 == 0:
            self._owed_week = day // 7
        last, self._last = self._last, None
        if self.patient.is_silent(day) or self.inbox.has_ended or self.first is None:
            return
        checkin_id = f"{self._id}-c{day:03d}"
        data: dict[str, Any] = {"checkin_id": checkin_id, "reported_at": instant(at(day, MORNING))}
        if last is not None:
            rest = rest_pain(self.body, traits)
            if today.answer < traits.morning_answers:
                last.morning = self._reporter.pain(rest, today)
                data |= {"next_morning_pain": last.morning, "session_id": last.session_id}
        is_late = day % 7 >= MEASURES_BY_DAY
        if self._owed_week is not None and ("session_id" in data or is_late):
            if today.measures < self._rules.measures_reported:
                data["measures"] = self._measures(self._owed_week, today)
            self._owed_week = None
        if len(data) == 2:
            return
        if symptoms := self._symptoms(day, today):
            data["symptoms"] = symptoms
        self._checkins[checkin_id] = data.get("session_id")
        self._send(at(day, MORNING), "care.checkin.reported.v1", "checkin", data)

    def _measures(self, week: int, today: Day) -> list[dict[str, Any]]:
        program = self.inbox.program or {}
        owed = [
            one["instrument"]
            for one in program["schedule"]["checkin"]["measures"]
            if week % one["every_weeks"] == 0 or one["instrument"] == "NPRS"
        ]
        values = self._reporter.measures(sorted(owed), self.diary.week_nprs, today)
        return [{"instrument": name, "value": value} for name, value in sorted(values.items())]

    def _symptoms(self, day: int, today: Day) -> list[str]:
        rules, found = self._rules, []
        flag_on, flag = self.patient.red_flag_on, self.patient.red_flag
        if flag is not None and flag_on is not None and day >= flag_on and self.tally.red_flag_day is None:
            self.tally.red_flag_day = float(day)
            found.append(flag)
        if self.patient.is_elsewhere and today.symptom < rules.elsewhere_reports:
            found.append(rules.elsewhere_symptom)
        if self._rose_nprs >= rules.irritable_rise_nprs and today.symptom < rules.irritable_reports:
            symptom = rules.irritable_symptom.get(self.patient.presentation.condition_ids[0])
            if symptom is not None:
                found.append(symptom)
        return sorted(set(found))

    def _train(self, day: int) -> None:
        inbox, program = self.inbox, self.inbox.program
        self._pipeline.advance(at(day, EVENING) - timedelta(milliseconds=1))
        self._read(None)
        if program is None or not inbox.is_active:
            return
        per_week = program["schedule"]["sessions_per_week"]
        due = exercises_of(day, inbox.prescription, per_week)
        if not due:
            return
        self.tally.sessions_due += 1
        self.tally.days_due.append(day)
        if not self.patient.trains(day):
            return
        self._do(day, due, program)

    def _do(self, day: int, due: list[PrescribedExercise], program: dict[str, Any]) -> None:
        today, traits = self.patient.days[day], self.patient.traits
        load = session_load(due, self.protocols) * traits.excess
        rest = rest_pain(self.body, traits)
        intensity = self.body.bear(load)
        during = session_pain(rest, intensity, traits)
        self.diary.note_session(load)
        self.tally.days_done.append(day)
        performed = self._performed(due, intensity)
        self.tally.shares.append((day, min(1.0, traits.excess)))
        self.tally.efforts.append((day, max(one["sets"][0]["rpe"] for one in performed)))
        session = _Session(
            session_id=f"{self._id}-s{day:03d}",
            pain_before=self._reporter.pain(rest, today),
            pain_during=self._reporter.pain(during, today),
        )
        session.pain_during = max(session.pain_during, session.pain_before)
        self._sessions[session.session_id] = self._last = session
        data: dict[str, Any] = {
            "session_id": session.session_id,
            "program_id": program["program_id"],
            "prescription_seq": self.inbox.prescription_seq,
            "started_at": instant(at(day, EVENING)),
            "completed": True,
            "exercises": performed,
            "pain_before": session.pain_before,
            "pain_during": session.pain_during,
        }
        if symptoms := [one for one in self._symptoms(day, today) if one == self.patient.red_flag]:
            data["symptoms"] = symptoms
        self._send(at(day, EVENING), "care.session.reported.v1", "session", data)

    def _performed(self, due: list[PrescribedExercise], intensity: float) -> list[dict[str, Any]]:
        hardness = [intensity_of(exercise, self.protocols) for exercise in due]
        hardest = max(hardness)
        done = []
        for exercise, hard in zip(due, hardness, strict=True):
            is_hold = exercise.hold_s is not None
            felt = intensity * (hard / hardest) ** 0.5
            one_set: dict[str, Any] = {
                "reps": 1 if is_hold else max(1, round(exercise.reps * self.patient.traits.excess))
            }
            if exercise.hold_s is not None:
                one_set["hold_s"] = max(1.0, float(round(exercise.hold_s * self.patient.traits.excess)))
            if exercise.load_kg is not None:
                one_set["load_kg"] = exercise.load_kg
            if exercise.load_level is not None:
                one_set["load_level"] = exercise.load_level
            one_set["rpe"] = self._reporter.effort(felt, self.patient.traits.effort_bias_rpe)
            sets = exercise.sets * (exercise.times_per_day or 1) * (exercise.reps if is_hold else 1)
            done.append({"exercise_id": exercise.exercise_id, "sets": [one_set] * sets})
        return done

    # ---- what comes back ----

    def _visit(self, day: int, hour: int) -> None:
        now = at(day, hour)
        for number, answer in enumerate(self._clinician.visit(now)):
            self._send(now, "care.clinician.decided.v1", f"decision-{number}", answer)

    def _close_week(self, day: int) -> None:
        self._pipeline.advance(at(day, MORNING) - timedelta(milliseconds=1))
        self._read(None)
        self.diary.close_week(self.body, self.inbox.status)

    def _send(self, time: datetime, kind: str, what: str, data: dict[str, Any]) -> None:
        raw = event(self._id, time, kind, what, data)
        if time > self._pipeline.now:
            self._pipeline.advance(time - timedelta(milliseconds=1))
            self._read(None)
        self._pipeline.replay([raw])
        self._read(f"{self._id}-{time:%Y%m%d%H}-{what}")

    def _read(self, event_id: str | None) -> None:
        self.inbox.read()
        for raised in self.inbox.raised:
            self._clinician.hear(raised)
            severity = SEVERITIES.index(raised.data["severity"])
            if severity <= self._severity.get(raised.data["escalation_id"], -1):
                continue
            self._severity[raised.data["escalation_id"]] = severity
            if self.first is not None:
                day = _days(raised.time)
                is_same = event_id is not None and raised.caused_by == event_id
                self.tally.alerts.append(Alert(day, raised.data["reason"], raised.data["severity"], is_same))
        self.inbox.raised.clear()
        if not self.inbox.has_ended:
            self.tally.ended_day = None
        elif self.tally.ended_day is None:
            self.tally.ended_day = _days(self._pipeline.now)
        for adjusted in self.inbox.adjusted:
            self.tally.unsafe_progressions += self._is_unsafe(adjusted)
            self._note_progress(adjusted["changes"])
        self.inbox.adjusted.clear()

    def _note_progress(self, changes: Sequence[dict[str, Any]]) -> None:
        day, lighter = _days(self._pipeline.now), self.tally.lighter
        decided = {(one["decision"], one["rule"]) for one in changes}
        if ("regress", DELOAD) in decided:
            lighter.append((day, None))
        elif lighter and lighter[-1][1] is None and not decided.isdisjoint(ENDS_OF_DELOAD):
            lighter[-1] = (lighter[-1][0], day)
        if any(
            one["decision"] == "progress" and one["rule"] != DELOAD and self._loads(one["exercise_id"])
            for one in changes
        ):
            self.tally.progress_days.append(day)

    def _loads(self, exercise_id: str) -> bool:
        """Whether an exercise counts as dose for what the patient is treated for; walking and stretches do not."""
        exercise = self.protocols.exercises.exercises[exercise_id]
        treated = (self.inbox.program or {}).get("conditions", self.patient.presentation.condition_ids)
        return any(exercise.kind in self.protocols.condition(one).course.dose.kinds for one in treated)

    def _is_unsafe(self, adjusted: dict[str, Any]) -> bool:
        """A rise after a session above 5/10, or by a morning worse than before the session."""
        if not any(change["decision"] == "progress" for change in adjusted["changes"]):
            return False
        session_id = adjusted["session_id"] or self._checkins.get(adjusted["checkin_id"] or "")
        session = self._sessions.get(session_id or "")
        if session is None:
            return False
        unsettled = session.morning is not None and session.morning > session.pain_before
        return session.pain_during > 5 or unsettled


def _days(time: datetime) -> float:
    """Days since the program began."""
    return (time - at(0, INTAKE)) / timedelta(days=1)
