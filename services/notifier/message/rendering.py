"""From a context to a message, by the templates beside this module.

A text template begins with a line `Subject: …`; after an empty line comes the body.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.notifier.channels.channel import Message, chart_cid
from services.notifier.message.context import Alert, Digest, Notice, Reminder, Story, Value
from shared.event.envelope import derive_id

TEMPLATES = Path(__file__).parent / "template"
FALL_BACK = "en"
"""The language of patients whose own has no texts."""
SHORT_ID = 8
"""So many characters of an id tell two escalations apart on a telephone."""


def alert_message(alert: Alert, *, patient_id: str = "") -> Message:
    """Severity, opaque id, until when, who is next, and where to answer. `patient_id`: for our own log."""
    subject, text = _text("alert.txt", alert=alert, acknowledgement=_acknowledgement(alert))
    return Message(
        notification_id=alert.notification_id,
        about=alert.about,
        kind="escalation",
        subject=subject,
        text=text,
        html=_render("alert.html", alert=alert, subject=subject, cid=chart_cid(alert.notification_id)),
        chart_png=alert.chart.png if alert.chart else None,
        short=" ".join(filter(None, (f"Please answer {alert.escalation_id}.", alert.link))),
        data={
            "type": "escalation.alert",
            "timestamp": _rfc3339(alert.raised_at),
            "data": {
                "escalation_id": alert.escalation_id,
                "severity": alert.severity,
                "occasion": alert.occasion,
                "respond_by": _rfc3339(alert.respond_by),
                "next_at": _rfc3339(alert.next_step.at) if alert.next_step else None,
                "link": alert.link,
            },
        },
        thread_id=derive_id("thread", alert.escalation_id),
        recipient=alert.recipient,
        escalation_id=alert.escalation_id,
        severity=alert.severity,
        patient_id=patient_id,
    )


def digest_message(digest: Digest) -> Message:
    """What waits, with its age; one message for many escalations."""
    subject, text = _text("digest.txt", digest=digest)
    return Message(
        notification_id=digest.notification_id,
        about=digest.about,
        kind="digest",
        subject=subject,
        text=text,
        html=_render("digest.html", digest=digest, subject=subject),
        short=" ".join(filter(None, (f"{subject}.", digest.link))),
        data={
            "type": "escalation.digest",
            "timestamp": _rfc3339(digest.at),
            "data": {
                "escalations": [
                    {
                        "escalation_id": item.escalation_id,
                        "severity": item.severity,
                        "raised_at": _rfc3339(item.raised_at),
                        "respond_by": _rfc3339(item.respond_by),
                        "link": item.link,
                    }
                    for item in digest.items
                ],
                "link": digest.link,
            },
        },
        recipient=digest.recipient,
        severity="routine",
    )


def notice_message(notice: Notice) -> Message:
    """Who was not reached, by which channel and why; without the address."""
    subject, text = _text("notice.txt", notice=notice)
    return Message(
        notification_id=notice.notification_id,
        about=notice.about,
        kind="notice",
        subject=subject,
        text=text,
        short=" ".join(filter(None, (f"{subject}.", notice.link))),
        data={
            "type": f"notifier.{notice.matter}",
            "timestamp": _rfc3339(notice.at),
            "data": {
                "channel": notice.channel,
                "cause": notice.cause,
                "unreached": notice.unreached or None,
                "attempts": notice.attempts,
                "escalation_id": notice.escalation_id or None,
                "severity": notice.severity,
                "link": notice.link,
            },
        },
        thread_id=derive_id("thread", notice.escalation_id) if notice.escalation_id else "",
        recipient=notice.recipient,
        escalation_id=notice.escalation_id,
        severity=notice.severity or "",
    )


def reminder_message(reminder: Reminder, *, patient_id: str = "") -> Message:
    """In the patient's language where there is one, else in English. Source: NOTIFY."""
    subject, text = _text(f"reminder/{language_of(reminder.language)}/{reminder.kind}.txt")
    return Message(
        notification_id=reminder.notification_id,
        about=reminder.about,
        kind=reminder.kind,
        subject=subject,
        text=text,
        short=subject,
        data={
            "type": "reminder.due",
            "timestamp": _rfc3339(reminder.due_at),
            "data": {"reminder_id": reminder.reminder_id, "kind": reminder.kind},
        },
        patient_id=patient_id,
    )


def sbar_text(story: Story) -> str:
    """The whole story. Never in a message: it stands behind the link and in the preview."""
    return _render("sbar.txt", story=story)


def language_of(wanted: str | None) -> str:
    """The folder of `pt` for `pt-PT`."""
    base = (wanted or FALL_BACK).replace("_", "-").split("-")[0].lower()
    return base if base.isalpha() and (TEMPLATES / "reminder" / base).is_dir() else FALL_BACK


def values_of(evidence: Mapping[str, Any]) -> tuple[Value, ...]:
    """What the decision read, as an escalation's `evidence` holds it: nested things by their path."""
    return tuple(_flat("", evidence))


def _flat(path: str, value: Any) -> list[Value]:
    if isinstance(value, Mapping):
        return [row for key, inner in value.items() for row in _flat(f"{path}, {key}" if path else str(key), inner)]
    if isinstance(value, list | tuple):
        if any(isinstance(item, Mapping | list | tuple) for item in value):
            return [row for place, item in enumerate(value, 1) for row in _flat(f"{path} {place}", item)]
        return [Value(_words(path), ", ".join(_scalar(item) for item in value) or "none")]
    return [Value(_words(path), _scalar(value))]


def _scalar(value: Any) -> str:
    match value:
        case None:
            return "not known"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _acknowledgement(alert: Alert) -> str:
    """The event that acknowledges; three places are left to whoever sends it."""
    decision_id = derive_id("acknowledge", alert.escalation_id, alert.about, alert.recipient)
    event = {
        "specversion": "1.0",
        "id": decision_id,
        "source": "//clinic.example/mail",
        "type": "care.clinician.decided.v1",
        "subject": "<the patient's id, which the preview shows>",
        "time": "<now, such as 2026-03-02T09:00:00Z>",
        "data": {
            "decision_id": decision_id,
            "clinician_id": "<your id>",
            "decision": "acknowledge",
            "escalation_id": alert.escalation_id,
        },
    }
    return json.dumps(event, indent=2)


def _text(template: str, **context: Any) -> tuple[str, str]:
    """Subject and body."""
    head, _, body = _render(template, **context).partition("\n\n")
    return head.removeprefix("Subject: "), body


def _render(template: str, **context: Any) -> str:
    return environment().get_template(template).render(**context)


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=select_autoescape(("html",), default=False),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(local=_local, age=_age, words=_words, known=_scalar, some=lambda text: text[:SHORT_ID])
    return made


def _local(instant: datetime, zone: str) -> str:
    """By the reader's clock; the letters tell the hours apart that come twice."""
    local = instant.astimezone(UTC if zone == "UTC" else ZoneInfo(zone))
    return f"{local:%Y-%m-%d %H:%M %Z}" + ("" if zone == "UTC" else f" ({zone})")


def _age(since: datetime, now: datetime) -> str:
    """In the largest unit of which there are two."""
    age = max(now - since, timedelta(0))
    for name, unit in (("days", timedelta(days=1)), ("hours", timedelta(hours=1))):
        if age >= 2 * unit:
            return f"{age // unit} {name}"
    return f"{age // timedelta(minutes=1)} minutes"


def _rfc3339(instant: datetime | None) -> str | None:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z") if instant else None
