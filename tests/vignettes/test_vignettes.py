"""Whether a physiotherapist would sign what the intake service concludes."""

import re
from pathlib import Path

import pytest

from shared.event.vocabulary import URGENCIES, vocabulary
from tests.vignettes.result import SEVERITY, results
from tests.vignettes.table import PAGE, written
from tests.vignettes.vignette import KINDS, Vignette, read, vignettes

ROW = re.compile(r"\b(RF\d\d|PT\d|[CHJMRST]\d+|P\d\d)\b|§\d|[Gg]roup [A-Z]\b")


@pytest.mark.parametrize("case", vignettes(), ids=lambda case: case.id)
def test_the_patient_is_judged_as_a_careful_physiotherapist_would(case: Vignette) -> None:
    """Disposition, condition, route and red flags are what the vignette expects."""
    (result,) = (result for result in results() if result.vignette is case)
    assert list(result.deviations()) == [], case.why


def test_the_primary_condition_is_right_in_nineteen_of_twenty_clear_presentations() -> None:
    """Among textbook and published patients for whom one condition is right, it is named in 95 % or more."""
    measured = [result for result in results() if result.vignette.kind in ("textbook", "published")]
    clear = [result for result in measured if result.vignette.expected.primary_for_sure]
    right = [result for result in clear if result.is_primary_right]
    assert len(clear) >= 20
    assert len(right) >= 0.95 * len(clear)


def test_every_red_flag_is_found() -> None:
    """Whatever kind of patient, no red flag that is there is missed."""
    assert {result.vignette.id: result.missed_flags for result in results() if result.missed_flags} == {}


def test_no_emergency_is_called_where_there_is_none() -> None:
    """Nobody is sent to the emergency department for what is none."""
    assert [result.vignette.id for result in results() if result.is_false_emergency] == []


def test_what_must_never_be_concluded_never_is() -> None:
    """No vignette ends in a disposition or a condition that would be wrong for it."""
    assert {result.vignette.id: result.forbidden for result in results() if result.forbidden} == {}


def test_no_program_stands_beside_an_alarming_flag() -> None:
    """Wherever an emergency or urgent flag is found, the patient gets no program."""
    urgent = URGENCIES[1:]
    alarmed = [result for result in results() if any(flag.urgency in urgent for flag in result.found.red_flags)]
    assert alarmed
    assert [result.vignette.id for result in alarmed if result.found.disposition == "program"] == []


def test_a_clinician_is_called_exactly_where_the_patient_cannot_go_on_alone() -> None:
    """Programs and questions call nobody; every other conclusion calls once, with its own severity or a higher one."""
    for result in results():
        least = SEVERITY.get(result.found.disposition)
        called = [URGENCIES.index(escalation.severity) for escalation in result.escalations]
        assert len(called) == (least is not None), result.vignette.id
        assert least is None or called[0] >= URGENCIES.index(least), result.vignette.id


def test_nothing_that_a_patient_wrote_is_repeated() -> None:
    """Free text is scanned and never copied into what is published."""
    for result in results():
        for sentence in (result.vignette.intake.notes or "").split("."):
            said = [result.found.model_dump_json(), *(raised.model_dump_json() for raised in result.escalations)]
            assert not sentence.strip() or all(sentence.strip() not in text for text in said), result.vignette.id


def test_the_vignettes_cover_what_may_come_through_the_door() -> None:
    """Every red flag, every condition, every mix and every kind of vignette occurs, each vignette with its own id."""
    cases = vignettes()
    assert len({case.id for case in cases}) == len(cases) >= 72
    assert {case.kind for case in cases} == set(KINDS)
    assert {flag for case in cases for flag in case.expected.red_flags} == set(vocabulary().red_flags)
    sure = {case.expected.primary[0] for case in cases if case.kind == "textbook" and case.expected.primary}
    assert sure >= set(vocabulary().conditions)
    assert {case.id.split("-")[0] for case in cases if case.kind == "mix"} == {f"M{number}" for number in range(1, 10)}


@pytest.mark.parametrize("case", vignettes(), ids=lambda case: case.id)
def test_a_vignette_tells_a_story_and_its_reason(case: Vignette) -> None:
    """Each says in one sentence who comes, and on which rows of the evidence the expectation rests."""
    assert case.story.endswith(".")
    assert ROW.search(case.why), "names no row of the evidence"


def test_the_page_shows_the_table_of_today() -> None:
    """`python -m tests.vignettes.table --write` was run after the last change."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page, results())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("present: [thigh_thrust], present: [gaenslen]", "written twice"),
        ("present: [thigh_thrust], absent: [thigh_thrust]", "answered twice"),
        ("present: [thigh_trust]", "thigh_trust"),
        ("presents: [thigh_thrust]", "presents"),
    ],
)
def test_a_slip_of_the_pen_is_told_and_not_passed_over(text: str, reason: str, tmp_path: Path) -> None:
    """A key or an answer given twice, a misspelt id and a misspelt field all stop the reading."""
    sound = "age_years: 41, sex: male, side: left, onset: gradual, duration_weeks: 8, pain_nprs: 5, screen: complete"
    head = "id: X, title: x, kind: trap, story: x., why: x, expected: {disposition: program}"
    file = tmp_path / "slip.yaml"
    file.write_text(f"- {{{head}, intake: {{{sound}}}}}", encoding="utf-8")
    assert len(list(read(file))) == 1
    file.write_text(f"- {{{head}, intake: {{{sound}, {text}}}}}", encoding="utf-8")
    with pytest.raises(ValueError, match=reason):
        list(read(file))
