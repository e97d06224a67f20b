"""The OpenAPI document is valid, complete, and says what the door really takes and answers."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from shared.door.credential import INPUT_TYPES
from shared.door.patient import HELD_BY
from shared.settings import Settings
from shared.stream.application import build_application
from tests.support.door_case import one_of_each
from tests.support.four_services import four_services

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """As a process with all services serves it."""
    return build_application(four_services(), Settings(redis_url="redis://nowhere", consumer="x")).door.openapi()


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    """Whoever generates a client from it gets one."""
    errors = list(OpenAPIV31SpecValidator(document).iter_errors())
    assert errors == []
    assert document["openapi"].startswith("3.1.")


def test_the_published_document_is_the_one_that_is_served(document: dict[str, Any]) -> None:
    """What integrators read is what the door answers."""
    assert json.loads(DOCUMENT.read_text(encoding="utf-8")) == json.loads(json.dumps(document))


def test_every_input_event_and_every_view_is_in_it(document: dict[str, Any]) -> None:
    """Seven types of events; each view with its path and its model."""
    schemas = document["components"]["schemas"]
    events = [schemas[one["$ref"].rpartition("/")[2]] for one in schemas["InputEvent"]["oneOf"]]
    assert [one["properties"]["type"]["const"] for one in events] == list(INPUT_TYPES)
    views = {path.rpartition("/")[2] for path in document["paths"] if path.startswith("/v1/patients/")}
    assert views == {*HELD_BY, "timeline", "fhir"}


def test_its_schema_takes_each_event_that_the_door_takes_and_none_of_another_type(document: dict[str, Any]) -> None:
    """A platform may check its events against the document before it sends them."""
    schema = {"$ref": "#/components/schemas/InputEvent", "components": document["components"]}
    validator = jsonschema.Draft202012Validator(schema)
    for told in one_of_each():
        assert list(validator.iter_errors(told)) == [], told["type"]
        assert not validator.is_valid(told | {"type": "care.load.adjusted.v1"})
        assert not validator.is_valid({name: value for name, value in told.items() if name != "subject"})


def test_a_process_with_one_service_promises_no_more_than_it_holds() -> None:
    """Its own views, what any process reads from the streams, and events of every type."""
    application = build_application(four_services(("intake",)), Settings(redis_url="redis://nowhere", consumer="x"))
    paths = application.door.openapi()["paths"]
    assert set(paths) == {
        "/v1/events",
        "/v1/openapi.json",
        "/v1/patients/{patient}/classification",
        "/v1/patients/{patient}/fhir",
        "/v1/patients/{patient}/timeline",
    }
