"""Compares what an episode calls for with what was published, and publishes the difference."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from services.planner.domain.approval import ask_approval, escalation_id_of, resolve_approval
from services.planner.domain.case import Patient, conditions_to_treat
from services.planner.domain.comparison import compare, exercises_of
from services.planner.domain.episode import classification_of
from services.planner.domain.program import change, draw_up, program_id_of
from services.planner.domain.rationale import change_reason
from services.planner.domain.state import Episode, Published, Stamp
from shared.decision import Draft, Numbering
from shared.event.classification import ConditionClassified
from shared.event.decision import ClinicianDecided
from shared.event.explanation import Basis
from shared.event.program import ProgramChanged, ProgramPlanned, ProgramStatus
from shared.protocol.library import Protocols


@dataclass(frozen=True, slots=True)
class Policy:
    """How this installation works."""

    needs_approval: bool = False
    """Every program is proposed until a clinician approves it."""
    late_window: timedelta = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Cause:
    """What leads to a new look at an episode."""

    time: datetime
    decision: ClinicianDecided | None = None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class _Wanted:
    conditions: tuple[str, ...]
    status: ProgramStatus
    because: tuple[Basis, ...]
    """Why it has its status."""
    is_start: bool = False
    by_clinician: bool = False


def settle(episode: Episode, cause: Cause, protocols: Protocols, policy: Policy) -> tuple[Episode, tuple[Draft, ...]]:
    """The episode with what was published for it, and the events that do it."""
    if episode.ended is not None:
        return resolve_approval(episode, cause.time, cause.decision, cause.stopped)
    data = classification_of(episode)
    wanted = _wanted(episode, data, protocols, policy)
    published = episode.published
    if wanted is None:
        if published is not None and published.status == "proposed":
            return withdraw(episode, cause.time, protocols)
        return episode, ()
    if published is not None and not _differs(episode, data, wanted, published):
        return episode, ()
    if published is not None and published.status == "held" and not _reclassified_anew(episode, published):
        return episode, ()  # until a clinician resumes it, which progression publishes
    return _publish(episode, data, wanted, cause, protocols, policy)


def withdraw(episode: Episode, time: datetime, protocols: Protocols) -> tuple[Episode, tuple[Draft, ...]]:
    """Ends a program because a newer intake took its ground away."""
    published = episode.published
    if published is None:
        return episode, ()
    if published.status == "ended":
        return resolve_approval(episode, time, None, False)
    ended, drafts = _withhold(episode, published, "ended", "A newer intake has replaced this program.", time, protocols)
    ended, resolved = resolve_approval(ended, time, None, False)
    return ended, (*drafts, *resolved)


def hold(episode: Episode, time: datetime, protocols: Protocols) -> tuple[Episode, tuple[Draft, ...]]:
    """Holds an active program because a newer classification found a red flag; a clinician resumes it."""
    published = episode.published
    if published is None or published.status != "active" or episode.ended is not None:
        return episode, ()
    return _withhold(
        episode, published, "held", "A red flag was found at intake; a clinician must look first.", time, protocols
    )


def _withhold(
    episode: Episode, published: Published, status: ProgramStatus, reason: str, time: datetime, protocols: Protocols
) -> tuple[Episode, tuple[Draft, ...]]:
    previous, at = _version(episode), max(time, published.time)
    patient = _patient(episode, classification_of(episode), published.conditions, published.is_start, protocols)
    because = (
        Basis(rule="R1", input="disposition", then=status)
        if status == "held"
        else Basis(rule="C7", input="intake_id", then=status),
    )
    payload = change(draw_up(patient, previous + 1, status, because), previous, reason)
    fate = msgspec.structs.replace(published, version=previous + 1, status=status, time=at)
    draft = Draft(payload, at, key=_key(episode, previous + 1), numbering=Numbering.NEXT)
    return msgspec.structs.replace(episode, published=fate), (draft,)


def _wanted(episode: Episode, data: ConditionClassified, protocols: Protocols, policy: Policy) -> _Wanted | None:
    """Which conditions are treated now, if any. A clinician's word binds over the classification."""
    since = episode.classified.at.time
    reclassified = episode.reclassified
    words = {
        "approve": episode.approved,
        "modify": episode.modified,
        "reclassify": reclassified.at if reclassified else None,
    }
    word = next((kind for kind, stamp in words.items() if stamp is not None and stamp.time >= since), None)
    status: ProgramStatus = "proposed" if policy.needs_approval and word is None else "active"
    because: tuple[Basis, ...] = (_status_basis(policy, word),)
    if reclassified is not None:
        known = tuple(c for c in reclassified.conditions if c in protocols.conditions)
        return _Wanted(known, status, because, by_clinician=True) if known else None
    is_approved = episode.approved is not None and episode.approved.time >= since
    if data.disposition != "program" and not is_approved:
        return None
    if not is_approved:
        because += (
            Basis(
                rule="C6",
                input="disposition",
                value="program",
                source=("C6",),
                turned_by="clinician_review",
                then="no program",
            ),
        )
    if data.primary is not None and data.primary in protocols.conditions:
        return _Wanted(conditions_to_treat(data, data.primary, protocols), status, because)
    rated = [r for r in data.conditions if r.condition_id in protocols.conditions]
    if not rated:
        return None
    likeliest = max(rated, key=lambda r: r.probability)
    return _Wanted((likeliest.condition_id,), status, because, is_start=True)


def _status_basis(policy: Policy, word: str | None) -> Basis:
    """Whether someone must look first: the installation's setting, until a clinician has had a word."""
    if word is not None:
        return Basis(rule="APPROVAL", input="decision.decision", value=word, then="active")
    if policy.needs_approval:
        return Basis(rule="APPROVAL", input="CARE_APPROVAL", value="clinician", turned_by="auto", then="active")
    return Basis(rule="APPROVAL", input="CARE_APPROVAL", value="auto", turned_by="clinician", then="proposed")


def _differs(episode: Episode, data: ConditionClassified, wanted: _Wanted, published: Published) -> bool:
    """Other conditions, circumstances or sides, a new word of a clinician, or an approval."""
    return (
        wanted.conditions != published.conditions
        or wanted.is_start != published.is_start
        or _modifiers(data) != published.modifiers
        or data.intake.side != published.side
        or _reclassified_anew(episode, published)
        or published.status == "ended"
        or (published.status == "proposed" and wanted.status == "active")
    )


def _publish(
    episode: Episode,
    data: ConditionClassified,
    wanted: _Wanted,
    cause: Cause,
    protocols: Protocols,
    policy: Policy,
) -> tuple[Episode, tuple[Draft, ...]]:
    before = episode.published
    previous = _version(episode)
    version = previous + 1
    time = max(cause.time, before.time) if before else cause.time
    patient = _patient(episode, data, wanted.conditions, wanted.is_start, protocols, policy)
    planned = draw_up(patient, version, wanted.status, wanted.because)
    payload: ProgramPlanned | ProgramChanged = planned
    if before is not None:
        payload = change(planned, previous, _reason(episode, patient, wanted, before, planned))
    drafts = (Draft(payload, time, key=_key(episode, version), numbering=Numbering.NEXT),)
    episode = msgspec.structs.replace(
        episode,
        planned=exercises_of(planned),
        published=Published(
            version=version,
            status=wanted.status,
            conditions=wanted.conditions,
            is_start=wanted.is_start,
            modifiers=_modifiers(data),
            side=data.intake.side,
            reclassified_by=_reclassified_by(episode),
            versions=tuple((p.condition_id, p.version) for p in patient.treated),
            time=time,
        ),
    )
    if wanted.status == "proposed":
        if episode.escalation_id is not None:
            return episode, drafts
        asked = escalation_id_of(episode.intake_id, version)
        raised = ask_approval(asked, planned, patient, time, protocols)
        return msgspec.structs.replace(episode, escalation_id=asked), (*drafts, raised)
    episode, resolved = resolve_approval(episode, time, cause.decision, False)
    return episode, (*drafts, *resolved)


def _patient(
    episode: Episode,
    data: ConditionClassified,
    conditions: tuple[str, ...],
    is_start: bool,
    protocols: Protocols,
    policy: Policy | None = None,
) -> Patient:
    since = episode.classified.at.time
    if episode.reclassified is not None:
        since = max(since, episode.reclassified.at.time)
    factor = episode.load_factor
    applies = policy is not None and policy.needs_approval and factor is not None and factor.at.time >= since
    sessions = episode.sessions_per_week
    published = episode.published
    return Patient(
        protocols=protocols,
        classification=data,
        conditions=conditions,
        chosen_by_clinician=episode.reclassified is not None,
        is_start=is_start,
        versions=published.versions if published is not None else (),
        removed=frozenset(episode.removed),
        sessions_per_week=int(sessions.value) if sessions else None,
        load_factor=factor.value if factor is not None and applies else 1.0,
        tolerated=episode.tolerated if published is not None and published.status != "proposed" else (),
    )


def _reason(episode: Episode, patient: Patient, wanted: _Wanted, before: Published, planned: ProgramPlanned) -> str:
    same = before.conditions == wanted.conditions and before.is_start == wanted.is_start
    if same and before.status == "proposed" and wanted.status == "active":
        return "A clinician has approved the program."
    reason = change_reason(patient, before.conditions if not before.is_start else ())
    comparison = compare(patient, episode.planned, planned.prescription)
    return " ".join(filter(None, (reason, comparison)))


def _version(episode: Episode) -> int:
    """The program's highest version so far; 0 before the first."""
    published = episode.published
    return max(published.version, episode.version_seen) if published else 0


def _reclassified_anew(episode: Episode, published: Published) -> bool:
    return _reclassified_by(episode) != published.reclassified_by


def _modifiers(data: ConditionClassified) -> tuple[str, ...]:
    return tuple(sorted(set(data.intake.modifiers)))


def _reclassified_by(episode: Episode) -> str:
    return episode.reclassified.at.id if episode.reclassified else ""


def _key(episode: Episode, version: int) -> str:
    return f"{program_id_of(episode.intake_id)}/{version}"


def replaces(newer: Episode, older: Episode) -> bool:
    """A later intake's program replaces the earlier one's; a proposal replaces no more than a proposal."""
    published, before = newer.published, older.published
    if published is None or published.status == "ended" or _order(newer) <= _order(older):
        return False
    return published.status == "active" or before is None or before.status == "proposed"


def _order(episode: Episode) -> tuple[Stamp, str]:
    return episode.first_at, episode.intake_id
