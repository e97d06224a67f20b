"""The planner's composition root."""

from datetime import timedelta
from functools import partial

from faststream.asgi import AsgiFastStream

from services.planner.domain.decide import Policy, decide
from services.planner.domain.state import PlannerState
from services.planner.settings import PlannerSettings
from shared.event.wire import Stream
from shared.service import Service
from shared.settings import Settings, read_settings
from shared.stream.application import build_application


def make_service(settings: Settings) -> Service[PlannerState]:
    """Raises SettingError where the planner's own setting cannot be used."""
    policy = Policy(
        needs_approval=read_settings(PlannerSettings).approval == "clinician",
        late_window=timedelta(days=settings.late_window_days),
    )
    return Service(
        name="planner",
        summary="Consumes classifications and clinicians' decisions; decides goals, phases and the first "
        "prescription; emits programs.",
        reads=(Stream.CLASSIFICATIONS, Stream.DECISIONS, Stream.PROGRAMS, Stream.PATIENTS),
        writes=(Stream.PROGRAMS, Stream.ESCALATIONS),
        state_type=PlannerState,
        decide=partial(decide, policy),
    )


def make_app(settings: Settings | None = None) -> AsgiFastStream:
    """The planner alone, e.g. for `faststream run services.planner.app:make_app --factory`."""
    settings = settings or read_settings(Settings)
    return build_application([make_service(settings)], settings)
