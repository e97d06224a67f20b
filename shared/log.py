"""Logging: one line of JSON for each thing that happened, ids only.

The canonical line is `handled`: one for each entry of a stream, with the fields below. No line holds a
payload, an address or free text; of an exception only its type and place.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

FIELDS: dict[str, str] = {
    "event": "`handled` for the canonical line",
    "service": "which service handled it, also the consumer group",
    "stream": "the stream's Redis key, with the partition in braces",
    "entry_id": "the entry's id within the stream",
    "event_id": "the CloudEvents `id`; for a timer the id derived from service, patient, name and instant",
    "type": "the CloudEvents `type`, or `timer:<name>`",
    "patient": "the patient's pseudonym (`subject`)",
    "correlation_id": "carried unchanged from the first event to all that follows",
    "causation_id": "the id of the event that caused this one, where there was one",
    "delivery_count": "how many times the entry was delivered, 1 the first time, 0 where read before its turn",
    "outcome": "`handled`, `ignored`, `waiting`, `rejected`, `duplicate`, `erased`, `dead_lettered`, "
    "`left` (to a newer release, which alone knows the patient's state), "
    "or `failed` (it stays pending and is tried again)",
    "rule": "the rule that fired, or the code of the dead letter",
    "failure": "the type and place of the exception, where the outcome is `failed` or `dead_lettered` for it",
    "duration_ms": "from the batch's arrival to its commit",
}
"""Every field of the canonical line and its meaning; the documents are generated from it."""

_LOUD = ("uvicorn.access",)
_FOREIGN = ("faststream", "uvicorn", "uvicorn.error", "redis", "asyncio")


def configure_log(
    format_: Literal["json", "console"] | None = None, level: str = "info", *, stream: Any = None
) -> None:
    """Sends structlog and the libraries' own logs to standard error in one form."""
    target = stream or sys.stderr
    console = format_ == "console" or (format_ is None and target.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_values,
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=target.isatty()) if console else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _FOREIGN:
        foreign = logging.getLogger(name)
        foreign.handlers.clear()
        foreign.propagate = True
        foreign.setLevel(max(logging.WARNING, root.level))
    for name in _LOUD:
        logging.getLogger(name).disabled = True
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _without_values(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Of an exception only its type: messages and local variables may quote a patient."""
    info = line.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    if isinstance(info, BaseException):
        line["exception"] = type(info).__name__
    elif isinstance(info, tuple) and info[0] is not None:
        line["exception"] = info[0].__name__
    line.pop("stack_info", None)
    line.pop("exception_message", None)
    return line


def logger() -> Any:
    """The project's logger."""
    return structlog.get_logger("adaptive_care")
