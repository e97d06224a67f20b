"""The notifier's composition root."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from services.notifier.dispatch import Dispatch, make_channels, wall_clock
from services.notifier.domain.decide import decide
from services.notifier.domain.state import NotifierState
from services.notifier.policy_file import load_policies
from services.notifier.settings import NotifierSettings
from shared.decision import Decision, Incoming, Performed, TimerFired
from shared.event.wire import Stream
from shared.protocol.library import Protocols
from shared.service import Service
from shared.settings import Settings, read_settings
from shared.stream.application import build_application
from shared.stream.server import CareApplication

Decide = Callable[[NotifierState | None, Incoming, Protocols, datetime], Decision[NotifierState]]


def decide_at_due_time(
    decide: Decide, state: NotifierState | None, incoming: Incoming, protocols: Protocols, now: datetime
) -> Decision[NotifierState]:
    """In a replay the clock leaps over days: a timer is decided at its instant, as if it had been awaited."""
    late = isinstance(incoming, TimerFired | Performed)
    return decide(state, incoming, protocols, incoming.time if late else now)


def make_service(settings: Settings) -> Service[NotifierState]:
    """Raises SettingError where a setting or a policy file cannot be used."""
    own = read_settings(NotifierSettings)
    policies = load_policies(own.policies)
    dispatch = Dispatch(policies, make_channels(own), own.mail_from, wall_clock if settings.clock == "wall" else None)
    bound: Decide = partial(decide, policies, timedelta(days=settings.late_window_days))
    return Service(
        name="notifier",
        summary="Consumes escalations, programs and reports; decides who must be told and when; "
        "emits reminders and notifications.",
        reads=(
            Stream.ESCALATIONS,
            Stream.PROGRAMS,
            Stream.ADJUSTMENTS,
            Stream.SESSIONS,
            Stream.DECISIONS,
            Stream.PATIENTS,
        ),
        writes=(Stream.REMINDERS, Stream.NOTIFICATIONS, Stream.ESCALATIONS),
        state_type=NotifierState,
        decide=bound if settings.clock == "wall" else partial(decide_at_due_time, bound),
        perform=dispatch.perform,
        start_up=dispatch.start_up,
    )


def make_app(settings: Settings | None = None) -> CareApplication:
    """The notifier alone, e.g. for `faststream run services.notifier.app:make_app --factory`."""
    settings = settings or read_settings(Settings)
    return build_application([make_service(settings)], settings)
