"""The trend as a drawing: three panels over one axis of weeks, and rows of what happened below.

Geometry only, in the units of a drawing 400 wide: a template writes it as SVG, the style sheet colours it. The same
numbers stand in a table beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, floor, log10

from services.notifier.domain.chart import Chart
from services.notifier.domain.week import MAX_WEEKS, Week, monday_of
from services.notifier.page.wording import instrument, number
from shared.event.vocabulary import vocabulary

WIDTH = 400.0
LEFT, RIGHT = 46.0, 8.0
PANEL = 80.0
"""Height of a panel's plot."""
GAP = 38.0
"""Between two plots: the heading of the lower one."""
TOP = 28.0
STRIP = 17.0
FEWEST_WEEKS = 8
"""An axis of fewer would make two weeks look like a long time."""
NOT_FUNCTION = ("NPRS", "GROC", "satisfaction")
FLAT_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Bar:
    """`y` is its upper end."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One plot from `top` to `bottom`. A line breaks where a week tells nothing."""

    heading: str
    heading_y: float
    top: float
    bottom: float
    ticks: tuple[Tick, ...]
    lines: tuple[str, ...] = ()
    """Points as SVG writes them."""
    dots: tuple[Dot, ...] = ()
    squares: tuple[Dot, ...] = ()
    whiskers: tuple[tuple[Dot, Dot], ...] = ()
    bars: tuple[Bar, ...] = ()
    is_empty: bool = False


@dataclass(frozen=True, slots=True)
class Sign:
    """Something in a row below the panels."""

    x: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class Strip:
    heading: str
    y: float
    kind: str
    signs: tuple[Sign, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One week of the table, in words; a dash where nothing was told."""

    monday: date
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """`left` to `right`: the plots' width; `bottom`: their end, where the axis stands."""

    width: float
    height: float
    left: float
    right: float
    panels: tuple[Panel, ...]
    flares: tuple[Bar, ...]
    """Shaded weeks."""
    strips: tuple[Strip, ...]
    axis_y: float
    axis: tuple[Tick, ...]
    description: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]


def draw(chart: Chart) -> Figure | None:
    """None where nothing was reported yet."""
    weeks = _whole(chart.weeks)
    if not weeks:
        return None
    step = (WIDTH - LEFT - RIGHT) / max(len(weeks), FEWEST_WEEKS)
    place = {week.monday: LEFT + (n + 0.5) * step for n, week in enumerate(weeks)}
    measured = function_of(chart)
    panels = (
        _pain(weeks, place, TOP),
        _load(weeks, place, step, TOP + PANEL + GAP),
        _function(weeks, place, TOP + 2 * (PANEL + GAP), measured),
    )
    below = panels[-1].bottom + 22
    strips = _strips(chart, weeks, place, below)
    bottom = panels[-1].bottom
    return Figure(
        width=WIDTH,
        height=below + STRIP * len(strips) + 2,
        left=LEFT,
        right=WIDTH - RIGHT,
        panels=panels,
        flares=tuple(Bar(place[w.monday] - step / 2, TOP, step, bottom - TOP) for w in weeks if w.flare_at is not None),
        strips=strips,
        axis_y=bottom + 12,
        axis=_axis(weeks, place),
        description=_described(weeks, measured),
        columns=_columns(measured),
        lines=tuple(_line(chart, week, measured) for week in weeks),
    )


def function_of(chart: Chart) -> str:
    """The instrument that stands for function: the program's own, else the one reported most; empty: none."""
    counts: dict[str, int] = {}
    for week in chart.weeks:
        for reading in week.readings:
            if reading.instrument not in NOT_FUNCTION:
                counts[reading.instrument] = counts.get(reading.instrument, 0) + 1
    aimed = {aim.instrument for sheet in chart.sheets for aim in sheet.aims}
    return max(sorted(counts), key=lambda name: (counts[name], name in aimed), default="")


def value_of(week: Week, name: str) -> float | None:
    return next((reading.value for reading in week.readings if reading.instrument == name), None)


def mean_pain(week: Week) -> float | None:
    return week.pain_sum / 100 / week.sessions if week.sessions else None


def load_of(week: Week) -> tuple[float | None, float | None]:
    """Of a session, on the average: repetitions, and repetitions times kilograms where kilograms were lifted."""
    if not week.sessions:
        return None, None
    return week.repetitions / week.sessions, week.kg_sum / 100 / week.sessions if week.kg_sum else None


def _whole(weeks: Sequence[Week]) -> list[Week]:
    """Every week from the first to the last, also those in which nothing was told; the newest of them."""
    if not weeks:
        return []
    known = {week.monday: week for week in weeks}
    last = weeks[-1].monday
    first = max(weeks[0].monday, last - FLAT_WEEK * (MAX_WEEKS - 1))
    count = (last - first).days // 7 + 1
    return [known.get(monday, Week(monday)) for monday in (first + FLAT_WEEK * n for n in range(count))]


def _pain(weeks: list[Week], place: dict[date, float], top: float) -> Panel:
    def y(pain: float) -> float:
        return round(top + PANEL * (1 - pain / 10), 1)

    means = [(place[w.monday], mean_pain(w)) for w in weeks]
    whiskers = [
        (Dot(x, y(mean)), Dot(x, y(week.pain_worst / 100)))
        for week, (x, mean) in zip(weeks, means, strict=True)
        if mean is not None and week.pain_worst is not None
    ]
    told = [Dot(place[w.monday], y(v)) for w in weeks if (v := value_of(w, "NPRS")) is not None]
    return Panel(
        "Pain, 0 to 10: ● sessions, up to the worst; □ week",
        top - 12,
        top,
        top + PANEL,
        tuple(Tick(y(pain), str(pain)) for pain in (0, 5, 10)),
        lines=_lines([(x, None if mean is None else y(mean)) for x, mean in means]),
        dots=tuple(Dot(x, y(mean)) for x, mean in means if mean is not None),
        squares=tuple(told),
        whiskers=tuple(whiskers),
        is_empty=not whiskers and not told,
    )


def _load(weeks: list[Week], place: dict[date, float], step: float, top: float) -> Panel:
    loads = [load_of(week) for week in weeks]
    by_kg = any(kg is not None for _, kg in loads)
    values = [kg if by_kg else reps for reps, kg in loads]
    most = _round_up(max((value for value in values if value is not None), default=0))
    bars = [
        Bar(round(place[week.monday] - step * 0.35, 1), round(top + PANEL - h, 1), round(step * 0.7, 1), round(h, 1))
        for week, value in zip(weeks, values, strict=True)
        if value and (h := PANEL * value / most)
    ]
    unit = "kilograms × repetitions" if by_kg else "repetitions and holds"
    ticks = (Tick(top + PANEL, "0"), Tick(top, number(most))) if most else ()
    return Panel(
        f"Load of a session: {unit}",
        top - 12,
        top,
        top + PANEL,
        ticks,
        bars=tuple(bars),
        is_empty=not bars,
    )


def _function(weeks: list[Week], place: dict[date, float], top: float, measured: str) -> Panel:
    known = vocabulary().instruments.get(measured)
    if known is None:
        return Panel("Function: no questionnaire was answered yet", top - 12, top, top + PANEL, (), is_empty=True)
    low, high = known.minimum, known.maximum

    def y(value: float) -> float:
        return round(top + PANEL * (1 - (value - low) / (high - low)), 1)

    points = [(place[w.monday], value_of(w, measured)) for w in weeks]
    dots = [Dot(x, y(value)) for x, value in points if value is not None]
    better = "lower is better" if known.lower_is_better else "higher is better"
    return Panel(
        f"Function: {measured}, {number(low)} to {number(high)}, {better}",
        top - 12,
        top,
        top + PANEL,
        (Tick(y(low), number(low)), Tick(y(high), number(high))),
        # Questionnaires come every few weeks: the line goes on over the weeks between.
        lines=(" ".join(f"{dot.x:.1f},{dot.y}" for dot in dots),) if len(dots) > 1 else (),
        dots=tuple(dots),
    )


def _strips(chart: Chart, weeks: list[Week], place: dict[date, float], top: float) -> tuple[Strip, ...]:
    phases, last = [], ""
    for week in weeks:
        if week.phase is not None and week.phase.word != last:
            last = week.phase.word
            phases.append(Sign(place[week.monday], last))

    def of(kind: str) -> tuple[Sign, ...]:
        days = {monday_of(mark.at) for mark in chart.marks if mark.kind == kind}
        return tuple(Sign(place[monday]) for monday in sorted(days) if monday in place)

    rows = (
        ("Phase", "phase", tuple(phases)),
        ("Flare", "flare", tuple(Sign(place[w.monday]) for w in weeks if w.flare_at is not None)),
        ("Alert", "raised", of("raised")),
        ("Decision", "decision", of("decision")),
    )
    return tuple(Strip(heading, top + STRIP * (n + 0.6), kind, signs) for n, (heading, kind, signs) in enumerate(rows))


def _axis(weeks: list[Week], place: dict[date, float]) -> tuple[Tick, ...]:
    every = max(1, -(-len(weeks) // 4))
    ticks = (Tick(place[week.monday], f"{week.monday.day} {week.monday:%b}") for week in weeks[::every])
    return tuple(tick for tick in ticks if tick.at < WIDTH - 20)


def _columns(measured: str) -> tuple[str, ...]:
    return (
        "Sessions",
        "Pain in sessions, mean (worst)",
        "Pain next morning",
        "Pain of the week",
        "Repetitions a session",
        "kg × repetitions a session",
        "Hardest effort",
        *((measured,) if measured else ()),
        "Phase",
        "Course",
        "Alerts and decisions",
    )


def _line(chart: Chart, week: Week, measured: str) -> Line:
    reps, kg = load_of(week)
    pain = mean_pain(week)
    worst = None if week.pain_worst is None else week.pain_worst / 100
    marks = sorted(
        (mark for mark in chart.marks if monday_of(mark.at) == week.monday and mark.kind in ("raised", "decision")),
        key=lambda mark: (mark.at, mark.kind == "decision"),
    )
    course = "" if week.status is None else week.status.word.replace("_", " ")
    if week.flare_at is not None and course != "flare":
        course = f"{course}, flare" if course else "flare"
    return Line(
        week.monday,
        (
            str(week.sessions),
            "–" if pain is None else f"{number(pain)} ({number(worst)})",
            number(week.morning_sum / 100 / week.mornings if week.mornings else None),
            number(value_of(week, "NPRS")),
            number(reps, 0),
            number(kg, 0),
            number(None if week.effort is None else week.effort / 100),
            *((number(value_of(week, measured)),) if measured else ()),
            "–" if week.phase is None else week.phase.word,
            course or "–",
            "; ".join(f"{'alert' if m.kind == 'raised' else 'decision'}: {m.what.replace('_', ' ')}" for m in marks)
            or "–",
        ),
    )


def _described(weeks: list[Week], measured: str) -> str:
    first, last = weeks[0].monday, weeks[-1].monday
    text = [f"Weeks from {first.day} {first:%B %Y} to {last.day} {last:%B %Y}."]
    text += _change("Mean pain in sessions", [mean_pain(week) for week in weeks])
    text += _change("Repetitions of a session", [load_of(week)[0] for week in weeks], 0)
    if measured:
        text += _change(instrument(measured), [value_of(week, measured) for week in weeks])
    flares = [week.monday for week in weeks if week.flare_at is not None]
    if flares:
        text.append("Flares in the weeks of " + ", ".join(f"{day.day} {day:%B}" for day in flares) + ".")
    text.append("The table below holds every number.")
    return " ".join(text)


def _change(name: str, values: Sequence[float | None], digits: int = 1) -> list[str]:
    told = [value for value in values if value is not None]
    if not told:
        return []
    if len(told) == 1:
        return [f"{name}: {number(told[0], digits)}."]
    return [f"{name}: first {number(told[0], digits)}, last {number(told[-1], digits)}."]


def _lines(points: Sequence[tuple[float, float | None]]) -> tuple[str, ...]:
    """Unbroken runs of at least two points."""
    runs: list[list[str]] = [[]]
    for x, y in points:
        if y is None:
            runs.append([])
        else:
            runs[-1].append(f"{x:.1f},{y}")
    return tuple(" ".join(run) for run in runs if len(run) > 1)


def _round_up(value: float) -> float:
    """To one or two figures, so that an axis ends at a round number; 0 stays 0."""
    if value <= 0:
        return 0
    step = 10.0 ** floor(log10(value)) / 2
    return float(ceil(value / step) * step)
