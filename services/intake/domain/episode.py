"""One decision in the making: the patient's state as it changes, and what goes out.

Any order of arrival ends in the same state: the newest intake leads, red flags stand until a clinician
has decided on them, and a decision reaches only what was told up to its own time.
"""

from datetime import datetime, timedelta

import msgspec

from services.intake.domain.classification import classify
from services.intake.domain.disposition import Case, Verdict, judge
from services.intake.domain.escalation import (
    grow,
    is_worse,
    raise_flags,
    raise_review,
    reason_for,
    resolve,
    severity_of,
)
from services.intake.domain.presentation import present
from services.intake.domain.red_flag import gather, rank, suspect, weigh
from services.intake.domain.state import (
    VERSIONS_AT_MOST,
    WAITING_AT_MOST,
    Current,
    Flag,
    IntakeState,
    OpenEscalation,
    Quiet,
    Settled,
    Version,
    Waiting,
)
from shared.decision import Arrival, Decision, Draft, FlagsSalvaged, Incoming, Origin, Outcome, Rejection
from shared.event.decision import ClinicianDecided, DecisionKind
from shared.event.envelope import derive_id
from shared.event.escalation import EscalationReason
from shared.event.intake import IntakeSubmitted
from shared.event.vocabulary import vocabulary
from shared.protocol.library import Protocols

WAITING_TIMER = "waiting"
RESOLVING: frozenset[DecisionKind] = frozenset({"continue", "resume", "approve", "modify", "reclassify"})
"""What resolves the escalation that it names. `refer` and `discharge` resolve all; the rest resolves nothing."""
REVIEW_REASONS: tuple[EscalationReason, ...] = ("clinician_review", "unclear_diagnosis")


class Episode:
    """Collects the changes that one input makes. Lives for a single call of `decide`."""

    def __init__(
        self,
        state: IntakeState,
        incoming: Incoming,
        protocols: Protocols,
        now: datetime,
        late_window: timedelta,
    ) -> None:
        self._state = state
        self._incoming = incoming
        self._protocols = protocols
        self._now = now
        self._late_window = late_window
        self._drafts: list[Draft] = []
        self._rejections: list[Rejection] = []
        self._outcome: Outcome = "ignored"
        self._rule = ""

    # ---- inputs ----

    def take_intake(self, arrival: Arrival, intake: IntakeSubmitted) -> None:
        """A new intake or version of one. An older version arriving late changes nothing but its red flags."""
        suspected = suspect(intake.notes, self._protocols.red_flags)
        bare = intake.model_copy(update={"notes": None})
        case = Case(bare, present(bare), arrival.time, suspected, self._standing())
        verdict = judge(case, self._protocols)
        known = next((v for v in self._state.versions if v.intake_id == intake.intake_id), None)
        stamp = arrival.time, arrival.id
        if known is not None and stamp < (known.time, known.event_id):
            if self._add_flags(verdict.own_flags, arrival.time):
                self._outcome = "handled"
                self._review_current(arrival.time)
            return
        self._outcome = "handled"
        self._rule = _rule(verdict)
        self._remember(Version(intake_id=intake.intake_id, time=arrival.time, event_id=arrival.id))
        leads = self._state.current is None or stamp >= (self._state.current.time, self._state.current.event_id)
        rationale = self._publish(case, verdict, arrival.time)
        added = self._add_flags(verdict.own_flags, arrival.time)
        if leads:
            self._change(
                current=Current(
                    intake_id=intake.intake_id,
                    time=arrival.time,
                    event_id=arrival.id,
                    facts=bare.model_dump_json(),
                    suspected=suspected,
                    disposition=verdict.disposition,
                    flags=tuple(flag.red_flag_id for flag in verdict.flags),
                    classified_at=arrival.time,
                )
            )
            self._follow(case, verdict, rationale, arrival.time)
        elif added:
            self._review_current(arrival.time)
        self._answer_waiting(intake.intake_id)

    def take_salvaged(self, salvaged: FlagsSalvaged) -> None:
        """Red flags of an intake that is otherwise rejected act at once."""
        flags = tuple(
            Flag(red_flag_id=red_flag_id, urgency=urgency, source="reported", time=salvaged.time)
            for red_flag_id, urgency in sorted(salvaged.red_flags)
        )
        if self._add_flags(flags, salvaged.time):
            self._outcome = "handled"
            self._rule = _row(flags)
            self._review_current(salvaged.time)

    def take_decision(self, arrival: Arrival, decided: ClinicianDecided) -> None:
        """A clinician's word on an escalation of ours, on an intake, or on all care."""
        kind = decided.decision
        if kind in ("refer", "discharge"):
            self._settle(kind, decided.decision_id, arrival.time, intake_id=None)
            return
        named = next((e for e in self._state.escalations if e.escalation_id == decided.escalation_id), None)
        if kind in RESOLVING and named is not None:
            self._close(named, kind, decided.decision_id, arrival.time)
        if kind not in ("approve", "reclassify") or decided.intake_id is None:
            return
        if any(version.intake_id == decided.intake_id for version in self._state.versions):
            self._settle(kind, decided.decision_id, arrival.time, intake_id=decided.intake_id)
        elif named is None:
            self._wait(arrival, decided, decided.intake_id)

    def expire(self) -> None:
        """Decisions whose intake has not come within the late window are rejected."""
        if any(w.time + self._late_window <= self._now for w in self._state.waiting):
            self._outcome = "handled"

    def conclude(self, before: IntakeState | None) -> Decision[IntakeState]:
        """The decision, with the timer that what still waits needs."""
        self._reject_overdue()
        state = None if before is None and self._state == IntakeState() else self._state
        timers = {}
        if self._state.waiting:
            first = min(waiting.time for waiting in self._state.waiting) + self._late_window
            timers[WAITING_TIMER] = first.replace(microsecond=0) + timedelta(seconds=first.microsecond > 0)
        return Decision(
            state=state,
            drafts=tuple(self._drafts),
            timers=timers,
            rejections=tuple(self._rejections),
            outcome=self._outcome,
            rule=self._rule,
        )

    # ---- classification ----

    def _publish(self, case: Case, verdict: Verdict, time: datetime) -> str:
        """Returns the rationale, which an escalation repeats."""
        data = classify(case, verdict, self._protocols)
        self._drafts.append(Draft(data=data, time=time, key=data.intake_id))
        return data.rationale

    def _review_current(self, time: datetime) -> None:
        """Classifies the newest intake again where red flags that came late change what follows."""
        current = self._state.current
        if current is None:
            return
        intake = IntakeSubmitted.model_validate_json(current.facts)
        case = Case(intake, present(intake), current.time, current.suspected, self._standing())
        verdict = judge(case, self._protocols)
        flags = tuple(flag.red_flag_id for flag in verdict.flags)
        if (verdict.disposition, flags) == (current.disposition, current.flags):
            return
        # Readers let the newest classification win and break ties by id: one microsecond makes this one newer.
        newest = max(time, current.classified_at + timedelta(microseconds=1))
        rationale = self._publish(case, verdict, newest)
        self._change(
            current=msgspec.structs.replace(current, disposition=verdict.disposition, flags=flags, classified_at=newest)
        )
        self._follow(case, verdict, rationale, newest)

    def _follow(self, case: Case, verdict: Verdict, rationale: str, time: datetime) -> None:
        """Reviews follow the newest intake: what it needs is open, what it no longer needs is superseded."""
        needed = reason_for(verdict)
        for reason in REVIEW_REASONS:
            standing = self._find(reason)
            if standing is not None and reason != needed:
                self._drop(standing)
                self._drafts.append(resolve(standing, "superseded", None, time))
            elif standing is not None:
                self._put(msgspec.structs.replace(standing, time=case.time, intake_id=case.intake.intake_id))
            elif reason == needed and not self._is_settled(reason, case.time) and not self._is_quiet(reason, case.time):
                opened = OpenEscalation(
                    escalation_id=self._escalation_id(reason),
                    reason=reason,
                    severity="routine",
                    time=case.time,
                    intake_id=case.intake.intake_id,
                )
                self._put(opened)
                self._drafts.append(
                    raise_review(opened, case.intake, verdict, rationale, time, self._now, self._protocols)
                )

    # ---- red flags ----

    def _standing(self) -> tuple[Flag, ...]:
        standing = self._find("red_flag")
        return standing.flags if standing else ()

    def _add_flags(self, told: tuple[Flag, ...], time: datetime) -> bool:
        """Opens the red flag escalation or adds to it; says whether anything was added."""
        flags = tuple(flag for flag in told if not self._is_settled(flag.red_flag_id, flag.time))
        if not flags:
            return False
        before = self._find("red_flag")
        if before is None:
            opened = OpenEscalation(
                escalation_id=self._escalation_id("red_flag"),
                reason="red_flag",
                severity=severity_of(flags),
                time=time,
                flags=flags,
            )
            if self._is_quiet("red_flag", max(flag.time for flag in flags), opened):
                return False
            self._put(opened)
            self._drafts.append(raise_flags(opened, time, self._now, self._protocols))
            return True
        after = grow(before, gather(before.flags, flags))
        after = msgspec.structs.replace(after, time=max(before.time, time))
        self._put(after)
        if is_worse(before, after):
            self._drafts.append(raise_flags(after, time, self._now, self._protocols))
        return after != before

    # ---- clinicians' decisions ----

    def _settle(self, kind: DecisionKind, decision_id: str, time: datetime, *, intake_id: str | None) -> None:
        """Settles what was told up to `time`, of one intake or of all."""
        for reason in REVIEW_REASONS:
            self._mark_settled(reason, time)
        self._outcome = "handled"
        for standing in self._state.escalations:
            if standing.reason in REVIEW_REASONS:
                if standing.time <= time and intake_id in (None, standing.intake_id):
                    self._close(standing, kind, decision_id, time)
                continue
            left = tuple(flag for flag in standing.flags if flag.time > time or intake_id not in (None, flag.intake_id))
            if not left:
                self._close(standing, kind, decision_id, time)
                continue
            for flag in standing.flags:
                if flag not in left:
                    self._mark_settled(flag.red_flag_id, time)
            self._put(msgspec.structs.replace(standing, flags=left))

    def _close(self, standing: OpenEscalation, kind: DecisionKind, decision_id: str, time: datetime) -> None:
        """Closes one escalation, whatever the clocks of patient and clinician say about their order."""
        self._outcome = "handled"
        self._drop(standing)
        keys = [flag.red_flag_id for flag in standing.flags] or [standing.reason]
        for key in keys:
            self._mark_settled(key, max(time, standing.time))
        if kind == "continue":
            weeks = self._protocols.screening.quiet_weeks_after_continue.value
            quiet = Quiet(
                reason=standing.reason,
                until=time + timedelta(weeks=weeks),
                severity=standing.severity,
                flags=tuple(flag.red_flag_id for flag in standing.flags),
            )
            others = (known for known in self._state.quiet if known.reason != standing.reason)
            self._change(quiet=tuple(sorted((*others, quiet), key=lambda known: known.reason)))
        self._drafts.append(resolve(standing, kind, decision_id, max(time, standing.time)))

    def _wait(self, arrival: Arrival, decided: ClinicianDecided, intake_id: str) -> None:
        waiting = Waiting(
            decision_id=decided.decision_id,
            decision=decided.decision,
            intake_id=intake_id,
            time=arrival.time,
            stream=arrival.origin.stream,
            entry_id=arrival.origin.entry_id,
            raw=arrival.origin.raw,
        )
        queue = sorted((*self._state.waiting, waiting), key=lambda w: (w.time, w.decision_id))
        for crowded in queue[:-WAITING_AT_MOST]:
            self._reject(crowded)
        self._change(waiting=tuple(queue[-WAITING_AT_MOST:]))
        self._outcome = "waiting"

    def _answer_waiting(self, intake_id: str) -> None:
        """Applies the decisions that came before the intake they name, in order of their time."""
        for waiting in self._state.waiting:
            if waiting.intake_id == intake_id:
                self._settle(waiting.decision, waiting.decision_id, waiting.time, intake_id=intake_id)
        self._change(waiting=tuple(w for w in self._state.waiting if w.intake_id != intake_id))

    def _reject_overdue(self) -> None:
        overdue = [w for w in self._state.waiting if w.time + self._late_window <= self._now]
        for waiting in overdue:
            self._reject(waiting)
        if overdue:
            self._change(waiting=tuple(w for w in self._state.waiting if w not in overdue))
            if self._outcome == "waiting":
                self._outcome = "rejected"

    def _reject(self, waiting: Waiting) -> None:
        self._rejections.append(
            Rejection(
                code="unknown_intake",
                path="$.data.intake_id",
                message="no intake of this id has come within the late window",
                origin=Origin(waiting.stream, waiting.entry_id, waiting.raw),
            )
        )

    # ---- state ----

    def _change(self, **changes: object) -> None:
        self._state = msgspec.structs.replace(self._state, **changes)

    def _find(self, reason: EscalationReason) -> OpenEscalation | None:
        return next((e for e in self._state.escalations if e.reason == reason), None)

    def _put(self, escalation: OpenEscalation) -> None:
        others = (e for e in self._state.escalations if e.reason != escalation.reason)
        self._change(escalations=tuple(sorted((*others, escalation), key=lambda e: e.reason)))

    def _drop(self, escalation: OpenEscalation) -> None:
        self._change(escalations=tuple(e for e in self._state.escalations if e.reason != escalation.reason))

    def _remember(self, version: Version) -> None:
        others = (v for v in self._state.versions if v.intake_id != version.intake_id)
        newest = sorted((*others, version), key=lambda v: (v.time, v.event_id))[-VERSIONS_AT_MOST:]
        self._change(versions=tuple(newest))

    def _mark_settled(self, key: str, time: datetime) -> None:
        known = {settled.key: settled.time for settled in self._state.settled}
        known[key] = max(time, known.get(key, time))
        self._change(settled=tuple(Settled(key=k, time=known[k]) for k in sorted(known)))

    def _is_settled(self, key: str, time: datetime) -> bool:
        return any(settled.key == key and time <= settled.time for settled in self._state.settled)

    def _is_quiet(self, reason: EscalationReason, time: datetime, opened: OpenEscalation | None = None) -> bool:
        quiet = next((known for known in self._state.quiet if known.reason == reason), None)
        if quiet is None or time >= quiet.until:
            return False
        if opened is None:
            return True
        return rank(opened.severity) <= rank(quiet.severity) and all(
            flag.red_flag_id in quiet.flags for flag in opened.flags
        )

    def _escalation_id(self, reason: EscalationReason) -> str:
        return derive_id("escalation", self._incoming.subject, reason, self._incoming.id)


def _rule(verdict: Verdict) -> str:
    """The id of the rule that decided, for the log line."""
    if verdict.flags:
        return _row(verdict.flags)
    if verdict.contradicted:
        return "contradiction"
    if verdict.route:
        return "C8" if verdict.route[0].route == "lumbar" else "C9"
    if verdict.reviews:
        return verdict.reviews[0].source[0]
    if verdict.primary is None or verdict.lacking:
        return "C6"
    if verdict.disposition == "more_information":
        return "unknown_flags"
    return "C7" if verdict.mixed else "BANDS"


def _row(flags: tuple[Flag, ...]) -> str:
    """The evidence row of the most urgent red flag."""
    leading = min(flags, key=lambda flag: (-rank(weigh(flag)), flag.red_flag_id))
    return vocabulary().red_flags[leading.red_flag_id].evidence.split(", ")[0]
