"""The interface as an OpenAPI 3.1 document, generated from the models."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from shared.door.credential import INPUT_TYPES, READ
from shared.door.mode import BATCH, BATCH_EVENTS, EVENT_BYTES, PLAIN, STRUCTURED
from shared.door.patient import HELD_BY, Question
from shared.door.problem import MEDIA_TYPE
from shared.event.envelope import Event
from shared.event.registry import PAYLOAD_BY_TYPE
from shared.event.wire import PATIENT_ID_PATTERN

SCHEMAS = "#/components/schemas/"
_Object = dict[str, Any]

PROBLEM: _Object = {
    "type": "object",
    "description": "RFC 9457. `code` tells problems of one status apart, `path` is a JSONPath into what was sent.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "path": {"type": "string"},
        "red_flags": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The event is refused, but these red flags of it were handed on and act.",
        },
        "service": {"type": "string", "description": "Of 421: which service answers this."},
    },
}
ACCEPTED: _Object = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
RESULTS: _Object = {
    "type": "object",
    "required": ["results"],
    "properties": {
        "results": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["index", "status"],
                "properties": {
                    "index": {"type": "integer"},
                    "id": {"type": "string"},
                    "status": {"enum": ["accepted", "refused"]},
                    "problem": {"$ref": f"{SCHEMAS}Problem"},
                },
            },
        }
    },
}


def openapi(questions: Iterable[Question]) -> _Object:
    """The document of a process that answers these questions."""
    questions = sorted(questions, key=lambda one: one.name)
    envelopes = {event_type: _envelope(event_type) for event_type in INPUT_TYPES}
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [(model, "validation") for model in envelopes.values()]
    wanted += [(question.model, "serialization") for question in questions]
    places, definitions = models_json_schema(wanted, ref_template=SCHEMAS + "{model}")
    schemas: _Object = dict(sorted(definitions.get("$defs", {}).items()))
    for event_type, model in envelopes.items():
        own = schemas[_name(places[(model, "validation")])]
        own["properties"]["type"] = {"const": event_type}
        own["required"] = [*dict.fromkeys(["specversion", *own["required"]])]
    schemas |= {"Problem": PROBLEM, "Accepted": ACCEPTED, "Results": RESULTS}
    schemas["InputEvent"] = {"oneOf": [places[(model, "validation")] for model in envelopes.values()]}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "adaptive-care over HTTP",
            "version": "1",
            "description": "Input events in, what is held of a patient out. Events are CloudEvents 1.0.",
        },
        "security": [{"key": []}],
        "paths": {
            "/v1/events": {"post": _post()},
            **{
                f"/v1/patients/{{patient}}/{question.name}": {
                    "get": _get(question, places[(question.model, "serialization")])
                }
                for question in questions
            },
            "/v1/openapi.json": {
                "get": {
                    "operationId": "openapi",
                    "summary": "This document.",
                    "security": [],
                    "responses": {"200": {"description": "OpenAPI 3.1", "content": {PLAIN: {"schema": {}}}}},
                }
            },
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": f"An API key of `adaptive-care keys create`. Scopes are `{READ}` and patterns of "
                    "event types.",
                }
            },
        },
    }


def _envelope(event_type: str) -> type[BaseModel]:
    payload: Any = PAYLOAD_BY_TYPE[event_type]
    return Event[payload]


def _name(reference: _Object) -> str:
    return str(reference["$ref"]).removeprefix(SCHEMAS)


def _post() -> _Object:
    one = {"schema": {"$ref": f"{SCHEMAS}InputEvent"}}
    many = {"type": "array", "maxItems": BATCH_EVENTS, "items": {"$ref": f"{SCHEMAS}InputEvent"}}
    results = {"application/json": {"schema": {"$ref": f"{SCHEMAS}Results"}}}
    accepted = {"oneOf": [{"$ref": f"{SCHEMAS}Accepted"}, {"$ref": f"{SCHEMAS}Results"}]}
    return {
        "operationId": "sendEvents",
        "summary": "Hands one event, or a batch, to the streams.",
        "description": "An id that was sent before has no second effect, so whatever failed may be sent again. "
        f"One event has at most {EVENT_BYTES} bytes, a batch {BATCH_EVENTS} events. Binary mode is "
        f"{PLAIN} with `ce-` headers.",
        "requestBody": {
            "required": True,
            "content": {STRUCTURED: one, PLAIN: one, BATCH: {"schema": many}},
        },
        "responses": {
            "202": {"description": "In the stream; all of a batch.", "content": {PLAIN: {"schema": accepted}}},
            "207": {"description": "Some of a batch.", "content": results},
            **_problems("400", "401", "403", "408", "413", "415", "421", "429", "503"),
            "422": {
                "description": "Refused, or none of a batch was accepted.",
                "content": {MEDIA_TYPE: {"schema": {"$ref": f"{SCHEMAS}Problem"}}} | results,
            },
        },
    }


def _get(question: Question, schema: _Object) -> _Object:
    parameters: list[_Object] = [
        {
            "name": "patient",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": PATIENT_ID_PATTERN},
        },
        {"name": "If-None-Match", "in": "header", "required": False, "schema": {"type": "string"}},
    ]
    parameters += [
        {"name": one.name, "in": "query", "required": False, "description": one.meaning, "schema": dict(one.schema)}
        for one in question.parameters
    ]
    service = HELD_BY.get(question.name)
    return {
        "operationId": f"read{question.name.capitalize()}",
        "summary": question.summary,
        "description": f"Answered by {service}." if service else "Answered by every service.",
        "parameters": parameters,
        "responses": {
            "200": {
                "description": question.summary,
                "headers": {"ETag": {"schema": {"type": "string"}}},
                "content": {question.media_type: {"schema": schema}},
            },
            "304": {"description": "As it was when it had the ETag of If-None-Match."},
            **_problems("400", "401", "403", "404", "421", "429", "503"),
        },
    }


_MEANING = {
    "400": "What was sent cannot be read.",
    "401": "No key, or none that is valid.",
    "403": "The key's scopes do not reach so far.",
    "404": "Nothing is held.",
    "408": "The body did not arrive in time.",
    "413": "Too large; nothing of it was taken.",
    "415": "No content type that is read.",
    "421": "Another service's process answers this.",
    "429": "Too many requests; `Retry-After` says when to go on.",
    "503": "Nothing was decided; send the same again after `Retry-After`.",
}


def _problems(*statuses: str) -> _Object:
    content = {MEDIA_TYPE: {"schema": {"$ref": f"{SCHEMAS}Problem"}}}
    return {status: {"description": _MEANING[status], "content": content} for status in statuses}
