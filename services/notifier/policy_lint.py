"""Finds what is wrong in policies that the schema accepts: hours without anybody, people without an address, leftovers.

An error may keep an emergency from a person; a warning is for the clinic to judge.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations
from typing import Literal
from zoneinfo import ZoneInfo

from services.notifier.domain.calendar import local_instant
from services.notifier.domain.policy import LOG, MAIL, EscalationPolicy, Ladder, Policies, Rota, Step
from services.notifier.domain.rota import next_opening, resolve
from shared.event.vocabulary import URGENCIES

CHANNELS = (MAIL, "webhook", "apprise", LOG)
"""The channels that there are."""
WEEK = timedelta(days=7)
WEEKS_AHEAD = 53
GAPS_SHOWN = 5
"""Of one chain; the rest is counted."""
_GRID = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding."""

    place: str
    """Where in the file, such as `policies.default.emergency`."""
    message: str
    remedy: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.severity}: {self.place}: {self.message}. {self.remedy}."


def lint(
    policies: Policies, today: date, channels: Sequence[str] = CHANNELS, shipped: Policies | None = None
) -> tuple[Problem, ...]:
    """All problems, in the order of the file. `shipped`: an emergency should not be slower than there."""
    return (
        *_recipients(policies, channels),
        *_rotas(policies, today),
        *(problem for name in policies.policies for problem in _policy(policies, name, today, channels, shipped)),
    )


def _recipients(policies: Policies, channels: Sequence[str]) -> Iterator[Problem]:
    for name in policies.recipients:
        place = f"recipients.{name}"
        for channel in policies.addresses(name):
            if channel not in channels:
                yield Problem(f"{place}.{channel}", "there is no such channel", f"There are {', '.join(channels)}")
        if not policies.addresses(name):
            yield Problem(
                place,
                "has no address",
                "Messages to it go to CARE_MAIL_FROM, without a mail server to the log only",
                "warning",
            )


def _rotas(policies: Policies, today: date) -> Iterator[Problem]:
    used = {
        name
        for policy in policies.policies.values()
        for severity in URGENCIES
        for step in policy.ladder(severity).steps
        for name in step.to
    }
    for name, rota in policies.rotas.items():
        place = f"rotas.{name}"
        if name not in used:
            yield Problem(place, "no policy names it", "Name it in a step, or take it out", "warning")
        for number, override in enumerate(rota.overrides):
            if override.to.date() < today:
                yield Problem(f"{place}.overrides.{number}", f"ended {override.to:%Y-%m-%d}", "Take it out", "warning")
        for (first, one), (second, other) in combinations(enumerate(rota.overrides), 2):
            if one.from_ < other.to and other.from_ < one.to:
                yield Problem(
                    f"{place}.overrides.{second}",
                    f"overlaps overrides.{first} and counts instead of it",
                    "Let one end where the other begins",
                    "warning",
                )


def _policy(
    policies: Policies, name: str, today: date, channels: Sequence[str], shipped: Policies | None
) -> Iterator[Problem]:
    policy = policies.policies[name]
    place = f"policies.{name}"
    if not policies.addresses(policy.last_resort):
        yield Problem(
            f"{place}.last_resort",
            f"{policy.last_resort} has no address of his own",
            "The last resort should be reached whatever happens to the clinic's mailbox",
            "warning",
        )
    for severity in reversed(URGENCIES):
        ladder = policy.ladder(severity)
        at = f"{place}.{severity}"
        for number, step in enumerate(ladder.steps):
            for channel in step.channels:
                if channel not in channels:
                    remedy = f"There are {', '.join(channels)}"
                    yield Problem(f"{at}.steps.{number}.channels", f"there is no channel {channel}", remedy)
        if ladder.digest is not None and not _is_working(policy, today, ladder.digest.at):
            yield Problem(f"{at}.digest", "is told outside working hours", "Choose a time within them", "warning")
        yield from _gaps(policies, policy, severity, at, today)
    if shipped is not None:
        yield from _slower(policy, shipped.of_team(None), f"{place}.emergency")


def _slower(policy: EscalationPolicy, shipped: EscalationPolicy, place: str) -> Iterator[Problem]:
    """Of what was judged safe; a clinic may have its reasons."""
    ours, theirs = policy.emergency, shipped.emergency
    longest = max(step.acknowledge_within_min for step in theirs.steps)
    for number, step in enumerate(ours.steps):
        if step.acknowledge_within_min > longest:
            yield Problem(
                f"{place}.steps.{number}.acknowledge_within_min",
                f"an emergency waits {step.acknowledge_within_min} minutes for the next person",
                f"The shipped policy waits {longest}",
                "warning",
            )
    if ours.resolve_within_min > theirs.resolve_within_min:
        yield Problem(
            f"{place}.resolve_within_min",
            f"an acknowledged emergency may stay open for {ours.resolve_within_min} minutes",
            f"The shipped policy reopens it after {theirs.resolve_within_min}",
            "warning",
        )


def _gaps(policies: Policies, policy: EscalationPolicy, severity: str, place: str, today: date) -> Iterator[Problem]:
    """Times at which nobody of the chain could be told, in this week and in all of the year that are special."""
    ladder: Ladder = getattr(policy, severity)
    if any(
        policies.channels(name, step.channels)
        for step in ladder.steps
        for name in step.to
        if name in policies.recipients
    ):
        return
    rotas = {name: policies.rotas[name] for step in ladder.steps for name in step.to if name in policies.rotas}
    if not rotas:
        remedy = "Give a recipient an address for a channel of his step"
        yield Problem(place, "nobody of the chain has an address for its channels", remedy)
        return
    zone = ZoneInfo(next(iter(rotas.values())).timezone)
    found: dict[str, str] = {}
    for monday in _weeks(rotas.values(), today):
        for begin, end in _uncovered(policies, policy, ladder, rotas.values(), monday):
            first, last = begin.astimezone(zone), end.astimezone(zone)
            key = f"{first:%a %H:%M} {last:%a %H:%M}"
            found.setdefault(key, f"from {first:%a %Y-%m-%d %H:%M} to {last:%a %Y-%m-%d %H:%M} ({zone.key})")
    names = f"rota {next(iter(rotas))}" if len(rotas) == 1 else f"rotas {', '.join(rotas)}"
    for gap in list(found.values())[:GAPS_SHOWN]:
        yield Problem(
            place,
            f"nobody of {names} can be told {gap}",
            f"Then only the last resort hears, {policy.last_resort}; fill the rota, or name a recipient in a step",
            "error" if severity == "emergency" else "warning",
        )
    if len(found) > GAPS_SHOWN:
        more = len(found) - GAPS_SHOWN
        yield Problem(place, f"{names}: {more} more such times", "Fill the rota", "warning")


def _weeks(rotas: Iterable[Rota], today: date) -> Iterator[date]:
    """Mondays: this week's, then those of the coming year in or before which something changes.

    Clocks, which two zones may change weeks apart, and overrides.
    """
    this = today - timedelta(days=today.weekday())
    yield this
    for number in range(1, WEEKS_AHEAD):
        monday = this + WEEK * number
        if any(_is_special(rota, week) for rota in rotas for week in (monday - WEEK, monday)):
            yield monday


def _is_special(rota: Rota, monday: date) -> bool:
    zone = ZoneInfo(rota.timezone)
    begin = datetime.combine(monday, time(), zone)
    end = datetime.combine(monday + WEEK, time(), zone)
    if begin.utcoffset() != end.utcoffset():
        return True
    return any(
        monday <= edge.date() < monday + WEEK for override in rota.overrides for edge in (override.from_, override.to)
    )


def _uncovered(
    policies: Policies, policy: EscalationPolicy, ladder: Ladder, rotas: Iterable[Rota], monday: date
) -> Iterator[tuple[datetime, datetime]]:
    """The longest spans of the week without anybody. Nothing changes between two of its edges."""
    edges = sorted(_edges(policy, rotas, monday))
    begun: datetime | None = None
    for edge in edges:
        if _is_told(policies, policy, ladder, edge):
            if begun is not None:
                yield begun, edge
            begun = None
        elif begun is None:
            begun = edge
    if begun is not None:
        yield begun, edges[-1]


def _edges(policy: EscalationPolicy, rotas: Iterable[Rota], monday: date) -> set[datetime]:
    begin = datetime.combine(monday, time(), UTC)
    edges = {begin + _GRID * n for n in range(WEEK // _GRID + 1)}
    days = [monday + timedelta(days=n) for n in range(-1, 8)]
    hours = policy.working_hours
    clocks = [(hours.timezone, clock) for clock in (hours.start, hours.end)]
    for rota in rotas:
        clocks += [(rota.timezone, clock) for shift in rota.shifts for clock in (shift.start, shift.end)]
        for override in rota.overrides:
            edges |= {
                edge.replace(tzinfo=ZoneInfo(rota.timezone)).astimezone(UTC) for edge in (override.from_, override.to)
            }
    edges |= {local_instant(day, clock, ZoneInfo(zone)) for zone, clock in clocks for day in days}
    return {edge for edge in edges if begin <= edge <= begin + WEEK}


def _is_told(policies: Policies, policy: EscalationPolicy, ladder: Ladder, instant: datetime) -> bool:
    """Also where nobody is to be told, outside the ladder's hours."""
    is_asleep = ladder.hours == "working" and ladder.first_word == "in_hours"
    if is_asleep and next_opening(instant, policy.working_hours) != instant:
        return True
    return any(_reaches(policies, step, instant) for step in ladder.steps)


def _reaches(policies: Policies, step: Step, instant: datetime) -> bool:
    people, _ = resolve(policies, step.to, instant)
    return any(policies.channels(name, step.channels) for name in people)


def _is_working(policy: EscalationPolicy, today: date, clock: str) -> bool:
    """At that time of the next working day."""
    zone = ZoneInfo(policy.working_hours.timezone)
    days = (today + timedelta(days=n) for n in range(7))
    day = next(day for day in days if day.isoweekday() in policy.working_hours.days)
    instant = local_instant(day, clock, zone)
    return next_opening(instant, policy.working_hours) == instant
