"""`make fuzz`: the long form, first in process, then through the running services. Exit status 1 on any violation."""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from shared.cli.terminal import console
from shared.embedded import open_embedded
from shared.stream.discovery import ORDER
from tests.fuzz.core import Report, fuzz
from tests.fuzz.service import ServiceReport, fuzz_services
from tests.support.running import client_for, command, environment_for, wait_ready


def main(
    events: Annotated[int, typer.Option(min=1, help="Spoilt events in process.")] = 1_000_000,
    through_services: Annotated[int, typer.Option(min=0, help="Spoilt events through the running services.")] = 50_000,
    per_second: Annotated[float, typer.Option(min=1, help="Of these, each second.")] = 40.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same events.")] = 1,
) -> None:
    """Mutated events of every kind: nothing may crash or get stuck, each is handled or dead-lettered with a reason."""
    began = time.monotonic()
    try:
        with console().status("…") as status:
            report = fuzz(
                events,
                seed,
                lambda so_far: status.update(f"in process: {so_far.events:,} of {events:,}"),
                processes=os.cpu_count() or 1,
            )
        _tell(report, time.monotonic() - began)
        if through_services:
            services = asyncio.run(_services(through_services, per_second, seed))
            _tell_services(services)
            if services.disturbed_p99_ms > 2 * services.calm_p99_ms:
                console().print("the valid events took more than twice as long among the spoilt ones")
                sys.exit(1)
    except AssertionError as error:
        console().print(f"violation: {error}", *getattr(error, "__notes__", ()))
        sys.exit(1)


async def _services(count: int, per_s: float, seed: int) -> ServiceReport:
    """Each service in a process of its own, as in a deployment."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="care-fuzz-")))
        server = stack.enter_context(open_embedded(folder))
        client = await stack.enter_async_context(client_for(server.url))
        for place, name in enumerate(ORDER, start=1):
            environment = environment_for(folder, CARE_REDIS_URL=server.url, CARE_CONSUMER="fuzz-0")
            process = await stack.enter_async_context(
                command("run", name, environment=environment, log=folder / f"{name}.log")
            )
            await wait_ready(environment, process, port_offset=place)
        status = stack.enter_context(console().status("…"))
        return await fuzz_services(
            client, count, seed, spoilt_per_s=per_s, valid_per_s=max(1.0, per_s / 20), tell=status.update
        )


def _tell(report: Report, seconds: float) -> None:
    console().print(f"{report.events:,} events in process in {seconds:,.0f} s: none raised")
    console().print("  dead letters: " + ", ".join(f"{code} {n:,}" for code, n in report.dead.most_common()))
    console().print("  decisions: " + ", ".join(f"{outcome} {n:,}" for outcome, n in report.outcomes.most_common()))


def _tell_services(report: ServiceReport) -> None:
    console().print(f"{report.spoilt:,} events through the services: each handled, or dead-lettered once")
    console().print("  dead letters: " + ", ".join(f"{code} {n:,}" for code, n in report.dead.most_common()))
    console().print(
        f"  p99 of valid sessions: {report.calm_p99_ms:,.0f} ms alone, {report.disturbed_p99_ms:,.0f} ms among them"
    )


if __name__ == "__main__":
    typer.run(main)
