"""The embedded server, with the real programs of this machine."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import pytest
import redis

from shared.embedded import EmbeddedServer, EmbeddedServerError, find_server, open_embedded

pytestmark = pytest.mark.needs_redis


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data folder that does not exist yet, with a short path."""
    with TemporaryDirectory(prefix="care-test-") as folder:
        yield Path(folder) / "data"


@contextmanager
def connected(server: EmbeddedServer) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        yield client


def write(server: EmbeddedServer, value: str) -> None:
    with connected(server) as client:
        client.set("plan", value)


def read(server: EmbeddedServer) -> str | None:
    with connected(server) as client:
        return cast("str | None", client.get("plan"))


def test_a_started_server_answers_and_is_set_up_to_keep_what_it_acknowledges(data_dir: Path) -> None:
    """The server answers on its URL, appends every write to a file, and never evicts."""
    with open_embedded(data_dir) as server, connected(server) as client:
        assert client.ping()
        settings = cast("dict[str, str]", client.config_get("append*", "save", "port", "maxmemory-policy"))
        assert settings["appendonly"] == "yes"
        assert settings["appendfsync"] == "everysec"
        assert (settings["save"], settings["port"], settings["maxmemory-policy"]) == ("", "0", "noeviction")


def test_only_the_user_can_reach_the_server_and_its_files(data_dir: Path) -> None:
    """The folder and the socket are closed to other users of the machine."""
    with open_embedded(data_dir) as server:
        socket = Path(server.url.removeprefix("unix://"))
        assert socket.stat().st_mode & 0o777 == 0o700
        assert socket.parent.stat().st_mode & 0o777 == 0o700


def test_data_survives_a_stop_and_a_start(data_dir: Path) -> None:
    """What was written before a stop is there after the next start."""
    with open_embedded(data_dir) as server:
        write(server, "hold")
    with open_embedded(data_dir) as server:
        assert read(server) == "hold"


def test_data_older_than_a_second_survives_kill_9(data_dir: Path) -> None:
    """A server that is killed outright has lost its last second at most, and can be started again."""
    with open_embedded(data_dir) as server:
        write(server, "hold")
        time.sleep(1.2)
        first = server.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        while server_answers(server):
            time.sleep(0.01)
        server.start()
        assert server.pid != first
        assert read(server) == "hold"


def server_answers(server: EmbeddedServer) -> bool:
    try:
        with connected(server) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_a_second_opener_reaches_the_same_server_and_leaves_it_running(data_dir: Path) -> None:
    """`trace` in a second terminal sees what `run` wrote, and does not stop the server when it ends."""
    with open_embedded(data_dir) as first:
        write(first, "hold")
        with open_embedded(data_dir) as second:
            assert second.url == first.url
            assert not second.is_owned
            assert read(second) == "hold"
        assert read(first) == "hold"


def test_many_starters_at_once_share_one_server(data_dir: Path) -> None:
    """Of several that start in the same moment exactly one starts the server; the others use it."""
    servers = [EmbeddedServer(data_dir) for _ in range(4)]
    starters = [threading.Thread(target=server.start) for server in servers]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    try:
        assert sorted(server.is_owned for server in servers) == [False, False, False, True]
    finally:
        for server in servers:
            server.stop()


def test_a_server_left_behind_by_a_killed_process_is_taken_over_and_then_stopped(data_dir: Path) -> None:
    """After `kill -9` of the process that started it, the next opener uses the server, and stops it at its end."""
    program = (
        "import sys, time; from pathlib import Path; from shared.embedded import open_embedded\n"
        "server = open_embedded(Path(sys.argv[1])); print(server.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, data_dir], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        owner.kill()
    with open_embedded(data_dir) as server:
        assert server.is_owned
        assert server.pid == pid
        write(server, "hold")
    with open_embedded(data_dir) as server:  # had the old one not been stopped, this would take it over once more
        assert server.is_owned
        assert server.pid != pid
        assert read(server) == "hold"


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(data_dir: Path) -> None:
    """The server is in a session of its own, so that the services can still commit while they stop."""
    with open_embedded(data_dir) as server:
        assert server.pid is not None
        assert os.getsid(server.pid) != os.getsid(0)


@pytest.mark.parametrize("newer_or_other", ["a newer version", "the other family"])
def test_a_folder_that_no_server_here_can_read_is_refused(data_dir: Path, newer_or_other: str) -> None:
    """The error names the server that wrote the folder and says what to do; nothing is touched."""
    with open_embedded(data_dir):
        pass
    wrote = f"{find_server().family} 99" if newer_or_other == "a newer version" else "KeyDB 6"
    marker = data_dir / "redis" / "written-by"
    marker.write_text(wrote + "\n")
    with pytest.raises(
        EmbeddedServerError, match=rf"written by {wrote}.*install {wrote} or newer, or delete the folder"
    ):
        open_embedded(data_dir)
    assert marker.read_text() == wrote + "\n"


def test_the_folder_says_which_server_wrote_it(data_dir: Path) -> None:
    """The marker names the family and the major version, for people and for the next start."""
    with open_embedded(data_dir):
        found = find_server()
    assert (data_dir / "redis" / "written-by").read_text() == f"{found.family} {found.version[0]}\n"


def test_a_folder_that_cannot_be_written_to_is_a_plain_error(data_dir: Path) -> None:
    """Where a file is in the way of the folder, the error names the folder and the setting."""
    data_dir.write_text("in the way")
    with pytest.raises(EmbeddedServerError, match=r"cannot keep .* CARE_DATA_DIR"):
        open_embedded(data_dir)


def test_a_read_only_folder_is_a_plain_error(data_dir: Path) -> None:
    """Where the permissions forbid it, the error names the folder and the setting."""
    data_dir.mkdir(mode=0o500)
    if os.access(data_dir, os.W_OK):
        pytest.skip("this user, e.g. root, may write everywhere")
    with pytest.raises(EmbeddedServerError, match=r"cannot keep .* CARE_DATA_DIR"):
        open_embedded(data_dir)


def test_a_server_that_cannot_start_shows_the_end_of_its_log(data_dir: Path) -> None:
    """A damaged data file ends in an error with the server's own words, and leaves nothing running or locked."""
    with open_embedded(data_dir) as server:
        write(server, "hold")
    kept = next((data_dir / "redis" / "appendonlydir").glob("*.incr.aof"))
    kept.write_bytes(b"not a log of commands\r\n" * 10)
    for _ in range(2):
        with pytest.raises(EmbeddedServerError, match=r"(?s)ended with code 1; .*Bad file format"):
            open_embedded(data_dir)


def test_a_very_deep_folder_has_its_socket_elsewhere(data_dir: Path) -> None:
    """Where the path is too long for a socket, `socket-path` leads other processes to it."""
    deep = data_dir / ("deep-" * 15) / ("deeper-" * 15)
    with open_embedded(deep) as first:
        noted = (deep / "redis" / "socket-path").read_text().strip()
        assert first.url == f"unix://{noted}"
        with open_embedded(deep) as second:
            assert second.url == first.url
            assert not second.is_owned
        write(first, "hold")
    assert not Path(noted).exists()
    with open_embedded(deep) as again:
        assert read(again) == "hold"
    Path(noted).parent.rmdir()


def test_a_folder_with_spaces_and_signs_in_its_name_works(data_dir: Path) -> None:
    """Any folder name makes a URL that a client understands."""
    with open_embedded(data_dir / "my care? 100% #1 ü") as server:
        assert server_answers(server)


def test_a_server_that_is_too_old_is_passed_over(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A redis-server 6.2 on the PATH is not used: the wheel's server is."""
    monkeypatch.setenv("PATH", str(folder_with_redis(data_dir, "6.2.14")))
    assert find_server().path.parent != data_dir


def test_without_any_server_the_error_says_what_to_do(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence: what was found, what to install, and the setting that does without."""
    monkeypatch.setattr("importlib.metadata.files", lambda _name: [])
    monkeypatch.setenv("PATH", str(folder_with_redis(data_dir, "6.2.14")))
    with pytest.raises(EmbeddedServerError, match=r"only Redis 6\.2\.14 .*install redis-server.* CARE_REDIS_URL"):
        find_server()
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(EmbeddedServerError, match=r"^no Redis server was found: install redis-server"):
        find_server()


def folder_with_redis(folder: Path, version: str) -> Path:
    """A folder for the PATH with a `redis-server` that says that it has this version."""
    folder.mkdir()
    script = folder / "redis-server"
    script.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=00000000:0 malloc=libc bits=64'\n")
    script.chmod(0o755)
    return folder


def test_an_installed_server_does_not_lock_out_data_that_the_wheels_server_wrote(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who installs redis-server later keeps the data: the folder goes on with the family that wrote it."""
    with monkeypatch.context() as without_path:
        without_path.setenv("PATH", "/nonexistent")
        wheel = find_server()
        with open_embedded(data_dir) as server:
            write(server, "hold")
    monkeypatch.setenv("PATH", str(folder_with_redis(data_dir.parent / "bin", "99.0.0")))
    assert find_server().family != wheel.family
    with open_embedded(data_dir) as server:
        assert read(server) == "hold"
