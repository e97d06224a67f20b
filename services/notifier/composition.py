"""From committed state to a message: gathers what the templates are given, and nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from services.notifier.channels.channel import Message
from services.notifier.domain.chart import Chart as Kept
from services.notifier.domain.ladder import find_alarm, plan, policy_of
from services.notifier.domain.policy import Policies
from services.notifier.domain.state import Alarm, Delivery, NotifierState
from services.notifier.domain.week import monday_of
from services.notifier.message.chart import Mark, Point, draw_chart
from services.notifier.message.context import (
    Alert,
    Chart,
    Digest,
    DigestItem,
    Matter,
    NextStep,
    Notice,
    Occasion,
    Reminder,
)
from services.notifier.message.rendering import alert_message, digest_message, notice_message, reminder_message

LinkFor = Callable[[str, str, str, datetime], str | None]
"""Recipient, patient, escalation (empty: the inbox) and now, to a signed link; None where there is no page."""
Waiting = Sequence[tuple[str, NotifierState, str]]
"""Patient, state and escalation of each item of a digest."""


@dataclass(frozen=True, slots=True)
class Composition:
    """Composes what one policy file says, with links to one page."""

    policies: Policies
    link_for: LinkFor

    async def alert(self, state: NotifierState, delivery: Delivery, patient_id: str, at: datetime) -> Message | None:
        """None where the escalation is gone."""
        alarm = find_alarm(state, delivery.escalation_id)
        if alarm is None:
            return None
        return alert_message(await self._alert(state, alarm, delivery, patient_id, at), patient_id=patient_id)

    async def _alert(
        self, state: NotifierState, alarm: Alarm, delivery: Delivery, patient_id: str, at: datetime
    ) -> Alert:
        policy = policy_of(self.policies, state)
        following = plan(self.policies, state, alarm, at, steps=1)
        next_step = None
        if following:
            step = following[0]
            next_step = NextStep(step.at, step.recipients, step.channels, step.note)
        return Alert(
            notification_id=delivery.notification_id,
            about=delivery.about,
            recipient=delivery.recipient,
            escalation_id=alarm.escalation_id,
            severity=alarm.severity,
            raised_at=alarm.severe_since or alarm.raised_at or at,
            respond_by=alarm.respond_by,
            zone=policy.working_hours.timezone,
            occasion=_occasion(alarm),
            link=self.link_for(delivery.recipient, patient_id, alarm.escalation_id, at),
            next_step=next_step,
            chart=await self._chart(state),
        )

    async def _chart(self, state: NotifierState) -> Chart | None:
        if not self.policies.delivery.chart_in_mail:
            return None
        return await draw_trend(state.chart)

    def digest(self, delivery: Delivery, message_id: str, waiting: Waiting, at: datetime) -> Message:
        """One message for all that waits for the recipient, the most urgent and oldest first."""
        items, zone = [], "UTC"
        for patient_id, state, escalation_id in waiting:
            alarm = find_alarm(state, escalation_id)
            if alarm is None or alarm.raised_at is None:
                continue
            zone = policy_of(self.policies, state).working_hours.timezone
            items.append(
                DigestItem(
                    escalation_id=escalation_id,
                    severity=alarm.severity,
                    raised_at=alarm.severe_since or alarm.raised_at,
                    respond_by=alarm.respond_by,
                    link=self.link_for(delivery.recipient, patient_id, escalation_id, at),
                )
            )
        digest = Digest(
            notification_id=message_id,
            about=delivery.about,
            recipient=delivery.recipient,
            at=at,
            items=tuple(sorted(items, key=lambda item: (item.raised_at, item.escalation_id))),
            zone=zone,
            link=self.link_for(delivery.recipient, "", "", at),
        )
        return digest_message(digest)

    def notice(self, state: NotifierState, delivery: Delivery, patient_id: str, at: datetime) -> Message:
        """To the owner of the policy."""
        unreached, channel, matter, cause = delivery.matter.split("/", 3)
        alarm = find_alarm(state, delivery.escalation_id)
        return notice_message(
            Notice(
                notification_id=delivery.notification_id,
                about=delivery.about,
                recipient=delivery.recipient,
                matter=cast(Matter, matter),
                at=delivery.due_at,
                channel=channel,
                cause=cause,
                unreached=unreached,
                escalation_id=delivery.escalation_id,
                severity=alarm.severity if alarm else None,
                zone=policy_of(self.policies, state).working_hours.timezone,
                link=self.link_for(delivery.recipient, patient_id, delivery.escalation_id, at),
            )
        )

    def reminder(self, state: NotifierState, delivery: Delivery, patient_id: str) -> Message:
        """To the patient."""
        reminder = Reminder(
            notification_id=delivery.notification_id,
            about=delivery.about,
            reminder_id=delivery.notification_id,
            kind=delivery.kind,
            due_at=delivery.due_at,
            language=state.patient.language.value if state.patient.language else None,
        )
        return reminder_message(reminder, patient_id=patient_id)


async def draw_trend(kept: Kept) -> Chart | None:
    """Mean pain of each week's sessions, else what was said of the week; with flares, new phases and decisions."""
    if not kept.weeks:
        return None
    first = kept.weeks[0].monday
    points, marks, phase = [], [], None
    for week in kept.weeks:
        number = (week.monday - first).days // 7
        said = next((reading.value for reading in week.readings if reading.instrument == "NPRS"), None)
        if week.sessions:
            points.append(Point(number, round(week.pain_sum / week.sessions / 100, 2)))
        elif said is not None:
            points.append(Point(number, said))
        if week.flare_at is not None:
            marks.append(Mark(number, "flare"))
        if week.phase is not None and phase not in (None, week.phase.word):
            marks.append(Mark(number, "phase"))
        phase = week.phase.word if week.phase is not None else phase
    marks += [Mark((monday_of(one.at) - first).days // 7, "decision") for one in kept.decided]
    return await draw_chart(points, marks)


def _occasion(alarm: Alarm) -> Occasion:
    if alarm.calls > 1:
        return "repeated"
    return "raised" if alarm.reopened_at is None else "reopened"
