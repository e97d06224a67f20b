"""What a journey led to, read from what the services published."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.event.adjustment import LoadAdjusted, Response
from shared.event.classification import ConditionClassified
from shared.event.envelope import Event
from shared.event.escalation import EscalationRaised
from shared.event.program import ProgramChanged, ProgramPlanned
from shared.event.vocabulary import URGENCIES
from shared.event.wire import Stream
from shared.stream.pure_pipeline import PurePipeline, time_of
from tests.journeys.case import Case, Expected


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything published for one patient, by kind, in order."""

    classified: tuple[ConditionClassified, ...]
    programs: tuple[ProgramPlanned | ProgramChanged, ...]
    adjustments: tuple[Event[LoadAdjusted], ...]
    raised: tuple[Event[EscalationRaised], ...]
    refused: tuple[str, ...]

    @property
    def responses(self) -> tuple[Response, ...]:
        return tuple(adjusted.data.response for adjusted in self.adjustments)


def outcome(pipeline: PurePipeline) -> Outcome:
    """Sorts what a pipeline published."""

    def of(stream: Stream, *kinds: type) -> list[Event[Any]]:
        return [event for event in pipeline.published(stream) if isinstance(event.data, kinds)]

    return Outcome(
        classified=tuple(event.data for event in of(Stream.CLASSIFICATIONS, ConditionClassified)),
        programs=tuple(event.data for event in of(Stream.PROGRAMS, ProgramPlanned, ProgramChanged)),
        adjustments=tuple(of(Stream.ADJUSTMENTS, LoadAdjusted)),
        raised=tuple(of(Stream.ESCALATIONS, EscalationRaised)),
        refused=tuple(
            f"{one.data.service}: {one.data.error.code} at {one.data.error.path}: {one.data.error.message}"
            for one in pipeline.published(Stream.DEAD_LETTERS)
        ),
    )


def deviations(case: Case, found: Outcome) -> list[str]:
    """Every way in which the course differs from what the published case demands; empty is as it should be."""
    expected = case.expected
    return [
        *(f"rejected: {one}" for one in found.refused),
        *_of_classification(expected, found),
        *_of_program(expected, found),
        *_of_responses(expected, found),
        *_of_escalations(expected, found),
    ]


def _of_classification(expected: Expected, found: Outcome) -> list[str]:
    if not found.classified:
        return ["the intake was not classified"]
    first = found.classified[0]
    wrong: list[str] = []
    allowed = (expected.disposition,) if isinstance(expected.disposition, str) else expected.disposition
    if first.disposition not in allowed:
        wrong.append(f"disposition {first.disposition}, expected {' or '.join(allowed)}")
    if expected.primary and first.primary not in expected.primary:
        wrong.append(f"primary {first.primary}, expected {expected.primary}")
    leading = first.conditions[0].condition_id
    if expected.leading is not None and leading != expected.leading:
        wrong.append(f"{leading} leads, expected {expected.leading}")
    if leading in expected.not_leading:
        wrong.append(f"{leading} leads and must not")
    if expected.mixed is not None and first.mixed is not expected.mixed:
        wrong.append(f"mixed {first.mixed}")
    if expected.referral_route is not None and first.referral_route != expected.referral_route:
        wrong.append(f"referral route {first.referral_route}")
    return wrong


def _of_program(expected: Expected, found: Outcome) -> list[str]:
    if bool(found.programs) is not expected.program:
        return [f"{len(found.programs)} programs, expected {'one' if expected.program else 'none'}"]
    wrong: list[str] = []
    if found.programs and expected.conditions and found.programs[-1].conditions != expected.conditions:
        wrong.append(f"program for {found.programs[-1].conditions}, expected {expected.conditions}")
    last = found.programs[-1].status if found.programs else None
    if expected.program_held and "held" not in [program.status for program in found.programs]:
        wrong.append("the program was never held")
    if expected.last_program_status is not None and last != expected.last_program_status:
        wrong.append(f"the program is {last} in the end, expected {expected.last_program_status}")
    return wrong


def _of_responses(expected: Expected, found: Outcome) -> list[str]:
    wrong: list[str] = []
    for reach in expected.reach:
        weeks = [response.week for response in found.responses if response.status == reach.status]
        if not any(reach.weeks[0] <= week <= reach.weeks[1] for week in weeks):
            wrong.append(f"{reach.status} never in weeks {reach.weeks}; it was in {weeks[:5]}")
        if any(week < reach.weeks[0] for week in weeks):
            wrong.append(f"{reach.status} already in week {min(weeks)}")
    for status in expected.never:
        weeks = [response.week for response in found.responses if response.status == status]
        if weeks:
            wrong.append(f"{status} in weeks {sorted(set(weeks))}")
    if expected.last:
        last = found.responses[-1].status if found.responses else None
        if last not in expected.last:
            wrong.append(f"{last} in the end, expected {' or '.join(expected.last)}")
    return wrong


def _of_escalations(expected: Expected, found: Outcome) -> list[str]:
    reasons = [raised.data.reason for raised in found.raised]
    wrong = [f"{reason} was not escalated" for reason in expected.escalations if reason not in reasons]
    wrong += [
        f"{raised.data.reason} was escalated at {raised.time.isoformat()}: {raised.data.sbar.situation}"
        for raised in found.raised
        if raised.data.reason in expected.no_escalations
    ]
    known = {flag.red_flag_id for classified in found.classified for flag in classified.red_flags}
    told = known | {
        str(flag)
        for raised in found.raised
        for value in raised.data.evidence.values()
        for flag in (value if isinstance(value, list | tuple) else [value])
    }
    wrong += [f"the red flag {flag} did not fire" for flag in expected.red_flags if flag not in told]
    if expected.severity is not None:
        highest = max((raised.data.severity for raised in found.raised), key=URGENCIES.index, default=None)
        if highest != expected.severity:
            wrong.append(f"severity {highest}, expected {expected.severity}")
    return wrong


def shuffled(raws: Sequence[bytes]) -> list[bytes]:
    """Every block of ten days the other way round: nothing comes later than the late window allows."""
    intake, rest = raws[0], raws[1:]
    start = time_of(intake)
    blocks: dict[int, list[bytes]] = {}
    for raw in rest:
        blocks.setdefault((time_of(raw) - start).days // 10, []).append(raw)
    return [intake, *(raw for number in sorted(blocks) for raw in reversed(blocks[number]))]


def last_adjustment(raws: Sequence[bytes]) -> dict[str, Any]:
    """What the last adjustment holds; its number counts how often a prescription was renewed on the way."""
    adjusted = [e["data"] for e in map(json.loads, raws) if e["type"] == LoadAdjusted.event_type]
    return {key: adjusted[-1][key] for key in ("program_id", "phase_id", "prescription", "response")}
