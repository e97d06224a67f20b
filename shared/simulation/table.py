"""The report as tables: made once, shown on a terminal and on the page."""

from collections.abc import Iterable
from dataclasses import dataclass

from rich import box
from rich.table import Table

from shared.event.vocabulary import URGENCIES
from shared.simulation.course import Archetype
from shared.simulation.estimate import Estimate, Share
from shared.simulation.figure import ANSWERS, Answer, Figures
from shared.simulation.run import Report
from shared.simulation.target import Measured, Target
from shared.simulation.verdict import DAYS_TO_CALL

NOBODY = "–"
"""What stands where there was nobody to measure."""

NAMES: dict[Archetype, str] = {
    "responder": "responder",
    "slow_responder": "slow responder",
    "non_responder": "non-responder",
    "under_doser": "under-doser",
    "over_reacher": "over-reacher",
    "flare_prone": "flare-prone",
    "wrong_diagnosis": "wrong diagnosis",
    "deteriorating": "deteriorating",
    "red_flag": "red flag on the way",
    "silent": "silent",
}

HEADINGS: dict[Answer, str] = {
    "red_flag": "red flag",
    "failed": "failed care",
    "worsening": "worse or adverse",
    "unclear_diagnosis": "unclear diagnosis",
    "under_dosed": "under-dosed",
    "not_reached": "not reached",
    "other_look": "other look",
    "nothing": "nothing",
}


@dataclass(frozen=True, slots=True)
class Grid:
    """One table: the first column names the row, the others hold figures."""

    key: str
    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def grids_of(report: Report) -> tuple[Grid, ...]:
    """Every table of a report, the targets first."""
    figures = report.figures
    grids = [
        _target_grid(report.targets),
        _verdict_grid(figures),
        _answer_grid(figures),
        _comparison_grid(figures),
        _plan_grid(figures),
        _archetype_grid(figures),
        _alert_grid(figures),
        _reason_grid(figures),
    ]
    if report.trials:
        grids.insert(1, _trial_grid(report))
    return tuple(grid for grid in grids if grid.rows)


def rich_table(grid: Grid, *, is_plain: bool) -> Table:
    """For a terminal; `is_plain`: without lines and colours, for a file or a pipe."""
    table = Table(
        title=grid.title,
        caption=grid.note or None,
        title_justify="left",
        caption_justify="left",
        box=None if is_plain else box.ROUNDED,
        pad_edge=not is_plain,
    )
    for index, column in enumerate(grid.columns):
        table.add_column(column, justify="right" if index else "left", overflow="fold")
    for row in grid.rows:
        style = "" if is_plain else {"yes": "green", "no": "bold red"}.get(row[-1], "")
        table.add_row(*row, style=style)
    return table


def told(measured: Measured) -> str:
    """A figure with its 95 % interval in words."""
    if measured is None:
        return NOBODY
    if isinstance(measured, Share):
        interval = f"{measured.low:.1%} to {measured.high:.1%}"
        return f"{measured.count} of {measured.of}: {measured.value:.1%} ({interval})"
    return f"{_number(measured.value)} ({_number(measured.low)} to {_number(measured.high)})"


def words(identifier: str) -> str:
    """An identifier as people read it."""
    return identifier.replace("_", " ")


def _number(value: float) -> str:
    return f"{value + 0.0:.2f}".replace("-0.00", "0.00")


def _percent(found: Share | Estimate | None) -> str:
    return NOBODY if found is None else f"{found.value:.0%}"


def _yes(is_met: bool | None) -> str:
    return {True: "yes", False: "no", None: "not measured"}[is_met]


def _target_grid(targets: Iterable[Target]) -> Grid:
    rows = [(one.name, one.wanted, told(one.measured), _yes(one.is_met)) for one in targets]
    return Grid(
        "targets",
        "Targets",
        "In brackets the 95 % interval. A target is met by the measured value.",
        ("target", "wanted", "measured", "met"),
        tuple(rows),
    )


def _trial_grid(report: Report) -> Grid:
    rows = [
        (
            f"{one.row} {one.arm}: {one.figure}",
            f"{one.published:g}",
            f"{one.simulated:.3g}",
            f"±{one.tolerance:g}",
            _yes(one.fitted),
            _yes(one.is_within),
        )
        for one in report.trials
    ]
    return Grid(
        "trials",
        "Published trial arms",
        "Shares are 0 to 1. Where parameters were fitted to an arm, its reproduction is no test of the model.",
        ("arm and figure", "published", "simulated", "tolerance", "fitted", "within"),
        tuple(rows),
    )


def _verdict_grid(figures: Figures) -> Grid:
    verdict, detection, safety = figures.verdict, figures.detection, figures.safety
    quartiles = NOBODY
    if detection.median is not None:
        quartiles = f"{detection.median:.1f} ({detection.lower_quartile:.1f} to {detection.upper_quartile:.1f})"
    rows = (
        (f"sensitivity, found by {DAYS_TO_CALL} days after the adequate course: the target", told(verdict.sensitivity)),
        ("sensitivity, by the call of failed care alone", told(verdict.sensitivity_called)),
        ("sensitivity, patients of unclear truth held against it", told(verdict.sensitivity_worst)),
        (
            "sensitivity, everybody who did not respond, by the call alone (no target)",
            told(verdict.sensitivity_everybody),
        ),
        ("wrong diagnosis, told that care failed or the diagnosis is unclear", told(verdict.wrong_diagnosis_found)),
        ("wrong diagnosis, of them told that care failed", told(verdict.wrong_diagnosis_called)),
        ("wrong diagnosis, of them told that the diagnosis is unclear", told(verdict.wrong_diagnosis_unclear)),
        ("worsening, told as adverse response or failed care", told(verdict.worsening_told)),
        ("worsening, of them told as failed care", told(verdict.worsening_called)),
        ("worsening in spite of an adequate course, told", told(verdict.worsening_told_delivered)),
        ("specificity, responders who are on course by the review: the target", told(verdict.specificity)),
        ("specificity, all who respond", told(verdict.specificity_responds)),
        ("specificity, who respond but are not on course by the review", told(verdict.specificity_not_on_course)),
        ("specificity, slow responders who respond", told(verdict.specificity_slow)),
        ("specificity, who respond or were under-dosed", told(verdict.specificity_with_under_dosed)),
        ("specificity, the same without slow responders", told(verdict.specificity_without_slow)),
        ("specificity, all who respond, unclear truth held against it", told(verdict.specificity_worst)),
        ("specificity, who respond and whose pain changed by the end (no target)", told(verdict.specificity_everybody)),
        ("patients of unclear truth", str(verdict.unclear_truth)),
        ("called although the course was not adequate", told(verdict.under_dosed_called)),
        ("called before the adequate course was over, of whom care failed", told(verdict.called_early)),
        ("found at any time, of whom care failed", f"{len(detection.days)} of {detection.patients}"),
        ("days from the adequate course to the answer: median (quartiles)", quartiles),
        ("red flag escalated in the same event", told(safety.red_flags_at_once)),
        ("red flag raised without one", told(safety.false_red_flags)),
        ("progressions after pain above 5/10 or an unsettled morning", str(safety.unsafe_progressions)),
    )
    return Grid(
        "verdict",
        "Verdict on failed care and safety",
        "Under the adaptive plan, against the truth that only the simulation knows; exact 95 % intervals. Specificity "
        "is judged on responders who have come half of the least meaningful change by the review: with less, the "
        "criteria of the evidence cannot tell them from who does not respond. This was fixed on 2026-11-22, after "
        "first cohorts had been seen; the rows without a target are the definitions before it.",
        ("figure", "measured"),
        rows,
    )


def _answer_grid(figures: Figures) -> Grid:
    rows = [
        (
            NAMES[said.archetype],
            str(said.patients),
            str(said.delivered),
            str(said.failed),
            *(str(said.answers[answer] or "") for answer in ANSWERS),
        )
        for said in figures.said
    ]
    return Grid(
        "answers",
        "What was said of whom",
        "Adequate course: truly delivered. Care failed: so many of them ought to be called. Then each patient once, "
        "by the first of several answers from the left. Other look: a clinician was asked to look for another reason. "
        "Not reached: no contact, or sessions not done.",
        ("archetype", "patients", "adequate course", "care failed", *(HEADINGS[answer] for answer in ANSWERS)),
        tuple(rows),
    )


def _comparison_grid(figures: Figures) -> Grid:
    rows = [
        (
            f"adaptive less {one.other}",
            told(one.flare_days),
            told(one.flare_days_saved),
            told(one.final_capacity),
            told(one.final_pain_nprs),
        )
        for one in figures.comparisons
    ]
    return Grid(
        "comparison",
        "The adaptive plan against the others",
        "Mean of the paired differences of the same patients, with the 95 % interval.",
        ("plans", "flare days", "share of flare days saved", "final capacity (1: mean at start)", "final pain (0-10)"),
        tuple(rows),
    )


def _plan_grid(figures: Figures) -> Grid:
    rows = [
        (
            one.plan,
            told(one.flare_days),
            told(one.final_capacity),
            told(one.final_pain_nprs),
            told(one.meaningful_change),
            _percent(one.adherence),
        )
        for one in figures.outcomes
        if one.archetype is None
    ]
    return Grid(
        "plans",
        "Outcome by plan",
        "Mean per patient, with the 95 % interval. Meaningful change: pain lower by 2 points or 30 % at the end.",
        (
            "plan",
            "flare days",
            "final capacity (1: mean at start)",
            "final pain (0-10)",
            "meaningful change",
            "adherence",
        ),
        tuple(rows),
    )


def _archetype_grid(figures: Figures) -> Grid:
    found = {(one.archetype, one.plan): one for one in figures.outcomes if one.archetype is not None}
    rows = []
    for archetype in dict.fromkeys(archetype for archetype, _ in found):
        three = [found[(archetype, plan)] for plan in ("adaptive", "fixed", "naive")]
        rows.append(
            (
                NAMES[archetype],
                *(
                    " / ".join(NOBODY if value is None else f"{value.value:.{digits}f}" for value in values)
                    for values, digits in (
                        ([one.flare_days for one in three], 1),
                        ([one.final_capacity for one in three], 2),
                        ([one.final_pain_nprs for one in three], 1),
                    )
                ),
                " / ".join(_percent(one.meaningful_change) for one in three),
            )
        )
    return Grid(
        "archetypes",
        "Outcome by archetype: adaptive / fixed / naive",
        "Mean per patient.",
        ("archetype", "flare days", "final capacity (1: mean at start)", "final pain (0-10)", "meaningful change"),
        tuple(rows),
    )


def _alert_grid(figures: Figures) -> Grid:
    rows = [
        (
            NAMES[rate.archetype],
            str(rate.patients),
            f"{rate.months:.0f}",
            *(told(rate.by_severity[severity]) for severity in URGENCIES),
        )
        for rate in figures.alert_rates
    ]
    return Grid(
        "alerts",
        "Escalations per patient-month",
        "Under the adaptive plan, by months in care. One that rises in severity counts again.",
        ("archetype", "patients", "months in care", *URGENCIES),
        tuple(rows),
    )


def _reason_grid(figures: Figures) -> Grid:
    reasons = sorted({reason for rate in figures.alert_rates for reason in rate.by_reason})
    rows = [
        (NAMES[rate.archetype], str(rate.patients), *(str(rate.by_reason.get(reason, "")) for reason in reasons))
        for rate in figures.alert_rates
    ]
    return Grid(
        "reasons",
        "Escalations by reason",
        "How many were raised, under the adaptive plan.",
        ("archetype", "patients", *map(words, reasons)),
        tuple(rows) if reasons else (),
    )
