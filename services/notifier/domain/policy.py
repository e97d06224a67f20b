"""What a policy file may say: who is told of an escalation and when again, and when patients are reminded."""

import hashlib
from datetime import timedelta
from difflib import get_close_matches
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, NaiveDatetime, StringConstraints, WithJsonSchema, model_validator

from shared.event.patient import Address, ChannelName, LocalTime, TimeZone
from shared.event.vocabulary import URGENCIES, Urgency
from shared.event.wire import Stream
from shared.protocol.source import EvidenceId, Mark, Record

Role = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
"""The name of a recipient or of a rota."""
PolicyName = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f]{1,256}$")]
Minutes = Annotated[int, Field(ge=1, le=60 * 24 * 30)]
"""Of working time where the ladder's hours are `working`."""
WallTime = Annotated[
    NaiveDatetime,
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?)?$"}),
]
"""A local date and time of day, such as `2026-12-24T18:00`; a date alone is its midnight."""
Weekdays = Annotated[tuple[Annotated[int, Field(ge=1, le=7)], ...], Field(min_length=1, max_length=7)]
"""1 Monday to 7."""

DEFAULT = "default"
"""The policy of patients whose `care_team` names none."""
MAIL = "mail"
"""The channel of a recipient without any address: it goes to `CARE_MAIL_FROM`, the clinic's own mailbox."""
LOG = "log"
"""The channel that needs no address."""
PASSWORD = "password"  # noqa: S105  # the name of a key
"""Beside a recipient's addresses: the hash of the password with which he logs in to the page."""
MAX_STEPS = 10
MAX_TOLD = 16
"""So many people at most are told by one step."""


class Judged(Record):
    """Where its numbers come from. A clinic's own file may leave it out: then it is the clinic's judgement."""

    source: tuple[EvidenceId, ...] = ()
    mark: Mark = Mark.JUDGEMENT


class Shift(Record):
    """Who is on duty at certain local times of certain days."""

    days: Weekdays
    """On which it begins."""
    start: LocalTime
    end: LocalTime
    """Not after `start`: it ends on the next day."""
    who: Annotated[tuple[Role, ...], Field(min_length=1, max_length=8)]


class Override(Record):
    """Who is on duty instead of every shift, for once: a holiday, a swap. Nobody, where `who` is empty."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    from_: Annotated[WallTime, Field(alias="from")]
    to: WallTime
    who: Annotated[tuple[Role, ...], Field(max_length=8)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.to <= self.from_:
            raise ValueError("an override must end after it begins")
        return self


class Rota(Record):
    """Who is on duty when. Where nothing covers a time nobody is."""

    timezone: TimeZone
    shifts: Annotated[tuple[Shift, ...], Field(max_length=64)] = ()
    overrides: Annotated[tuple[Override, ...], Field(max_length=200)] = ()
    """Where several cover a time, the last one listed counts."""


class Step(Record):
    """One step of a chain: whom to tell, how, and how long they have to acknowledge."""

    to: Annotated[tuple[Role, ...], Field(min_length=1, max_length=8)]
    """Recipients, and rotas, which stand for whoever is on duty."""
    channels: Annotated[tuple[ChannelName, ...], Field(min_length=1, max_length=4)]
    """The preferred first. Each recipient gets the first that he has an address for; the rest are fall-backs."""
    acknowledge_within_min: Minutes


class Digest(Record):
    """Told together with others, on working days."""

    at: LocalTime
    """In the working hours' time zone."""


class Ladder(Judged):
    """The chain of one severity. It is gone through again and again, and ends at the last resort, never in silence."""

    hours: Literal["always", "working"]
    """`working`: steps fall into working hours only, and minutes are counted in them."""
    first_word: Literal["at_once", "in_hours"] = "in_hours"
    """`at_once`: whatever the hours, the first step is told when the escalation is raised or reopened."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=MAX_STEPS)]
    repeats: Annotated[int, Field(ge=0, le=100)]
    """So many times the whole chain is gone through again before the last resort is told."""
    last_resort_every_min: Minutes
    """After the chain and its repeats, for as long as nobody acknowledges."""
    resolve_within_min: Minutes
    """An acknowledged escalation that is not resolved so long after it was raised is reopened."""
    digest: Digest | None = None
    """Every word waits for the digest of the next working day."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.digest is not None and self.hours == "always":
            raise ValueError("a digest needs hours: working")
        if self.digest is not None and self.first_word == "at_once":
            raise ValueError("a digest and first_word: at_once exclude each other")
        return self


class WorkingHours(Record):
    """The clinic's."""

    timezone: TimeZone
    days: Weekdays
    start: LocalTime
    end: LocalTime

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end <= self.start:
            raise ValueError("working hours must end after they start, on the same day")
        return self


class EscalationPolicy(Record):
    """One care team's way to be told."""

    working_hours: WorkingHours
    owner: Role
    """The recipient who is told of dead addresses and of messages that were given up."""
    last_resort: Role
    """The recipient who is told when a chain is empty or at its end: somebody who can always be reached."""
    emergency: Ladder
    urgent: Ladder
    routine: Ladder

    @model_validator(mode="after")
    def _never_holds_back_an_emergency(self) -> Self:
        if self.emergency.hours != "always":
            raise ValueError("an emergency's hours must be always")
        return self

    def ladder(self, severity: Urgency) -> Ladder:
        return {"emergency": self.emergency, "urgent": self.urgent, "routine": self.routine}[severity]


class Quiet(Record):
    """Local `HH:MM`; past midnight where `end` is before `start`."""

    start: LocalTime
    end: LocalTime


class ReminderPolicy(Judged):
    """When patients are reminded, on their own clock, and when reminding has an end."""

    channels: Annotated[tuple[ChannelName, ...], Field(min_length=1, max_length=10)]
    """Those that this service delivers by itself, the preferred first; any other is the platform's."""
    session_at: LocalTime
    checkin_at: LocalTime
    measure_at: LocalTime
    re_engage_at: LocalTime
    quiet_hours: Quiet
    """Of patients who told none."""
    re_engage_after_days: Annotated[int, Field(ge=1, le=60)]
    silent_after_days: Annotated[int, Field(ge=2, le=90)]
    """Without a word for so long nothing is sent any more, and the care team is asked to reach the patient."""
    max_per_day: Annotated[int, Field(ge=1, le=10)]
    max_per_week: Annotated[int, Field(ge=1, le=14)]
    """Over all kinds, in any seven local days."""
    stale_after_h: Annotated[int, Field(ge=1, le=24)]
    """A reminder that could not be sent for so long is skipped; so is one whose local day is over."""
    task_working_days: Annotated[int, Field(ge=1, le=30)]
    """Within which the care team is asked to reach a patient who does not answer."""

    @model_validator(mode="after")
    def _nudges_before_it_gives_up(self) -> Self:
        if self.silent_after_days <= self.re_engage_after_days:
            raise ValueError("silent_after_days must be more than re_engage_after_days")
        return self


class DeliveryPolicy(Record):
    """How stubbornly a message is tried."""

    chart_in_mail: bool = True
    """Whether mail to a clinician shows the trend of pain: the one clinical thing that leaves the house."""
    attempts: Annotated[int, Field(ge=1, le=50)]
    first_retry_s: Annotated[int, Field(ge=1, le=3600)]
    longest_retry_s: Annotated[int, Field(ge=1, le=86400)]

    def retry_after(self, attempts: int, what: str) -> timedelta:
        """Doubles with every attempt made, up to the longest, and varies by a quarter from message to message.

        The variation follows from the message and the attempt: the same input gives the same instant.
        """
        pause_s = min(self.first_retry_s * 2 ** min(attempts - 1, 20), self.longest_retry_s)
        digest = hashlib.sha256(f"{what}/{attempts}".encode()).digest()
        return timedelta(seconds=pause_s * (0.75 + digest[0] / 512))


Limit = Annotated[float, Field(gt=0, le=110)]
"""Seconds. The heartbeat stops within two minutes of a fault, so no limit may be longer."""


class WatchPolicy(Judged):
    """From when on the auditor no longer believes that all is well."""

    step_overdue_s: Limit
    """The next step of an open escalation."""
    timer_overdue_s: Limit
    """A timer that nobody has promoted."""
    waiting_s: Limit
    """An entry that its group has not handled."""
    urgent_waiting_s: Limit
    """The same on the urgent lane and the streams named."""
    urgent_streams: tuple[Stream, ...]
    """Those on which a red flag travels."""
    absent_s: Limit
    """A service for which no replica speaks."""
    clock_off_s: Limit
    """Between this machine's clock and Redis's, and of either against time passed."""


class Policies(Record):
    """A policy file."""

    reminder: ReminderPolicy
    delivery: DeliveryPolicy
    watch: WatchPolicy
    recipients: dict[Role, dict[ChannelName, Address]]
    """Roles with their addresses by channel, the preferred first."""
    rotas: dict[Role, Rota] = Field(default_factory=dict)
    policies: dict[PolicyName, EscalationPolicy]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if DEFAULT not in self.policies:
            raise ValueError(f"policies must hold one named {DEFAULT}")
        for name in self.rotas:
            if name in self.recipients:
                raise ValueError(f"{name} is a recipient and a rota: one of them needs another name")
        people = set(self.recipients)
        for name, rota in self.rotas.items():
            for who in (*(shift.who for shift in rota.shifts), *(override.who for override in rota.overrides)):
                for role in who:
                    _must_know(role, people, f"rota {name} names {role}, which is no recipient")
        for name, policy in self.policies.items():
            for kind, role in (("owner", policy.owner), ("last_resort", policy.last_resort)):
                _must_know(role, people, f"policy {name} names the {kind} {role}, which is no recipient")
            for severity in URGENCIES:
                for step in policy.ladder(severity).steps:
                    for role in step.to:
                        wrong = f"policy {name} names {role}, which is neither a recipient nor a rota"
                        _must_know(role, people | set(self.rotas), wrong)
        return self

    def of_team(self, care_team: str | None) -> EscalationPolicy:
        """The team's policy; the default one where the team has none."""
        return self.policies.get(care_team or DEFAULT, self.policies[DEFAULT])

    def addresses(self, recipient: str) -> dict[str, str]:
        """By channel, in the recipient's own order; empty also for one whom the file no longer names."""
        own = self.recipients.get(recipient, {})
        return {channel: address for channel, address in own.items() if channel != PASSWORD}

    def channels(self, recipient: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """The wanted channels that reach him, the preferred first. Mail stands in for an address that is missing."""
        own = self.addresses(recipient)
        reached = tuple(channel for channel in wanted if channel in own or channel == LOG)
        if MAIL in wanted and not any(channel in own for channel in wanted):
            return (MAIL, *reached)
        return reached

    def channels_of_last_resort(self, recipient: str) -> tuple[str, ...]:
        """All that he has, then the log: never none."""
        own = tuple(channel for channel in self.addresses(recipient) if channel != LOG)
        return (*(own or (MAIL,)), LOG)


def _must_know(name: str, known: set[str], wrong: str) -> None:
    if name in known:
        return
    close = get_close_matches(name, sorted(known), n=1)
    raise ValueError(f"{wrong}; did you mean {close[0]}?" if close else wrong)
