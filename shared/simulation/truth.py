"""What the world knows and no service sees: who responds, and when an adequate course had been delivered.

`responds`: the patient's own body, with the same days and full attendance at a load that is always the best for it
(`BEST_INTENSITY` of what it bears), has a meaningfully lower true pain in the last week of the judged time: 18 weeks
(an adequate course of 12 and its one extension of 6) or the whole run where that is shorter.

`adequate_day`: the first evening by which the program's least weeks had passed, its sessions were done at its
adherence and in four fifths of the weeks, and the dose was reached: effort of 6, as told, in 2 of the last 4 weeks, or
no more progress was tolerated for 3 weeks, that is, the patient did what was prescribed and no exercise that loads
became harder; weeks that are lighter by plan do not count. Source: §6.1 a and b as RULEOUT.
"""

from collections import deque
from typing import Any

from shared.simulation.care import Tally, is_training_day
from shared.simulation.diary import is_meaningful
from shared.simulation.latent import Model
from shared.simulation.patient import Patient
from shared.simulation.presentation import SESSIONS_PER_WEEK

BEST_INTENSITY = 0.85
JUDGED_WEEKS = 18
EFFORT_RPE, EFFORT_WEEKS, EFFORT_WITHIN = 6.0, 2, 4
STILL_WEEKS, FULFILLED_SHARE = 3, 0.8
ACTIVE_WEEKS_SHARE = 0.8


def responds(patient: Patient, model: Model, weeks: int) -> bool:
    """Whether enough load would bring a meaningful change."""
    body = patient.body(model)
    start, last = body.pain_nprs, deque[float](maxlen=7)
    for day in range(min(weeks, JUDGED_WEEKS) * 7):
        if day:
            body.sleep(patient.days[day - 1].unaccustomed)
        last.append(body.pain_nprs)
        if is_training_day(day, SESSIONS_PER_WEEK):
            body.bear(BEST_INTENSITY * body.capacity)
    return is_meaningful(start, sum(last) / len(last))


def adequate_day(tally: Tally, program: dict[str, Any] | None) -> float | None:
    """When the adequate course had been delivered; None where it never was."""
    if program is None:
        return None
    course = program["adequate_course"]
    least_day = course["min_weeks"] * 7
    for count, day in enumerate(tally.days_done, 1):
        if day < least_day or count < course["min_sessions"]:
            continue
        due = sum(one <= day for one in tally.days_due)
        if count >= course["min_adherence"] * due and _is_spread(tally, day) and _is_dosed(tally, day):
            return float(day)
    return None


def _is_spread(tally: Tally, day: int) -> bool:
    """Whether there was a session in enough of the weeks in which one was due."""
    due = {one // 7 for one in tally.days_due if one <= day}
    done = {one // 7 for one in tally.days_done if one <= day}
    return len(due & done) >= ACTIVE_WEEKS_SHARE * len(due)


def _is_dosed(tally: Tally, day: int) -> bool:
    hard = {(day - on) // 7 for on, rpe in tally.efforts if on <= day and rpe >= EFFORT_RPE}
    if sum(week < EFFORT_WITHIN for week in hard) >= EFFORT_WEEKS:
        return True
    return _stands_still(tally, day)


def _stands_still(tally: Tally, day: int) -> bool:
    """Whether nothing became harder for weeks, lighter ones by plan apart, although all of it was done."""
    last = max((on for on in tally.progress_days if on <= day), default=0.0)
    lighter = sum(
        min(day, day if end is None else end) - max(last, start)
        for start, end in tally.lighter
        if start < day and (end is None or end > last)
    )
    if day - last - lighter < 7 * STILL_WEEKS:
        return False
    weeks = {(day - 1 - on) // 7 for on, share in tally.shares if on < day and share >= FULFILLED_SHARE}
    return weeks.issuperset(range(STILL_WEEKS))
