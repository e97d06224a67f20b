"""Dashboards and alert rules ask for what the services really show, and every alert has its page."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from shared.metric import Metrics
from shared.stream.discovery import ORDER, port_of
from tests.support.running import command, environment_for, http_get, wait_ready

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
PAGES = ROOT / "docs" / "runbook"
PARTS = ("# ", "**Who is affected.** ", "## Look at", "## Do")
PROMETHEUS_OWN = {"ALERTS"}
TARGET_LABELS = {"le", "job", "instance", "alertstate", "alertname"}
_SELECTOR = re.compile(r"\b([a-z]\w*_\w+|ALERTS)(?:\{([^}]*)\})?(?=[\s)\[/>=<*+-]|$)")
_GROUPED = re.compile(r"\b(?:by|without|on)\s*\(([^)]*)\)")


def alerts() -> list[dict[str, Any]]:
    rules = [yaml.safe_load(path.read_text()) for path in sorted((PROMETHEUS / "rules").glob("*.yml"))]
    return [rule for file in rules for group in file["groups"] for rule in group["rules"]]


@cache
def queries() -> dict[str, str]:
    """Every expression of panels, annotations and rules, by where it stands."""
    found = {f"alert {rule['alert']}": " ".join(rule["expr"].split()) for rule in alerts()}
    for path in DASHBOARDS:
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                found[f"{path.stem}: {panel['title']} {target['refId']}"] = target["expr"]
        found[f"{path.stem}: annotations"] = board["annotations"]["list"][0]["expr"]
    return found


def asked(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric of an expression, with the labels that its selector names."""
    without_groups = _GROUPED.sub(" ", expression)
    for name, labels in _SELECTOR.findall(without_groups):
        if name.startswith("histogram_") or name in ("humanize_duration",):
            continue
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", labels))


def test_the_reading_of_queries_finds_what_it_must() -> None:
    """The tests below cannot pass because nothing was found."""
    expression = 'sum by (le, service) (rate(care_a_bucket{service!="x", le="1"}[5m])) / max(care_b_total) > 0'
    assert list(asked(expression)) == [("care_a_bucket", {"service", "le"}), ("care_b_total", set())]
    assert len(queries()) > 50
    assert all(list(asked(expression)) for expression in queries().values())


async def test_every_metric_that_a_panel_or_alert_asks_for_is_shown_by_the_running_services(
    redis_url: str, tmp_path: Path
) -> None:
    """A renamed metric would leave a panel empty and an alert silent for ever."""
    environment = environment_for(tmp_path, CARE_REDIS_URL=redis_url)
    async with command("run", environment=environment, log=tmp_path / "log") as process:
        await wait_ready(environment, process)
        status, text = await http_get(int(environment["CARE_HTTP_PORT"]), "/metrics")
    assert status == 200
    shown = set(PROMETHEUS_OWN)
    for family in text_string_to_metric_families(text.decode()):
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(family.type, ("",))
        shown |= {f"{family.name}{suffix}" for suffix in suffixes}
    missing = {place: name for place, expr in queries().items() for name, _ in asked(expr) if name not in shown}
    assert not missing


@pytest.mark.parametrize("place", queries())
def test_queries_select_and_group_by_labels_that_the_metric_has(place: str) -> None:
    """A selector on a label that is not there matches nothing, and says nothing of it."""
    labels = {described.name: set(described.labels) | TARGET_LABELS for described in Metrics().described}
    known: set[str] = set(TARGET_LABELS)
    for name, selected in asked(queries()[place]):
        family = re.sub(r"_(total|bucket|count|sum)$", "", name)
        if name in PROMETHEUS_OWN or name.startswith("process_"):
            continue
        assert selected <= labels[family], f"{name} has no {selected - labels[family]}"
        known |= labels[family]
    for grouped in _GROUPED.findall(queries()[place]):
        assert {label.strip() for label in grouped.split(",")} <= known


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    """Whoever is woken finds what it means, who is affected, where to look and what to do."""
    names = {rule["alert"] for rule in alerts()}
    assert {path.stem for path in PAGES.glob("*.md")} == names
    for name in names:
        text = (PAGES / f"{name}.md").read_text()
        assert text.startswith(f"# {name}\n")
        places = [text.find(part) for part in PARTS]
        assert -1 not in places, f"{name}.md lacks {PARTS[places.index(-1)]}"
        assert places == sorted(places)
    listed = (ROOT / "docs" / "monitoring.md").read_text()
    assert {name for name in names if f"](runbook/{name}.md)" not in listed} == set()


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_every_alert_says_who_is_called_what_happened_and_where_its_page_is(rule: dict[str, Any]) -> None:
    """An alert without these cannot be acted on."""
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook_url"] == f"docs/runbook/{rule['alert']}.md"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_fit_any_grafana_and_their_panels_do_not_overlap(path: Path) -> None:
    """Nobody has to mend a dashboard by hand after the import."""
    board = json.loads(path.read_text())
    assert board["uid"].startswith("adaptive-care-")
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["description"]


def test_prometheus_asks_every_service_where_the_compose_file_lets_it_listen() -> None:
    """No service is left out, and nobody is asked at a wrong port."""
    targets = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"][0]["static_configs"][0]
    services = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    assert set(ORDER) < set(services)
    first_port = int(services["intake"]["environment"]["CARE_HTTP_PORT"])
    assert set(targets["targets"]) == {f"{name}:{port_of([name], first_port)}" for name in ORDER}
    assert services["prometheus"]["networks"] == ["care"]
    mounted = [volume.partition(":")[0] for one in services.values() for volume in one.get("volumes", [])]
    ours = [path for path in mounted if path.startswith("./")]
    assert {"./prometheus", "./grafana/provisioning", "./grafana/dashboards"} <= set(ours)
    assert all((ROOT / "deploy" / path).exists() for path in ours)


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "rules/adaptive-care.yml"),
        ("test", "rules", "tests/adaptive-care.yml"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_promtool_finds_the_rules_right_and_their_tests_pass(arguments: tuple[str, ...]) -> None:
    """Each alert fires for what it should and keeps silent for what it should not, by Prometheus's own engine."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on the PATH (Debian: apt-get install prometheus): the alert rules were not run")
    done = subprocess.run([promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried_firing_and_silent() -> None:
    """A rule that always fires, or never, is noticed before it is needed."""
    tests = yaml.safe_load((PROMETHEUS / "tests" / "adaptive-care.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    fires = {case["alertname"] for case in cases if case["exp_alerts"]}
    silent = {case["alertname"] for case in cases if not case["exp_alerts"]}
    names = {rule["alert"] for rule in alerts()}
    assert fires == names
    assert silent == names
