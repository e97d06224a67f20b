"""A rung of a ladder: who is told at an instant, who is skipped, and how long they have.

The rungs of a ladder are its steps, gone through once and `repeats` times more; after them comes the last resort,
again and again. A step of which nobody can be told is passed over at once. Where no step has anybody the last
resort stands in, and the chain is tried again after the time that the first step would have had.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.notifier.domain.policy import EscalationPolicy, Ladder, Policies, Step
from services.notifier.domain.rota import after_working_time, next_digest, next_opening, resolve
from services.notifier.domain.state import LAST_RESORT


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody who can be told."""

    recipient: str
    channels: tuple[str, ...]
    """The preferred first, then the fall-backs."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Somebody who cannot."""

    step: int
    name: str
    """A recipient or a rota."""
    why: str


@dataclass(frozen=True, slots=True)
class Call:
    """What one climb does."""

    at: datetime
    """When they are told: now, or with the digest."""
    step: int
    """From 1; `LAST_RESORT`."""
    told: tuple[Told, ...]
    skipped: tuple[Skipped, ...]
    next_rung: int
    next_at: datetime
    """When the next rung is due if nobody acknowledges. After an outage missed rungs are not made up for."""


def next_call(
    policies: Policies, policy: EscalationPolicy, ladder: Ladder, rung: int, due: datetime, now: datetime
) -> Call:
    """`due`: when the climb was to happen; `now`: when it does, in a replay perhaps before."""
    at = max(due, now)
    if ladder.digest is not None:
        at = due = next_digest(at, ladder.digest.at, policy.working_hours)
    skipped: list[Skipped] = []
    length = len(ladder.steps)
    end = length * (1 + ladder.repeats)
    for tried in range(rung, min(rung + length, end)):
        step, number = ladder.steps[tried % length], tried % length + 1
        told, missing = _reach(policies, step, number, at)
        skipped.extend(missing)
        if told:
            next_at = _next(policy, ladder, step.acknowledge_within_min, due, now)
            return Call(at, number, told, tuple(skipped), tried + 1, next_at)
    is_chain_empty = rung + length <= end
    wait_min = ladder.steps[rung % length].acknowledge_within_min if is_chain_empty else ladder.last_resort_every_min
    next_at = _next(policy, ladder, wait_min, due, now)
    next_rung = rung if is_chain_empty else end
    return Call(at, LAST_RESORT, (last_resort(policies, policy),), tuple(skipped), next_rung, next_at)


def last_resort(policies: Policies, policy: EscalationPolicy) -> Told:
    return Told(policy.last_resort, policies.channels_of_last_resort(policy.last_resort))


def opens_at(policy: EscalationPolicy, ladder: Ladder, instant: datetime) -> datetime:
    """When a ladder that begins at the instant is climbed for the first time."""
    if ladder.hours == "always" or ladder.first_word == "at_once" or ladder.digest is not None:
        return instant
    return next_opening(instant, policy.working_hours)


def within_hours(policy: EscalationPolicy, ladder: Ladder, instant: datetime) -> datetime:
    """The instant itself, or the ladder's next working hours."""
    return instant if ladder.hours == "always" else next_opening(instant, policy.working_hours)


def later(policy: EscalationPolicy, ladder: Ladder, instant: datetime, minutes: int) -> datetime:
    """So many of the ladder's minutes after the instant, in whole seconds."""
    wait = timedelta(minutes=minutes)
    after = instant + wait if ladder.hours == "always" else after_working_time(instant, wait, policy.working_hours)
    return after.replace(microsecond=0)


def _next(policy: EscalationPolicy, ladder: Ladder, minutes: int, due: datetime, now: datetime) -> datetime:
    planned = later(policy, ladder, due, minutes)
    return planned if planned > now else later(policy, ladder, now, minutes)


def _reach(policies: Policies, step: Step, number: int, at: datetime) -> tuple[tuple[Told, ...], tuple[Skipped, ...]]:
    people, empty = resolve(policies, step.to, at)
    found = [Told(name, policies.channels(name, step.channels)) for name in people]
    return (
        tuple(told for told in found if told.channels),
        (
            *(Skipped(number, rota, "off_shift") for rota in empty),
            *(Skipped(number, told.recipient, "no_address") for told in found if not told.channels),
        ),
    )
