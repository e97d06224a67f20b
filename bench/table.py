"""The figures as people look at them. Ratios count: times vary with whatever else the machine does."""

from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table

from bench.growth import Rest, Size
from bench.hop import Figures
from bench.latency import Latency
from bench.overload import Overload
from shared.cli.terminal import console

OURS = "adaptive-care"
REFERENCE = "hand-tuned redis-py loop"


def _print(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(title=title)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    console().print(table)


def hops(figures: Mapping[str, Figures], ceiling_us: float, sessions: int, rounds: int) -> None:
    """The session hop; the factor is ours against the contender, more than 1 in our favour."""
    ours = figures[OURS]
    rows: list[tuple[str, ...]] = [
        (
            name,
            f"{one.median('events_per_s'):,.0f}",
            f"{ours.median('events_per_s') / one.median('events_per_s'):.2f}",
            f"{one.median('cpu_us'):,.0f}",
            f"{one.median('cpu_us') / ours.median('cpu_us'):.2f}",
            f"{one.median('redis_cpu_us'):,.0f}",
            f"{one.median('socket_reads'):.3f}",
            f"{one.median('commands'):.1f}",
            f"{one.median('kib_in'):.1f}",
            f"{one.median('kib_out'):.1f}",
        )
        for name, one in figures.items()
    ]
    factor = ceiling_us / ours.median("cpu_us")
    rows.append(("pure core, no Redis: the ceiling", "", "", f"{ceiling_us:,.0f}", f"{factor:.2f}", *[""] * 5))
    _print(
        f"Session hop: {sessions:,} sessions of 1 KB, each of another patient; medians of {rounds} interleaved rounds",
        (
            "one process",
            "events/s",
            "factor",
            "CPU µs/event",
            "factor",
            "Redis CPU µs",
            "socket reads",
            "commands",
            "KiB in",
            "KiB out",
        ),
        rows,
    )


def latencies(found: Iterable[Latency]) -> None:
    """In milliseconds."""
    _print(
        "From the event to what follows from it, in ms, at 10, 50 and 80 % of the sustainable rate",
        ("what", "events/s", "timed", "p50", "p99", "p99.9"),
        [
            (one.what, f"{one.rate_per_s:,.0f}", f"{one.count:,}", *(f"{v:,.1f}" for v in (one.p50, one.p99, one.p999)))
            for one in found
        ],
    )


def growth(sizes: Iterable[Size]) -> None:
    """Cost by size."""
    _print(
        "Growth: sessions of patients drawn at random",
        ("what", "events/s", "CPU µs/event", "Redis CPU µs", "socket reads", "KiB/patient in Redis", "MiB of workers"),
        [
            (
                one.what,
                f"{one.events_per_s:,.0f}",
                f"{one.cpu_us:,.0f}",
                f"{one.redis_cpu_us:,.0f}",
                f"{one.socket_reads:.3f}",
                f"{one.redis_bytes_per_patient / 1024:.1f}",
                f"{one.worker_mib:,.0f}",
            )
            for one in sizes
        ],
    )


def rest(one: Rest) -> None:
    """Start-up and idleness."""
    _print(
        "All four services in one process",
        ("ready after s", "idle CPU %", "idle Redis commands/s", "MiB"),
        [
            (
                f"{one.start_s:.1f}",
                f"{one.cpu_percent:.1f}",
                f"{one.redis_commands_per_s:.0f}",
                f"{one.resident_mib:,.0f}",
            )
        ],
    )


def overload(one: Overload) -> None:
    """What ten times the rate did."""
    _print(
        f"Overload: {one.sent:,} sessions at {one.rate_per_s:,.0f}/s, ten times what one process sustains",
        ("what", "value"),
        [
            ("adjustments, one for each session", f"{one.adjustments:,} of {one.sent:,}"),
            ("longest queue", f"{one.longest_queue:,}"),
            ("recovered after s", f"{one.recovered_after_s:,.0f}"),
            ("red flags escalated", f"{one.escalations}"),
            ("red flag to escalation, s: median, worst", f"{one.escalation_p50_s:.2f}, {one.escalation_worst_s:.2f}"),
            ("worker MiB: before, at most", f"{one.worker_mib_before:,.0f}, {one.worker_mib_at_most:,.0f}"),
            ("Redis MiB at most", f"{one.redis_mib_at_most:,.0f}"),
        ],
    )


def counters(found: Mapping[str, float], baseline: Mapping[str, float]) -> None:
    """What the gate reads."""
    _print(
        "Counters",
        ("what", "now", "baseline"),
        [(name, f"{found[name]:,.3f}", f"{baseline[name]:,.3f}" if name in baseline else "") for name in sorted(found)],
    )
