"""Compares what lies in the streams after a run with what lies there when nothing fails.

From the streams alone: of Redis nothing is read but the entries, the groups' backlog, the number of keys and the
memory. What is held equal, and why just that, is told in docs/chaos.md.
"""

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from shared.event.wire import Stream
from shared.stream.history import Entry, read_history
from shared.stream.idle import busy_groups
from shared.stream.key import stream_key
from tests.chaos.workload import OUTPUTS, Workload, Written

Json = dict[str, Any]
RESPONSE = ("status", "week", "sessions_done", "adherence", "adherence_4w", "pain_trend_per_week")


@dataclass(slots=True)
class Ending:
    """How care stands for one patient in the end."""

    disposition: Any = None
    programs: dict[str, Json] = field(default_factory=dict)
    """Program id to status, conditions, and the prescription in force."""
    reasons: dict[str, str] = field(default_factory=dict)
    """By the id of each open escalation."""
    open: set[tuple[str, str]] = field(default_factory=set)
    """Reason and severity of the escalations that nobody has resolved."""
    goals: set[str] = field(default_factory=set)
    adjusted: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many adjustments name a session, by the session and the event that caused them."""
    numbers: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Prescription numbers by program, in no order."""


@dataclass(frozen=True, slots=True)
class Size:
    """What Redis holds in the end."""

    keys: int
    state_bytes: int
    """Of everything but the contract's streams: what grows with patients, and not with the length of their care."""


KEYS_EACH = 14
"""Keys for each patient at most: records, marks, ledger and numbers of four services."""
KEYS_BESIDE = 60
"""Keys for each partition at most, and as many beside: streams, timers, lists, groups."""
STATE_BYTES_EACH = 64 * 1024
"""Bytes for each patient at most."""


@dataclass(slots=True)
class Verdict:
    """Everything that is not as it is without faults; at best nothing. `figures` are for people."""

    violations: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)

    def expect(self, holds: bool, violation: str) -> None:
        if not holds:
            self.violations.append(violation)


async def judge(client: Redis, workload: Workload) -> Verdict:
    """Reads all streams and compares."""
    verdict = Verdict()
    for busy in await busy_groups(client, workload.partitions):
        verdict.violations.append(f"not handled: {busy}")
    entries = [entry async for entry in read_history(client, workload.partitions)]
    inputs = [entry for entry in entries if entry.stream not in OUTPUTS]
    outputs = [entry for entry in entries if entry.stream in OUTPUTS]
    written = await numbers(client, workload)
    for n, times in sorted((Counter(entry.number for entry in workload.entries) - Counter(written.values())).items()):
        verdict.violations.append(f"{times} of entry {n} that Redis acknowledged is gone from its stream")
    _judge_ids(verdict, outputs)
    _judge_letters(verdict, workload, written, [one for one in outputs if one.stream is Stream.DEAD_LETTERS])
    found = endings((one.stream, one.event) for one in outputs if one.event)
    _judge_endings(verdict, found, endings(_told(workload)))
    size = await measure(client)
    patients = workload.patients + len([entry for entry in workload.entries if entry.poison])  # some have a patient
    most = Size(
        KEYS_EACH * patients + KEYS_BESIDE * (workload.partitions + 1), STATE_BYTES_EACH * (patients + KEYS_BESIDE)
    )
    verdict.expect(size.keys <= most.keys, f"{size.keys} keys, and no more than {most.keys} are bounded")
    verdict.expect(
        size.state_bytes <= most.state_bytes,
        f"{size.state_bytes} bytes of state, and no more than {most.state_bytes} are bounded",
    )
    verdict.figures |= {
        "input entries": len(inputs),
        "output entries": len(outputs),
        "adjustments": sum(one.stream is Stream.ADJUSTMENTS for one in outputs),
        "escalation events": sum(one.stream is Stream.ESCALATIONS for one in outputs),
        "notifications": sum(one.stream is Stream.NOTIFICATIONS for one in outputs),
        "dead letters": sum(one.stream is Stream.DEAD_LETTERS for one in outputs),
        "patients": workload.patients,
        "keys": size.keys,
        "KiB of state": size.state_bytes // 1024,
    }
    return verdict


async def measure(client: Redis) -> Size:
    """Keys of all masters, and the memory of what is no stream of the contract."""
    keys = state_bytes = 0
    streams = {stream.value for stream in Stream}
    async for key in client.scan_iter(count=1000):
        keys += 1
        if key.decode().rpartition(":")[2] not in streams:
            state_bytes += int(await client.memory_usage(key, samples=0) or 0)
    return Size(keys, state_bytes)


def endings(told: Iterable[tuple[Stream, Json]]) -> dict[str, Ending]:
    """Each patient's ending, from events in the order of their streams."""
    found: dict[str, Ending] = defaultdict(Ending)
    newest: dict[str, tuple[int, Json]] = {}
    for stream, event in told:
        ending, data = found[event["subject"]], event["data"]
        match stream:
            case Stream.CLASSIFICATIONS:
                ending.disposition = (data["disposition"], data["primary"], data["mixed"])
            case Stream.PROGRAMS:
                program = ending.programs.setdefault(data["program_id"], {})
                if data["version"] >= program.get("version", 0):
                    program |= {name: data[name] for name in ("version", "status", "conditions")}
            case Stream.ESCALATIONS:
                _escalate(ending, event["type"], data)
            case Stream.ADJUSTMENTS if event["type"] == "care.goal.reached.v1":
                ending.goals.add(data["goal_id"])
            case Stream.ADJUSTMENTS:
                if data["session_id"]:
                    ending.adjusted[data["session_id"], event["causationid"]] += 1
        if "prescription" in data and data.get("prescription_seq"):
            program_id, number = data["program_id"], data["prescription_seq"]
            if not data.get("late"):
                ending.numbers[program_id].append(number)
            if number >= newest.get(program_id, (0, {}))[0]:
                newest[program_id] = number, data
    for ending in found.values():
        for program_id, program in ending.programs.items():
            _, data = newest.get(program_id, (0, {}))
            program["prescription"] = data.get("prescription")
            if "response" in data:
                program["response"] = {name: data["response"].get(name) for name in RESPONSE}
    return dict(found)


def _escalate(ending: Ending, kind: str, data: Json) -> None:
    if kind == "care.escalation.raised.v1":
        ending.open = {one for one in ending.open if one[0] != data["reason"]} | {(data["reason"], data["severity"])}
        ending.reasons[data["escalation_id"]] = data["reason"]
    elif kind == "care.escalation.resolved.v1":
        reason = ending.reasons.pop(data["escalation_id"], None)
        ending.open = {one for one in ending.open if one[0] != reason}


def _told(workload: Workload) -> Iterable[tuple[Stream, Json]]:
    return ((stream, event) for stream, events in workload.published.items() for event in events)


async def numbers(client: Redis, workload: Workload) -> dict[tuple[str, str], int]:
    """Which of the workload's entries lies where: (stream key, entry id) to number."""
    found = {}
    for stream in Stream:
        for partition in range(workload.partitions if stream not in OUTPUTS else 0):
            key, start = stream_key(partition, stream), "-"
            while True:
                rows: Any = await client.xrange(key, min=start, count=1000)
                if not rows:
                    break
                for entry_id, fields in rows:
                    if b"n" in fields:  # the rest was written by services, such as the notifier's pages
                        found[key, entry_id.decode()] = int(fields[b"n"])
                start = f"({rows[-1][0].decode()}"
    return found


def _judge_ids(verdict: Verdict, outputs: Sequence[Entry]) -> None:
    """No output id twice; what is no event is no output of a service."""
    seen: Counter[tuple[Stream, Hashable]] = Counter()
    for one in outputs:
        verdict.expect(one.event is not None, f"{one.key} {one.entry_id} is no event")
        seen[one.stream, one.get("id")] += 1
    for (stream, event_id), times in seen.items():
        verdict.expect(times == 1, f"{stream.value}: id {event_id} comes {times} times")


def _judge_letters(
    verdict: Verdict, workload: Workload, numbers: Mapping[tuple[str, str], int], letters: Sequence[Entry]
) -> None:
    """Each poison entry has one dead letter that names its kind, and nothing else has any."""
    written = {entry.number: entry for entry in workload.entries}
    expected = {number: entry.poison for number, entry in written.items() if entry.poison}
    # Redis may lose the newest entries while a process has them in hand: what it commits then names the place that is
    # gone, and the same bytes, written again elsewhere, are a duplicate.
    by_original = {_original_of(entry): entry.number for entry in written.values()}
    in_memory = {letter["data"]["original"] for letter in workload.published[Stream.DEAD_LETTERS]}
    for entry in written.values():
        if _original_of(entry) in in_memory and not entry.poison:
            expected[entry.number] = ""  # an event that the fault-free run rejects, too, whatever its code
    found: dict[int, list[str]] = defaultdict(list)
    for letter in letters:
        place = (str(letter.get("data", "stream")), str(letter.get("data", "entry_id")))
        code = str(letter.get("data", "error", "code"))
        if code == "delivery_failed":  # of an effect, not of an event: the notifier's own tests count those
            continue
        number = numbers.get(place, by_original.get(str(letter.get("data", "original"))))
        if number is None:
            verdict.violations.append(f"a dead letter for {place}, which nobody wrote: {code}")
            continue
        found[number].append(code)
    for number in sorted(found.keys() | expected.keys()):
        codes, wanted = found.get(number, []), expected.get(number)
        what = f"entry {number} ({written[number].stream.value}, {written[number].poison or 'an event'})"
        if wanted is None:
            verdict.violations.append(f"{what} is rejected, though it is not without faults: {codes}")
        elif len(codes) != 1 or (wanted and codes[0] != wanted):
            verdict.violations.append(f"{what} has {len(codes)} dead letters: {codes}")


def _original_of(entry: Written) -> str:
    """As a dead letter holds it."""
    return base64.b64encode(entry.fields.get(b"__data__", b"")).decode()


def _judge_endings(verdict: Verdict, found: Mapping[str, Ending], expected: Mapping[str, Ending]) -> None:
    for patient in sorted(found.keys() | expected.keys()):
        is_, was = found.get(patient, Ending()), expected.get(patient, Ending())
        for what in ("disposition", "open", "goals"):
            _same(verdict, patient, what, getattr(is_, what), getattr(was, what))
        for program_id in sorted(is_.programs.keys() | was.programs.keys()):
            left, right = is_.programs.get(program_id, {}), was.programs.get(program_id, {})
            for what in ("status", "conditions", "prescription", "response"):
                _same(verdict, patient, f"{what} of {program_id}", left.get(what), right.get(what))
        counted, wanted = ({session_id for session_id, _ in one.adjusted} for one in (is_, was))
        verdict.expect(counted == wanted, f"{patient}: sessions {sorted(counted ^ wanted)} count in one run only")
        for (session_id, cause), times in is_.adjusted.items():
            verdict.expect(times == 1, f"{patient}: {cause} adjusts {times} times after {session_id}")
        for program_id, taken in is_.numbers.items():
            gapless = sorted(set(taken)) == list(range(1, max(taken, default=0) + 1))
            verdict.expect(gapless, f"{program_id}: prescriptions are numbered {sorted(taken)}")


def _same(verdict: Verdict, patient: str, what: str, found: Any, expected: Any) -> None:
    if found != expected:
        verdict.violations.append(f"{patient}: {what} is {_short(found)}, and {_short(expected)} without faults")


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=sorted)
    return text if len(text) < 400 else text[:399] + "…"
