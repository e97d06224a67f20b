"""Intake's composition root."""

from datetime import timedelta
from functools import partial

from faststream.asgi import AsgiFastStream

from services.intake.domain.decide import decide
from services.intake.domain.state import IntakeState
from services.intake.domain.view import VIEWS
from shared.event.wire import Stream
from shared.service import Service
from shared.settings import Settings, read_settings
from shared.stream.application import build_application


def make_service(settings: Settings) -> Service[IntakeState]:
    """What intake reads and writes, and its pure core."""
    return Service(
        name="intake",
        summary="Consumes intakes and clinicians' decisions; decides what the pain probably is and whether "
        "a person must look first; emits classifications and escalations.",
        reads=(Stream.INTAKES, Stream.DECISIONS, Stream.PATIENTS),
        writes=(Stream.CLASSIFICATIONS, Stream.ESCALATIONS),
        state_type=IntakeState,
        words=frozenset({"contradiction"}),
        decide=partial(decide, timedelta(days=settings.late_window_days)),
        views=VIEWS,
    )


def make_app(settings: Settings | None = None) -> AsgiFastStream:
    """Intake alone, e.g. for `faststream run services.intake.app:make_app --factory`."""
    settings = settings or read_settings(Settings)
    return build_application([make_service(settings)], settings)
