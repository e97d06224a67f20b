"""What people read of the streams."""

from shared.event.wire import Stream
from shared.stream.history import _entry
from shared.stream.key import DATA_FIELD


def test_an_entry_nested_too_deeply_is_shown_as_no_event() -> None:
    """A trace or a list of dead letters does not end at the strangest of the things that were sent."""
    entry = _entry(Stream.SESSIONS, "care:{0}:sessions", "1-0", {DATA_FIELD: b"[" * 100_000})
    assert entry.event is None
    assert len(entry.raw) == 100_000
