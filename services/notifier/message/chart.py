"""The one clinical thing that may leave the house: pain by week, as a picture and in words.

It names no condition, no person and no place, and a policy can leave it out. Needs the extra `plots`.
Colours: Okabe M, Ito K. Color Universal Design, 2008; each kind of mark has a line of its own, too.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from anyio import CapacityLimiter, to_process

from services.notifier.message.context import Chart
from shared.log import logger

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MarkKind = Literal["flare", "phase", "decision"]

LABELS: dict[MarkKind, str] = {"flare": "flare", "phase": "new phase", "decision": "decision"}
STYLES: dict[MarkKind, tuple[str, str]] = {
    "flare": ("#D55E00", ":"),
    "phase": ("#009E73", "--"),
    "decision": ("#000000", "-."),
}
PAIN_COLOUR = "#0072B2"
PAIN_NPRS = (0, 10)
MAX_WEEKS = 26
"""The newest; more would be too narrow to read on a phone."""
SIZE_IN = (4.8, 3.0)
DPI = 150
"""720 pixels wide, shown at 360: sharp on a phone."""
PATIENCE_S = 10.0
"""For one picture, with the start of the process that draws it; then the alert goes without."""
_DRAWERS = CapacityLimiter(2)
"""Processes that draw, of 130 MiB each."""


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """The mean of a week's pain, 0 none to 10 worst."""

    week: int
    pain_nprs: float


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    week: int
    kind: MarkKind


async def draw_chart(points: Sequence[Point], marks: Sequence[Mark] = ()) -> Chart | None:
    """None where there is no trend to show (fewer than two weeks), or nothing to draw with.

    Equal input gives equal bytes.
    """
    if not points or find_spec("matplotlib") is None:
        return None
    newest = max(point.week for point in points)
    shown = sorted(point for point in points if point.week > newest - MAX_WEEKS)
    if len(shown) < 2:
        return None
    within = sorted({mark for mark in marks if shown[0].week <= mark.week <= newest})
    image = await _draw_apart(shown, within)
    return None if image is None else Chart(image, describe(shown, within))


async def _draw_apart(points: Sequence[Point], marks: Sequence[Mark]) -> bytes | None:
    """Draws in a process of its own: in a thread it would hold up every other patient for the time it takes.

    No alert waits for its picture for long, or fails for it.
    """
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await to_process.run_sync(draw, points, marks, cancellable=True, limiter=_DRAWERS)
    except Exception as error:
        logger().warning("chart_not_drawn", error=type(error).__name__)
        return None


def describe(points: Sequence[Point], marks: Sequence[Mark]) -> str:
    """The same for those who do not see it. A week without a report is said, not bridged."""
    pain = {point.week: f"{point.pain_nprs:.3g}" for point in points}
    weeks = [f"week {week}: {pain.get(week, 'not reported')}" for week in range(min(pain), max(pain) + 1)]
    words = f"Pain by week, 0 none to 10 worst: {'; '.join(weeks)}."
    told = [f"{LABELS[mark.kind]} in week {mark.week}" for mark in marks]
    return f"{words} Marked: {'; '.join(told)}." if told else words


def draw(points: Sequence[Point], marks: Sequence[Mark]) -> bytes:
    """A PNG. Loads Matplotlib, and sets its style for the whole process."""
    from matplotlib import rcdefaults
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    # A machine's own style must not change what a clinician sees.
    rcdefaults()
    figure = Figure(figsize=SIZE_IN, dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for part in _stretches(points):
        weeks, pains = [point.week for point in part], [point.pain_nprs for point in part]
        axes.plot(weeks, pains, "o-", color=PAIN_COLOUR, linewidth=2, markersize=5)
    _mark(axes, marks)
    axes.set_ylim(PAIN_NPRS[0] - 0.3, PAIN_NPRS[1] + 0.3)
    axes.set_yticks(range(PAIN_NPRS[0], PAIN_NPRS[1] + 1, 2))
    axes.set_xlim(points[0].week - 0.5, points[-1].week + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=2))
    axes.set_xlabel("week")
    axes.set_ylabel("pain (0 none, 10 worst)")
    axes.grid(axis="y", color="#d0d0d0", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    image = BytesIO()
    # Without the version of the library: only what is seen decides on the bytes.
    figure.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()


def _mark(axes: "Axes", marks: Sequence[Mark]) -> None:
    seen: set[MarkKind] = set()
    for mark in marks:
        colour, line = STYLES[mark.kind]
        label = "_nolegend_" if mark.kind in seen else LABELS[mark.kind]
        axes.axvline(mark.week, color=colour, linestyle=line, linewidth=1.6, zorder=0, label=label)
        seen.add(mark.kind)
    if seen:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=3, frameon=False, handlelength=2.4)


def _stretches(points: Sequence[Point]) -> list[list[Point]]:
    """Weeks without a gap between them."""
    parts = [[points[0]]]
    for before, point in pairwise(points):
        if point.week == before.week + 1:
            parts[-1].append(point)
        else:
            parts.append([point])
    return parts
