"""What chaos tests need: a folder, and a server program whose processes are theirs to kill."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.embedded.binary import EmbeddedServerError, find_server


@pytest.fixture
def folder() -> Iterator[Path]:
    """For the servers, logs and data of one test. Without a server program: a failure in CI, else a skip."""
    try:
        find_server()
    except EmbeddedServerError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no Redis server to kill: {error}", pytrace=False)
        pytest.skip(f"no Redis server to kill: {error}")
    with tempfile.TemporaryDirectory(prefix="care-chaos-") as name:
        yield Path(name)
