"""The image is built without a network and runs as deployments run it: no root, nothing to write to, no rights.

It needs a Docker engine, and is left out aloud where none answers. The base is made of this machine's own Python, so
that no registry of images is needed; the wheels are those of the lock file.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.black_box import intake
from tests.support.deployed_redis import ROOT, make_secrets

WAIT_S = 180.0
BUILD_S = 900.0
LOCKS = ("requirements.lock", "deploy/requirements-build.lock")
CONFINED = (  # as in deploy/compose.yaml
    *("--read-only", "--tmpfs", "/tmp:mode=1777", "--tmpfs", "/var/lib/adaptive-care:uid=10001"),
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "10001:10001"),
)


@dataclass(frozen=True, slots=True)
class Built:
    """The image, a network of its own and the Redis within it, all gone after the tests."""

    image: str
    network: str
    redis: str
    secrets: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    if not _engine_answers():
        if os.environ.get("CARE_TEST_REDIS") == "docker":
            pytest.fail("no Docker engine answers", pytrace=False)
        pytest.skip("no Docker engine answers")
    name = f"care-test-{uuid.uuid4().hex[:8]}"
    context, secrets = tmp_path_factory.mktemp("context"), tmp_path_factory.mktemp("secrets")
    redis, image = f"{name}-redis", f"{name}:local"
    make_secrets(secrets, "--redis", f"{redis}:6379")
    _gather(context)
    base = _run(ROOT / "deploy" / "test-image" / "build-python", sys.executable, f"{name}-base:local").strip()
    server = _run(ROOT / "deploy" / "test-image" / "build", f"{name}-server:local").strip()
    try:
        docker(
            *("build", "--quiet", "--network", "none", "--file", str(context / "deploy" / "Dockerfile")),
            *("--build-arg", f"BASE={base}", "--build-arg", "PIP_NO_INDEX=1", "--tag", image, str(context)),
        )
        docker("network", "create", name)
        docker(
            *("run", "--detach", "--name", redis, "--network", name),
            *("--volume", f"{secrets / 'users.acl'}:/etc/users.acl:ro", server, "/usr/bin/redis-server"),
            *("--appendonly", "yes", "--save", "", "--aclfile", "/etc/users.acl"),
        )
        yield Built(image, name, redis, secrets)
    finally:
        for arguments in (("rm", "--force", "--volumes", redis), ("network", "rm", name)):
            subprocess.run(["docker", *arguments], capture_output=True, timeout=60, check=False)
        subprocess.run(["docker", "rmi", "--force", image, base, server], capture_output=True, timeout=60, check=False)


@pytest.mark.slow
def test_a_container_without_rights_does_its_work(built: Built) -> None:
    """Read-only, not root, with a secret from a file: it becomes healthy, and an intake becomes a classification."""
    event = json.dumps(intake("p", datetime.now(UTC)))
    with container(built, "intake") as name:
        _until(lambda: docker("inspect", "--format", "{{.State.Health.Status}}", name).strip() == "healthy", name)
        inside = "import os; print(os.getuid(), os.access('/opt', os.W_OK), os.access('/etc', os.W_OK))"
        assert docker("exec", name, "python", "-c", inside).split() == ["10001", "False", "False"]
        _ask(built, f"r.xadd('care:{{0}}:intakes', {{'__data__': {event!r}}})", "producer")
        _until(lambda: _ask(built, "print(r.xlen('care:{0}:classifications'))", "operator").strip() == "1", name)
        docker("stop", "--time", "30", name)
        assert docker("inspect", "--format", "{{.State.ExitCode}}", name).strip() == "0"


@pytest.mark.slow
def test_the_image_says_what_it_is_and_holds_no_tools_for_others(built: Built) -> None:
    """Labels and a user by number; no pip in its environment, no secret, no test."""
    (found,) = json.loads(docker("image", "inspect", built.image))
    config = found["Config"]
    assert config["User"] == "10001:10001"
    assert config["Labels"]["org.opencontainers.image.title"] == "adaptive-care"
    assert config["Healthcheck"]["Test"] == ["CMD", "python", "-m", "shared.probe"]
    assert not [one for one in config["Env"] if "SECRET" in one or "PASSWORD" in one]
    script = "import importlib.util as u; print([n for n in ('tests', 'pytest', 'hatchling') if u.find_spec(n)])"
    assert docker("run", "--rm", *CONFINED, built.image, "python", "-c", script).strip() == "[]"


@contextlib.contextmanager
def container(built: Built, service: str) -> Iterator[str]:
    """One service, confined, with its address of Redis from a file; removed in the end."""
    name, secret = f"{built.network}-{service}", f"/run/secrets/{service}_url"
    docker(
        *("run", "--detach", "--name", name, "--network", built.network, *CONFINED),
        *("--volume", f"{built.secrets / f'{service}_url'}:{secret}:ro", "--env", f"CARE_REDIS_URL_FILE={secret}"),
        *(built.image, "adaptive-care", "run", service),
    )
    try:
        yield name
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, timeout=60, check=False)


def docker(*arguments: str) -> str:
    return _run("docker", *arguments)


def _ask(built: Built, statement: str, user: str) -> str:
    """Runs one statement on a client `r` within the network, as a user of Redis."""
    script = f"import redis; r = redis.Redis.from_url(open('/run/url').read().strip()); {statement}"
    return docker(
        *("run", "--rm", "--network", built.network, *CONFINED),
        *("--volume", f"{built.secrets / user}_url:/run/url:ro"),
        *(built.image, "python", "-c", script),
    )


def _gather(context: Path) -> None:
    """What the image is made of, and the wheels of both lock files."""
    for folder in ("services", "shared"):
        shutil.copytree(ROOT / folder, context / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (*LOCKS, "pyproject.toml", "README.md", ".dockerignore", "deploy/Dockerfile"):
        (context / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, context / file)
    for lock in LOCKS:
        _run(
            *(sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--only-binary", ":all:"),
            *("--requirement", ROOT / lock, "--dest", context / "wheels"),
        )


def _run(*command: Any) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=BUILD_S, check=False)
    assert done.returncode == 0, f"{command[:4]}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
    return done.stdout


def _engine_answers() -> bool:
    if shutil.which("docker") is None or shutil.which("redis-server") is None:
        return False
    return subprocess.run(["docker", "version"], capture_output=True, timeout=30, check=False).returncode == 0


def _until(is_true: Any, name: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_true():
        assert time.monotonic() < deadline, docker("logs", "--tail", "20", name)
        time.sleep(0.5)
