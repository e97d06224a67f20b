"""The demo as a newcomer sees it: real journeys, a readable table, nothing left running."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.running import environment_for

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_demo_ends_with_every_patient_in_a_table_and_leaves_nothing_running(tmp_path: Path) -> None:
    """From one command a newcomer sees what each published patient got, and where to look further."""
    environment = environment_for(tmp_path) | {"PYTHONPATH": str(ROOT)}
    answer = subprocess.run(
        [sys.executable, "-m", "shared.cli.main", "demo"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    for journey in sorted((ROOT / "shared/journey/data").glob("*.jsonl")):
        assert f"journey-{journey.stem}" in answer.stdout
    for word in ("failed conservative care", "emergency", "urgent", "PH1 → PH2", "session", "No events were rejected"):
        assert word in answer.stdout, word
    assert (tmp_path / "demo" / "services.log").stat().st_size > 0
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in running
