"""What a clinician gets with the proposal that care has failed."""

import msgspec
import pytest

from services.progression.domain.packet import Packet, Rival, Tried, assemble, options_for
from shared.event.explanation import ProtocolRef
from tests.support.care_course import Care, course_of, unchanged

CARE = Care(baseline={"NPRS": 7.0, "PSFS": 4.0, "STARTMSK": 10}, reports=unchanged(7))
CONDITIONS = (
    "gluteal_tendinopathy",
    "proximal_hamstring_tendinopathy",
    "sacroiliac_joint_pain",
    "deep_gluteal_syndrome",
)


INVASIVE = ("injection", "shockwave", "botulinum", "plasma", "ablation")


def packet(care: Care = CARE) -> Packet:
    return assemble(
        ("Gluteal tendinopathy",),
        (care.course,),
        (ProtocolRef(id="gluteal_tendinopathy", version="1.0.0"),),
        care.statistic(),
        care.adherence(),
        care.adequate,
        care.assessment(failed_open=True),
        care.verdict(),
        (Tried("Single-leg bridge", "3 sets of 12", 1, True, 30, 28, 1000, 900),),
        care.modifiers,
        weeks=care.weeks,
        rivals=(Rival("Deep gluteal syndrome", 0.35), Rival("Sacroiliac joint pain", 0.1)),
    )


def test_the_packet_tells_dose_response_and_what_was_ruled_out() -> None:
    """Weeks, sessions, adherence, measures, what was tried and the whole chain."""
    evidence = packet().evidence
    assert evidence["weeks"] == 12
    assert evidence["adherence"] == 1
    assert evidence["tried"] == [
        {
            "exercise": "Single-leg bridge",
            "highest": "3 sets of 12",
            "highest_was_tolerated": True,
            "times_reduced": 1,
            "sessions": 30,
            "sessions_done": 28,
            "prescribed": 1000,
            "performed": 900,
            "unit": "repetitions",
        }
    ]
    assert isinstance(evidence["rule_out"], list)
    assert len(evidence["rule_out"]) == 11
    assert isinstance(evidence["dose"], dict)
    assert evidence["dose"]["sessions_done"] == 36


def test_the_packet_names_the_rivals_of_the_working_diagnosis() -> None:
    """What else it may be stands beside the working diagnosis, with what spoke for it, the most probable first."""
    found = packet()
    assert found.evidence["rivals"] == [
        {"condition": "Deep gluteal syndrome", "probability": 0.35},
        {"condition": "Sacroiliac joint pain", "probability": 0.1},
    ]
    assert "Less probable at intake: deep gluteal syndrome 35%, sacroiliac joint pain 10%." in found.sbar.background


def test_the_packet_tells_the_trend_of_pain_and_of_function() -> None:
    """Both with their uncertainty."""
    reports = unchanged(7) | {"VISA-G": [(4, 61), (8, 60), (12, 62)]}
    evidence = packet(Care(baseline={"NPRS": 7.0, "PSFS": 4.0, "VISA-G": 60.0}, reports=reports)).evidence
    assert isinstance(evidence["pain"], dict)
    assert isinstance(evidence["function"], dict)
    assert evidence["pain"]["trend_sd_per_week"]
    assert evidence["function"]["instrument"] == "VISA-G"
    assert evidence["function"]["sd_per_week"]


def test_psychosocial_findings_are_in_the_assessment() -> None:
    """A high STarT MSK calls for another path first, and the sentence says so."""
    assert "psychologically informed path" in packet().sbar.assessment


def test_the_sentences_are_plain() -> None:
    """No ids of exercises, instruments or rules in what a person reads."""
    sbar = packet().sbar
    text = " ".join((sbar.situation, sbar.background, sbar.assessment, sbar.recommendation))
    assert "_" not in text
    assert "NPRS" not in text


def test_a_packet_is_the_same_bytes_each_time() -> None:
    """Assembled twice from the same history it does not differ in a byte."""
    assert msgspec.json.encode(packet().evidence) == msgspec.json.encode(packet().evidence)
    assert packet().sbar.model_dump_json() == packet().sbar.model_dump_json()


@pytest.mark.parametrize("condition", CONDITIONS)
def test_surgery_is_no_option_before_six_months(condition: str) -> None:
    """At the review nobody reads of surgery; after six months it is an opinion to seek, and the last option."""
    course = course_of(condition)
    early = [option.option_id for option in options_for((course,), 12, ())]
    late = [option.option_id for option in options_for((course,), 26, ())]
    assert "surgical_opinion" not in early
    assert late[-1] == "surgical_opinion"


@pytest.mark.parametrize("condition", CONDITIONS)
def test_pregnancy_takes_injections_and_shockwave_away(condition: str) -> None:
    """Nothing that is not to be done in pregnancy is offered to a pregnant patient; imaging without radiation is."""
    offered = [option.option_id for option in options_for((course_of(condition),), 26, ("pregnant",))]
    assert not [
        o for o in offered if any(word in o for word in ("injection", "shockwave", "botulinum", "plasma", "ablation"))
    ]


def test_every_option_names_its_evidence() -> None:
    """A grade and references stand with each option."""
    for option in packet().options:
        assert option.references
        assert option.evidence_grade


def test_a_mix_offers_each_option_once() -> None:
    """Two conditions share imaging and surgery; the clinician reads them once."""
    offered = [o.option_id for o in options_for(tuple(course_of(c) for c in CONDITIONS), 30, ())]
    assert len(offered) == len(set(offered))
