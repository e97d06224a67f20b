"""Whatever is killed, frozen, cut off or starved: the outcome is that of a run without faults (docs/chaos.md)."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.chaos.fault import CLUSTER_FAULTS, FAULTS, POWER_FAULTS
from tests.chaos.poison import RECIPES
from tests.chaos.run import Plan, Report, run
from tests.chaos.workload import make_workload

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
CODES = {recipe("mark", "pt-0", NOW).code for recipe in RECIPES}


def kinds(report: Report) -> set[str]:
    return {fault.partition(" ")[0] for fault in report.faults}


@pytest.mark.slow
async def test_real_processes_end_like_the_run_in_memory(folder: Path) -> None:
    """Without faults two replicas end exactly where the run in memory ends, which may stand for them."""
    report = await run(Plan(make_workload(11, 160, 2), faults=0, seed=11, folder=folder))
    assert report.wrong == []
    assert report.deaths == {}


@pytest.mark.slow
async def test_faults_of_every_kind_change_no_outcome(folder: Path) -> None:
    """Each kind of fault at least once, poison of every kind among the events: nothing lost, nothing twice."""
    workload = make_workload(7, 350, 2)
    assert {entry.poison for entry in workload.entries if entry.poison} == CODES
    report = await run(Plan(workload, faults=len(FAULTS) + 4, seed=7, folder=folder))
    assert report.wrong == []
    assert kinds(report) == {fault.__name__ for fault in FAULTS}


@pytest.mark.slow
async def test_a_cluster_that_loses_masters_changes_no_outcome(folder: Path) -> None:
    """What a Redis Cluster acknowledged and kept has its effect once, though masters and services die."""
    plan = Plan(make_workload(5, 250, 6), faults=len(CLUSTER_FAULTS) + 1, seed=5, folder=folder, on_cluster=True)
    report = await run(plan)
    assert report.wrong == []
    assert kinds(report) == {fault.__name__ for fault in CLUSTER_FAULTS}


@pytest.mark.slow
async def test_power_losses_change_no_outcome_of_what_is_kept(folder: Path) -> None:
    """With `appendfsync everysec` the newest writes may be gone, all of a step or none: what is sent again is done."""
    report = await run(Plan(make_workload(9, 200, 2), faults=6, seed=9, folder=folder, loses_power=True))
    assert report.wrong == []
    assert kinds(report) == {fault.__name__ for fault in POWER_FAULTS}
