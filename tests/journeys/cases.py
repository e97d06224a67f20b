"""The published cases, one after another. Every figure is a row of the evidence base, or says that it is not.

What a source leaves blank stays unreported. What the contract requires all the same (a baseline of pain,
a side, pain in a session) is listed under `assumed`.
"""

from typing import Any

from tests.journeys.case import PROGRAM, Case, Expected, Happening, OtherExercise, Reach
from tests.journeys.series import series

LINEAR = "Between published values every series runs in a straight line, to one decimal; no noise."
OBEDIENT = "Sessions: every prescribed session is done as prescribed, at the target effort, in the evening."
SESSION_PAIN = (
    "Pain in sessions and on the morning after is not published: taken as the week's average, at most {limit} "
    "of 10, the pain up to which the condition's rule lets load rise."
)
NO_CHANGE_FELT = (
    "GROC and PSFS are not published: the patient rates no change (0) and function at 3 of 10 throughout, as the "
    "large majority of the arm did not succeed; without them the services lack what a verdict needs"
)
UNREPORTED = "Instruments without a published value are never reported."


_NO_CHANGE_FELT = {"GROC": series((0, 0)), "PSFS": series((0, 3))}


def _measure(instrument: str, value: float) -> dict[str, Any]:
    return {"instrument": instrument, "value": value}


def _reclassified(day: int, hour: int, case: str, condition_id: str, why: str, **more: Any) -> Happening:
    """A clinician's diagnosis, where the published findings alone do not carry one or a program changes."""
    return Happening(
        day,
        hour,
        "care.clinician.decided.v1",
        {
            "decision_id": f"{case}-decision-{day:03d}",
            "clinician_id": "clinician-1",
            "decision": "reclassify",
            "intake_id": f"{case}-intake",
            "conditions": [condition_id],
            "rationale": why,
            **more,
        },
    )


J01 = Case(
    journey="J01",
    title="Deep gluteal syndrome for two years, hip strengthening and movement re-education: free of pain",
    references=("J01", "TON10", "TB"),
    published=(
        "Man of 30, right buttock and posterior thigh pain for 2 years (TON10)",
        "Palpation and stretch of the piriformis reproduce the pain (TON10)",
        "LEFS 65 to 80 of 80, pain 0 of 10 in all activities after 8 visits in 3 months (TON10)",
    ),
    interpolated=(LINEAR, OBEDIENT, SESSION_PAIN.format(limit=2), UNREPORTED),
    assumed=(
        "NPRS at baseline is unknown in the source and required by the contract: 4 is assumed",
        "Onset is unknown: gradual is assumed",
        "Three months are 13 weeks",
        "Red flags: the authors screened before treating, so the screen counts as complete",
        "The published findings alone need not carry the diagnosis: the clinician's own diagnosis is an event",
    ),
    intake={
        "age_years": 30,
        "sex": "male",
        "side": "right",
        "onset": "gradual",
        "duration_weeks": 104,
        "findings": {
            "worst_pain_deep_mid_buttock": "present",
            "tender_greater_sciatic_notch": "present",
            "pain_on_piriformis_tension": "present",
        },
        "red_flag_screen": "complete",
        "measures": [_measure("NPRS", 4), _measure("LEFS", 65)],
        "equipment": ["none", "band", "step"],
    },
    happenings=(
        _reclassified(0, 11, "J01", "deep_gluteal_syndrome", "Diagnosed by examination, as the published case was."),
    ),
    weeks=14,
    pain=series((0, 4), (13, 0)),
    measures={"LEFS": series((0, 65), (13, 80))},
    session_pain_at_most=2,
    expected=Expected(
        disposition=("program", "more_information", "clinician_review"),
        conditions=("deep_gluteal_syndrome",),
        never=("failed_conservative_care", "worsening", "flare"),
        last=("resolved", "on_track"),
        no_escalations=("failed_conservative_care", "red_flag", "non_adherence", "no_contact"),
    ),
)

J02 = Case(
    journey="J02",
    title="Proximal hamstring tendinopathy: four weeks of another exercise without effect, then the switch",
    references=("J02", "CUS15"),
    published=(
        "Man of 34, triathlete, diagnosed by ultrasound, pain only in running and long sitting (CUS15)",
        "No response to 4 weeks of eccentric knee flexion and lumbopelvic strengthening (CUS15)",
        "After the switch: less pain by 2 weeks, running at 4, speed training at 12 weeks (CUS15)",
        "VISA-H 23 to 83 at 12 weeks (CUS15)",
    ),
    interpolated=(
        LINEAR,
        OBEDIENT,
        SESSION_PAIN.format(limit=3),
        UNREPORTED,
        "The 12 weeks count from the switch; VISA-H stays at 23 in the 4 weeks before it",
    ),
    assumed=(
        "NPRS is unknown in the source: 5 at baseline is assumed, unchanged for 4 weeks, 3 two weeks after the "
        "switch, 0 at its 12th week",
        "Duration is unknown: 8 weeks are assumed (the authors call it subacute)",
        "Side is unknown: left is assumed",
        "The dose of the first 4 weeks is unknown: 3 sessions a week of 2 sets of 6 are assumed",
        "Red flags: the authors screened before treating, so the screen counts as complete",
    ),
    intake={
        "age_years": 34,
        "sex": "male",
        "side": "left",
        "onset": "gradual",
        "duration_weeks": 8,
        "findings": {
            "worst_pain_ischial_tuberosity": "present",
            "sitting_pain_on_ischium": "present",
            "pain_with_acceleration_or_hinge": "present",
            "runner_or_prolonged_sitter": "present",
        },
        "red_flag_screen": "complete",
        "measures": [_measure("NPRS", 5), _measure("VISA-H", 23)],
        "equipment": ["none", "band", "step", "machine", "dumbbell"],
    },
    other_exercise=OtherExercise(
        weeks=(0, 4),
        sessions_per_week=3,
        exercises=(
            {"exercise_id": "nordic_curl", "sets": [{"reps": 6, "rpe": 4}, {"reps": 6, "rpe": 4}]},
            {"exercise_id": "side_plank", "sets": [{"reps": 1, "hold_s": 20, "rpe": 3}]},
        ),
    ),
    happenings=(
        _reclassified(
            28,
            10,
            "J02",
            "proximal_hamstring_tendinopathy",
            "Four weeks of another exercise did not help: switch to hip extensor loading.",
            program_id=PROGRAM,
        ),
    ),
    weeks=17,
    pain=series((0, 5), (4, 5), (6, 3), (16, 0)),
    measures={"VISA-H": series((0, 23), (4, 23), (16, 83))},
    expected=Expected(
        disposition="program",
        primary=("proximal_hamstring_tendinopathy",),
        leading="proximal_hamstring_tendinopathy",
        conditions=("proximal_hamstring_tendinopathy",),
        never=("failed_conservative_care", "worsening", "flare"),
        last=("resolved", "on_track"),
        no_escalations=("failed_conservative_care", "red_flag", "no_contact"),
    ),
)

_LEAP_INTAKE: dict[str, Any] = {
    "age_years": 55,
    "sex": "female",
    "side": "right",
    "onset": "gradual",
    "duration_weeks": 13,
    "findings": {
        "worst_pain_greater_trochanter": "present",
        "lateral_thigh_pain": "present",
        "palpation_greater_trochanter": "present",
        "single_leg_stance_30s_lateral_pain": "present",
    },
    "red_flag_screen": "complete",
    "equipment": ["none", "band", "step"],
}
_LEAP_ASSUMED = (
    "Side is not published for a mean patient: right is assumed",
    "Trial entry was lateral hip pain for 3 months with palpation and at least one test positive: 13 weeks and "
    "the single-leg stance test are taken",
    "Red flags were exclusions of the trial, so the screen counts as complete",
)

J04 = Case(
    journey="J04",
    title="Gluteal tendinopathy: education and exercise, the mean course of the LEAP trial",
    references=("J04", "Z01", "Z02", "LEAPT1", "LEAPT3"),
    published=(
        "69 patients, mean age 54.8 years, 81 % women, 3 months or longer (LEAP)",
        "NPRS 4.8 at baseline, 1.5 at 8 weeks, 2.1 at 52 weeks (LEAP; 52 weeks not re-checked)",
        "14 sessions in 8 weeks with daily home exercise; success 51 of 66 at 8 weeks (LEAP)",
    ),
    interpolated=(LINEAR, OBEDIENT, SESSION_PAIN.format(limit=3), UNREPORTED),
    assumed=_LEAP_ASSUMED,
    intake={**_LEAP_INTAKE, "measures": [_measure("NPRS", 4.8)], "sessions_per_week": 7},
    weeks=13,
    pain=series((0, 4.8), (8, 1.5), (52, 2.1)),
    expected=Expected(
        disposition="program",
        primary=("gluteal_tendinopathy",),
        leading="gluteal_tendinopathy",
        conditions=("gluteal_tendinopathy",),
        never=("failed_conservative_care", "worsening", "flare", "under_dosed"),
        last=("resolved", "on_track"),
        no_escalations=("failed_conservative_care", "red_flag", "non_adherence", "no_contact", "flare"),
    ),
)

J06 = Case(
    journey="J06",
    title="Gluteal tendinopathy: wait and see, the mean course of the LEAP trial",
    references=("J06", "Z01", "Z02", "LEAPT1"),
    published=(
        "69 patients with 1 session (LEAP)",
        "NPRS 4.9 at baseline, 3.8 at 8 weeks, 3.2 at 52 weeks (LEAP; 52 weeks not re-checked)",
        "Success 20 of 68 at 8 weeks, 31 of 60 at 52 weeks (LEAP)",
    ),
    interpolated=(
        LINEAR,
        "The one session is on the first day; then only the weekly check-in",
        SESSION_PAIN.format(limit=3),
        UNREPORTED,
    ),
    assumed=_LEAP_ASSUMED,
    intake={**_LEAP_INTAKE, "measures": [_measure("NPRS", 4.9)]},
    weeks=20,
    pain=series((0, 4.9), (8, 3.8), (52, 3.2)),
    sessions=lambda day: day == 0,
    expected=Expected(
        disposition="program",
        primary=("gluteal_tendinopathy",),
        leading="gluteal_tendinopathy",
        conditions=("gluteal_tendinopathy",),
        reach=(Reach("under_dosed", (2, 20)),),
        never=("failed_conservative_care", "resolved", "worsening", "flare"),
        last=("under_dosed",),
        escalations=("non_adherence",),
        no_escalations=("failed_conservative_care", "red_flag", "no_contact"),
    ),
)

J07 = Case(
    journey="J07",
    title="Gluteal tendinopathy: isotonic home exercise for 12 weeks, a partial response",
    references=("J07", "Z03", "CLI19"),
    published=(
        "12 weeks, 8 sessions of supervision; VISA-G 62 to 72 in the isotonic arm (CLI19)",
        "NPRS better by 2 or more in 58 %, GROC of 2 or more in 75 % of those who completed (CLI19)",
    ),
    interpolated=(LINEAR, OBEDIENT, SESSION_PAIN.format(limit=3), UNREPORTED),
    assumed=(
        "NPRS is published as a share only: 5 at baseline is assumed and the change of the median patient, "
        "2 points at 12 weeks",
        "GROC is published as a share only: the median patient's 2 at 12 weeks",
        "Age, sex, side and duration are not in the evidence base: 60, female, right, 13 weeks are assumed",
        "Findings: those of gluteal tendinopathy as in trial entry (palpation and one test)",
        "Red flags were exclusions of the trial, so the screen counts as complete",
    ),
    intake={
        **_LEAP_INTAKE,
        "age_years": 60,
        "measures": [_measure("NPRS", 5), _measure("VISA-G", 62)],
        "sessions_per_week": 7,
    },
    weeks=14,
    pain=series((0, 5), (12, 3)),
    measures={"VISA-G": series((0, 62), (12, 72)), "GROC": series((0, 0), (12, 2))},
    expected=Expected(
        disposition="program",
        primary=("gluteal_tendinopathy",),
        leading="gluteal_tendinopathy",
        conditions=("gluteal_tendinopathy",),
        never=("failed_conservative_care", "resolved", "worsening", "flare", "under_dosed"),
        last=("on_track", "slow", "plateau"),
        no_escalations=("failed_conservative_care", "red_flag", "non_adherence", "no_contact"),
    ),
)

_SIJ_FINDINGS: dict[str, Any] = {
    "one_finger_pain_psis": "present",
    "unilateral_pain_below_l5": "present",
    "thigh_thrust": "present",
    "distraction": "present",
    "compression": "present",
    "centralisation": "absent",
}

J12 = Case(
    journey="J12",
    title="Sacroiliac joint pain: conservative care without response, the mean course of INSITE",
    references=("J12", "Z11", "INSITE-P"),
    published=(
        "46 patients, at least 6 months of failed care before, diagnosed by provocation tests and block (INSITE)",
        "Pain -12.2 of 100 at 6 months; success 26.1 %; ODI better by 15 or more in 13.6 % (INSITE)",
    ),
    interpolated=(
        LINEAR,
        OBEDIENT,
        SESSION_PAIN.format(limit=3),
        UNREPORTED,
        "Pain of 100 is divided by ten; six months are 26 weeks",
    ),
    assumed=(
        "NPRS at baseline is not in the evidence base and required by the contract: 7 is assumed",
        "ODI is published as a share only: 50 at baseline is assumed, and unchanged, as in most of the arm",
        "Adherence is not published: full adherence is assumed, so that the course is an adequate one",
        NO_CHANGE_FELT,
        "Age, sex, side are not in the evidence base: 50, female, right are assumed; duration 26 weeks",
        "Which provocation tests were positive is not in the evidence base: three of five are assumed, as entry "
        "demanded; one-finger pain and pain below L5 likewise",
        "Red flags were exclusions of the trial, so the screen counts as complete",
    ),
    intake={
        "age_years": 50,
        "sex": "female",
        "side": "right",
        "onset": "gradual",
        "duration_weeks": 26,
        "findings": _SIJ_FINDINGS,
        "red_flag_screen": "complete",
        "measures": [_measure("NPRS", 7), _measure("ODI", 50), _measure("PSFS", 3)],
        "equipment": ["none", "band", "dumbbell"],
    },
    weeks=20,
    closing="refer",
    pain=series((0, 7), (26, 5.78)),
    measures={"ODI": series((0, 50), (26, 50)), **_NO_CHANGE_FELT},
    expected=Expected(
        disposition="program",
        primary=("sacroiliac_joint_pain",),
        leading="sacroiliac_joint_pain",
        conditions=("sacroiliac_joint_pain",),
        reach=(Reach("failed_conservative_care", (12, 20)),),
        never=("resolved", "under_dosed"),
        last=("failed_conservative_care",),
        escalations=("failed_conservative_care",),
        no_escalations=("red_flag", "non_adherence", "no_contact"),
    ),
)

J13 = Case(
    journey="J13",
    title="Sacroiliac joint pain: physiotherapy by guideline without response, the mean course of iMIA",
    references=("J13", "Z12"),
    published=(
        "51 patients, physiotherapy by guideline (iMIA)",
        "Pain -5.7 of 100 at 6 months and -11 at 24; ODI -6 at 6 months and -8 at 24 (iMIA)",
    ),
    interpolated=(
        LINEAR,
        OBEDIENT,
        SESSION_PAIN.format(limit=3),
        UNREPORTED,
        "Pain of 100 is divided by ten; six months are 26 weeks",
    ),
    assumed=(
        "NPRS and ODI at baseline are not in the evidence base: 7 and 55 are assumed",
        NO_CHANGE_FELT,
        "Adherence is not published: full adherence is assumed, so that the course is an adequate one",
        "Age, sex, side are not in the evidence base: 48, female, left are assumed; duration 26 weeks",
        "Which provocation tests were positive is not in the evidence base: three of five are assumed",
        "Red flags were exclusions of the trial, so the screen counts as complete",
    ),
    intake={
        "age_years": 48,
        "sex": "female",
        "side": "left",
        "onset": "gradual",
        "duration_weeks": 26,
        "findings": _SIJ_FINDINGS,
        "red_flag_screen": "complete",
        "measures": [_measure("NPRS", 7), _measure("ODI", 55), _measure("PSFS", 3)],
        "equipment": ["none", "band", "dumbbell"],
    },
    weeks=20,
    closing="refer",
    pain=series((0, 7), (26, 6.43)),
    measures={"ODI": series((0, 55), (26, 49)), **_NO_CHANGE_FELT},
    expected=Expected(
        disposition="program",
        primary=("sacroiliac_joint_pain",),
        leading="sacroiliac_joint_pain",
        conditions=("sacroiliac_joint_pain",),
        reach=(Reach("failed_conservative_care", (12, 20)),),
        never=("resolved", "under_dosed"),
        last=("failed_conservative_care",),
        escalations=("failed_conservative_care",),
        no_escalations=("red_flag", "non_adherence", "no_contact"),
    ),
)

J16 = Case(
    journey="J16",
    title="Proximal hamstring tendinopathy: usual conservative care without response, the mean of Cacchio's arm",
    references=("J16", "Z13", "CAC11"),
    published=(
        "20 athletes, anti-inflammatory drugs, physiotherapy and exercise (CAC11)",
        "Pain 7 to 5 at 3 months; pain halved in 10 %; Nirschl phase 5.5 at 3, 5.6 at 6 months (CAC11)",
    ),
    interpolated=(
        LINEAR,
        OBEDIENT,
        SESSION_PAIN.format(limit=3),
        UNREPORTED,
        "Three months are 13 weeks; after them pain stays at 5, as the Nirschl phase did",
    ),
    assumed=(
        "Adherence is not published: full adherence is assumed, so that the course is an adequate one",
        "VISA-H is not published: never reported",
        NO_CHANGE_FELT,
        "Age, sex, side and duration are not in the evidence base: 25, male, right, 26 weeks are assumed",
        "Findings: those by which the condition is known in athletes",
        "Red flags: the authors screened before treating, so the screen counts as complete",
    ),
    intake={
        "age_years": 25,
        "sex": "male",
        "side": "right",
        "onset": "gradual",
        "duration_weeks": 26,
        "findings": {
            "worst_pain_ischial_tuberosity": "present",
            "sitting_pain_on_ischium": "present",
            "pain_with_acceleration_or_hinge": "present",
            "runner_or_prolonged_sitter": "present",
            "ischial_tuberosity_tenderness": "present",
        },
        "red_flag_screen": "complete",
        "measures": [_measure("NPRS", 7), _measure("PSFS", 3)],
        "equipment": ["none", "band", "step", "machine", "dumbbell"],
    },
    weeks=20,
    closing="refer",
    pain=series((0, 7), (13, 5)),
    measures=_NO_CHANGE_FELT,
    expected=Expected(
        disposition="program",
        primary=("proximal_hamstring_tendinopathy",),
        leading="proximal_hamstring_tendinopathy",
        conditions=("proximal_hamstring_tendinopathy",),
        reach=(Reach("failed_conservative_care", (12, 20)),),
        never=("resolved", "under_dosed"),
        escalations=("failed_conservative_care",),
        no_escalations=("red_flag", "non_adherence", "no_contact"),
    ),
)

J18 = Case(
    journey="J18",
    title="Cauda equina syndrome under another label: bladder trouble reported during care",
    references=("J18", "RF01", "HSIB"),
    published=(
        "Woman of 32, six visits to a general practitioner and two to a hospital from November to January (HSIB)",
        "Pelvic and back pain labelled endometriosis; then radiating leg pain and urinary incontinence (HSIB)",
        "MRI planned for one week later, done after 4 days (HSIB)",
    ),
    interpolated=(
        "November to January: the leg pain and the incontinence are reported in the ninth week",
        "One check-in a week until then, pain unchanged",
    ),
    assumed=(
        "She had no program of exercise. That the flag must act during care is tested by giving her one: "
        "a clinician names the sacroiliac joint",
        "NPRS is unknown: 5 is assumed; side and onset are unknown: right and gradual are assumed",
        "Nothing was found at the first visits: the screen counts as complete then",
        "She does what is prescribed until then",
    ),
    intake={
        "age_years": 32,
        "sex": "female",
        "side": "right",
        "onset": "gradual",
        "duration_weeks": 1,
        "red_flag_screen": "complete",
        "measures": [_measure("NPRS", 5)],
    },
    happenings=(
        _reclassified(
            0, 11, "J18", "sacroiliac_joint_pain", "Pelvic and back pain, worked on as sacroiliac joint pain."
        ),
        Happening(
            59,
            12,
            "care.checkin.reported.v1",
            {
                "checkin_id": "J18-red-flag",
                "reported_at": "2026-03-05T12:00:00Z",
                "symptoms": ["distal_spread", "bladder_dysfunction"],
            },
        ),
    ),
    weeks=9,
    closing="refer",
    pain=series((0, 5)),
    expected=Expected(
        disposition=("more_information", "clinician_review"),
        primary=(None,),
        red_flags=("bladder_dysfunction",),
        conditions=("sacroiliac_joint_pain",),
        never=("resolved", "failed_conservative_care"),
        escalations=("red_flag",),
        no_escalations=("failed_conservative_care",),
        severity="emergency",
        program_held=True,
        last_program_status="ended",
    ),
)

J19 = Case(
    journey="J19",
    title="Sacral stress fracture in a runner: must be referred, not trained",
    references=("J19", "RF08", "KAH11"),
    published=(
        "Man of 23, cross-country runner, low back and buttock pain, X-ray normal, hop test positive (KAH11)",
        "4 to 6 weeks of rest, resolved at 4 months (KAH11)",
    ),
    interpolated=("Only the intake is replayed",),
    assumed=(
        "NPRS is unknown and required by the contract: 5 is assumed",
        "Side, onset and duration are unknown: left, gradual, 4 weeks are assumed",
    ),
    intake={
        "age_years": 23,
        "sex": "male",
        "side": "left",
        "onset": "gradual",
        "duration_weeks": 4,
        "findings": {"hop_test": "present", "runner_or_prolonged_sitter": "present"},
        "red_flags": {"sacral_stress_fracture_suspicion": "present"},
        "measures": [_measure("NPRS", 5)],
    },
    expected=Expected(
        disposition="urgent_referral",
        red_flags=("sacral_stress_fracture_suspicion",),
        program=False,
        escalations=("red_flag",),
        severity="urgent",
    ),
)

J20 = Case(
    journey="J20",
    title="Femoral neck stress fracture in a runner: must be referred, not trained",
    references=("J20", "RF07", "BJSM-I"),
    published=(
        "Woman of 31, runner, right groin pain for 5 weeks, first in exercise, then at night (BJSM-I)",
        "Sent to physiotherapy; back at 2 months with weak and painful adduction (BJSM-I)",
    ),
    interpolated=("Only the intake is replayed, as at the first visit",),
    assumed=("NPRS is unknown and required by the contract: 5 is assumed", "Onset is unknown: gradual is assumed"),
    intake={
        "age_years": 31,
        "sex": "female",
        "side": "right",
        "onset": "gradual",
        "duration_weeks": 5,
        "findings": {"worst_pain_groin": "present", "runner_or_prolonged_sitter": "present"},
        "red_flags": {"groin_pain_with_impact": "present"},
        "measures": [_measure("NPRS", 5)],
    },
    expected=Expected(
        disposition="urgent_referral",
        red_flags=("groin_pain_with_impact",),
        program=False,
        escalations=("red_flag",),
        severity="urgent",
    ),
)

J21 = Case(
    journey="J21",
    title="Avulsion of the proximal hamstring in a footballer: must be referred, not trained",
    references=("J21", "RF10", "FIFA"),
    published=(
        "Man of 26, footballer, injured in a stretch, bruise within 24 hours, palpable gap (FIFA)",
        "MRI with 10.5 cm of retraction, surgery within 48 hours, return to play at 5 months (FIFA)",
    ),
    interpolated=("Only the intake is replayed",),
    assumed=(
        "NPRS is unknown and required by the contract: 7 is assumed",
        "Side is unknown: right is assumed; one day after the injury, onset sudden",
    ),
    intake={
        "age_years": 26,
        "sex": "male",
        "side": "right",
        "onset": "sudden",
        "duration_weeks": 0.2,
        "red_flags": {"sudden_pop_with_bruising": "present"},
        "measures": [_measure("NPRS", 7)],
    },
    expected=Expected(
        disposition="urgent_referral",
        red_flags=("sudden_pop_with_bruising",),
        program=False,
        escalations=("red_flag",),
        severity="urgent",
    ),
)

PAUL20 = Case(
    journey="PAUL20",
    title="Lateral hip and posterolateral thigh pain with a positive slump test: mixed or undetermined",
    references=("PAUL20", "M1"),
    published=(
        "Woman of 66, insidious left posterolateral thigh pain (PAUL20)",
        "Trendelenburg positive, palpation of the trochanter positive, slump positive, lumbar movement normal (PAUL20)",
        "Differential diagnosis: trochanteric bursitis or tear of the gluteus medius (PAUL20)",
    ),
    interpolated=("Only the intake is replayed",),
    assumed=(
        "NPRS is unknown and required by the contract: 5 is assumed",
        "Duration is unknown: 8 weeks are assumed",
        "Red flags: none was reported, so the screen counts as complete",
    ),
    intake={
        "age_years": 66,
        "sex": "female",
        "side": "left",
        "onset": "gradual",
        "duration_weeks": 8,
        "findings": {
            "lateral_thigh_pain": "present",
            "trendelenburg": "present",
            "palpation_greater_trochanter": "present",
            "slump": "present",
        },
        "red_flag_screen": "complete",
        "measures": [_measure("NPRS", 5)],
    },
    expected=Expected(
        disposition=("more_information", "clinician_review"),
        leading="gluteal_tendinopathy",
        not_leading=("deep_gluteal_syndrome",),
        primary=(None,),
        program=False,
        no_escalations=("red_flag",),
    ),
)

CASES = (J01, J02, J04, J06, J07, J12, J13, J16, J18, J19, J20, J21, PAUL20)
