"""The notifier's composition root."""

from datetime import timedelta
from functools import partial

from services.notifier.auditor import make_attend
from services.notifier.channels.guard import parse_allowed
from services.notifier.channels.registry import TIMEOUT_S, check_recipients, make_channels
from services.notifier.composition import Composition
from services.notifier.dispatch import Dispatch, wall_clock
from services.notifier.domain.decide import decide
from services.notifier.domain.state import NotifierState
from services.notifier.domain.view import VIEWS
from services.notifier.gauge import WORDS, make_measure
from services.notifier.page.access import link_for
from services.notifier.page.app import make_routes
from services.notifier.page.config import page_config
from services.notifier.policy_file import load_policies
from services.notifier.settings import NotifierSettings
from services.notifier.webhook.outlet import with_webhooks
from shared.event.wire import Stream
from shared.service import Service
from shared.settings import Settings, read_settings
from shared.stream.application import build_application
from shared.stream.server import CareApplication


def make_service(settings: Settings) -> Service[NotifierState]:
    """Raises SettingError where a setting or a policy file cannot be used."""
    own = read_settings(NotifierSettings)
    policies = load_policies(own.policies)
    channels = make_channels(own, min(TIMEOUT_S, settings.claim_idle_s / 2))
    check_recipients({name: policies.addresses(name) for name in policies.recipients}, channels)
    page = page_config(own, settings)
    dispatch = Dispatch(
        policies,
        channels,
        own.mail_from,
        Composition(policies, partial(link_for, page)),
        wall_clock if settings.clock == "wall" else None,
    )
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
        decide=partial(decide, policies, timedelta(days=settings.late_window_days)),
        perform=dispatch.perform,
        words=WORDS.union(channels),
        measure=make_measure(channels),
        start_up=dispatch.start_up,
        attend=with_webhooks(make_attend(policies.watch, own.heartbeat_url), parse_allowed(own.webhook_allow)),
        routes=lambda desk: make_routes(desk, policies, page),
        views=VIEWS,
    )


def make_app(settings: Settings | None = None) -> CareApplication:
    """The notifier alone, e.g. for `faststream run services.notifier.app:make_app --factory`."""
    settings = settings or read_settings(Settings)
    return build_application([make_service(settings)], settings)
