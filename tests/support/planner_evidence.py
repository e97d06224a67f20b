"""The evidence's own words on what a program may hold, transcribed a second time for the tests.

Nothing here reads the protocol files or asks the planner: §3.6 (exercise table and constraint), §7 (M1 to M9) and §8.
"""

from dataclasses import dataclass

from shared.event.program import PrescribedExercise, ProgramChanged, ProgramPlanned
from tests.support.planner_case import DGS, GT, PHT, SIJ

NEVER = 9


@dataclass(frozen=True)
class Row:
    """One line of §3.6: hip flexion, adduction, one-sidedness, neural tension, spring, and first phases."""

    flex: int
    add: int
    uni: int
    neur: int
    spring: int
    gt: int
    sij: int
    dgs: int
    pht: int

    def earliest(self, condition: str) -> int:
        return {GT: self.gt, SIJ: self.sij, DGS: self.dgs, PHT: self.pht}[condition]


ROWS = {
    "supine_static_abduction": Row(20, 0, 0, 0, 0, 1, 1, 1, 1),
    "standing_static_abduction": Row(0, 0, 1, 0, 0, 1, 2, 1, 1),
    "side_lying_isometric_abduction": Row(20, 0, 1, 0, 0, 1, 1, 1, 1),
    "double_leg_bridge": Row(45, 0, 0, 0, 0, 1, 1, 1, 1),
    "single_leg_bridge": Row(45, 0, 2, 0, 0, 2, 2, 1, 2),
    "bridge_hold_long_lever": Row(30, 0, 0, 0, 0, 1, 2, 1, 1),
    "band_clam": Row(45, 0, 1, 0, 0, 1, 1, 1, 1),
    "double_leg_squat": Row(70, 0, 0, 0, 0, 1, 1, 1, 3),
    "single_leg_squat": Row(70, 0, 2, 0, 0, 2, 3, 2, 3),
    "band_side_step": Row(30, 0, 1, 0, 0, 1, 2, 2, 1),
    "step_up": Row(60, 0, 2, 0, 0, 3, 3, 2, 3),
    "isometric_leg_curl": Row(20, 0, 1, 0, 0, 1, 1, 1, 1),
    "hip_extension": Row(0, 0, 2, 0, 0, 1, 2, 1, 2),
    "leg_curl": Row(20, 0, 1, 0, 0, 1, 1, 1, 2),
    "nordic_curl": Row(0, 0, 0, 1, 0, 1, 3, 3, 2),
    "hip_thrust": Row(90, 0, 0, 0, 0, 1, 2, 1, 3),
    "romanian_deadlift": Row(90, 0, 0, 1, 0, 3, 3, 3, 3),
    "split_squat": Row(80, 0, 2, 0, 0, 4, 3, 3, 3),
    "arabesque": Row(70, 0, 2, 1, 0, 3, 4, 3, 3),
    "deep_trunk_activation": Row(0, 0, 0, 0, 0, 1, 1, 1, 1),
    "bird_dog": Row(90, 0, 1, 0, 0, 1, 2, 1, 1),
    "side_plank": Row(0, 0, 1, 0, 0, 3, 2, 1, 1),
    "sciatic_slider": Row(60, 0, 1, 1, 0, 1, 1, 1, 1),
    "sciatic_tensioner": Row(90, 0, 1, 2, 0, NEVER, NEVER, 3, 3),
    "piriformis_stretch": Row(90, 1, 1, 1, 0, NEVER, 1, 4, 3),
    "hamstring_stretch": Row(90, 0, 1, 2, 0, NEVER, NEVER, 3, 3),
    "itb_stretch": Row(0, 1, 1, 0, 0, NEVER, NEVER, NEVER, NEVER),
    "loaded_carry": Row(0, 0, 0, 0, 0, 3, 3, 1, 1),
    "hop_or_jump": Row(40, 0, 2, 0, 2, 4, 4, 3, 4),
    "swing_sled_or_sprint": Row(80, 0, 2, 1, 2, 4, 4, 3, 4),
    "walk_or_cycle": Row(45, 0, 0, 0, 0, 1, 1, 1, 1),
}
FINAL_PHASE = {GT: 4, SIJ: 4, DGS: 3, PHT: 4}
STRETCHES = {"sciatic_tensioner", "piriformis_stretch", "hamstring_stretch", "itb_stretch"}
ON_THE_BACK = {
    "supine_static_abduction",
    "double_leg_bridge",
    "single_leg_bridge",
    "bridge_hold_long_lever",
    "hip_thrust",
    "piriformis_stretch",
    "hamstring_stretch",
}
GLUTEAL_ALONE = {
    "supine_static_abduction",
    "standing_static_abduction",
    "side_lying_isometric_abduction",
    "band_clam",
    "double_leg_squat",
    "single_leg_squat",
    "band_side_step",
    "bird_dog",
    "side_plank",
    "loaded_carry",
}
HAMSTRING_ALONE = {"isometric_leg_curl", "leg_curl", "nordic_curl"}
STATIC_OR_LIGHT = {
    "supine_static_abduction",
    "standing_static_abduction",
    "side_lying_isometric_abduction",
    "bridge_hold_long_lever",
    "isometric_leg_curl",
    "side_plank",
    "deep_trunk_activation",
    "band_clam",
    "bird_dog",
    "sciatic_slider",
    "walk_or_cycle",
}
CARRIED = {"dumbbell", "barbell"}
NO_SPRING = {
    "pregnant",
    "osteoporosis",
    "fluoroquinolone",
    "low_energy_availability",
    "bisphosphonate_over_3_years",
    "recent_surgery",
    "active_cancer",
    "uncontrolled_hypertension",
    "postpartum_under_12_weeks",
}
EFFORT_AT_MOST_5 = {"fluoroquinolone", "uncontrolled_hypertension"}


def broken(
    planned: ProgramPlanned | ProgramChanged, *, needs_spring: bool = False, route: str | None = None
) -> list[str]:
    """Every rule of the evidence that the program breaks, in words."""
    first = dict.fromkeys(planned.conditions, 1)
    faults = _table("the first session", planned.prescription, planned, first, needs_spring, route)
    if "steroids" in planned.intake.modifiers:
        faults += [f"S07: effort of {e.exercise_id}" for e in planned.prescription if e.target_rpe > 5]
    if "postpartum_under_12_weeks" in planned.intake.modifiers and planned.prescription:
        head = planned.prescription[0].exercise_id
        faults += [] if head == "deep_trunk_activation" else [f"S04: {head} before the pelvic floor"]
    for phase in planned.phases:
        number = int(phase.phase_id[-1])
        stands = dict.fromkeys(planned.conditions, number)
        faults += _table(phase.phase_id, phase.exercises, planned, stands, needs_spring, route)
    if planned.schedule.sessions_per_week != max(e.days_per_week or 0 for e in planned.prescription):
        faults.append("the schedule does not follow the prescription")
    return faults


def _table(
    where: str,
    table: tuple[PrescribedExercise, ...],
    planned: ProgramPlanned | ProgramChanged,
    stands: dict[str, int],
    needs_spring: bool,
    route: str | None,
) -> list[str]:
    faults = [
        f"{where}: {e.exercise_id}: {fault}"
        for e in table
        for fault in (
            *_constraint(e, planned, stands, needs_spring),
            *_mix(e, stands, route),
            *_circumstance(e, set(planned.intake.modifiers)),
            *_dose(e, planned),
        )
    ]
    ids = [e.exercise_id for e in table]
    if len(set(ids)) < len(ids) or len(ids) > 5:
        faults.append(f"{where}: {len(ids)} exercises, or one of them twice")
    if len(ids) < 4 and "exercises remain" not in planned.rationale:
        faults.append(f"{where}: {len(ids)} exercises, and nobody says why")
    return faults + [f"{where}: {fault}" for fault in _alternation(table, planned)]


def _constraint(
    e: PrescribedExercise, planned: ProgramPlanned | ProgramChanged, stands: dict[str, int], needs_spring: bool
) -> list[str]:
    row, faults = ROWS[e.exercise_id], []
    for condition, phase in stands.items():
        if phase < row.earliest(condition):
            faults.append(f"{condition} allows it from phase {row.earliest(condition)}, this is {phase}")
        if row.spring and phase < FINAL_PHASE[condition]:
            faults.append(f"springs before the final phase of {condition}")
    if row.add and GT in stands:
        faults.append("adduction with gluteal tendinopathy")
    if row.flex > 70 and stands.get(PHT, 9) <= 2:
        faults.append("flexion over 70 with a hamstring tendon up to PH2")
    if row.neur == 2 and DGS in stands:
        faults.append("neural tension with deep gluteal syndrome")
    if row.uni == 2 and stands.get(SIJ) == 1:
        faults.append("one-sided load in SI1")
    if row.spring and not needs_spring:
        faults.append("spring that no goal needs")
    if e.exercise_id == "loaded_carry" and not CARRIED & set(planned.intake.equipment):
        faults.append("nothing to carry is on hand")
    return faults


def _mix(e: PrescribedExercise, stands: dict[str, int], route: str | None) -> list[str]:
    row, treated, faults = ROWS[e.exercise_id], set(stands), []
    has_stretch = e.exercise_id in STRETCHES
    if has_stretch and ({GT, DGS} <= treated or {SIJ, DGS} <= treated or {PHT, DGS} <= treated):
        faults.append("M1, M5, M6: a stretch")
    if {GT, PHT} <= treated and (row.add or (row.flex > 70 and stands[PHT] <= 2)):
        faults.append("M2: deep flexion or adduction")
    if {GT, SIJ} <= treated and row.uni == 2 and stands[SIJ] <= 2:
        faults.append("M3: single-leg load before SI2 is left")
    if {SIJ, PHT} <= treated:
        limit = 45 if stands[PHT] <= 2 else 70 if stands[PHT] == 3 else 90
        if row.flex > limit and e.exercise_id != "hip_thrust":
            faults.append(f"M4: hinge over {limit} degrees")
        if row.uni == 2 and stands[SIJ] <= 2:
            faults.append("M4: asymmetry")
    if {PHT, DGS} <= treated and (row.neur == 2 or e.exercise_id == "nordic_curl"):
        faults.append("M6: pulls on the nerve")
    if route == "lumbar" and (e.exercise_id not in STATIC_OR_LIGHT or row.neur == 2):
        faults.append("M7: more than static work")
    if route == "hip" and row.flex >= 90:
        faults.append("M8: flexion of 90 degrees")
    return faults


def _circumstance(e: PrescribedExercise, modifiers: set[str]) -> list[str]:
    row, faults = ROWS[e.exercise_id], []
    if row.spring and modifiers & NO_SPRING:
        faults.append("S03-S06, S11-S13, S17: impact")
    if "pregnant" in modifiers and e.exercise_id in ON_THE_BACK:
        faults.append("S03: on the back")
    if modifiers & {"osteoporosis", "recent_surgery"} and row.flex > 70:
        faults.append("S05: loaded end-range flexion")
    if modifiers & EFFORT_AT_MOST_5 and e.target_rpe > 5:
        faults.append("S06, S12: effort above 5")
    if "uncontrolled_hypertension" in modifiers and (e.hold_s or 0) > 30 and e.exercise_id != "walk_or_cycle":
        faults.append("S12: a hold over 30 seconds")
    if e.exercise_id in STRETCHES and "hypermobility" in modifiers:
        faults.append("S10: a stretch")
    return faults


def _dose(e: PrescribedExercise, planned: ProgramPlanned | ProgramChanged) -> list[str]:
    facts, faults = planned.intake, []
    if e.equipment is not None and e.equipment not in facts.equipment:
        faults.append(f"{e.equipment} is not on hand")
    if e.load_kg is not None and e.load_kg not in facts.load_steps_kg.get(e.equipment or "none", ()):
        faults.append(f"a weight of {e.load_kg} kg that does not exist")
    if (e.days_per_week or 0) > facts.sessions_per_week:
        faults.append("more days than the patient can")
    if ROWS[e.exercise_id].spring and (e.days_per_week or 7) > 2:
        faults.append("P12: spring more often than every third day")
    if e.target_rpe >= 6 and (e.days_per_week or 7) > 3 and ROWS[e.exercise_id].earliest(GT) != NEVER:
        faults.append("P12: heavy work more often than every other day")
    if e.exercise_id == "nordic_curl" and e.reps > 6:
        faults.append("P09: a heavy slow scheme for a Nordic curl")
    if facts.side == "both" and ROWS[e.exercise_id].uni and "Alternate the sides" not in e.instructions:
        faults.append("M9: the sides do not alternate")
    return faults


def _alternation(table: tuple[PrescribedExercise, ...], planned: ProgramPlanned | ProgramChanged) -> list[str]:
    """Two tendons: work for one alone falls on other days than work for the other alone."""
    if not {GT, PHT} <= set(planned.conditions):
        return []
    days = planned.intake.sessions_per_week
    gluteal = [e for e in table if e.exercise_id in GLUTEAL_ALONE]
    hamstring = [e for e in table if e.exercise_id in HAMSTRING_ALONE]
    if days == 1:
        both = bool(gluteal) and bool(hamstring)
        lighter = min((gluteal, hamstring), key=lambda one: max((e.target_rpe for e in one), default=0))
        return ["M2: both tendons loaded on one day"] if both and any(e.target_rpe >= 5 for e in lighter) else []
    most = max((e.days_per_week or 0 for e in gluteal), default=0)
    rest = max((e.days_per_week or 0 for e in hamstring), default=0)
    faults = ["M2: the two tendons do not fit on different days"] if most + rest > days else []
    return faults + [
        f"M2: {e.exercise_id} does not say so"
        for e in (*gluteal, *hamstring)
        if "other days than" not in e.instructions
    ]
