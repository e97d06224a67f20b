"""One message of each kind that leaves the house."""

from datetime import timedelta

from services.notifier.channels.channel import Message
from services.notifier.message.context import Alert, Chart, Digest, DigestItem, NextStep, Notice, Reminder
from services.notifier.message.rendering import alert_message, digest_message, notice_message, reminder_message
from tests.support.example import EPOCH

ESCALATION = "3f2a9c1b77d04be0a1c5d2e6f8091a2b"
OTHER = "91c0de55aa3347f18b2f6e7d8c9b0a1f"
PAGE = "https://care.clinic.example/escalation"
LINK = f"{PAGE}?id={ESCALATION}&patient=p-17&token=eyJyIjoib25fY2FsbCJ9.Zm9v"
CHART = Chart(
    b"\x89PNG",
    "Pain by week, 0 none to 10 worst: week 0: 6; week 1: not reported; week 2: 4.5. Marked: flare in week 2.",
)
NEXT = NextStep(EPOCH + timedelta(hours=4), ("lead_clinician", "dr_lopes"))

ALERT = Alert(
    notification_id="a" * 32,
    about="raised-1",
    recipient="on_call",
    escalation_id=ESCALATION,
    severity="urgent",
    raised_at=EPOCH,
    respond_by=EPOCH + timedelta(hours=2),
    zone="Europe/Berlin",
    link=LINK,
    next_step=NEXT,
)


def _alert(**changes: object) -> Message:
    fields = {name: getattr(ALERT, name) for name in Alert.__dataclass_fields__}
    return alert_message(Alert(**{**fields, **changes}), patient_id="p-17")


def _digest(*items: DigestItem, link: str | None) -> Message:
    digest = Digest(
        notification_id="d" * 32, about="raised-1", recipient="lead_clinician", at=EPOCH, items=items, link=link
    )
    return digest_message(digest)


def _notice(**changes: object) -> Message:
    fields: dict[str, object] = {
        "notification_id": "e" * 32,
        "about": "raised-1",
        "recipient": "practice_manager",
        "matter": "address_disabled",
        "at": EPOCH,
        "channel": "mail",
        "cause": "the mail server refused the recipient (550)",
        "unreached": "dr_lopes",
        "escalation_id": ESCALATION,
        "severity": "emergency",
        "link": PAGE,
    }
    return notice_message(Notice(**{**fields, **changes}))  # type: ignore[arg-type]


def _reminder(kind: str) -> Message:
    reminder = Reminder(
        notification_id="f" * 32, about="due-1", reminder_id="0" * 32, kind=kind, due_at=EPOCH, language="en-GB"
    )
    return reminder_message(reminder, patient_id="p-17")


FIRST = DigestItem(
    escalation_id=ESCALATION,
    severity="routine",
    raised_at=EPOCH - timedelta(days=3),
    respond_by=EPOCH + timedelta(days=1),
    link=LINK,
)
SECOND = DigestItem(escalation_id=OTHER, severity="routine", raised_at=EPOCH - timedelta(minutes=90))

MESSAGES: dict[str, Message] = {
    "alert": _alert(),
    "alert-emergency": _alert(severity="emergency", zone="UTC"),
    "alert-with-chart": _alert(chart=CHART),
    "alert-repeated": _alert(occasion="repeated"),
    "alert-worsened": _alert(occasion="worsened", severity="emergency"),
    "alert-reopened": _alert(occasion="reopened", next_step=None),
    "alert-without-page": _alert(link=None, next_step=None, respond_by=None),
    "digest": _digest(FIRST, SECOND, link=PAGE),
    "digest-of-one": _digest(SECOND, link=None),
    "notice-address": _notice(),
    "notice-address-of-patient": _notice(unreached="", escalation_id="", severity=None, link=None, about="due-1"),
    "notice-given-up": _notice(matter="given_up", attempts=18, cause="the receiver answered 503", channel="webhook"),
    "notice-given-up-of-patient": _notice(
        matter="given_up", attempts=4, unreached="", escalation_id="", severity=None, link=None, about="due-1"
    ),
    **{f"reminder-{kind}": _reminder(kind) for kind in ("session", "checkin", "measure", "re_engage")},
}
"""By name, as the golden files are called."""
