"""Where a command prints: as wide as the terminal, or wide enough for a file or a pipe."""

from rich.console import Console

PIPE_WIDTH = 180


def console() -> Console:
    """Standard output. Colours only on a terminal."""
    found = Console()
    return found if found.is_terminal else Console(width=PIPE_WIDTH)
