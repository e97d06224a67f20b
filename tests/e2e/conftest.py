"""Running systems for the tests of the contract: one for a module, and further ones on databases of their own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.black_box import System, system
from tests.support.redis_server import RedisServer


@pytest.fixture(scope="module")
def care(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The four services in one process. Tests share it: each takes patients of its own, time only moves on."""
    redis_server.clear()
    with system(redis_server.url, tmp_path_factory.mktemp("care")) as found:
        yield found


@pytest.fixture
def another(redis_server: RedisServer, tmp_path: Path) -> Iterator[Callable[..., System]]:
    """Starts further systems, each with an empty database."""
    with ExitStack() as stack:
        used = iter(range(1, 16))

        def start(**settings: Any) -> System:
            return stack.enter_context(system(redis_server.url, tmp_path, database=next(used), **settings))

        yield start
