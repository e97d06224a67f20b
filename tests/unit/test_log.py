"""Logging stops nothing."""

import contextlib
from pathlib import Path

import pytest

from shared.log import configure_log, logger

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_log_that_takes_nothing_stops_nobody() -> None:
    """The disk of the logs is full, or whoever read them has gone: care goes on."""
    full = FULL.open("w", buffering=1)
    try:
        configure_log("json", "info", stream=full)
        logger().info("handled", service="progression")
        logger().warning("handled", service="progression")
    finally:
        configure_log("json", "info")
        with contextlib.suppress(OSError):
            full.close()  # it still has what it could not write
