"""The compose files are valid, confined, and hold no secret. No engine is asked, unless one with compose is there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.secret import SUFFIX, is_secret
from shared.settings import variable
from shared.stream.application import GRACE_S
from shared.stream.discovery import ORDER, load_setting_classes
from tests.support.deployed_redis import ROOT, make_secrets

FILES = {name: ROOT / "deploy" / name for name in ("compose.yaml", "compose.tls.yaml")}
COMPOSE: dict[str, Any] = yaml.safe_load(FILES["compose.yaml"].read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
TLS: dict[str, Any] = yaml.safe_load(FILES["compose.tls.yaml"].read_text())
OWN = (*ORDER, "operator")


@pytest.mark.parametrize("file", FILES)
def test_a_compose_file_fits_the_specification(file: str) -> None:
    """No key is misspelt."""
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILES[file])]
    done = subprocess.run(checker, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_docker_itself_understands_the_files(tmp_path: Path) -> None:
    """Both together, as the page on deployment says."""
    if shutil.which("docker") is None or _compose("version").returncode != 0:
        pytest.skip("docker has no compose here")
    make_secrets(tmp_path, "--tls")
    done = _compose("--file", str(FILES["compose.yaml"]), "--file", str(FILES["compose.tls.yaml"]), "config", "--quiet")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_no_right_that_it_does_not_need(name: str) -> None:
    """Not root, a read-only root file system, no capability; a port for this machine alone; a version that is told."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["user"].split(":")[0]) > 0
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    image, _, tag = service["image"].partition(":")
    assert tag not in ("", "latest"), image


@pytest.mark.parametrize("name", ORDER)
def test_a_service_has_time_to_finish_its_batch(name: str) -> None:
    """SIGKILL comes well after the grace that the service gives itself."""
    assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) >= 2 * GRACE_S


def test_no_file_holds_a_secret_that_works(tmp_path: Path) -> None:
    """Each secret is a file that `make-secrets` makes; no variable holds one, not even as a default."""
    make_secrets(tmp_path, "--tls")
    made = {file.name for file in tmp_path.iterdir()}
    for file in (COMPOSE, TLS):
        for name, secret in file["secrets"].items():
            assert secret["file"] == f"./secrets/{name}"
            assert name in made
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if any(word in key for word in ("PASSWORD", "SECRET", "TOKEN")):
                assert key.endswith("FILE"), key
                assert Path(value).name in service["secrets"], (name, key)
        known = set(COMPOSE["secrets"]) | set(TLS["secrets"])
        assert set(service.get("secrets", [])) <= known


@pytest.mark.parametrize("name", OWN)
def test_a_service_gets_its_own_address_of_redis_and_no_other(name: str) -> None:
    """Every variable is a setting that there is; the address is of the service's own user."""
    known = set()
    for kind in load_setting_classes():
        for field, info in kind.model_fields.items():
            known |= {variable(kind, field)} | ({variable(kind, field) + SUFFIX} if is_secret(info) else set())
    environment, secrets = SERVICES[name]["environment"], SERVICES[name]["secrets"]
    assert set(environment) <= known
    assert environment["CARE_REDIS_URL_FILE"] == f"/run/secrets/{name}_url"
    assert [one for one in secrets if one.endswith("_url")] == [f"{name}_url"]
    assert TLS["services"][name]["secrets"] == ["redis_ca.pem"]


def test_only_those_who_must_reach_the_world() -> None:
    """Redis and the services beside it sit in a network without a way out; the notifier's mail has one."""
    assert COMPOSE["networks"]["care"]["internal"] is True
    outside = {name for name, service in SERVICES.items() if "outside" in service["networks"]}
    assert outside == {"notifier", "mail", "grafana"}


def _compose(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CARE_")}
    return subprocess.run(
        ["docker", "compose", *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
