"""Traffic to Redis is encrypted where the address says so, and only a server with the right certificate is trusted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.deployed_redis import DeployedRedis, deployed_redis
from tests.support.running import command, environment_for, free_port, wait_ready


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedRedis]:
    with deployed_redis(tmp_path_factory.mktemp("encrypted"), tls=True) as found:
        yield found


async def test_a_service_speaks_tls_to_redis(encrypted: DeployedRedis, tmp_path: Path) -> None:
    """The authority's certificate is named in the address; client, subscribers and script calls all use it."""
    log = tmp_path / "log"
    environment = environment_for(
        tmp_path, CARE_REDIS_URL_FILE=str(encrypted.url_file("intake")), CARE_HTTP_PORT=str(free_port())
    )
    async with command("run", "intake", environment=environment, log=log) as process:
        await wait_ready(environment, process, port_offset=1)
        process.terminate()
        assert await process.wait() == 0
    with encrypted.client("admin") as client:
        assert client.xinfo_groups("care:{0}:intakes")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("?ssl_ca_certs=", "?unused="), "its certificate is not trusted"),
        (("127.0.0.1", "127.0.0.2"), "its certificate is not trusted"),
        (("rediss://", "redis://"), "options of TLS need an address that begins with rediss://"),
    ],
    ids=["unknown authority", "another name", "no TLS"],
)
async def test_a_server_that_is_not_proved_is_not_used(
    change: tuple[str, str], told: str, encrypted: DeployedRedis, tmp_path: Path
) -> None:
    """Checks are on without being asked for; who cannot prove to be Redis gets no password."""
    url = encrypted.url_file("intake").read_text().strip().replace(*change).replace("?unused=", "?client_name=")
    environment = environment_for(tmp_path, CARE_REDIS_URL=url, CARE_REDIS_PATIENCE_S="0.5")
    log = tmp_path / "log"
    async with command("run", "intake", environment=environment, log=log) as process:
        assert await process.wait() in (1, 2)
    assert told in log.read_text().splitlines()[-1]
    assert "Traceback" not in log.read_text()
    password = (encrypted.secrets / "intake_password").read_text().strip()
    assert password not in log.read_text()
