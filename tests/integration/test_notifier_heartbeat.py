"""The outward sign of life: over the web or as a file, and never a reason to stop."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from services.notifier import heartbeat as heartbeat_module
from services.notifier.heartbeat import make_heartbeat
from services.notifier.settings import NotifierSettings
from shared.settings import SettingError, read_settings
from tests.support.example import EPOCH
from tests.support.running import client_for, command, environment_for, http_get, wait_ready


@asynccontextmanager
async def watcher(answer: str | None) -> AsyncIterator[tuple[int, list[str]]]:
    """A real HTTP server that gives one answer, or none at all; its port and the requests that it got."""
    requests: list[str] = []
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append((await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[0])
        if answer is None:
            await over.wait()
        else:
            writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], requests
        over.set()


async def beat(url: str) -> bool:
    heartbeat = make_heartbeat(SecretStr(url))
    assert heartbeat is not None
    return await heartbeat.beat(EPOCH)


async def test_a_url_is_asked_for_once() -> None:
    """As the services that wait for such signs expect it."""
    async with watcher("200 OK") as (port, requests):
        assert await beat(f"http://127.0.0.1:{port}/ping/secret-token")
    assert requests == ["GET /ping/secret-token HTTP/1.1"]


@pytest.mark.parametrize("answer", ["500 Oops", "404 Not Found", "302 Found\r\nLocation: /elsewhere"])
async def test_any_answer_but_success_is_no_sign_and_the_log_keeps_the_secret(answer: str) -> None:
    """A redirect is not followed: it may lead anywhere."""
    with capture_logs() as logs:
        async with watcher(answer) as (port, requests):
            assert not await beat(f"http://127.0.0.1:{port}/ping/secret-token")
    assert len(requests) == 1
    assert [(line["event"], line["cause"]) for line in logs] == [("heartbeat_failed", f"status {answer[:3]}")]
    assert "secret-token" not in str(logs)


async def test_a_watcher_that_hangs_or_is_gone_delays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next audit does not wait for who does not answer."""
    monkeypatch.setattr(heartbeat_module, "WITHIN_S", 0.3)
    with capture_logs() as logs:
        async with watcher(None) as (port, _), asyncio.timeout(5):
            assert not await beat(f"http://127.0.0.1:{port}/")
        assert not await beat(f"http://127.0.0.1:{port}/")
    assert {line["event"] for line in logs} == {"heartbeat_failed"}


async def test_a_file_is_replaced_whole_and_says_when(tmp_path: Path) -> None:
    """A watcher may look at the content or at the time of change, at any moment."""
    path = tmp_path / "a folder" / "heart%beat"
    path.parent.mkdir()
    path.write_text("old")
    os.utime(path, (0, 0))
    assert await beat(path.as_uri())
    assert path.read_text() == "2026-03-02T09:00:00.000Z\n"
    assert abs(path.stat().st_mtime - datetime.now(UTC).timestamp()) < 10
    assert [found.name for found in path.parent.iterdir()] == [path.name]


async def test_a_file_that_cannot_be_written_is_logged(tmp_path: Path) -> None:
    """A full or missing disk is heard by its silence."""
    with capture_logs() as logs:
        assert not await beat((tmp_path / "missing" / "heartbeat").as_uri())
    assert logs[0]["cause"] == "FileNotFoundError"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://a.example/x", "must begin with one of https://, http://, file:///"),
        ("secret-token", "must begin with one of https://, http://, file:///"),
        ("https:///secret-token", "names no host"),
        ("file://host/secret-token", "must name a file by its whole path"),
        ("file:///", "must name a file by its whole path"),
    ],
)
def test_a_url_that_cannot_be_touched_is_refused_at_the_start(
    url: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typing error is no silent heart; the line does not repeat what may be a secret."""
    monkeypatch.setenv("CARE_HEARTBEAT_URL", url)
    with pytest.raises(SettingError) as refused:
        read_settings(NotifierSettings)
    assert str(refused.value).startswith(f"CARE_HEARTBEAT_URL: {reason}")
    assert "secret" not in str(refused.value)


@pytest.mark.slow
async def test_the_command_as_it_is_shipped_gives_its_first_sign_soon_after_the_start(
    redis_url: str, tmp_path: Path
) -> None:
    """Nothing but a setting is needed; a restart does not look like an outage."""
    path = tmp_path / "heartbeat"
    environment = environment_for(tmp_path, CARE_REDIS_URL=redis_url, CARE_HEARTBEAT_URL=path.as_uri())
    async with (
        client_for(redis_url) as client,
        command("run", environment=environment, log=tmp_path / "log") as process,
    ):
        await wait_ready(environment, process)
        async with asyncio.timeout(40):
            while not path.exists():  # noqa: ASYNC110  # a file tells nobody
                await asyncio.sleep(0.1)
        _, metrics = await http_get(int(environment["CARE_HTTP_PORT"]), "/metrics")
        assert b'care_audit_passed{service="notifier"} 1.0' in metrics
        assert await client.pttl("care:{0}:present:planner") > 0
    assert '"event": "audit_passed"' in (tmp_path / "log").read_text()
