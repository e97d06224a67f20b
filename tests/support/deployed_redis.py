"""Redis as a deployment sets it up: with the users that `deploy/make-secrets` makes, and TLS where asked for."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.support.running import free_port
from tests.support.server_process import server_process

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class DeployedRedis:
    """A running server and the folder with its secrets."""

    port: int
    secrets: Path
    has_tls: bool = False

    def url_file(self, user: str) -> Path:
        """What `CARE_REDIS_URL_FILE` names."""
        return self.secrets / (f"keep/{user}_url" if user in ("admin", "privacy") else f"{user}_url")

    def client(self, user: str) -> redis.Redis:
        """A client that comes in as this user."""
        return redis.Redis.from_url(self.url_file(user).read_text().strip())


def make_secrets(folder: Path, *arguments: str) -> None:
    """Runs the script; what it prints holds no secret."""
    done = subprocess.run(
        [ROOT / "deploy" / "make-secrets", *arguments, folder], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    for file in folder.rglob("*_password"):
        assert file.read_text().strip() not in done.stdout + done.stderr


@contextlib.contextmanager
def deployed_redis(folder: Path, *, tls: bool = False) -> Iterator[DeployedRedis]:
    """Redis with `deploy/redis/redis.conf` and the users of a deployment."""
    port, secrets = free_port(), folder / "secrets"
    make_secrets(secrets, "--redis", f"127.0.0.1:{port}", *(("--tls",) if tls else ()))
    settings = [str(ROOT / "deploy" / "redis" / "redis.conf"), "--aclfile", str(secrets / "users.acl")]
    if tls:
        for file in secrets.rglob("*_url"):
            _point_at(file, secrets / "redis_ca.pem")
        settings += ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"]
        settings += ["--bind", "127.0.0.1", "127.0.0.2"]  # the second is in no certificate
        settings += ["--tls-cert-file", str(secrets / "redis_cert.pem")]
        settings += ["--tls-key-file", str(secrets / "redis_key.pem")]
        settings += ["--tls-ca-cert-file", str(secrets / "redis_ca.pem")]
    with server_process(folder / "redis", *settings, port=port):
        yield DeployedRedis(port, secrets, tls)


def _point_at(url: Path, authority: Path) -> None:
    """The address names the authority where containers have it; here it lies elsewhere."""
    url.chmod(0o644)
    url.write_text(url.read_text().replace("/run/secrets/redis_ca.pem", str(authority)))
