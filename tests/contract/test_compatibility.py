"""What was released stays good: each change that breaks a producer or a consumer is caught, each allowed one passes."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from pydantic import BaseModel, Field, TypeAdapter, create_model
from typer.testing import CliRunner

from shared.cli.docs import app
from shared.journey.library import shipped_folder
from shared.release.folder import Release, ReleaseError, breakages, last, present
from shared.release.schema_change import Comparison, Role

RELEASED = Path(__file__).parents[2] / "docs/schema/released"
REQUIRED = ...
ABSENT: tuple[Any, Any] = (None, None)


class Set(BaseModel):
    reps: int
    rpe: Annotated[float, Field(ge=0, le=10)] | None = None


class LooserSet(BaseModel):
    reps: int
    rpe: Annotated[float, Field(ge=0, le=12)] | None = None


def schema(field: tuple[Any, Any], role: Role) -> Any:
    model = create_model("Data") if field is ABSENT else create_model("Data", field=field)
    return TypeAdapter(model).json_schema(mode="validation" if role == "input" else "serialization")


def changes(old: Any, new: Any, role: Role) -> list[str]:
    before, after = schema(old, role), schema(new, role)
    return [f"{change.path} {change.what}" for change in Comparison(before, after, role).breakages()]


BREAKS_PRODUCERS: list[tuple[str, Any, Any, Any, str]] = [
    ("a new required field", ABSENT, (int, REQUIRED), {}, "$.field is new and required"),
    ("an optional field required", (int, 3), (int, REQUIRED), {}, "$.field is required and was not"),
    ("a field removed", (int, 3), ABSENT, None, "$.field is gone"),
    ("a value less", (Literal["a", "b"], "a"), (Literal["a"], "a"), {"field": "b"}, "'b' was allowed and is not"),
    ("free text enumerated", (str, ""), (Literal[""], ""), {"field": "x"}, "was free and is an enumeration"),
    (
        "a range narrowed above",
        (Annotated[int, Field(le=10)], 1),
        (Annotated[int, Field(le=9)], 1),
        {"field": 10},
        "`maximum` was maximum 10 and is maximum 9",
    ),
    ("a range narrowed below", (int, 1), (Annotated[int, Field(gt=0)], 1), {"field": 0}, "exclusiveMinimum 0"),
    ("an edge cut off", (Annotated[int, Field(ge=0)], 1), (Annotated[int, Field(gt=0)], 1), {"field": 0}, "minimum"),
    ("shorter texts", (str, ""), (Annotated[str, Field(max_length=5)], ""), {"field": "123456"}, "`maxLength`"),
    ("fewer elements", (list[int], []), (Annotated[list[int], Field(max_length=1)], []), {"field": [1, 2]}, "maxItem"),
    ("a pattern", (str, ""), (Annotated[str, Field(pattern="^a")], ""), {"field": "b"}, "`pattern`"),
    ("another type", (float, 1), (int, 1), {"field": 1.5}, "was number and is integer"),
    ("null no longer", (int | None, 3), (int, 3), {"field": None}, "null was allowed and is not"),
    ("an alternative less", (int | str, 3), (int, 3), {"field": "a"}, "string was allowed and is not"),
    ("deep within", (list[LooserSet], []), (list[Set], []), {"field": [{"reps": 1, "rpe": 11}]}, "$.field[*].rpe `max"),
    ("in a map", (dict[str, int], {}), (dict[str, Literal[1]], {}), {"field": {"a": 2}}, "$.field.*"),
    (
        "in the keys of a map",
        (dict[Literal["a", "b"], int], {}),
        (dict[Literal["a"], int], {}),
        {"field": {"b": 2}},
        "(the key) 'b' was allowed",
    ),
    ("another default", (int, 3), (int, 5), None, "the default was 3 and is 5"),
    ("a keyword nobody knows", (int, 3), (Annotated[int, Field(multiple_of=2)], 3), {"field": 3}, "cannot judge"),
]


@pytest.mark.parametrize(
    ("old", "new", "witness", "told"), [row[1:] for row in BREAKS_PRODUCERS], ids=[row[0] for row in BREAKS_PRODUCERS]
)
def test_no_input_becomes_stricter(old: Any, new: Any, witness: Any, told: str) -> None:
    """What a producer could send yesterday is taken today. The witness is taken by the old and not by the new."""
    found = changes(old, new, "input")
    assert len(found) == 1
    assert told in found[0]
    if witness is not None:
        jsonschema.validate(witness, schema(old, "input"))
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(witness, schema(new, "input"))


BREAKS_CONSUMERS: list[tuple[str, Any, Any, str]] = [
    ("a field removed", (int, REQUIRED), ABSENT, "$.field is gone"),
    ("another type", (int, REQUIRED), (str, REQUIRED), "was integer and is string"),
    ("a wider type", (int, REQUIRED), (float, REQUIRED), "was integer and is number"),
    ("null where none was", (int, REQUIRED), (int | None, REQUIRED), "null is possible and was not"),
    ("a value more", (Literal["a"], REQUIRED), (Literal["a", "b"], REQUIRED), "'b' is new"),
    ("no longer enumerated", (Literal["a"], REQUIRED), (str, REQUIRED), "no longer enumerated"),
    ("a wider range", (Annotated[int, Field(le=10)], REQUIRED), (int, REQUIRED), "`maximum` was maximum 10"),
    ("deep within", (list[Set], REQUIRED), (list[LooserSet], REQUIRED), "$.field[*].rpe `maximum`"),
    ("another pattern", (Annotated[str, Field(pattern="^a")], REQUIRED), (str, REQUIRED), "`pattern`"),
]


@pytest.mark.parametrize(
    ("old", "new", "told"), [row[1:] for row in BREAKS_CONSUMERS], ids=[row[0] for row in BREAKS_CONSUMERS]
)
def test_no_output_loses_or_retypes_a_field(old: Any, new: Any, told: str) -> None:
    """What a consumer could rely on yesterday holds today."""
    found = changes(old, new, "output")
    assert len(found) == 1
    assert told in found[0]


def test_no_output_field_that_was_always_there_may_be_missing() -> None:
    """A consumer that reads it without asking goes on reading it."""
    old = {"type": "object", "properties": {"field": {"type": "integer"}}, "required": ["field"]}
    new = old | {"required": []}
    assert [change.what for change in Comparison(old, new, "output").breakages()] == [
        "was always there and may now be missing"
    ]
    assert Comparison(old, new, "input").breakages() == []


ALLOWED: list[tuple[str, Role, Any, Any]] = [
    ("nothing", "input", (list[Set], []), (list[Set], [])),
    ("a new optional field", "input", ABSENT, (int, 3)),
    ("required no longer", "input", (int, REQUIRED), (int, 3)),
    ("a value more", "input", (Literal["a"], "a"), (Literal["a", "b"], "a")),
    ("a wider range", "input", (Annotated[int, Field(ge=0)], 1), (Annotated[int, Field(ge=-1)], 1)),
    ("a wider type", "input", (int, 1), (float, 1)),
    ("null as well", "input", (int, 1), (int | None, 1)),
    ("longer texts", "input", (Annotated[str, Field(max_length=5)], ""), (Annotated[str, Field(max_length=6)], "")),
    ("deep within", "input", (list[Set], []), (list[LooserSet], [])),
    ("a new field", "output", ABSENT, (int, REQUIRED)),
    ("a new optional field", "output", ABSENT, (int | None, None)),
    ("null no longer", "output", (int | None, REQUIRED), (int, REQUIRED)),
    ("a value less", "output", (Literal["a", "b"], REQUIRED), (Literal["a"], REQUIRED)),
    ("a narrower range", "output", (list[LooserSet], REQUIRED), (list[Set], REQUIRED)),
    ("another default", "output", (int, 3), (int, 5)),
]


@pytest.mark.parametrize(("role", "old", "new"), [row[1:] for row in ALLOWED], ids=[row[0] for row in ALLOWED])
def test_what_the_promise_allows_passes(role: Role, old: Any, new: Any) -> None:
    """The contract can grow within `.v1`."""
    assert changes(old, new, role) == []


def of(release: Release, change: Callable[[Any], None]) -> list[str]:
    """What is told when the present release is changed so."""
    content = {
        "streams": dict(release.streams),
        "schemas": copy.deepcopy(release.schemas),
        "vocabulary": copy.deepcopy(release.vocabulary),
    }
    change(content)
    return [str(one) for one in breakages(release, Release("next", **content))]


def data(content: Any, event_type: str) -> Any:
    """The schema of an event type's data."""
    whole = content["schemas"][event_type]
    return whole["$defs"][whole["properties"]["data"]["$ref"].removeprefix("#/$defs/")]


def test_the_message_names_schema_place_and_what_to_do() -> None:
    """Whoever broke it knows what to take back, or what the next version would be called."""

    def change(content: Any) -> None:
        data(content, "care.session.reported.v1")["required"].append("pain_before")

    (told,) = of(present("1.0.0"), change)
    assert told.startswith("care.session.reported.v1 $.data.pain_before: is required and was not")
    assert "care.session.reported.v2" in told
    assert "docs/compatibility.md" in told


def test_a_type_neither_goes_nor_moves() -> None:
    """Producers and consumers find it where it was."""

    def go(content: Any) -> None:
        del content["streams"]["care.goal.reached.v1"]

    def move(content: Any) -> None:
        content["streams"]["care.goal.reached.v1"] = "goals"

    def come(content: Any) -> None:
        content["streams"]["care.goal.missed.v1"] = "adjustments"
        content["schemas"]["care.goal.missed.v1"] = {}

    released = present("1.0.0")
    assert "the event type is gone" in of(released, go)[0]
    assert "it was in the stream adjustments and is in goals" in of(released, move)[0]
    assert of(released, come) == []


@pytest.mark.parametrize(
    "kind", ["findings", "red_flags", "symptoms", "modifiers", "instruments", "exercises", "conditions"]
)
def test_ids_of_the_vocabulary_may_be_added_and_never_vanish(kind: str) -> None:
    """One message for an id, however many events name it; a new one breaks neither inputs nor outputs."""
    released = present("1.0.0")
    listed = released.vocabulary[kind]
    gone = listed[0] if isinstance(listed[0], str) else listed[0]["id"]

    def enumerations(content: Any, change: Callable[[list[Any]], None]) -> None:
        ids = sorted(one if isinstance(one, str) else one["id"] for one in listed)

        def walk(node: Any) -> None:
            if isinstance(node, dict) and node.get("enum") == ids:
                change(node["enum"])
            for one in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
                walk(one)

        walk(content["schemas"])

    def vanish(content: Any) -> None:
        enumerations(content, lambda values: values.remove(gone))
        content["vocabulary"][kind] = content["vocabulary"][kind][1:]

    def grow(content: Any) -> None:
        enumerations(content, lambda values: values.append("moon_walk"))
        new = "moon_walk" if isinstance(listed[0], str) else listed[0] | {"id": "moon_walk"}
        content["vocabulary"][kind] = [*content["vocabulary"][kind], new]

    (told,) = of(released, vanish)
    assert told.startswith(f"vocabulary {kind} {gone}: the id is gone")
    assert of(released, grow) == []


def test_the_range_of_an_instrument_is_not_narrowed() -> None:
    """No schema shows it, and values outside are rejected."""

    def narrow(content: Any) -> None:
        content["vocabulary"]["instruments"][0]["maximum"] -= 1

    (told,) = of(present("1.0.0"), narrow)
    assert "the range was" in told


def test_codes_of_dead_letters_may_grow_and_clinical_values_may_not() -> None:
    """A program treats an unknown code as any code; an unknown severity it would overlook."""

    def code(content: Any) -> None:
        content["schemas"]["care.event.rejected.v1"]["$defs"]["RejectionError"]["properties"]["code"]["enum"].append(
            "x"
        )

    def severity(content: Any) -> None:
        data(content, "care.escalation.raised.v1")["properties"]["severity"]["enum"].append("critical")

    assert of(present("1.0.0"), code) == []
    (told,) = of(present("1.0.0"), severity)
    assert told.startswith("care.escalation.raised.v1 $.data.severity: 'critical' is new")


def test_the_present_breaks_nobody_who_relies_on_the_last_release() -> None:
    """The promise of docs/compatibility.md. `adaptive-care docs check` tells the same."""
    released = last(RELEASED)
    assert released is not None
    assert [str(one) for one in breakages(released, present("present"))] == []


def test_released_schemas_are_good_ones() -> None:
    """They can be validated against: with the recorded journeys, as a platform would."""
    released = last(RELEASED)
    assert released is not None
    checkers = {}
    for name, content in released.schemas.items():
        jsonschema.Draft202012Validator.check_schema(content)
        checkers[name] = jsonschema.Draft202012Validator(content)
    checked = 0
    for path in shipped_folder().glob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            event = json.loads(line)
            if "type" in event and event["type"] in checkers:
                checkers[event["type"]].validate(event)
                checked += 1
    assert checked > 500
    assert json.loads((RELEASED / released.version / "asyncapi.json").read_text())["asyncapi"].startswith("3.")


def test_releasing_is_one_command_that_keeps_what_was_released(tmp_path: Path) -> None:
    """Once released, a version's schemas stay; a next version is compared with them."""

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, [*arguments, "--folder", str(tmp_path)])

    folder = tmp_path / "schema/released"
    assert run("release", "--version", "0.1.0").exit_code == 0
    assert "nothing has changed" in run("release", "--version", "0.1.0").output
    schema_file = folder / "0.1.0" / "care.goal.reached.v1.json"
    content = json.loads(schema_file.read_text())
    content["$defs"]["GoalReached"]["properties"]["week"]["type"] = "string"
    schema_file.write_text(json.dumps(content))
    assert isinstance(run("release", "--version", "0.1.0").exception, ReleaseError)
    refused = run("release", "--version", "0.2.0")
    assert refused.exit_code == 1
    assert "since 0.1.0: care.goal.reached.v1 $.data.week: was string and is integer" in refused.output
    assert not (folder / "0.2.0").exists()
    assert "care.goal.reached.v1 $.data.week" in run("check").output
    assert run("release", "--version", "0.1.0", "--again").exit_code == 0
    assert run("release", "--version", "0.2.0").exit_code == 0
    assert isinstance(run("release", "--version", "0.1.5").exception, ReleaseError)
    assert isinstance(run("release", "--version", "next").exception, ReleaseError)
    schema_file = folder / "0.2.0" / "release.json"
    schema_file.write_text("{")
    assert isinstance(run("check").exception, ReleaseError)
