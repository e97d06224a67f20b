"""Failed care is never called without its denominator, whatever the history."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from services.progression.domain.verdict import Extension
from tests.support.care_course import Care

NPRS = st.integers(0, 10)
SERIES = st.lists(st.tuples(st.integers(1, 20), NPRS), max_size=15).map(
    lambda reports: sorted((float(week), float(value)) for week, value in reports)
)
GROC = SERIES.map(lambda reports: [(week, value - 5) for week, value in reports])
CARE = st.builds(
    Care,
    condition=st.sampled_from(
        [
            "gluteal_tendinopathy",
            "proximal_hamstring_tendinopathy",
            "sacroiliac_joint_pain",
            "deep_gluteal_syndrome",
        ]
    ),
    baseline=NPRS.map(lambda pain: {"NPRS": float(pain)}),
    reports=st.fixed_dictionaries(
        {"NPRS": SERIES, "PSFS": SERIES, "GROC": SERIES.map(lambda r: [(w, v - 5) for w, v in r])}
    ),
    weeks=st.integers(0, 20),
    done_in_week=st.dictionaries(st.integers(0, 19), st.integers(0, 4)),
    rpe=st.none() | st.integers(0, 10).map(float),
    in_flare=st.booleans(),
    red_flag_open=st.booleans(),
    stalled_weeks=st.none() | st.integers(0, 6),
    extension=st.none() | st.builds(Extension, st.integers(12, 20), st.just((("NPRS", 1.0),))),
    modifiers=st.sampled_from([(), ("pregnant",), ("diabetes",)]),
)


@settings(max_examples=300, deadline=None)
@given(CARE)
def test_failure_needs_an_adequate_course_and_known_non_response(care: Care) -> None:
    """Whatever is called failed has its weeks, sessions, adherence, dose, and no response, or one still partial."""
    verdict = care.verdict()
    if verdict.kind != "failed":
        return
    figures = care.adherence()
    assert care.weeks >= care.adequate.review_week
    assert figures.adherence is not None
    assert figures.adherence >= care.adequate.min_adherence
    assert figures.sessions_done >= care.adequate.min_sessions
    assert verdict.dose is not None
    assert verdict.dose.reached is True
    met = sum(criterion.met is True for criterion in verdict.criteria)
    assert met == 0 or (met == 1 and care.extension is not None and care.extension.until_week <= care.weeks)
    assert not care.in_flare
    assert not care.red_flag_open
    assert len(verdict.rule_out) == 11


@settings(max_examples=300, deadline=None)
@given(CARE, st.booleans())
def test_a_status_is_given_for_every_history(care: Care, failed_open: bool) -> None:
    """Assessment is total, and failed if and only if that escalation is open."""
    assessment = care.assessment(failed_open=failed_open)
    assert (assessment.status == "failed_conservative_care") == failed_open
    assert assessment.because


@settings(max_examples=200, deadline=None)
@given(CARE, st.integers(0, 10))
def test_whoever_responds_is_never_called_failed(care: Care, stalled: int) -> None:
    """Two measures improved by what matters are a response, however little the load rose and whatever the label."""
    last = float(max(care.weeks, 1))
    better = {"NPRS": [(last, 2.0)], "GROC": [(last, 3.0)]}
    responder = replace(care, baseline={"NPRS": 7.0}, reports=better, stalled_weeks=stalled)
    assert responder.verdict().kind != "failed"
