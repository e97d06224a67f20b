"""What one event changes in an episode's registers. Each is a maximum, a minimum or a union: order is no matter."""

from typing import TypeVar

import msgspec

from services.planner.domain.state import Chosen, Classified, Episode, Reclassified, Stamp, ToleratedLoad
from shared.event.classification import ConditionClassified
from shared.event.decision import ClinicianDecided
from shared.event.program import ProgramChanged, ProgramPlanned

R = TypeVar("R", Chosen, Reclassified)


def classify(episode: Episode | None, at: Stamp, data: ConditionClassified) -> Episode:
    """A newer classification replaces an older one; an older one that arrives late changes nothing but the start."""
    bare = data.model_copy(update={"rationale": "", "references": (), "next_findings": ()})
    classified = Classified(at, bare.model_dump_json().encode())
    if episode is None:
        return Episode(data.intake_id, at, classified)
    newest = classified if at > episode.classified.at else episode.classified
    return msgspec.structs.replace(episode, first_at=min(at, episode.first_at), classified=newest)


def classification_of(episode: Episode) -> ConditionClassified:
    return ConditionClassified.model_validate_json(episode.classified.body)


def take_decision(episode: Episode, at: Stamp, data: ClinicianDecided) -> Episode:
    """A decision on this episode."""
    match data.decision:
        case "approve":
            return msgspec.structs.replace(episode, approved=_latest(episode.approved, at))
        case "reclassify":
            chosen = Reclassified(at, tuple(dict.fromkeys(data.conditions)))
            return msgspec.structs.replace(episode, reclassified=_newer(episode.reclassified, chosen))
        case "modify":
            return _modify(episode, at, data)
        case "refer" | "discharge":
            return end(episode, at)
        case _:
            return episode


def end(episode: Episode, at: Stamp) -> Episode:
    """The earliest end stands."""
    return msgspec.structs.replace(episode, ended=at if episode.ended is None else min(at, episode.ended))


def follow(episode: Episode, at: Stamp, data: ProgramPlanned | ProgramChanged) -> Episode:
    """What has become of the program since it was planned."""
    episode = msgspec.structs.replace(episode, version_seen=max(episode.version_seen, data.version))
    if data.status == "ended":
        is_withdrawn = episode.published is not None and episode.published.status == "ended"
        return episode if is_withdrawn else end(episode, at)
    if data.status == "active" and episode.published is not None and data.version > episode.published.version:
        resumed = msgspec.structs.replace(episode.published, status="active", version=data.version)
        episode = msgspec.structs.replace(episode, published=resumed)
    if not data.prescription or data.prescription_seq <= episode.tolerated_seq:
        return episode
    loads = tuple(
        ToleratedLoad(e.exercise_id, e.equipment, e.load_kg, e.load_level)
        for e in data.prescription
        if e.load_kg is not None or e.load_level is not None
    )
    return msgspec.structs.replace(episode, tolerated=loads, tolerated_seq=data.prescription_seq)


def _modify(episode: Episode, at: Stamp, data: ClinicianDecided) -> Episode:
    changes = data.changes
    if changes is None:
        return episode
    sessions, factor = episode.sessions_per_week, episode.load_factor
    if changes.sessions_per_week is not None:
        sessions = _newer(sessions, Chosen(at, changes.sessions_per_week))
    if changes.load_factor is not None:
        factor = _newer(factor, Chosen(at, changes.load_factor))
    return msgspec.structs.replace(
        episode,
        modified=_latest(episode.modified, at),
        removed=tuple(sorted({*episode.removed, *changes.remove_exercises})),
        sessions_per_week=sessions,
        load_factor=factor,
    )


def _latest(one: Stamp | None, other: Stamp) -> Stamp:
    return other if one is None else max(one, other)


def _newer(one: R | None, other: R) -> R:
    return other if one is None or other.at > one.at else one
