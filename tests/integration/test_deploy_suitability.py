"""A Redis that would lose patients' data is refused, or warned of, before the first event is read."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from shared.stream.connection import await_server
from shared.stream.error import UnreachableError, UnsuitableError
from shared.stream.suitability import check_version, weaknesses
from tests.support.running import client_for, command, environment_for, free_port, wait_ready
from tests.support.server_process import server_process

SAFE = ("--appendonly", "yes")


def environment_on(port: int, folder: Path) -> dict[str, str]:
    """Of a command that uses the server on this port, and none of its neighbours."""
    return environment_for(folder, CARE_REDIS_URL=f"redis://127.0.0.1:{port}", CARE_HTTP_PORT=str(free_port()))


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_a_redis_that_throws_data_away_is_refused(policy: str, tmp_path: Path) -> None:
    """The process ends with status 1 and one line that names the setting and the remedy."""
    with server_process(tmp_path / "redis", *SAFE, "--maxmemory", "100mb", "--maxmemory-policy", policy) as port:
        environment = environment_on(port, tmp_path)
        log = tmp_path / "log"
        async with command("run", "intake", environment=environment, log=log) as process:
            assert await process.wait() == 1
    told = log.read_text().splitlines()[-1]
    assert told.startswith("adaptive-care: this Redis throws data away when its memory is full")
    assert f"maxmemory-policy {policy}" in told
    assert "set maxmemory-policy noeviction" in told
    assert "Traceback" not in log.read_text()


async def test_a_redis_without_append_only_file_is_warned_of(tmp_path: Path) -> None:
    """It works, so it runs; what may be lost is said at the start."""
    with server_process(tmp_path / "redis", "--maxmemory-policy", "allkeys-lfu") as port:
        environment = environment_on(port, tmp_path)
        log = tmp_path / "log"
        async with command("run", "intake", environment=environment, log=log) as process:
            await wait_ready(environment, process, port_offset=1)
    told = log.read_text()
    assert "the append-only file is off" in told
    assert "once maxmemory is set, data would be thrown away" in told


async def test_a_redis_as_it_should_be_is_not_warned_of(tmp_path: Path) -> None:
    """A warning that always comes is read by nobody."""
    with server_process(tmp_path / "redis", *SAFE, "--maxmemory", "100mb") as port:
        async with client_for(f"redis://127.0.0.1:{port}") as client:
            assert await await_server(client, 30) == []


async def test_a_cluster_reached_as_a_single_server_is_refused(tmp_path: Path) -> None:
    """Half of the patients would answer MOVED; the line says how the address must begin."""
    with server_process(tmp_path / "redis", *SAFE, "--cluster-enabled", "yes") as port:
        async with client_for(f"redis://127.0.0.1:{port}") as client:
            with pytest.raises(UnsuitableError, match=r"must begin with redis\+cluster://"):
                await await_server(client, 30)


async def test_a_single_server_reached_as_a_cluster_is_refused(tmp_path: Path) -> None:
    """At once, and not when patience is over."""
    with server_process(tmp_path / "redis", *SAFE) as port:
        async with client_for(f"redis+cluster://127.0.0.1:{port}") as client:
            with pytest.raises(UnsuitableError, match="this server is no Redis Cluster"):
                await await_server(client, 60)


async def test_a_cluster_that_is_down_is_waited_for_and_then_refused(tmp_path: Path) -> None:
    """Slots that nobody serves are patients whom nobody serves."""
    with server_process(tmp_path / "redis", *SAFE, "--cluster-enabled", "yes") as port:
        await _serve_slots(port, 8000)
        async with client_for(f"redis+cluster://127.0.0.1:{port}") as client:
            with pytest.raises(UnreachableError, match="the state of the Redis Cluster is not ok"):
                await await_server(client, 1)


async def test_a_cluster_that_is_whole_is_used(tmp_path: Path) -> None:
    """The same checks pass on a cluster of one."""
    with server_process(tmp_path / "redis", *SAFE, "--cluster-enabled", "yes") as port:
        await _serve_slots(port, 16383)
        async with client_for(f"redis+cluster://127.0.0.1:{port}") as client:
            assert await await_server(client, 30) == []


async def test_a_replica_is_waited_for_and_then_refused(tmp_path: Path) -> None:
    """During a failover the next primary is a replica for a while; a wrong address stays one."""
    with (
        server_process(tmp_path / "primary", *SAFE) as primary,
        server_process(tmp_path / "replica", *SAFE, "--replicaof", f"127.0.0.1 {primary}") as replica,
        server_process(tmp_path / "safe", *SAFE, "--min-replicas-to-write", "1") as safe,
        server_process(tmp_path / "second", *SAFE, "--replicaof", f"127.0.0.1 {safe}") as second,
    ):
        async with client_for(f"redis://127.0.0.1:{replica}") as client:
            with pytest.raises(UnreachableError, match="this server is a replica"):
                await await_server(client, 0.5)
            for server in (replica, second):
                await _until_linked(server)
        async with client_for(f"redis://127.0.0.1:{primary}") as client:
            (told,) = await await_server(client, 30)
            assert "set min-replicas-to-write" in told
        async with client_for(f"redis://127.0.0.1:{safe}") as client:
            assert await await_server(client, 30) == []


async def test_a_user_without_the_rights_is_told_so(tmp_path: Path) -> None:
    """A user that may not even ask is an operator's mistake, with one line."""
    with server_process(tmp_path / "redis", *SAFE, "--user", "poor", "on", ">secret", "~*", "+ping") as port:
        async with client_for(f"redis://poor:secret@127.0.0.1:{port}") as client:
            with pytest.raises(UnsuitableError, match="the user of CARE_REDIS_URL may not do what is needed"):
                await await_server(client, 30)
        async with client_for(f"redis://poor:wrong@127.0.0.1:{port}") as client:
            with pytest.raises(UnreachableError, match="Redis refuses the login"):
                await await_server(client, 30)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://user:topsecret@127.0.0.1:1?colour=blue", "unexpected keyword argument 'colour'"),
        ("redis://user:topsecret@127.0.0.1:1?socket_timeout=x", "its port or an option is wrong"),
        ("redis://user:topsecret/1@127.0.0.1:1", "must be %-encoded"),
    ],
)
async def test_an_address_that_is_none_ends_the_command_with_one_line(url: str, told: str, tmp_path: Path) -> None:
    """A typing error in the address is no traceback, and shows nothing of the password."""
    log = tmp_path / "log"
    async with command("run", "intake", environment=environment_for(tmp_path, CARE_REDIS_URL=url), log=log) as process:
        assert await process.wait() in (1, 2)
    (line,) = [line for line in log.read_text().splitlines() if line.startswith("adaptive-care: ")]
    assert told in line
    assert "Traceback" not in log.read_text()
    assert "topsecret" not in log.read_text()


def test_a_server_that_is_too_old_is_refused() -> None:
    """Redis 6.2 lacks what the streams need; so does Valkey 7.2, whatever Redis it says to be."""
    check_version({"redis_version": "7.0.0"})
    check_version({"redis_version": "7.2.4", "valkey_version": "8.0.1"})
    with pytest.raises(UnsuitableError, match=r"redis 6\.2\.14; it must be Redis 7\.0 or Valkey 8"):
        check_version({"redis_version": "6.2.14"})
    with pytest.raises(UnsuitableError, match=r"valkey 7\.2\.5"):
        check_version({"redis_version": "7.2.4", "valkey_version": "7.2.5"})


def test_a_full_disk_is_warned_of() -> None:
    """As a server says it whose append-only file cannot grow."""
    (told,) = weaknesses({"aof_enabled": 1, "aof_last_write_status": "err"})
    assert "is the disk full?" in told


async def _serve_slots(port: int, last: int) -> None:
    async with client_for(f"redis://127.0.0.1:{port}") as client:
        ask: Any = client.execute_command
        await ask("CLUSTER ADDSLOTSRANGE", 0, last)


async def _until_linked(port: int) -> None:
    async with client_for(f"redis://127.0.0.1:{port}") as client, asyncio.timeout(60):
        while (await client.info("replication"))["master_link_status"] != "up":  # noqa: ASYNC110  # Redis tells nobody
            await asyncio.sleep(0.05)
