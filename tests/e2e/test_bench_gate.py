"""What a step costs may not creep up unseen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.gate import compare

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_no_counter_of_the_baseline_has_become_dearer() -> None:
    """Round trips, commands, bytes, state and CPU for each event stay within what the baseline file allows."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CARE_")}
    ended = subprocess.run(
        [sys.executable, "-m", "bench", "gate"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_gate_closes_for_what_is_dearer_and_asks_for_a_new_baseline_for_what_is_cheaper() -> None:
    """A tenth more bytes, half more CPU: no further; a counter that vanished or is new is told as well."""
    was = {"kib": 10.0, "cpu_units": 10.0, "gone": 1.0}
    dearer, cheaper = compare({"kib": 11.5, "cpu_units": 14.0, "new": 1.0}, was)
    assert [line.partition(":")[0] for line in dearer] == ["gone", "kib", "new"]
    assert cheaper == []
    assert compare({"kib": 8.0}, {"kib": 10.0})[1] == ["kib: 8, was 10"]
    assert compare({"cpu_units": 15.1}, {"cpu_units": 10.0})[0] != []
