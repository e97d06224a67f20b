"""The notifier as the runtime sees it: envelopes, timers, erasure and a clock that leaps."""

from datetime import datetime, timedelta

from shared.event.wire import Stream
from shared.stream.pure_pipeline import PurePipeline
from tests.support.example import EPOCH, wire
from tests.support.four_services import four_services, four_services_pipeline, send
from tests.support.notifier_case import consent, escalation, program

DAY = timedelta(days=1)
WEEKDAYS = {"days": [1, 3, 5]}


def pipeline() -> PurePipeline:
    return four_services_pipeline(EPOCH, ("notifier",))


def submit_care(care: PurePipeline) -> None:
    care.submit(wire("care.patient.updated.v1", consent(), event_id="e-1"))
    care.submit(wire("care.program.planned.v1", program(WEEKDAYS), event_id="e-2"))


def test_a_delivery_names_the_reminder_s_own_event() -> None:
    """Who reads `notifications` finds the event that the message told of."""
    care = pipeline()
    submit_care(care)
    care.advance(EPOCH + DAY)
    (reminder,) = care.published(Stream.REMINDERS)
    (sent,) = care.published(Stream.NOTIFICATIONS)
    assert sent.data.about == reminder.id
    assert sent.data.recipient_role == "patient"


def test_an_escalation_is_published_as_delivered_and_acknowledged() -> None:
    """The platform sees that the alert went out, and that a clinician has seen it."""
    care = pipeline()
    care.submit(wire("care.escalation.raised.v1", escalation(), event_id="raised-1"))
    care.advance(EPOCH)
    acknowledge = {
        "decision_id": "d-1",
        "clinician_id": "c-1",
        "decision": "acknowledge",
        "escalation_id": "escalation-1",
    }
    care.submit(wire("care.clinician.decided.v1", acknowledge, event_id="decided-1"))
    (acknowledged,) = care.published(Stream.ESCALATIONS)[1:]
    assert (acknowledged.type, acknowledged.causationid) == ("care.escalation.acknowledged.v1", "decided-1")
    assert [event.type for event in care.published(Stream.NOTIFICATIONS)] == ["care.notification.delivered.v1"]
    # Nobody is called any more; what is left is the end of the acknowledgement.
    (name,) = care.timers("notifier", "patient-1")
    assert name == "ladder:escalation-1"


def test_an_erased_patient_is_forgotten() -> None:
    """No address, no timer, no message is left."""
    care = pipeline()
    submit_care(care)
    care.submit(wire("care.patient.erased.v1", {}, event_id="erase", time=EPOCH + timedelta(minutes=1)))
    assert care.state("notifier", "patient-1") is None
    care.advance(EPOCH + 7 * DAY)
    assert not care.published(Stream.REMINDERS)


def test_no_address_leaves_the_notifier_s_own_state() -> None:
    """Nothing that it publishes identifies anybody."""
    care = pipeline()
    submit_care(care)
    care.submit(wire("care.escalation.raised.v1", escalation(), event_id="raised-1"))
    care.advance(EPOCH + 30 * DAY)
    for stream in (Stream.REMINDERS, Stream.NOTIFICATIONS, Stream.DEAD_LETTERS):
        assert all(b"@" not in raw for raw in care.entries(stream))


def reminders(*, step: timedelta) -> list[datetime]:
    """The reminders of a fortnight whose clock leaps by `step`."""
    care = PurePipeline(four_services(("notifier",)), EPOCH, perform=send, coarse=True)
    submit_care(care)
    now = EPOCH
    while now < EPOCH + 14 * DAY:
        now += step
        care.advance(now)
    return [event.data.due_at for event in care.published(Stream.REMINDERS)]


def test_a_replay_that_leaps_over_days_reminds_as_real_time_would() -> None:
    """A replayer who moves the clock by a fortnight gets the same decisions as one who moves it by the hour."""
    hourly = reminders(step=timedelta(hours=1))
    assert hourly
    assert reminders(step=14 * DAY) == hourly
