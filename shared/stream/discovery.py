"""Finds the installed services and their settings by entry points, so that shared imports no service."""

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Any

from pydantic_settings import BaseSettings

from shared.service import Service
from shared.settings import Settings

MakeService = Callable[[Settings], Service[Any]]
ORDER = ("intake", "planner", "progression", "notifier")
"""The order of care, for documents, ports and start."""


class UnknownServiceError(Exception):
    """A service was asked for that is not installed. The message lists those that are."""


def load_services(names: Sequence[str] = ()) -> dict[str, MakeService]:
    """The named services, or all, in the order of care. Raises UnknownServiceError."""
    found = {entry.name: entry for entry in entry_points(group="adaptive_care.services")}
    unknown = [name for name in names if name not in found]
    known = sorted(found, key=_position)
    if unknown:
        raise UnknownServiceError(f"no service '{unknown[0]}'; there are: {', '.join(known) or 'none'}")
    return {name: found[name].load() for name in known if not names or name in names}


def load_setting_classes() -> list[type[BaseSettings]]:
    """The shared settings and those that services add."""
    entries = sorted(entry_points(group="adaptive_care.settings"), key=lambda entry: _position(entry.name))
    return [Settings, *(entry.load() for entry in entries)]


def load_documents() -> dict[str, str]:
    """Generated documents that services add: by path within `docs`."""
    entries = sorted(entry_points(group="adaptive_care.documents"), key=lambda entry: _position(entry.name))
    return {path: text for entry in entries for path, text in entry.load()().items()}


def load_reports() -> dict[str, Any]:
    """What services add to `adaptive-care status`, by service: see `shared.cli.report`."""
    entries = sorted(entry_points(group="adaptive_care.reports"), key=lambda entry: _position(entry.name))
    return {entry.name: entry.load() for entry in entries}


def port_of(names: Sequence[str], first_port: int) -> int:
    """Where the health and metrics of a process with these services are served."""
    if len(names) == 1 and names[0] in ORDER:
        return first_port + 1 + ORDER.index(names[0])
    return first_port


def _position(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)
