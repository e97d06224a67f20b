"""The four services as a deployment runs them, each under its own Redis user, and the platform that deals with them."""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from standardwebhooks import Webhook

from tests.support.black_box import SERVICES, System, intake, session
from tests.support.deployed_redis import DeployedRedis
from tests.support.running import free_port

WAIT_S = 180.0
"""A machine may be loaded."""


@dataclass
class Platform:
    """What a care platform has at its side: an API key of the door, and an endpoint that webhooks are posted to."""

    key: str = ""
    webhook_key: str = ""
    taken: list[dict[str, Any]] = field(default_factory=list)
    """Events with a right signature."""

    def post(self, port: int, event: dict[str, Any]) -> tuple[int, Any]:
        body = json.dumps(event).encode()
        return self._ask(port, "/v1/events", body, {"Content-Type": "application/cloudevents+json"})

    def look(self, port: int, patient: str, view: str) -> tuple[int, Any]:
        return self._ask(port, f"/v1/patients/{patient}/{view}", None, {})

    def _ask(self, port: int, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, Any]:
        headers = headers | {"Authorization": f"Bearer {self.key}"}
        answer = httpx.request(
            "GET" if body is None else "POST",
            f"http://127.0.0.1:{port}{path}",
            content=body,
            headers=headers,
            timeout=30,
            trust_env=False,
        )
        return answer.status_code, answer.json()

    @contextlib.contextmanager
    def listening(self) -> Iterator[int]:
        """Gives the port of the endpoint."""
        platform = self

        class Endpoint(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the name that the library asks for
                body = self.rfile.read(int(self.headers["content-length"]))
                platform.taken.append(Webhook(platform.webhook_key).verify(body, dict(self.headers.items())))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
            running = threading.Thread(target=server.serve_forever)
            running.start()
            try:
                yield server.server_address[1]
            finally:
                server.shutdown()
                running.join()


@dataclass
class Care:
    """All four services, each a process under its own user, and who deals with them."""

    deployed: DeployedRedis
    system: System
    heartbeat: Path
    port: int
    platform: Platform = field(default_factory=Platform)

    def port_of(self, service: str) -> int:
        return self.port + 1 + SERVICES.index(service)

    def command(self, *arguments: str, user: str = "operator") -> str:
        """What `adaptive-care …` prints under a user of Redis; it must succeed."""
        environment = self.system.environment(
            CARE_REDIS_URL="",
            CARE_REDIS_URL_FILE=str(self.deployed.url_file(user)),
            CARE_CLOCK="wall",
            CARE_WEBHOOK_ALLOW="127.0.0.1",
        )
        done = subprocess.run(
            [sys.executable, "-m", "shared.cli.main", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout


@contextlib.contextmanager
def deployed_care(deployed: DeployedRedis, folder: Path) -> Iterator[Care]:
    """Running, with a walker who has trained once, and somebody with a red flag."""
    system = System(deployed.url_file("admin").read_text().strip(), folder)
    care = Care(deployed, system, folder / "heartbeat", free_port())
    now = datetime.now(UTC)
    try:
        for name in SERVICES:
            system.launch(
                "run",
                name,
                CARE_REDIS_URL="",
                CARE_REDIS_URL_FILE=str(deployed.url_file(name)),
                CARE_CLOCK="wall",
                CARE_HTTP_PORT=str(care.port),
                CARE_HEARTBEAT_URL=care.heartbeat.as_uri(),
                CARE_WEBHOOK_ALLOW="127.0.0.1",
            )
        for process in system.processes:
            system.await_ready(process, WAIT_S)
        with deployed.client("producer") as producer:

            def say(stream: str, event: dict[str, Any]) -> None:
                producer.xadd(f"care:{{0}}:{stream}", {"__data__": json.dumps(event)})

            say("intakes", intake("walker", now - timedelta(hours=2)))
            say("intakes", intake("urgent", now, red_flags={"saddle_anaesthesia": "present"}))
            until(lambda: system.read("programs", "walker"))
            say("sessions", session("walker", now - timedelta(hours=1), system.in_force("walker")))
            until(lambda: system.read("adjustments", "walker"))
        care.platform.key = care.command("keys", "create", "platform", "--scope", "care.*", "--scope", "read").strip()
        yield care
    finally:
        system.kill()


def until(is_true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_true():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)
