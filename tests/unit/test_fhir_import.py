"""An intake from FHIR: what is read, and what a sender is told who got something wrong."""

import json
from copy import deepcopy
from typing import Any

import pytest
from fhir.resources.R4B.questionnaire import Questionnaire

from shared.event.vocabulary import vocabulary
from shared.fhir.intake import LARGEST_BYTES, read_intake
from shared.fhir.problem import FhirError
from shared.fhir.questionnaire import intake_questionnaire
from tests.support.fhir_case import Json, journey_bundle, journey_events, resources

ANSWER = "urn:adaptive-care:answer"


def response(*findings: Json, **changes: Any) -> Json:
    """A response as a platform might send it, written by hand."""
    return {
        "resourceType": "QuestionnaireResponse",
        "identifier": {"value": "intake-7"},
        "questionnaire": "urn:adaptive-care:questionnaire:intake|1.0.0",
        "status": "completed",
        "subject": {"identifier": {"system": "urn:adaptive-care:patient", "value": "p-7"}},
        "authored": "2026-03-02T10:00:00+01:00",
        "item": [
            {
                "linkId": "about",
                "item": [
                    {"linkId": "age_years", "answer": [{"valueInteger": 55}]},
                    {"linkId": "sex", "answer": [{"valueCoding": {"code": "female"}}]},
                    {"linkId": "side", "answer": [{"valueCoding": {"code": "right"}}]},
                    {"linkId": "onset", "answer": [{"valueCoding": {"code": "gradual"}}]},
                    {"linkId": "duration_weeks", "answer": [{"valueDecimal": 20}]},
                ],
            },
            {"linkId": "measures", "item": [{"linkId": "NPRS", "answer": [{"valueDecimal": 5}]}]},
            *findings,
        ],
    } | changes


def answered(link_id: str, code: str) -> Json:
    return {"linkId": link_id, "answer": [{"valueCoding": {"system": ANSWER, "code": code}}]}


def nested(depth: int) -> list[Json]:
    """Groups within groups."""
    items: list[Json] = []
    for _ in range(depth):
        items = [{"linkId": "about", "item": items}] if items else [{"linkId": "about"}]
    return items


def read(content: Json) -> Any:
    return read_intake(json.dumps(content).encode())


def problems(content: Json) -> dict[str, str]:
    """What a sender is told: by path."""
    with pytest.raises(FhirError) as caught:
        read(content)
    return {problem.path: problem.message for problem in caught.value.problems}


def test_a_response_becomes_the_event_that_a_platform_would_have_sent() -> None:
    """What is answered is taken over; what is not stays unknown, with the contract's defaults."""
    imported = read(response(answered("hop_test", "absent"), answered("fever_or_rigors", "present")))
    event = imported.event
    assert (event.type, event.subject) == ("care.intake.submitted.v1", "p-7")
    assert event.time.isoformat() == "2026-03-02T09:00:00+00:00"
    assert event.data.findings == {"hop_test": "absent"}
    assert event.data.red_flags == {"fever_or_rigors": "present"}
    assert event.data.red_flag_screen == "partial"
    assert event.data.measures[0].taken_at is None
    assert imported.notices == ()


def test_the_same_resource_is_the_same_event_and_a_changed_one_is_another() -> None:
    """Sent twice it has no second effect; corrected, it replaces the intake."""
    first, again = read(response()).event, read(response()).event
    corrected = read(response(answered("hop_test", "present"), status="amended")).event
    assert first.id == again.id
    assert corrected.id != first.id
    assert corrected.data.intake_id == first.data.intake_id


def test_an_unknown_link_id_is_refused_by_its_path_and_not_left_out() -> None:
    """A red flag under another name must not vanish."""
    told = problems(response(answered("hop_test", "absent"), answered("saddle_numbness", "present")))
    assert set(told) == {"QuestionnaireResponse.item[3]"}
    assert "saddle_numbness" in told["QuestionnaireResponse.item[3]"]
    assert "adaptive-care fhir questionnaire" in told["QuestionnaireResponse.item[3]"]


def test_every_problem_is_told_at_once() -> None:
    """A sender need not send a file once for each mistake."""
    content = response(answered("hop_test", "perhaps"), answered("nonsense", "present"), authored="2026-03-02")
    content["item"][0]["item"][1]["answer"][0]["valueCoding"]["code"] = "f"
    del content["subject"]
    assert set(problems(content)) == {
        "QuestionnaireResponse.subject",
        "QuestionnaireResponse.authored",
        "QuestionnaireResponse.item[0].item[1].answer[0]",
        "QuestionnaireResponse.item[2].answer[0]",
        "QuestionnaireResponse.item[3]",
    }


@pytest.mark.parametrize(
    ("change", "path", "says"),
    [
        (("age_years", {"valueInteger": 150}), "item[0].item[0].answer[0]", "120"),
        (("age_years", {"valueString": "55"}), "item[0].item[0].answer[0]", "valueInteger"),
        (("sex", {"valueCoding": {"system": "urn:x", "code": "female"}}), "item[0].item[1].answer[0]", "urn:x"),
        (("side", {"valueString": "right"}), "item[0].item[2].answer[0]", "left, right, both"),
        (("NPRS", {"valueDecimal": 11}), "item[1].item[0].answer[0]", "0 to 10"),
        (("NPRS", {"valueDecimal": "1e999"}), "item[1].item[0].answer[0]", "too large"),
        (("NPRS", {"valueQuantity": {"value": 5}}), "item[1].item[0].answer[0]", "valueDecimal"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_wrong_answer_is_told_where_it_stands(change: tuple[str, Json], path: str, says: str) -> None:
    """Out of range, of the wrong type or of another code system: the path leads to the very answer."""
    content, (link_id, answer) = response(), change
    for group in content["item"]:
        for item in group["item"]:
            if item["linkId"] == link_id:
                item["answer"] = [answer]
    told = problems(content)
    assert set(told) == {f"QuestionnaireResponse.{path}"}
    assert says in told[f"QuestionnaireResponse.{path}"]


def test_what_is_required_and_not_there_is_named() -> None:
    """No value is made up for a missing age or a missing baseline of pain."""
    content = response()
    del content["item"][0]["item"][0]
    assert problems(content) == {"QuestionnaireResponse": "no answer to age_years: add an item with that linkId"}
    content = response()
    del content["item"][1]
    assert problems(content) == {"QuestionnaireResponse": "no answer to NPRS: the baseline of pain is required"}


def test_one_question_is_answered_once() -> None:
    """Two answers that contradict are for the sender to settle."""
    told = problems(response(answered("hop_test", "absent"), answered("hop_test", "present")))
    assert set(told) == {"QuestionnaireResponse.item[3]"}
    twice = answered("hop_test", "absent")
    twice["answer"] *= 2
    assert set(problems(response(twice))) == {"QuestionnaireResponse.item[2].answer[1]"}


def test_an_item_without_an_answer_is_as_if_it_were_not_there() -> None:
    """Asked and not answered is unknown."""
    assert read(response({"linkId": "hop_test"})).event.data.findings == {}


def test_what_is_nested_where_nothing_belongs_is_not_lost_silently() -> None:
    """An answer hidden below another is a problem, for it would not be read."""
    hidden = answered("hop_test", "absent")
    hidden["answer"][0]["item"] = [answered("fever_or_rigors", "present")]
    assert set(problems(response(hidden))) == {"QuestionnaireResponse.item[2].answer[0].item"}
    below = answered("hop_test", "absent") | {"item": [answered("fever_or_rigors", "present")]}
    assert set(problems(response(below))) == {"QuestionnaireResponse.item[2].item"}
    group = {"linkId": "findings", "answer": [{"valueBoolean": True}]}
    assert set(problems(response(group))) == {"QuestionnaireResponse.item[2].answer"}


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (response(status="in-progress"), "QuestionnaireResponse.status"),
        (response(questionnaire="http://other.example/q"), "QuestionnaireResponse.questionnaire"),
        (response(item=[{"text": "x"}]), "QuestionnaireResponse.item[0].linkId"),
        (response(nonsense=1), "QuestionnaireResponse.nonsense"),
        (response(authored="1999-12-31T00:00:00Z"), "QuestionnaireResponse.authored"),
        (response(item=nested(400)), "QuestionnaireResponse"),
        ({"resourceType": "Patient"}, "resourceType"),
        ({"resourceType": ["QuestionnaireResponse"]}, "resourceType"),
        ({}, "resourceType"),
        ({"resourceType": "Bundle", "type": "collection"}, "Bundle.entry"),
    ],
    ids=[
        "draft",
        "another questionnaire",
        "no linkId",
        "no FHIR",
        "before 2000",
        "deep",
        "a Patient",
        "a list",
        "nothing",
        "empty bundle",
    ],
)
def test_what_is_no_such_response_is_refused_with_the_reason(content: Json, path: str) -> None:
    """The wrong file gets one clear line, and nothing is taken of it."""
    assert path in problems(content)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff", b"null", b"[" * 100_000, b"1" * (LARGEST_BYTES + 1)])
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    """Broken, endless or oversized input ends in a problem and never in a crash."""
    with pytest.raises(FhirError):
        read_intake(raw)


def observation(**changes: Any) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "97909-6"}]},
        "subject": {"identifier": {"system": "urn:adaptive-care:patient", "value": "p-7"}},
        "effectiveDateTime": "2026-03-01T09:00:00Z",
        "valueQuantity": {"value": 34, "code": "%"},
    } | changes


def together(*others: Json) -> Json:
    entries = [{"fullUrl": f"urn:uuid:{number}", "resource": one} for number, one in enumerate([response(), *others])]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def test_observations_beside_the_response_are_measures_of_the_intake() -> None:
    """A score that another system holds need not be typed in again."""
    own = {"coding": [{"system": "urn:adaptive-care:instrument", "code": "LEFS"}]}
    imported = read(together(observation(), observation(code=own, valueQuantity={"value": 51, "code": "{score}"})))
    measures = [(one.instrument, one.value) for one in imported.event.data.measures]
    assert measures == [("NPRS", 5.0), ("ODI", 34.0), ("LEFS", 51.0)]
    assert imported.event.data.measures[1].taken_at is not None
    assert imported.notices == ()


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"code": {"coding": [{"system": "http://loinc.org", "code": "72514-3"}]}}, "code"),
        ({"status": "preliminary"}, "status"),
        ({"effectiveDateTime": "2026-03-03T09:00:00Z"}, "effectiveDateTime"),
    ],
    ids=["a pain of one moment", "not final", "later"],
)
def test_an_observation_that_is_no_baseline_is_left_out_aloud(changes: Json, path: str) -> None:
    """A momentary pain is not the average of a week, and a later score is no start."""
    imported = read(together(observation(**changes)))
    assert [one.instrument for one in imported.event.data.measures] == ["NPRS"]
    assert [notice.path for notice in imported.notices] == [f"Bundle.entry[1].resource.{path}"]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"subject": {"identifier": {"value": "p-8"}}}, "subject"),
        ({"subject": {"reference": "Patient/7"}}, "subject"),
        ({"valueQuantity": {"value": 34, "code": "kg"}}, "valueQuantity"),
        ({"valueQuantity": {"value": 340, "code": "%"}}, "valueQuantity"),
        ({"effectiveDateTime": "2026-03-01"}, "effectiveDateTime"),
    ],
    ids=["another patient", "whose", "unit", "range", "no instant"],
)
def test_an_observation_that_contradicts_stops_the_import(changes: Json, path: str) -> None:
    """Another patient's score, or one in another unit, is never mixed in."""
    assert set(problems(together(observation(**changes)))) == {f"Bundle.entry[1].resource.{path}"}


def test_an_exported_bundle_gives_its_intake_back() -> None:
    """Its own observations are not read a second time, and later ones are no baseline."""
    journey = journey_events("J02")
    original = next(one for one in journey if one.type == "care.intake.submitted.v1")
    imported = read_intake(journey_bundle("J02"))
    assert imported.event.data.model_copy(update={"notes": None}) == original.data.model_copy(update={"notes": None})
    assert any("Provenance" in notice.message for notice in imported.notices)
    assert all("after the questionnaire" in one.message or "not" in one.message for one in imported.notices)


def test_two_responses_in_one_bundle_are_for_the_sender_to_choose_from() -> None:
    """Nothing is picked by chance."""
    assert "2, at" in problems(together(response()))["Bundle.entry"]


def test_the_questionnaire_asks_for_every_public_id() -> None:
    """Whatever the contract knows can be answered, each under its own id, and each once."""
    questionnaire = intake_questionnaire()
    assert Questionnaire.model_validate_json(questionnaire.model_dump_json()) == questionnaire

    def link_ids(items: list[Json]) -> list[str]:
        return [found for item in items for found in (item["linkId"], *link_ids(item.get("item", [])))]

    content = json.loads(questionnaire.model_dump_json())
    found = link_ids(content["item"])
    assert len(set(found)) == len(found)
    known = vocabulary()
    assert {*known.findings, *known.red_flags, *known.instruments} <= set(found)
    options = {
        option["valueCoding"]["code"]
        for group in content["item"]
        for item in group["item"]
        if item["linkId"] == "modifiers"
        for option in item["answerOption"]
    }
    assert options == set(known.modifiers)


def test_every_item_of_the_questionnaire_can_be_answered() -> None:
    """What the questionnaire offers is what the import takes, option by option."""
    content = json.loads(intake_questionnaire().model_dump_json())
    samples: Json = {"integer": {"valueInteger": 5}, "decimal": {"valueDecimal": 5}}
    samples |= {"string": {"valueString": "a"}, "text": {"valueString": "a"}}
    given = deepcopy(content)
    for group in given["item"]:
        del group["text"], group["type"]
        group["item"] = [
            {
                "linkId": item["linkId"],
                "answer": [{"valueCoding": option["valueCoding"]} for option in item["answerOption"]]
                if item.get("repeats") and "answerOption" in item
                else [{"valueCoding": item["answerOption"][-1]["valueCoding"]}]
                if "answerOption" in item
                else [samples[item["type"]]],
            }
            for item in group["item"]
        ]
    event = read(response(item=given["item"])).event
    assert set(event.data.findings) == set(vocabulary().findings)
    assert set(event.data.red_flags) == set(vocabulary().red_flags)
    assert {one.instrument for one in event.data.measures} == set(vocabulary().instruments)
    assert set(event.data.modifiers) == set(vocabulary().modifiers)


def test_an_exported_intake_names_its_questionnaire_and_version() -> None:
    """A receiver can fetch the very questionnaire that was answered."""
    (answer,) = resources(journey_bundle("J19"), "QuestionnaireResponse")
    questionnaire = intake_questionnaire()
    assert answer["questionnaire"] == f"{questionnaire.url}|{questionnaire.version}"
