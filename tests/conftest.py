"""What every test has: a clean environment, and a real Redis for those that ask for one."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import hypothesis
import pytest

from shared.embedded import EmbeddedServer, EmbeddedServerError
from tests.support.redis_server import Choice, NoRedisError, RedisServer, choose, running_server

_REDIS_FIXTURES = {"redis_server", "redis_url", "private_server"}
_choice = pytest.StashKey[Choice]()
_outcome = pytest.StashKey[str]()

# In CI the same examples each time: a red run can be repeated. Locally they are drawn anew.
hypothesis.settings.register_profile("ci", derandomize=True)
# `make deep`: the state machines of the safety envelope look at many more histories (tests/support/depth.py).
hypothesis.settings.register_profile("deep")
if os.environ.get("HYPOTHESIS_PROFILE"):
    hypothesis.settings.load_profile(os.environ["HYPOTHESIS_PROFILE"])
elif os.environ.get("CI") == "true":
    hypothesis.settings.load_profile("ci")


def pytest_configure(config: pytest.Config) -> None:
    try:
        config.stash[_choice] = choose()
    except NoRedisError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_report_header(config: pytest.Config) -> str:
    return f"Redis for tests: {config.stash[_choice]}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for a server by fixture is `needs_redis`, so that `-m "not needs_redis"` runs anywhere."""
    for item in items:
        if isinstance(item, pytest.Function) and _REDIS_FIXTURES.intersection(item.fixturenames):
            item.add_marker("needs_redis")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process that ran some of the tests tells the one that sums up."""
    if _outcome in session.config.stash and hasattr(session.config, "workeroutput"):
        session.config.workeroutput["redis"] = session.config.stash[_outcome]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Of pytest-xdist, where such a process ends."""
    if "redis" in getattr(node, "workeroutput", ()):
        node.config.stash[_outcome] = node.workeroutput["redis"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.section("Redis")
    terminalreporter.line(
        f"Redis tests ran against: {config.stash.get(_outcome, 'nothing shared: no test asked for that')}"
    )


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of whoever runs the tests."""
    for name in list(os.environ):
        if name.upper().startswith("CARE_") and not name.upper().startswith("CARE_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def redis_server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """The server that the whole run shares. A test wants `redis_url`, or `private_server` to kill one."""
    stash = request.config.stash
    with TemporaryDirectory(prefix="care-test-") as folder, ExitStack() as stack:
        try:
            server = stack.enter_context(running_server(stash[_choice], Path(folder)))
        except NoRedisError as error:
            stash[_outcome] = f"nothing: {error}"
            _give_up(str(error))
        stash[_outcome] = server.description
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of a real Redis with nothing in it."""
    redis_server.clear()
    return redis_server.url


@pytest.fixture
def private_server() -> Iterator[Callable[[], EmbeddedServer]]:
    """Starts embedded servers that only this test uses: to kill, to stop and to start again.

    Each call gives another server, started, in a folder of its own; all are stopped at the end.
    """
    with ExitStack() as stack:

        def start() -> EmbeddedServer:
            # Not tmp_path: its name grows with the test's, and a socket's path must be short.
            folder = stack.enter_context(TemporaryDirectory(prefix="care-test-"))
            server = EmbeddedServer(Path(folder))
            try:
                return stack.enter_context(server)
            except EmbeddedServerError as error:
                _give_up(str(error))

        yield start


def _give_up(reason: str) -> NoReturn:
    """No server: a failure where all tests must run or Docker was asked for, else a skip that the summary shows."""
    if os.environ.get("CI") == "true" or os.environ.get("CARE_TEST_REDIS") == "docker":
        pytest.fail(f"no Redis to test against: {reason}", pytrace=False)
    pytest.skip(f"no Redis to test against: {reason}")
