"""The report as plots, for readers who see no difference between red and green too: colours after Okabe and Ito,
and every plan with a line of its own. Needs the extra `plots`.

Source of the colours: Okabe M, Ito K. Color Universal Design, 2008.
"""

from collections.abc import Sequence
from io import BytesIO
from math import ceil
from typing import TYPE_CHECKING, Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from shared.event.vocabulary import URGENCIES, Urgency
from shared.simulation.course import Plan
from shared.simulation.estimate import Estimate
from shared.simulation.figure import ANSWERS, PLANS, Band, Figures, PlanOutcome
from shared.simulation.run import Report
from shared.simulation.table import HEADINGS, NAMES
from shared.simulation.target import MAX_ROUTINE_PER_MONTH, MIN_SENSITIVITY
from shared.simulation.verdict import DAYS_TO_CALL

if TYPE_CHECKING:
    from shared.simulation.trial import Reproduced

BLUE, ORANGE, GREEN, VERMILION, BLACK, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#000000", "#666666"
COLOURS: dict[Plan, str] = {"adaptive": BLUE, "fixed": BLACK, "naive": VERMILION}
LINES: dict[Plan, str] = {"adaptive": "-", "fixed": "--", "naive": ":"}
MARKERS: dict[Plan, str] = {"adaptive": "o", "fixed": "s", "naive": "^"}
SEVERITY_COLOURS: dict[Urgency, str] = {"routine": BLUE, "urgent": ORANGE, "emergency": VERMILION}
HATCHES: dict[Urgency, str] = {"routine": "", "urgent": "//", "emergency": "xx"}
FIGURES = {
    "NPRS": "NPRS at the end (points of 0 to 10)",
    "VISA-G": "VISA-G gained (points of 0 to 100)",
    "success": "success (share of patients)",
    "GROC>=2": "rating of change of 2 or more (share of patients)",
    "NPRS>=2": "NPRS lower by 2 points or more (share of patients)",
}
"""The trials' figures with their units."""
DPI = 130

Measure = Literal["pain_nprs", "capacity"]


def plots_of(report: Report) -> dict[str, bytes]:
    """Every plot as a PNG image, by name, in the order in which they are read."""
    figures = report.figures
    plots = {
        "plan": _plan_plot(figures),
        "answers": _answer_plot(figures),
        "detection": _detection_plot(figures),
        "pain": _band_plot(figures, "pain_nprs"),
        "capacity": _band_plot(figures, "capacity"),
        "alerts": _alert_plot(figures),
    }
    if report.trials:
        plots["trials"] = _trial_plot(report.trials)
    return {name: _png(figure) for name, figure in plots.items()}


CAPTIONS = {
    "plan": "Flare days against final capacity under the three plans: left and up is better. Bars: 95 % intervals.",
    "answers": "What was said of the patients of each archetype, under the adaptive plan.",
    "detection": "When a clinician was told, among patients of whom an adequate course of care failed.",
    "pain": "Pain by archetype and plan: median, and from the 10th to the 90th percentile, as an area or between "
    "thin lines.",
    "capacity": "Capacity by archetype and plan: median, and from the 10th to the 90th percentile, as an area or "
    "between thin lines.",
    "alerts": "Escalations per patient-month in care, under the adaptive plan.",
    "trials": "Published trial arms and what the simulation gives for them; bars: the stated tolerance.",
}
"""What each plot shows, in a sentence."""


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def _single(width: float, height: float) -> tuple[Figure, Axes]:
    figure = _figure(width, height)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _band_plot(figures: Figures, measure: Measure) -> Figure:
    bands = [band for band in figures.bands if band.measure == measure]
    archetypes = list(dict.fromkeys(band.archetype for band in bands))
    columns = min(5, len(archetypes))
    rows = ceil(len(archetypes) / columns)
    figure = _figure(max(2.6 * columns, 4), 2.5 * rows + 0.8)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, archetype in zip(grid.flat, archetypes, strict=False):
        for band in bands:
            if band.archetype == archetype:
                _draw_band(axes, band)
        axes.set_title(NAMES[archetype], fontsize=10)
        axes.grid(alpha=0.25)
    for axes in list(grid.flat)[len(archetypes) :]:
        axes.set_visible(False)
    if measure == "pain_nprs":
        grid.flat[0].set_ylim(-0.3, 10.3)
    figure.supxlabel("week")
    figure.supylabel("pain (NPRS, 0 to 10)" if measure == "pain_nprs" else "capacity (1: mean patient at the start)")
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(PLANS), frameon=False)
    return figure


def _draw_band(axes: Axes, band: Band) -> None:
    weeks = range(len(band.median))
    colour = COLOURS[band.plan]
    if band.plan == "adaptive":
        axes.fill_between(weeks, band.low, band.high, color=colour, alpha=0.2, linewidth=0)
    else:  # three filled bands one over the other would be grey: the others show their edges
        for edge in (band.low, band.high):
            axes.plot(weeks, edge, color=colour, linestyle=LINES[band.plan], linewidth=0.7, alpha=0.6)
    axes.plot(weeks, band.median, color=colour, linestyle=LINES[band.plan], linewidth=1.8, label=f"{band.plan} plan")


def _answer_plot(figures: Figures) -> Figure:
    shares = [[said.answers[answer] / said.patients for answer in ANSWERS] for said in figures.said]
    figure, axes = _single(9.5, 1.8 + 0.45 * len(shares))
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(ANSWERS)), [HEADINGS[answer] for answer in ANSWERS], rotation=25, ha="right")
    axes.set_yticks(range(len(shares)), [f"{NAMES[said.archetype]} (n = {said.patients})" for said in figures.said])
    for row, said in enumerate(figures.said):
        for column, answer in enumerate(ANSWERS):
            if count := said.answers[answer]:
                colour = "white" if shares[row][column] > 0.5 else "black"
                axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=9)
    axes.set_xlabel("what was said")
    axes.set_ylabel("truth")
    figure.colorbar(image, ax=axes, label="share of the archetype", format=PercentFormatter(1))
    return figure


def _detection_plot(figures: Figures) -> Figure:
    detection = figures.detection
    figure, axes = _single(7, 4)
    days = detection.days
    first, last = min([0.0, *days]) - 3, max([28.0, *days]) + 3
    called = [count / detection.patients for count in range(len(days) + 1)] if detection.patients else [0.0]
    steps = [first, *days] if detection.patients else [first]
    axes.step([*steps, last], [*called, called[-1]], where="post", color=BLUE, linewidth=2)
    axes.axvline(0, color=GREY, linewidth=1)
    axes.axvline(DAYS_TO_CALL, color=VERMILION, linestyle="--", linewidth=1)
    axes.axhline(MIN_SENSITIVITY, color=VERMILION, linestyle=":", linewidth=1)
    for day, words, colour in (
        (0.0, "adequate course delivered", GREY),
        (float(DAYS_TO_CALL), f"{DAYS_TO_CALL} days after", VERMILION),
    ):
        # At the foot, to the left of the line: above it runs the curve.
        axes.annotate(
            words,
            (day, 0.03),
            xytext=(-4, 0),
            textcoords="offset points",
            fontsize=8,
            color=colour,
            ha="right",
            va="bottom",
            rotation=90,
        )
    axes.annotate(
        f"target: {MIN_SENSITIVITY:.0%}",
        (last, MIN_SENSITIVITY),
        xytext=(-2, -3),
        textcoords="offset points",
        fontsize=8,
        color=VERMILION,
        ha="right",
        va="top",
    )
    axes.set_xlim(first, last)
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlabel("days after the adequate course was delivered")
    axes.set_ylabel(f"found (of {detection.patients} patients)")
    return figure


def _plan_plot(figures: Figures) -> Figure:
    figure, axes = _single(7, 4.6)
    for plan in PLANS:
        outcomes = [one for one in figures.outcomes if one.plan == plan]
        for one in outcomes:
            if one.flare_days is None or one.final_capacity is None:
                continue
            is_everybody = one.archetype is None
            axes.errorbar(
                one.flare_days.value,
                one.final_capacity.value,
                xerr=[[_below(one.flare_days)], [_below(one.flare_days)]] if is_everybody else None,
                yerr=[[_below(one.final_capacity)], [_below(one.final_capacity)]] if is_everybody else None,
                fmt=MARKERS[plan],
                color=COLOURS[plan],
                markersize=10 if is_everybody else 5,
                alpha=1 if is_everybody else 0.35,
                markeredgecolor="white",
                capsize=3,
                label=f"{plan} plan" if is_everybody else None,
            )
        _name_worst(axes, outcomes)
    axes.set_xlim(left=-0.5)
    axes.set_xlabel("flare days per patient (small marks: single archetypes; named: most flare days)")
    axes.set_ylabel("capacity at the end (1: mean patient at the start)")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    return figure


def _name_worst(axes: Axes, outcomes: Sequence[PlanOutcome]) -> None:
    """Names the archetype that fares worst under a plan."""
    found = [
        (one.flare_days.value, one.final_capacity.value, NAMES[one.archetype])
        for one in outcomes
        if one.archetype is not None and one.flare_days is not None and one.final_capacity is not None
    ]
    if not found:
        return
    flare_days, capacity, name = max(found)
    axes.annotate(
        name,
        (flare_days, capacity),
        xytext=(0, -6),
        textcoords="offset points",
        fontsize=8,
        color=GREY,
        ha="center",
        va="top",
    )


def _below(estimate: Estimate) -> float:
    return estimate.value - estimate.low


def _alert_plot(figures: Figures) -> Figure:
    figure, axes = _single(8, 1.6 + 0.4 * len(figures.alert_rates))
    names = [f"{NAMES[rate.archetype]} (n = {rate.patients})" for rate in figures.alert_rates]
    left = [0.0] * len(names)
    for severity in URGENCIES:
        found = [rate.by_severity[severity] for rate in figures.alert_rates]
        values = [one.value if one is not None else 0.0 for one in found]
        axes.barh(
            names,
            values,
            left=left,
            color=SEVERITY_COLOURS[severity],
            hatch=HATCHES[severity],
            edgecolor="white",
            label=severity,
        )
        left = [start + value for start, value in zip(left, values, strict=True)]
    axes.axvline(
        MAX_ROUTINE_PER_MONTH, color=BLACK, linestyle="--", linewidth=1, label="target for routine, responders"
    )
    axes.invert_yaxis()
    axes.set_xlabel("escalations per patient-month in care")
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=8)
    return figure


def _trial_plot(trials: "Sequence[Reproduced]") -> Figure:
    kinds = list(dict.fromkeys(one.figure for one in trials))
    figure = _figure(9, 1.2 + sum(0.9 + 0.35 * sum(one.figure == kind for one in trials) for kind in kinds))
    ratios = [1 + sum(one.figure == kind for one in trials) for kind in kinds]
    grid = figure.subplots(len(kinds), 1, squeeze=False, height_ratios=ratios)
    for axes, kind in zip(grid.flat, kinds, strict=True):
        _draw_trials(axes, [one for one in trials if one.figure == kind])
        axes.set_xlabel(FIGURES.get(kind, kind))
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
    return figure


def _draw_trials(axes: Axes, trials: "Sequence[Reproduced]") -> None:
    axes.spines[["top", "right"]].set_visible(False)
    rows = range(len(trials))
    axes.errorbar(
        [one.published for one in trials],
        rows,
        xerr=[one.tolerance for one in trials],
        fmt="s",
        color=BLACK,
        capsize=4,
        label="published, with the tolerance",
    )
    axes.plot([one.simulated for one in trials], rows, "o", color=BLUE, markersize=8, alpha=0.8, label="simulated")
    axes.set_yticks(rows, [_arm(one) for one in trials])
    axes.set_ylim(len(trials) - 0.5, -0.5)
    axes.grid(alpha=0.25, axis="x")


def _arm(one: "Reproduced") -> str:
    outside = "" if one.is_within else ", outside"
    return f"{one.row} {one.arm}{' (fitted)' if one.fitted else ''}{outside}"
