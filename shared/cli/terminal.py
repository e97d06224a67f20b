"""Where a command prints: as wide as the terminal, or wide enough for a file or a pipe; and how it says a time."""

from datetime import timedelta

from rich.console import Console

PIPE_WIDTH = 180


def console() -> Console:
    """Standard output. Colours only on a terminal."""
    found = Console()
    return found if found.is_terminal else Console(width=PIPE_WIDTH)


def span(length: timedelta | float) -> str:
    """`4 min`, `3 h 20 min`, `2 d 4 h`: two units at most."""
    seconds = abs(length.total_seconds() if isinstance(length, timedelta) else length)
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return _pair(minutes // 60, "h", minutes % 60, "min")
    hours = round(seconds / 3600)
    return _pair(hours // 24, "d", hours % 24, "h")


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return " ".join(f"{count} {unit}" for count, unit in ((large, large_unit), (small, small_unit)) if count)
