"""What `make sbom`, `make audit` and the container's health check say is true."""

import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from shared import probe
from tests.support.deployed_redis import ROOT
from tests.support.running import free_port


@pytest.mark.slow
def test_the_bill_of_materials_lists_what_the_image_installs() -> None:
    """CycloneDX by its schema, and each pinned package with its version and hashes."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    done = subprocess.run(["make", "--silent", "sbom"], cwd=ROOT, capture_output=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    text = (ROOT / "dist" / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    assert bill["metadata"]["component"]["name"] == "adaptive-care"
    pinned = dict(re.findall(r"^([a-z0-9._-]+)==([^ ;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert pinned
    assert {one["name"]: one["version"] for one in bill["components"]}.items() >= pinned.items()
    assert all(one["externalReferences"][0]["hashes"] for one in bill["components"])


AUDITS = {
    "nothing known": ([{"name": "a", "version": "1", "vulns": []}], 0, "1 of 1 packages looked up, 0 vulnerabilities"),
    "one known": (
        [{"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}],
        1,
        "a 1: PYSEC-1, fixed in 2",
    ),
    "not looked up": ([{"name": "a", "skip_reason": "not found"}], 2, "not looked up: a"),
    "no network": (None, 2, "nothing could be looked up: no network"),
}


@pytest.mark.parametrize("case", AUDITS)
def test_an_audit_that_could_not_look_is_not_called_clean(case: str, tmp_path: Path) -> None:
    """pip-audit itself ends well where it found nothing out; a script stands in for it, which says what it would."""
    packages, status, told = AUDITS[case]
    report = (
        "" if packages is None else f"cat > \"$last\" <<'REPORT'\n{json.dumps({'dependencies': packages})}\nREPORT\n"
    )
    auditor = tmp_path / "pip-audit"
    auditor.write_text(f'#!/usr/bin/env bash\nfor last; do :; done\n{report}echo "no network" >&2\n')
    auditor.chmod(0o755)
    (tmp_path / "python").symlink_to(ROOT / ".venv" / "bin" / "python")
    done = subprocess.run(
        [ROOT / "deploy" / "audit", tmp_path], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, told in done.stdout + done.stderr) == (status, True), done.stdout + done.stderr


@contextmanager
def listening(port: int, status: int) -> Iterator[None]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/ready" else 404)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("offset", range(5))
def test_a_container_is_healthy_when_its_service_is_ready(offset: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of the services it runs, without being told which."""
    first = free_port()
    monkeypatch.setenv("CARE_HTTP_PORT", str(first))
    monkeypatch.setenv("CARE_HTTP_HOST", "0.0.0.0")  # noqa: S104  # as in the container
    assert probe.main() == 1
    with listening(first + offset, 200):
        assert probe.main() == 0
    with listening(first + offset, 503):
        assert probe.main() == 1
