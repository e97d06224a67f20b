"""A cohort of virtual patients, each cared for under three plans: the entry to the simulation.

    for adaptive, fixed, naive in simulate(patients=1000, weeks=20, seed=1, model="tissue"):
        ...

`simulate` yields, in order of patient number, the `Course` of one patient under the adaptive, the fixed and the
naive plan. The same arguments give the same courses, however many processes there are: every patient's chance comes
from the seed and the patient's number alone.
"""

import gc
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from shared.protocol.library import Protocols, load_protocols, shipped_protocols
from shared.service import Service
from shared.settings import Settings
from shared.simulation.care import Care
from shared.simulation.comparison import follow
from shared.simulation.course import Archetype, Course, Plan
from shared.simulation.diary import Diary, is_meaningful
from shared.simulation.latent import Model
from shared.simulation.patient import Patient, draw_patient
from shared.simulation.truth import adequate_day, responds
from shared.stream.discovery import load_services

SERVICES = ("intake", "planner", "progression")
"""Who decides on care; the notifier, which tells people of it, would only cost time."""
CHUNK = 10
"""Patients that one process takes at a time."""


@dataclass(frozen=True, slots=True)
class _Task:
    numbers: range
    weeks: int
    seed: int
    model: Model
    mix: tuple[tuple[Archetype, float], ...] | None


def simulate(
    patients: int,
    weeks: int,
    seed: int,
    *,
    model: Model = "tissue",
    mix: Mapping[Archetype, float] | None = None,
    protocols: Path | None = None,
    processes: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Iterator[tuple[Course, ...]]:
    """The adaptive, fixed and naive course of each patient. `progress` hears how many patients are done.

    `protocols`: a folder of protocol files, the shipped ones where none is named. Each process reads it for itself,
    since what was read from it cannot be handed on. `processes`: as many as there are processors, unless told; 1 stays
    in this one.
    """
    shares = None if mix is None else tuple(sorted(mix.items()))
    starts = range(0, patients, CHUNK)
    tasks = [_Task(range(at, min(at + CHUNK, patients)), weeks, seed, model, shares) for at in starts]
    wanted = min(processes or os.cpu_count() or 1, len(tasks))
    done = 0
    for courses in _run(tasks, protocols, wanted):
        done += len(courses)
        progress(done)
        yield from courses


def live_through(patient: Patient, model: Model, weeks: int, protocols: Protocols) -> tuple[Course, ...]:
    """One patient under the three plans."""
    care = Care(patient, model, _services(), protocols, weeks)
    care.live()
    can_respond = responds(patient, model, weeks)
    program = care.first or {}
    per_week = program.get("schedule", {}).get("sessions_per_week", 1)
    adaptive = _course(
        patient,
        "adaptive",
        care.diary,
        care.tally.sessions_due,
        can_respond,
        care.inbox.disposition or "none",
        adequate_day=adequate_day(care.tally, care.first),
        alerts=tuple(care.tally.alerts),
        ended_day=care.tally.ended_day,
        red_flag_day=care.tally.red_flag_day,
        unsafe_progressions=care.tally.unsafe_progressions,
    )
    others = []
    plans: tuple[Plan, ...] = ("fixed", "naive")
    for plan in plans:
        diary, due = follow(patient, model, care.first_prescription, per_week, plan, weeks, protocols)
        others.append(_course(patient, plan, diary, due, can_respond, adaptive.disposition))
    return (adaptive, *others)


def _course(
    patient: Patient, plan: Plan, diary: Diary, due: int, can_respond: bool, disposition: str, **adaptive: Any
) -> Course:
    nothing: dict[str, Any] = dict.fromkeys(("adequate_day", "ended_day", "red_flag_day"))
    more = nothing | {"alerts": (), "unsafe_progressions": 0} | adaptive
    return Course(
        patient=patient.number,
        archetype=patient.archetype,
        condition_id=patient.presentation.condition_ids[0],
        plan=plan,
        disposition=disposition,
        pain_nprs=tuple(diary.pain_nprs),
        capacity=tuple(diary.capacity),
        load=tuple(diary.load),
        status=tuple(diary.status),
        flare_days=diary.flare_days,
        sessions_due=due,
        sessions_done=diary.sessions_done,
        responds=can_respond,
        has_meaningful_change=is_meaningful(diary.pain_nprs[0], diary.pain_nprs[-1]),
        **more,
    )


def _run(tasks: list[_Task], folder: Path | None, processes: int) -> Iterator[list[tuple[Course, ...]]]:
    if processes <= 1:
        protocols = _read(folder)
        for task in tasks:
            yield _live(task, protocols)
        return
    pool = ProcessPoolExecutor(processes, initializer=_take_up, initargs=(folder,))
    try:
        futures: list[Future[list[tuple[Course, ...]]]] = [pool.submit(_live_here, task) for task in tasks]
        for future in futures:
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


_PROTOCOLS: list[Protocols] = []
"""Of a worker process: read once, when it starts."""


def _read(folder: Path | None) -> Protocols:
    return shipped_protocols() if folder is None else load_protocols(folder)


def _take_up(folder: Path | None) -> None:
    _PROTOCOLS[:] = [_read(folder)]
    _services()
    # What is loaded by now lives as long as the process: collecting it again and again costs a twentieth of the time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)


def _live_here(task: _Task) -> list[tuple[Course, ...]]:
    return _live(task, _PROTOCOLS[0])


def _live(task: _Task, protocols: Protocols) -> list[tuple[Course, ...]]:
    mix = None if task.mix is None else dict(task.mix)
    return [
        live_through(draw_patient(number, task.weeks, task.seed, mix), task.model, task.weeks, protocols)
        for number in task.numbers
    ]


@cache
def _services() -> tuple[Service[Any], ...]:
    settings = Settings(clock="replay")
    return tuple(make(settings) for make in load_services(SERVICES).values())
