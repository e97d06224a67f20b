"""A version of the planner's: what begins anew, and what stays."""

from datetime import timedelta

from msgspec.structs import replace

from services.progression.domain import adherence, goal, statistic
from services.progression.domain.book import Dose
from services.progression.domain.fact import ProgramFact
from services.progression.domain.hold import PLANNER, begin_pause, end_pause
from services.progression.domain.load import Track
from services.progression.domain.review import begin_course
from services.progression.domain.start import begin_track, capped
from services.progression.domain.state import Stand
from services.progression.domain.turn import Turn


def take_over(turn: Turn, fact: ProgramFact) -> None:
    """A version of the planner's: loads that were tolerated stay for exercises that remain."""
    is_new = turn.s.program_id != fact.program_id
    if (not is_new and turn.s.status == "ended") or (is_new and fact.status == "ended"):
        return  # what is over stays over, and what took its place goes on
    before = turn.s
    turn.set(program_id=fact.program_id, version=fact.version)
    book = turn.book
    if book is None:
        turn.set(program_id=before.program_id, version=before.version)
        return
    payload = book.payload()
    if is_new:
        turn.set(
            started_at=fact.time,
            week_end=fact.time + timedelta(weeks=1),
            stands=(),
            tracks=(),
            stopped_exercises=(),
            relief=None,
            flare=None,
            flare_ended=None,
            gap=None,
            rest_until=None,
            pending=None,
            unanswered=0,
            notes=(),
            pains=(),
            nights=(),
            unfit=0,
            low_weeks=0,
            last_session=None,
            excused=(),
            off_since=None,
            extension=None,
            regressed_at=None,
            reached=(),
            tolerated=(),
            harder_at=None,
            stalled_weeks=0,
            days_cap=None,
            approved_at=None,
            lightened_at=fact.time,
            last_contact=fact.time,
            statistic=statistic.begin(payload.intake.measures, fact.time),
            adherence=adherence.begin(turn.local_day(fact.time)),
            goals=goal.begin(payload.goals),
            holds=tuple(one for one in before.holds if one == "red_flag"),
        )
    else:
        turn.set(goals=goal.begin(payload.goals, before.goals), pending=None)
        if {stand.condition_id for stand in before.stands} != set(book.conditions):
            begin_course(turn)
    # Of a proposal that never ran nothing was tolerated yet.
    has_run = before.status != "proposed" or before.last_session is not None
    kept = {track.dose.exercise_id: track for track in turn.s.tracks if has_run}
    _stand(turn)
    turn.set(
        tracks=tuple(_begin_or_keep(turn, kept.get(dose.exercise_id), dose) for dose in book.doses) or turn.s.tracks,
        sessions_per_week=book.sessions_per_week,
    )
    if fact.status == "ended":
        turn.set(status="ended", holds=(), week_end=None, pending=None, rest_until=None)
    elif fact.status == "proposed":
        turn.set(status="proposed")
        begin_pause(turn)
    elif fact.status == "held":
        turn.set(status="active", holds=tuple(sorted({*turn.s.holds, PLANNER})))
        begin_pause(turn)
    else:
        if not is_new and before.status == "proposed":
            turn.set(approved_at=fact.time)
        _activate(turn)


def _begin_or_keep(turn: Turn, track: Track | None, planned: Dose) -> Track:
    """A load that was tolerated stays, on the days and within the caps of the new plan."""
    if track is None:
        return begin_track(planned, turn.at)
    return replace(track, dose=capped(turn, replace(track.dose, days_per_week=planned.days_per_week)))


def _activate(turn: Turn) -> None:
    """The program runs, but for what nobody has decided on yet; loads that were kept are told again."""
    still = {one.reason for one in turn.s.open if one.holds}
    turn.set(status="active", holds=tuple(one for one in turn.s.holds if one in still))
    if turn.s.holds:
        begin_pause(turn)
        turn.rewrite("held", "A red flag that is not decided on holds the program.")
        return
    end_pause(turn)
    book = turn.book
    if book is not None and tuple(track.dose for track in turn.s.tracks) != book.doses:
        turn.say("P08", "Exercises that remain keep the load that was tolerated.")
        turn.adjust()


def _stand(turn: Turn) -> None:
    """Where each condition stands, the one that leads first."""
    book = turn.book
    if book is None:
        return
    phases = book.phase_by_condition or dict.fromkeys(book.conditions[:1], book.phase_id)
    had = {stand.condition_id: stand for stand in turn.s.stands}
    stands = []
    for condition in sorted(book.conditions, key=lambda one: one != book.leader):
        phase_id = phases.get(condition, book.phase_id)
        old = had.get(condition)
        stands.append(old if old and old.phase_id == phase_id else Stand(condition, phase_id, turn.at))
    turn.set(stands=tuple(stands))
