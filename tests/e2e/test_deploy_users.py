"""Each service runs with its own Redis user, and what a user does not need is forbidden to it."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.exceptions import NoPermissionError, ResponseError

from tests.support.black_box import SERVICES
from tests.support.deployed_redis import DeployedRedis, deployed_redis, make_secrets


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedRedis]:
    with deployed_redis(tmp_path_factory.mktemp("deployed")) as found:
        yield found


Act = Callable[[Any], Any]
ENTRY = {"__data__": "{}"}
FORBIDDEN: dict[str, tuple[str, Act]] = {
    "the planner reads the notifier's state": ("planner", lambda r: r.get("care:{0}:notifier:state:p")),
    "intake reads progression's state": ("intake", lambda r: r.get("care:{0}:progression:state:p")),
    "intake writes programs": ("intake", lambda r: r.xadd("care:{0}:programs", ENTRY)),
    "intake writes programs by a script": (
        "intake",
        lambda r: r.eval("redis.call('XADD', KEYS[1], '*', '__data__', '{}')", 1, "care:{0}:programs"),
    ),
    "the planner writes what it reads": ("planner", lambda r: r.xadd("care:{0}:classifications", ENTRY)),
    "the planner writes an input": ("planner", lambda r: r.xadd("care:{0}:decisions", ENTRY)),
    "progression writes an input": ("progression", lambda r: r.xadd("care:{0}:sessions", ENTRY)),
    "the notifier writes what a patient tells": ("notifier", lambda r: r.xadd("care:{0}:sessions", ENTRY)),
    "intake reads what it takes in for others": ("intake", lambda r: r.xrange("care:{0}:sessions")),
    "intake makes a key of the door": ("intake", lambda r: r.hset("care:{0}:http:keys", "k", "{}")),
    "progression lists the keys of the door": ("progression", lambda r: r.hgetall("care:{0}:http:keys")),
    "the planner reads a key of the door": ("planner", lambda r: r.hget("care:{0}:http:keys", "k")),
    "progression reads keys of webhooks": ("progression", lambda r: r.hgetall("care:{0}:webhooks")),
    "the notifier subscribes an endpoint": ("notifier", lambda r: r.hset("care:{0}:webhooks", "wh", "{}")),
    "intake forgets a group": ("intake", lambda r: r.hdel("care:{0}:groups", "notifier|care:{0}:escalations")),
    "the planner trims an output": ("planner", lambda r: r.xtrim("care:{0}:programs", maxlen=0)),
    "the planner moves the replay clock": ("planner", lambda r: r.set("care:clock", "2026-01-01T00:00:00Z")),
    "progression trims what others keep": ("progression", lambda r: r.xtrim("care:{0}:patients", maxlen=0)),
    "progression deletes a stream": ("progression", lambda r: r.delete("care:{0}:sessions")),
    "the notifier writes a prescription": ("notifier", lambda r: r.xadd("care:{0}:adjustments", ENTRY)),
    "the notifier reads intakes' state": ("notifier", lambda r: r.get("care:{0}:intake:state:p")),
    "the producer reads what it wrote": ("producer", lambda r: r.xrange("care:{0}:sessions")),
    "the producer reads an output": ("producer", lambda r: r.xread({"care:{0}:programs": "0"})),
    "the producer writes an output": ("producer", lambda r: r.xadd("care:{0}:programs", ENTRY)),
    "the producer runs a script": ("producer", lambda r: r.eval("return 1", 0)),
    "the consumer reads patients": ("consumer", lambda r: r.xrange("care:{0}:patients")),
    "the consumer writes": ("consumer", lambda r: r.xadd("care:{0}:sessions", ENTRY)),
    "the operator reads addresses in the notifier's state": ("operator", lambda r: r.get("care:{0}:notifier:state:p")),
    "the operator reads what was done for a patient": (
        "operator",
        lambda r: r.xrange("care:{0}:notifier:ledger:p"),
    ),
    "the operator acknowledges for a webhook": (
        "operator",
        lambda r: r.set("care:{0}:webhook:wh:lease", "me"),
    ),
    "the consumer reads what was rejected": ("consumer", lambda r: r.xrange("care:{0}:dead-letters")),
    "the operator writes": ("operator", lambda r: r.xadd("care:{0}:decisions", ENTRY)),
    "the operator deletes dead letters": ("operator", lambda r: r.xdel("care:{0}:dead-letters", "0-1")),
    "the scaler reads entries": ("scaler", lambda r: r.xrange("care:{0}:sessions")),
    "the health check reads": ("health", lambda r: r.info()),
}
DANGEROUS: dict[str, Act] = {
    "FLUSHALL": lambda r: r.flushall(),
    "CONFIG GET": lambda r: r.config_get("*"),
    "CONFIG SET": lambda r: r.config_set("appendonly", "no"),
    "KEYS": lambda r: r.keys("*"),
    "SCAN": lambda r: r.scan(),
    "ACL LIST": lambda r: r.acl_list(),
    "SHUTDOWN": lambda r: r.execute_command("SHUTDOWN"),
    "BGREWRITEAOF": lambda r: r.bgrewriteaof(),
    "REPLICAOF": lambda r: r.execute_command("REPLICAOF", "127.0.0.1", "1"),
    "CLIENT KILL": lambda r: r.execute_command("CLIENT", "KILL", "TYPE", "normal"),
    "MONITOR": lambda r: r.execute_command("MONITOR"),
    "FUNCTION LOAD": lambda r: r.execute_command("FUNCTION", "LOAD", "#!lua name=x"),
    "a key outside": lambda r: r.set("other", "1"),
}
EVERYBODY = (*SERVICES, "producer", "consumer", "operator", "scaler", "health")


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_a_user_does_not_need_is_forbidden(what: str, deployed: DeployedRedis) -> None:
    """A service that was taken over reaches its own patients' state and streams, and no others."""
    user, act = FORBIDDEN[what]
    with client_of(deployed, user) as client, pytest.raises(ResponseError, match=r"no permissions|can't access"):
        act(client)


@pytest.mark.parametrize("user", EVERYBODY)
def test_nobody_but_an_administrator_may_destroy_or_look_around(user: str, deployed: DeployedRedis) -> None:
    """No key names, no settings, no users, nothing that stops the server or empties it."""
    with client_of(deployed, user) as client:
        for what, act in DANGEROUS.items():
            with pytest.raises(NoPermissionError):
                raise AssertionError(f"{user} may {what}: {act(client)!r}")


def test_nobody_comes_in_without_a_password(deployed: DeployedRedis) -> None:
    """There is no default user, and the wrong password is no password."""
    address = f"127.0.0.1:{deployed.port}"
    for url in (f"redis://{address}", f"redis://intake:wrong@{address}", f"redis://default:@{address}"):
        with redis.Redis.from_url(url) as client, pytest.raises(redis.exceptions.AuthenticationError):
            client.ping()


def test_an_operator_sees_the_streams_and_the_platform_gets_its_outputs(deployed: DeployedRedis) -> None:
    """What each needs is allowed: the command line for the one, a consumer group for the other, lag for KEDA."""
    with client_of(deployed, "consumer") as client:
        client.xgroup_create("care:{0}:programs", "platform", id="0", mkstream=True)
        entries = client.xreadgroup("platform", "p", {"care:{0}:programs": ">"}, count=1)
        for _, rows in entries:
            client.xack("care:{0}:programs", "platform", rows[0][0])
    with client_of(deployed, "operator") as client:
        client.xlen("care:{0}:patients")
        client.xinfo_groups("care:{0}:programs")
    with client_of(deployed, "scaler") as client:
        client.info("server")
        client.xinfo_groups("care:{0}:programs")
        client.xpending("care:{0}:programs", "platform")


def test_secrets_are_kept_when_they_are_made_again(tmp_path: Path) -> None:
    """A second run changes no password; one whose file was deleted is made anew, in the users' file too."""
    make_secrets(tmp_path, "--tls")
    before = contents(tmp_path)
    make_secrets(tmp_path, "--tls")
    assert contents(tmp_path) == before
    (tmp_path / "intake_password").unlink()
    make_secrets(tmp_path, "--tls")
    changed = {name for name, content in contents(tmp_path).items() if content != before[name]}
    assert changed == {"intake_password", "intake_url", "users.acl"}
    assert tmp_path.stat().st_mode & 0o077 == 0
    kept = {Path(name).name for name in before if name.startswith("keep/")}
    assert kept == {"admin_password", "admin_url", "redis_ca_key.pem"}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextlib.contextmanager
def client_of(deployed: DeployedRedis, user: str) -> Iterator[Any]:
    without_secret = redis.Redis.from_url(f"redis://{user}:any@127.0.0.1:{deployed.port}")
    with without_secret if user == "health" else deployed.client(user) as client:
        yield client
