"""Courses of care for tests: weekly reports and sessions turned into what the statistics half reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

import yaml

from services.progression.domain import adherence as adherence_
from services.progression.domain import goal as goal_
from services.progression.domain import statistic as statistic_
from services.progression.domain.adherence import Adherence, AdherenceFigures
from services.progression.domain.goal import GoalState
from services.progression.domain.response import Assessment, assess
from services.progression.domain.statistic import Statistic
from services.progression.domain.trend import rise
from services.progression.domain.verdict import Circumstance, Extension, Verdict, judge
from shared.event.measure import Measure
from shared.event.program import AdequateCourse, Goal, GoalMeasure
from shared.protocol.course import Course
from shared.protocol.library import shipped_folder
from tests.support.example import EPOCH

OWED = ("NPRS", "GROC", "PSFS")


@cache
def course_of(condition_id: str) -> Course:
    """The shipped course section of one condition."""
    path = shipped_folder() / "conditions" / f"{condition_id}.yaml"
    return Course.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))["course"])


def adequate_of(course: Course, modifiers: tuple[str, ...] = ()) -> AdequateCourse:
    """As the planner publishes it."""
    rules = course.adequate_for(modifiers)
    return AdequateCourse(
        min_weeks=rules.min_weeks,
        min_sessions=rules.min_sessions,
        min_adherence=rules.min_adherence,
        review_week=rules.review_week,
    )


def pain_goal(target: float = 2, horizon: str = "long_term") -> Goal:
    """Less pain, by the weekly average."""
    return Goal.model_validate(
        {
            "goal_id": f"pain-{horizon}",
            "horizon": horizon,
            "statement": "Less pain",
            "measure": GoalMeasure(instrument="NPRS", baseline=None, target=target, direction="decrease"),
            "due_week": 12,
        }
    )


@dataclass(frozen=True)
class Care:
    """An episode: `reports` gives, for each instrument, (week, value); weeks may be fractions."""

    condition: str = "gluteal_tendinopathy"
    baseline: Mapping[str, float] = field(default_factory=lambda: {"NPRS": 5.0})
    reports: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    weeks: int = 12
    sessions_a_week: int = 3
    done_in_week: Mapping[int, int] = field(default_factory=dict)
    """Sessions done where they are not the prescribed three."""
    session_pain: float = 3
    rpe: float | None = 7
    modifiers: tuple[str, ...] = ()
    goals: tuple[Goal, ...] = ()
    in_flare: bool = False
    red_flag_open: bool = False
    stalled_weeks: int | None = None
    extension: Extension | None = None
    mixed: bool = False
    symptoms: tuple[str, ...] = ()
    owed: tuple[str, ...] = OWED

    @property
    def now(self) -> datetime:
        return EPOCH + timedelta(weeks=self.weeks)

    @property
    def course(self) -> Course:
        return course_of(self.condition)

    @property
    def adequate(self) -> AdequateCourse:
        return adequate_of(self.course, self.modifiers)

    def statistic(self) -> Statistic:
        statistic = statistic_.begin([Measure(instrument=i, value=v) for i, v in self.baseline.items()], EPOCH)
        for instrument, reports in self.reports.items():
            for week, value in reports:
                statistic = statistic_.with_measure(statistic, instrument, value, EPOCH + timedelta(weeks=week))
        for week in range(self.weeks):
            for n in range(self._done(week)):
                at = EPOCH + timedelta(weeks=week, days=2 * n)
                statistic = statistic_.with_session(statistic, self.session_pain, self.rpe, at)
        return statistic

    def adherence(self) -> AdherenceFigures:
        adherence: Adherence = adherence_.begin(EPOCH.date())
        for week in range(self.weeks):
            for n in range(self._done(week)):
                adherence = adherence_.with_session(adherence, (EPOCH + timedelta(weeks=week, days=2 * n)).date())
            adherence = adherence_.with_week_closed(adherence, week, self.sessions_a_week)
        return adherence_.figures(adherence)

    def goal_states(self) -> tuple[GoalState, ...]:
        states = goal_.begin(self.goals)
        for instrument, reports in self.reports.items():
            for week, value in reports:
                states, _ = goal_.with_report(states, instrument, value, EPOCH + timedelta(weeks=week), EPOCH)
        return states

    def verdict(self) -> Verdict:
        return judge(
            self.statistic(),
            self.adherence(),
            self.goal_states(),
            self.course,
            self.adequate,
            Circumstance(
                in_flare=self.in_flare,
                red_flag_open=self.red_flag_open,
                stalled_weeks=self.stalled_weeks,
                extension=self.extension,
                measures_owed=self.owed,
                modifiers=self.modifiers,
                mixed=self.mixed,
                symptoms=self.symptoms,
                compression_education=True,
            ),
            now=self.now,
        )

    def assessment(self, *, failed_open: bool = False, judged: bool = True) -> Assessment:
        return assess(
            self.statistic(),
            self.adherence(),
            self.goal_states(),
            self.course,
            self.adequate,
            now=self.now,
            in_flare=self.in_flare,
            failed_open=failed_open,
            verdict=self.verdict() if judged else None,
            rising=rise(self.statistic(), self.now, 2, 1),
            modifiers=self.modifiers,
        )

    def _done(self, week: int) -> int:
        return self.done_in_week.get(week, self.sessions_a_week)


def weekly(*values: float, start: int = 1) -> list[tuple[float, float]]:
    """One report at the end of each week, from week `start` on."""
    return [(float(start + n), value) for n, value in enumerate(values)]


def flat(value: float, weeks: int = 12) -> list[tuple[float, float]]:
    """The same report week after week."""
    return weekly(*[value] * weeks)


def unchanged(pain: float = 5, weeks: int = 12) -> dict[str, list[tuple[float, float]]]:
    """Every measure of non-response reported without change; PSFS begins at 4."""
    return {"NPRS": flat(pain, weeks), "GROC": flat(0, weeks), "PSFS": [(4, 4), (8, 4), (12, 4)]}
