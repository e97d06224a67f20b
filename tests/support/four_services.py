"""The four services as a deployment would compose them, and a world in which every message arrives."""

from datetime import datetime
from importlib import import_module
from typing import Any

from shared.decision import TimerFired
from shared.service import Service
from shared.settings import Settings
from shared.stream.pure_pipeline import PurePipeline

NAMES = ("intake", "planner", "progression", "notifier")


def four_services(names: tuple[str, ...] = NAMES) -> tuple[Service[Any], ...]:
    """The named services, with the defaults of every setting."""
    settings = Settings(clock="replay")
    return tuple(import_module(f"services.{name}.app").make_service(settings) for name in names)


def four_services_pipeline(now: datetime, names: tuple[str, ...] = NAMES, *, coarse: bool = False) -> PurePipeline:
    """The named services in memory. Every message of the notifier arrives at once."""
    return PurePipeline(four_services(names), now, perform=send, coarse=coarse)


def send(service: Service[Any], state: Any, timer: TimerFired) -> Any:
    """A notifier's delivery that succeeds at the first attempt."""
    delivery: Any = import_module("services.notifier.domain.delivery")
    channel: str = delivery.find_delivery(state, timer.name).channel
    return delivery.DeliveryOutcome(channel if channel != "mail" else "log")
