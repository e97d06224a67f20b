"""The manifests for Kubernetes are valid, confined, and say what the services need. No cluster is asked."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from shared.door.patient import HELD_BY
from shared.secret import SUFFIX, is_secret
from shared.settings import Settings, variable
from shared.stream.application import GRACE_S
from shared.stream.discovery import ORDER, load_services, load_setting_classes, port_of
from tests.support.deployed_redis import ROOT, make_secrets

FOLDER = ROOT / "deploy" / "kubernetes"
VERSION = "1.34"
KEDA = json.loads((ROOT / "tests" / "fixtures" / "keda.schema.json").read_text())
"""What this project uses of KEDA's two kinds, written after its reference (v2.18)."""


def documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


ALL = [one for path in sorted(FOLDER.glob("*.yaml")) for one in documents(path) if one["kind"] != "Kustomization"]
CORE = [one for one in ALL if not one["apiVersion"].startswith("keda.sh")]


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = [one for one in ALL if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


def title(one: dict[str, Any]) -> str:
    return f"{one['kind']} {one['metadata']['name']}"


@pytest.mark.parametrize("document", CORE, ids=title)
def test_a_manifest_fits_the_schema_of_kubernetes(document: dict[str, Any]) -> None:
    """No field is misspelt: the schema is the strict one."""
    kubernetes_validate.validate(document, VERSION, strict=True)


@pytest.mark.parametrize("document", [one for one in ALL if one not in CORE], ids=title)
def test_a_manifest_for_keda_fits_its_reference(document: dict[str, Any]) -> None:
    """Every trigger names a stream, its group and a lag, and nothing that KEDA does not know."""
    jsonschema.validate(document, KEDA[document["kind"]])


def test_kustomize_builds_what_lies_in_the_folder() -> None:
    """Each manifest but KEDA's is applied by one command."""
    (kustomization,) = documents(FOLDER / "kustomization.yaml")
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml", "keda.yaml"}
    assert set(kustomization["resources"]) == files
    assert all(one["metadata"].get("namespace", "adaptive-care") == kustomization["namespace"] for one in ALL)
    if shutil.which("kubectl"):
        done = subprocess.run(["kubectl", "kustomize", FOLDER], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        built = [one for one in yaml.safe_load_all(done.stdout) if one]
        assert len(built) == len(CORE)
        for one in built:
            kubernetes_validate.validate(one, VERSION, strict=True)


@pytest.mark.parametrize("name", [*ORDER, "redis"])
def test_a_pod_has_no_right_that_it_does_not_need(name: str) -> None:
    """As the namespace demands: not root, nothing to write to but its volumes, no token of the cluster."""
    pod = named("StatefulSet", name)["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in container["resources"]["limits"]
    assert ":latest" not in container["image"]


@pytest.mark.parametrize("name", ORDER)
def test_a_service_is_probed_where_it_listens_and_has_time_to_stop(name: str) -> None:
    """Ready and alive are asked at the service's own port; a rolling update waits for its batch in hand."""
    spec = named("StatefulSet", name)["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == ["adaptive-care", "run", name]
    settings = named("ConfigMap", "adaptive-care")["data"]
    assert container["ports"] == [{"name": "http", "containerPort": port_of([name], int(settings["CARE_HTTP_PORT"]))}]
    probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "startup": "/ready",
        "readiness": "/ready",
        "liveness": "/live",
    }
    assert {probe["port"] for probe in probes.values()} == {"http"}
    assert pod["terminationGracePeriodSeconds"] >= 2 * GRACE_S + 10
    assert spec["replicas"] >= 2
    assert spec["updateStrategy"] == {"type": "RollingUpdate"}
    assert named("PodDisruptionBudget", name)["spec"]["maxUnavailable"] == 1
    (service,) = [one for one in ALL if title(one) == f"Service {name}"]
    assert service["spec"]["selector"] == spec["template"]["metadata"]["labels"] == spec["selector"]["matchLabels"]
    consumer = next(one for one in container["env"] if one["name"] == "CARE_CONSUMER")
    assert consumer["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


@pytest.mark.parametrize("name", ORDER)
def test_a_service_gets_its_own_secrets_from_files_and_no_others(name: str, tmp_path: Path) -> None:
    """What a pod mounts is its own address of Redis; every variable is a setting that there is."""
    known = {variable(kind, field) for kind in load_setting_classes() for field in kind.model_fields}
    secret = {
        variable(kind, field) + SUFFIX
        for kind in load_setting_classes()
        for field, info in kind.model_fields.items()
        if is_secret(info)
    }
    pod = named("StatefulSet", name)["spec"]["template"]["spec"]
    variables = {one["name"]: one for one in pod["containers"][0]["env"]}
    assert set(variables) <= known | secret
    assert set(named("ConfigMap", "adaptive-care")["data"]) <= known
    (volume,) = [one for one in pod["volumes"] if one["name"] == "secrets"]
    mounted = {item["path"] for item in volume["secret"]["items"]}
    assert {Path(variables[one]["value"]).name for one in secret & set(variables)} == mounted
    assert {one for one in mounted if one.endswith("_url")} <= {f"{name}_url", "smtp_url"}
    make_secrets(tmp_path)
    assert mounted - {"smtp_url"} <= {file.name for file in tmp_path.iterdir()}


def test_the_four_services_wear_the_same_face() -> None:
    """What is changed for one is changed for all: the files differ in names, ports and the notifier's own."""
    faces = []
    for position, name in enumerate(ORDER, start=1):
        text = (FOLDER / f"{name}.yaml").read_text().replace(name, "SERVICE").replace(f"808{position}", "PORT")
        own = [line for line in text.splitlines() if not re.search(r"page_secret|smtp_url|^#", line)]
        faces.append("\n".join(own).split("---\napiVersion: v1\nkind: Service\nmetadata:\n  name: page")[0].strip())
    assert len(set(faces)) == 1


def test_redis_has_the_settings_of_the_configuration_file() -> None:
    """The manifest cannot read deploy/redis/redis.conf, so it must say the same."""
    lines = (line.split() for line in (ROOT / "deploy" / "redis" / "redis.conf").read_text().splitlines())
    wanted = {words[0]: words[1].strip('"') for words in lines if words and not words[0].startswith("#")}
    args = named("StatefulSet", "redis")["spec"]["template"]["spec"]["containers"][0]["args"][1:]
    found = dict(zip((one.removeprefix("--") for one in args[::2]), args[1::2], strict=True))
    assert found.pop("aclfile") == "/run/secrets/redis/users.acl"
    assert found == wanted


def test_nothing_may_talk_to_anything_but_for_what_is_said() -> None:
    """Denied by default; Redis is reached by those who need it, and only the notifier reaches the world."""
    policies = {one["metadata"]["name"]: one["spec"] for one in ALL if one["kind"] == "NetworkPolicy"}
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    outward = [
        name
        for name, spec in policies.items()
        for rule in spec.get("egress", [])
        for peer in rule["to"]
        if "ipBlock" in peer
    ]
    assert set(outward) == {"notifier"}
    assert "egress" not in policies["redis"]


def test_the_ingress_reaches_every_door_that_answers_something() -> None:
    """Events, and what is held of patients, go where a Redis user has the right to them: not to the planner."""
    asked = {"intake", *HELD_BY.values()}
    reached: set[str] = set()
    for policy in (one["spec"] for one in ALL if one["kind"] == "NetworkPolicy"):
        peers = [peer for rule in policy.get("ingress", []) for peer in rule["from"]]
        if any("ingress-nginx" in str(peer) for peer in peers):
            chosen = policy["podSelector"]
            (label,) = chosen.get("matchLabels", {"": ""}).values()
            reached |= {label} - {""} | {name for one in chosen.get("matchExpressions", []) for name in one["values"]}
    assert reached == asked


def test_each_service_is_scaled_by_the_streams_that_it_reads() -> None:
    """A backlog anywhere adds replicas; the patients' own data changes too seldom to count."""
    settings = Settings(redis_url="redis://localhost", consumer="x")
    for name, make_service in load_services().items():
        scaled = named("ScaledObject", name)["spec"]
        assert scaled["scaleTargetRef"] == {"kind": "StatefulSet", "name": name}
        assert scaled["minReplicaCount"] == named("StatefulSet", name)["spec"]["replicas"]
        streams = {one["metadata"]["stream"] for one in scaled["triggers"]}
        read = {f"care:{{0}}:{stream.value}" for stream in make_service(settings).reads}
        assert streams == read - {"care:{0}:patients"}
        assert {one["metadata"]["consumerGroup"] for one in scaled["triggers"]} == {name}
