"""A real Redis for tests: a container where a Docker engine answers, else the embedded server.

    CARE_TEST_REDIS         auto (default), docker or embedded
    CARE_TEST_REDIS_IMAGE   the image to run, default redis:7.4-alpine

Ryuk, the container that testcontainers starts to clean up after a killed test run, is an image of its own; where no
registry answers, TESTCONTAINERS_RYUK_DISABLED=true does without it.
"""

import gc
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from shared.embedded import EmbeddedServer, EmbeddedServerError, find_server

DEFAULT_IMAGE = "redis:7.4-alpine"
_DOCKER_S = 5  # an engine that takes longer than this to answer is no engine


class NoRedisError(Exception):
    """No real Redis can be had on this machine; says why."""


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A server that runs for as long as the tests do."""

    url: str
    description: str
    """What it is, and why it is not a container where it is not, for the people who read the test report."""

    def clear(self) -> None:
        """Delete every key of every database, and every function."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()
            client.execute_command("FUNCTION", "FLUSH")


@dataclass(frozen=True, slots=True)
class Choice:
    """What the Redis tests will run against, before anything is started."""

    is_docker: bool
    reason: str

    def __str__(self) -> str:
        return f"{_image()} in a container" if self.is_docker else f"the embedded server, {self.reason}"


def choose() -> Choice:
    """Docker or the embedded server, by setting and by what answers here."""
    setting = os.environ.get("CARE_TEST_REDIS", "auto")
    if setting == "docker":
        return Choice(is_docker=True, reason="because CARE_TEST_REDIS=docker")
    if setting == "embedded":
        return Choice(is_docker=False, reason="because CARE_TEST_REDIS=embedded")
    if setting != "auto":
        raise NoRedisError(f"CARE_TEST_REDIS is {setting!r}; it can be auto, docker or embedded")
    complaint = _docker_complaint()
    if complaint is None:
        return Choice(is_docker=True, reason="because a Docker engine answers")
    return Choice(is_docker=False, reason=f"because no Docker engine answers ({complaint})")


@contextmanager
def running_server(choice: Choice, folder: Path) -> Iterator[RedisServer]:
    """A running server by that choice; raises NoRedisError where there is none.

    With CARE_TEST_REDIS=auto a container that cannot be started, e.g. because no registry has the image, gives way
    to the embedded server, and the description says so.
    """
    reason = choice.reason
    if choice.is_docker:
        try:
            container = _Container()
        except Exception as error:  # whatever the engine, the registry or the client makes of it
            if os.environ.get("CARE_TEST_REDIS") == "docker":
                raise NoRedisError(f"{_image()} cannot be started: {_in_a_line(error)}") from error
            reason = f"because {_image()} cannot be started ({_in_a_line(error)})"
        else:
            try:
                yield RedisServer(container.url, f"{_image()} in a container, {_version(container.url)}")
            finally:
                container.stop()
            return
    try:
        server = EmbeddedServer(folder)
        server.start()
    except EmbeddedServerError as error:
        raise NoRedisError(str(error)) from error
    with server:
        yield RedisServer(server.url, f"the embedded server, {find_server()}, {reason}")


class _Container:
    """Redis in a container of testcontainers."""

    def __init__(self) -> None:
        # Imported only here: the import asks for the Docker client's settings.
        from testcontainers.community.redis import RedisContainer

        self._container = RedisContainer(_image())
        try:
            self._container.start()
            host, port = self._container.get_container_host_ip(), self._container.get_exposed_port(6379)
        except BaseException:
            self.stop()
            raise
        self.url = f"redis://{host}:{port}"

    def stop(self) -> None:
        self._container.stop()


def _image() -> str:
    return os.environ.get("CARE_TEST_REDIS_IMAGE", DEFAULT_IMAGE)


def _docker_complaint() -> str | None:
    """Why there is no Docker engine; None where one answers."""
    from testcontainers.core.docker_client import DockerClient

    complaint = None
    with warnings.catch_warnings():
        # A client that cannot connect leaves its socket to the collector, which must not fail the first test.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            client = DockerClient(timeout=_DOCKER_S).client
            client.ping()
            client.close()
        except Exception as error:  # whatever the client makes of a missing engine
            complaint = _in_a_line(error)
        gc.collect()
    return complaint


def _version(url: str) -> str:
    with redis.Redis.from_url(url) as client:
        info = client.info("server")
    assert isinstance(info, dict)
    return f"Redis {info['redis_version']}"


def _in_a_line(error: Exception, longest: int = 400) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= longest else text[: longest - 1] + "…"
