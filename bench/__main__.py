"""`python -m bench`: the performance figures as tables, and the gate on counters. See docs/performance.md."""

import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from redis.asyncio import Redis

from bench import cost, gate, growth, hop, latency, overload, table, trip
from shared.cli.terminal import console
from shared.embedded import open_embedded
from shared.log import configure_log
from shared.stream.connection import connect

COMMAND = (sys.executable, "-m", "shared.cli.main")
RESULT = Path(".adaptive-care") / "bench.json"
OVERLOAD_RESULT = Path(".adaptive-care") / "overload.json"
GATE_SESSIONS = 400
app = typer.Typer(add_completion=False, no_args_is_help=False, help=__doc__)

Measure = Callable[[str, Redis, Callable[[str], None]], Any]


@app.callback(invoke_without_command=True)
def everything(
    context: typer.Context,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds of the session hop.")] = 5,
    sessions: Annotated[int, typer.Option(min=200, help="Sessions in each round.")] = 1000,
    long: Annotated[bool, typer.Option(help="Also a million patients, which needs 20 GB of memory.")] = False,
    output: Annotated[Path, typer.Option(help="Where the figures go, as JSON.")] = RESULT,
) -> None:
    """All figures: session hop, latency, growth, rest."""
    if context.invoked_subcommand is None:
        _run(lambda url, client, tell: _everything(url, client, tell, rounds, sessions, long), output)


@app.command("gate")
def check(
    write: Annotated[bool, typer.Option(help="Write the counters as the new baseline.")] = False,
) -> None:
    """Hold the counters against the baseline. Exit status 1 where something has become dearer."""
    counters = _with_redis(_counters)
    table.counters(counters, gate.read_baseline() if gate.BASELINE.exists() else {})
    if write:
        gate.write_baseline(counters)
        console().print(f"written: {gate.BASELINE}")
        return
    dearer, cheaper = gate.compare(counters, gate.read_baseline())
    for line in cheaper:
        console().print(f"cheaper, write a new baseline (make bench ARGS='gate --write'): {line}")
    for line in dearer:
        console().print(f"dearer: {line}")
    raise typer.Exit(1 if dearer else 0)


@app.command("overload")
def under_overload(
    seconds: Annotated[float, typer.Option(min=1, help="How long events come at ten times the rate.")] = 60.0,
    output: Annotated[Path, typer.Option(help="Where the figures go, as JSON.")] = OVERLOAD_RESULT,
) -> None:
    """Ten times the sustainable rate, with red flags in between, then recovery."""

    async def measure(url: str, client: Redis, tell: Callable[[str], None]) -> dict[str, Any]:
        figures = hop.Figures()
        tell("the sustainable rate")
        await hop.run_round(url, client, hop.contenders()[0], 1000, figures)
        found = await overload.run(url, client, COMMAND, figures.median("events_per_s"), seconds, tell)
        table.overload(found)
        return {"overload": asdict(found)}

    _run(measure, output)


def _run(measure: Measure, output: Path) -> None:
    figures = _with_redis(measure)
    figures["machine"] = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "at": datetime.now(UTC).isoformat(),
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(figures, indent=2) + "\n")
    console().print(f"saved: {output}")


def _with_redis(measure: Measure) -> Any:
    configure_log("json", "error")
    with tempfile.TemporaryDirectory(prefix="care-bench-") as folder, open_embedded(Path(folder)) as server:

        async def run() -> Any:
            client = connect(server.url)
            try:
                with console().status("…") as status:
                    return await measure(server.url, client, status.update)
            finally:
                await client.aclose()

        return asyncio.run(run())


async def _everything(
    url: str, client: Redis, tell: Callable[[str], None], rounds: int, sessions: int, long: bool
) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    hops = await _hops(url, client, tell, rounds, sessions)
    ceiling_us = statistics.median(cost.pure_core_us(hop.CARED_FOR, sessions) for _ in range(rounds))
    figures["session_hop"] = {"ceiling_cpu_us": ceiling_us} | {name: asdict(one) for name, one in hops.items()}
    table.hops(hops, ceiling_us, sessions, rounds)

    sustainable = hops["adaptive-care"].median("events_per_s")
    latencies: list[latency.Latency] = []
    for share in (0.1, 0.5, 0.8):
        tell(f"latency at {share:.0%} of the sustainable rate")
        latencies += await latency.session_to_adjustment(url, client, sustainable * share, COMMAND)
        latencies.append(await latency.red_flag_to_escalation(url, client, sustainable * share, COMMAND))
    tell("the sustainable rate of intakes")
    intakes = await latency.sustainable_intakes(url, client, COMMAND)
    for share in (0.1, 0.5, 0.8):
        latencies.append(await latency.intake_to_program(url, client, intakes * share, COMMAND))
    figures["latency"] = [asdict(one) for one in latencies]
    figures["sustainable_per_s"] = {"sessions": sustainable, "intakes": intakes}
    table.latencies(latencies)

    sizes = [await growth.at_size(url, client, COMMAND, tell, **one) for one in _sizes(long)]
    figures["growth"] = [asdict(one) for one in sizes]
    table.growth(sizes)
    tell("start-up and rest")
    rest = await growth.at_rest(url, client, COMMAND)
    figures["rest"] = asdict(rest)
    table.rest(rest)
    return figures


async def _hops(
    url: str, client: Redis, tell: Callable[[str], None], rounds: int, sessions: int
) -> dict[str, hop.Figures]:
    contenders = hop.contenders()
    figures = {one.name: hop.Figures() for one in contenders}
    for number in range(rounds):
        for one in contenders:
            tell(f"session hop, round {number + 1} of {rounds}: {one.name}")
            await hop.run_round(url, client, one, sessions, figures[one.name])
    return figures


def _sizes(long: bool) -> list[dict[str, Any]]:
    sizes: list[dict[str, Any]] = [
        {"what": f"{patients:,} patients", "patients": patients}
        for patients in (2_000, 10_000, 100_000, *([1_000_000] if long else []))
    ]
    sizes += [
        {"what": f"{history:,} sessions each", "patients": 2_000, "history": history} for history in (10, 100, 1000)
    ]
    sizes += [{"what": f"{count} partitions", "patients": 2_000, "partitions": count} for count in (1, 4, 16)]
    sizes += [{"what": f"{count} replicas", "patients": 2_000, "replicas": count, "partitions": 4} for count in (1, 2)]
    return sizes


async def _counters(url: str, client: Redis, tell: Callable[[str], None]) -> dict[str, float]:
    """The counters of the gate."""
    figures = hop.Figures()
    tell("session hop")
    await hop.run_round(url, client, hop.contenders()[0], GATE_SESSIONS, figures)
    tell("cost of each service")
    costs = cost.measure(hop.CARED_FOR)
    counters = {
        "redis_round_trips_per_session": await trip.round_trips_per_session(url, client),
        "redis_commands_per_session": figures.median("commands"),
        "kib_to_redis_per_session": figures.median("kib_in"),
        "kib_from_redis_per_session": figures.median("kib_out"),
    }
    counters |= {f"state_bytes_{name}": float(size) for name, size in costs.state_bytes.items()}
    counters |= {f"cpu_units_per_event_{name}": units for name, units in costs.cpu_units_per_event.items()}
    return counters


if __name__ == "__main__":
    app()
