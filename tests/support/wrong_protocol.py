"""Protocols that pass the schema and are wrong: what the safety envelope is there for.

`protocols()` draws shipped ones, randomly rewritten ones, and ones with named faults that a person might make.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from annotated_types import Ge, Gt, Le, Lt
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from shared.protocol.condition import ConditionProtocol
from shared.protocol.library import Protocols, shipped_protocols
from shared.protocol.program import PhaseRules, Range

M = TypeVar("M", bound=BaseModel)
Fault = Callable[[Protocols], Protocols]
KEPT = frozenset({"number", "due_week", "max_flexion_deg", "adduction_past_neutral", "unilateral", "late"})
"""Numbers that name or describe, and rule nothing."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """How protocols come about: short to print, so that a failure can be read."""

    faults: tuple[str, ...] = ()
    seed: int | None = None
    """Of a random rewriting, before the faults."""

    def build(self) -> Protocols:
        found = shipped_protocols() if self.seed is None else rewritten_protocols(self.seed)
        return with_faults(self.faults, found)


def protocols() -> st.SearchStrategy[Drawn]:
    """Right ones, rewritten ones and wrong ones."""
    names = st.lists(st.sampled_from(sorted(FAULTS)), max_size=8, unique=True).map(tuple)
    return st.one_of(
        st.builds(Drawn, names),
        st.builds(Drawn, names, st.integers(0, 2**20)),
        st.just(Drawn(tuple(sorted(FAULTS)))),
        st.just(Drawn()),
    )


def with_faults(names: tuple[str, ...], found: Protocols) -> Protocols:
    """Protocols with the named faults."""
    for name in names:
        found = FAULTS[name](found)
    return found


def rewritten_protocols(seed: int) -> Protocols:
    """Any number of rules, of progression and of each condition's course and phases, rewritten at random."""
    chance = random.Random(seed)  # noqa: S311  # no secret depends on it
    shipped, share = shipped_protocols(), chance.choice([0.05, 0.3, 0.9])
    conditions = {
        condition_id: _changed(
            protocol,
            course=rewritten(protocol.course, chance, share),
            program=_changed(
                protocol.program,
                phases=tuple(_rewritten_phase(phase, chance, share) for phase in protocol.program.phases),
            ),
        )
        for condition_id, protocol in shipped.conditions.items()
    }
    return replace(
        _with_conditions(shipped, lambda one: conditions[one.condition_id]),
        progression=rewritten(shipped.progression, chance, share),
    )


def rewritten(model: M, chance: random.Random, share: float) -> M:
    """The same model with a share of its numbers drawn anew within what the schema allows."""
    changes: dict[str, Any] = {}
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            changes[name] = rewritten(value, chance, share)
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            changes[name] = tuple(rewritten(one, chance, share) for one in value)
        elif name not in KEPT and chance.random() < share and type(value) in (int, float):
            changes[name] = _drawn(value, field.metadata, chance)
    found = _changed(model, **changes)
    try:
        type(model).model_validate(found.model_dump())
    except ValidationError:
        return model
    return found


def _drawn(value: float, metadata: list[Any], chance: random.Random) -> float:
    low, high = 0.0, max(10.0, 4.0 * value)
    for one in metadata:
        if isinstance(one, Ge | Gt):
            low = float(one.ge if isinstance(one, Ge) else one.gt) + (0.01 if isinstance(one, Gt) else 0)  # type: ignore[arg-type]  # numbers here
        elif isinstance(one, Le | Lt):
            high = float(one.le if isinstance(one, Le) else one.lt) - (0.01 if isinstance(one, Lt) else 0)  # type: ignore[arg-type]  # numbers here
    drawn = chance.choice([low, high, chance.uniform(low, high)])
    return int(drawn) if isinstance(value, int) else drawn


def _rewritten_phase(phase: PhaseRules, chance: random.Random, share: float) -> PhaseRules:
    found = rewritten(_changed(phase, exercises=()), chance, share)
    exercises = tuple(
        _changed(
            one,
            sets=chance.randint(1, 20),
            days_per_week=chance.randint(1, 7),
            times_per_day=chance.randint(1, 6),
            rpe=Range(low=0, high=chance.choice([4, 8, 10])),
        )
        if chance.random() < share
        else one
        for one in phase.exercises
    )
    criteria = {name: () for name in ("entry", "exit") if chance.random() < share}
    return _changed(phase, min_weeks=found.min_weeks, exercises=exercises, **criteria)


def _changed(model: M, **changes: Any) -> M:
    return model.model_copy(update=changes)


def _with_conditions(found: Protocols, change: Callable[[ConditionProtocol], ConditionProtocol]) -> Protocols:
    changed = {key: change(protocol) for key, protocol in found.versions.items()}
    newest = {key: changed[key, protocol.version] for key, protocol in found.conditions.items()}
    return replace(found, versions=changed, conditions=newest)


def _rules(**changes: dict[str, Any]) -> Fault:
    def fault(found: Protocols) -> Protocols:
        rules = found.progression
        return replace(
            found,
            progression=_changed(
                rules, **{name: _changed(getattr(rules, name), **new) for name, new in changes.items()}
            ),
        )

    return fault


def _course(**changes: dict[str, Any]) -> Fault:
    def change(one: ConditionProtocol) -> ConditionProtocol:
        course = one.course
        new = {name: _changed(getattr(course, name), **fields) for name, fields in changes.items()}
        return _changed(one, course=_changed(course, adequate_variants=(), **new))

    return lambda found: _with_conditions(found, change)


def _phases(exercise: dict[str, Any] | None = None, **changes: Any) -> Fault:
    def change(one: ConditionProtocol) -> ConditionProtocol:
        phases = tuple(
            _changed(phase, exercises=tuple(_changed(e, **(exercise or {})) for e in phase.exercises), **changes)
            for phase in one.program.phases
        )
        return _changed(one, program=_changed(one.program, phases=phases))

    return lambda found: _with_conditions(found, change)


def _library(found: Protocols) -> Protocols:
    exercises = {
        key: _changed(one, earliest_phase=dict.fromkeys(one.earliest_phase, 1), late=())
        for key, one in found.exercises.exercises.items()
    }
    return replace(found, exercises=_changed(found.exercises, exercises=exercises))


def _crowd(found: Protocols) -> Protocols:
    session = _changed(found.mixes.session, at_least=9, at_most=12)
    return replace(found, mixes=_changed(found.mixes, session=session))


def _gap(*factors: float) -> Fault:
    def fault(found: Protocols) -> Protocols:
        rule = found.progression.gap
        steps = tuple(_changed(one, load_factor=factor) for one, factor in zip(rule.steps, factors, strict=True))
        return replace(found, progression=_changed(found.progression, gap=_changed(rule, steps=steps)))

    return fault


_TOO_MUCH = {"sets": 20, "reps": Range(low=40, high=100), "rpe": Range(low=9, high=10), "days_per_week": 7}
_OPEN = {"checkins": 1, "sessions": 1, "adherence": 0.01, "clean_sessions": 1, "performed_share": 0.01}

FAULTS: dict[str, Fault] = {
    "pain of ten is allowed": _course(pain={"progress_at_most": 10.0, "allowed_at_most": 10.0, "regress_symptoms": ()}),
    "a morning may be anything": _course(pain={"morning_rise_at_most": 10.0}),
    "caps of a hundred percent": _rules(cap={"per_session": 1.0, "per_week": 1.0, "step_kg_where_none_is_known": 5.0}),
    "caps of five hundred percent": _rules(cap={"per_session": 5.0, "per_week": 5.0}),
    "great steps": _rules(double_progression={"sessions_at_top": 1, "reps_step": 5, "hold_step_s": 30.0}),
    "a walk doubles": _rules(aerobic={"step_share": 1.0, "whole_s": 600}),
    "effort of ten": _rules(
        effort={"progress_at_most": 10.0, "allowed_at_most": 10.0, "step_rpe": 3.0, "step_days": 1}
    ),
    "no spacing": _rules(spacing={"heavy_hours": 24, "energy_storage_hours": 24, "heavy_from_rpe": 10.0}),
    "a lighter week that adds": _rules(deload={"after_weeks": 2, "volume_factor": 3.0, "load_factor": 2.0, "days": 1}),
    "a lighter week that is none": _rules(deload={"volume_factor": 1.0, "load_factor": 1.0, "days": 1}),
    "a regression that adds": _rules(
        regress={"load_factor": 1.5, "ambers": 1}, flare={"load_factor": 1.5, "volume_factor": 2.0}
    ),
    "illness that adds": _rules(illness={"load_factor": 1.5, "rest_hours": 1}),
    "illness has another name": _rules(illness={"symptom": "fatigue"}),
    "a gap that gives back": _gap(0.1, 0.5, 1.0, 1.0),
    "a gap that adds": _gap(1.2, 1.4, 1.6, 2.0),
    "no flare is ever seen": _rules(flare={"rise_points": 10.0, "night_reports": 99, "severe_pain": 10.0}),
    "a hold that does not hold": _rules(symptom_flags={"holds": ()}),
    "sudden pain is no flag": _rules(symptom_flags={"urgency": {}}),
    "phases open at once": _phases(min_weeks=0, entry=(), exit=()),
    "phases need nothing": _rules(advance=_OPEN),
    "too much of everything": _phases(exercise=_TOO_MUCH),
    "a range without end": _phases(exercise={"reps": Range(low=1, high=100), "rpe": Range(low=1, high=10)}),
    "ten sets of heavy work": _phases(rep_scheme=((1, 3, 12), (2, 20, 6))),
    "every exercise from the first day": _library,
    "a crowded session": _crowd,
    "care fails in a week": _course(
        adequate={"min_weeks": 1, "min_sessions": 1, "min_adherence": 0.0, "review_week": 1},
        dose={"effort_rpe": 0.0, "weeks_at_effort": 1, "active_weeks_share": 0.0, "stalled_weeks": 1},
    ),
    "nothing is trend": _rules(trend={"weeks": 50}, adverse={"reds": 99, "rising_weeks": 50}),
    "another variant each day": _rules(variant={"days": 1}),
}
