"""Progression's composition root."""

from datetime import timedelta
from functools import partial

from faststream.asgi import AsgiFastStream

from services.progression.domain.decide import decide
from services.progression.domain.state import State
from services.progression.domain.view import VIEWS
from shared.event.wire import Stream
from shared.service import Service
from shared.settings import Settings, read_settings
from shared.stream.application import build_application


def make_service(settings: Settings) -> Service[State]:
    """What progression reads and writes, and its pure core."""
    return Service(
        name="progression",
        summary="Consumes sessions, check-ins, programs and clinicians' decisions; decides the load of the next "
        "session and whether care helps; emits adjustments, goals, held or ended programs, and escalations.",
        reads=(Stream.SESSIONS, Stream.PROGRAMS, Stream.DECISIONS, Stream.PATIENTS),
        writes=(Stream.ADJUSTMENTS, Stream.PROGRAMS, Stream.ESCALATIONS),
        state_type=State,
        words=frozenset({"late"}),
        decide=partial(decide, timedelta(days=settings.late_window_days)),
        views=VIEWS,
    )


def make_app(settings: Settings | None = None) -> AsgiFastStream:
    """Progression alone, e.g. for `faststream run services.progression.app:make_app --factory`."""
    settings = settings or read_settings(Settings)
    return build_application([make_service(settings)], settings)
