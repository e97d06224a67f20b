"""What a policy file may say: who is told of an escalation and when again, and when patients are reminded."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from shared.event.patient import Address, ChannelName, LocalTime, TimeZone
from shared.event.vocabulary import Urgency
from shared.protocol.source import EvidenceId, Mark, Record

Role = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
PolicyName = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f]{1,256}$")]
Minutes = Annotated[int, Field(ge=0, le=60 * 24 * 30)]

DEFAULT = "default"
"""The policy of patients whose `care_team` names none."""


class Judged(Record):
    """Where its numbers come from. A clinic's own file may leave it out: then it is the clinic's judgement."""

    source: tuple[EvidenceId, ...] = ()
    mark: Mark = Mark.JUDGEMENT


class Step(Record):
    """One rung: whom to tell, so many minutes after the first."""

    after_min: Minutes
    channel: Literal["mail", "log"]
    to: Annotated[tuple[Role, ...], Field(min_length=1, max_length=8)]


class Ladder(Judged):
    """The rungs of one severity. After the last it repeats until somebody answers."""

    hours: Literal["always", "working"]
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=10)]
    repeat_every_min: Annotated[Minutes, Field(ge=1)]
    repeats: Annotated[int, Field(ge=0, le=500)]
    """That many repeats at that pace; from then on one every `then_every_min`, never silence."""
    then_every_min: Annotated[Minutes, Field(ge=60)]

    @model_validator(mode="after")
    def _climbs(self) -> Self:
        minutes = [step.after_min for step in self.steps]
        if minutes[0] != 0:
            raise ValueError("the first step must have after_min 0")
        if minutes != sorted(minutes):
            raise ValueError("steps must be in the order of after_min")
        return self

    def step(self, rung: int) -> Step:
        return self.steps[min(rung, len(self.steps) - 1)]

    def gap_after(self, rung: int) -> timedelta:
        """From one rung to the next."""
        if rung + 1 < len(self.steps):
            return timedelta(minutes=self.steps[rung + 1].after_min - self.steps[rung].after_min)
        repeated = rung + 1 - len(self.steps)
        return timedelta(minutes=self.repeat_every_min if repeated < self.repeats else self.then_every_min)


class WorkingHours(Record):
    """The clinic's. `days`: 1 Monday to 7."""

    timezone: TimeZone
    days: Annotated[tuple[Annotated[int, Field(ge=1, le=7)], ...], Field(min_length=1)]
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
    emergency: Ladder
    urgent: Ladder
    routine: Ladder

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

    attempts: Annotated[int, Field(ge=1, le=50)]
    first_retry_s: Annotated[int, Field(ge=1, le=3600)]
    longest_retry_s: Annotated[int, Field(ge=1, le=86400)]

    def retry_after(self, attempts: int) -> timedelta:
        """Doubles with every attempt made, up to the longest."""
        return timedelta(seconds=min(self.first_retry_s * 2 ** min(attempts - 1, 20), self.longest_retry_s))


class Policies(Record):
    """A policy file."""

    reminder: ReminderPolicy
    delivery: DeliveryPolicy
    recipients: dict[Role, dict[ChannelName, Address]]
    """Roles with their addresses; a role without a mail address is reached at `CARE_MAIL_FROM`."""
    policies: dict[PolicyName, EscalationPolicy]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if DEFAULT not in self.policies:
            raise ValueError(f"policies must hold one named {DEFAULT}")
        for name, policy in self.policies.items():
            for ladder in (policy.emergency, policy.urgent, policy.routine):
                for step in ladder.steps:
                    for role in step.to:
                        if role not in self.recipients:
                            raise ValueError(f"policy {name} names the recipient {role}, which recipients lacks")
        return self

    def of_team(self, care_team: str | None) -> EscalationPolicy:
        """The team's policy; the default one where the team has none."""
        return self.policies.get(care_team or DEFAULT, self.policies[DEFAULT])
