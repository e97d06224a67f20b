"""Whatever is sent, the door has an answer: no input of any shape ends in a fault."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers

from shared.door.admission import Admission, Taken
from shared.door.credential import issue
from shared.door.mode import events_of, form_of
from shared.door.problem import Problem, Refused
from shared.settings import Settings
from tests.support.door_case import BATCH, STRUCTURED, event, one_of_each
from tests.support.toy import session

_, KEY = issue("test", ["*"], 1, datetime.now(UTC))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(["id", "type", "subject", "time", "source", "specversion", "data", "correlationid"])
DATA_NAMES = st.sampled_from(["session_id", "pain_during", "symptoms", "exercises", "started_at", "notes", "intake_id"])


def judge(raw: bytes) -> Taken | Problem:
    return Admission(KEY, Settings(partitions=4), datetime.now(UTC)).judge(raw)


def split(headers: Headers, body: bytes) -> list[bytes] | Problem:
    """The events of a request, or why there are none."""
    try:
        return events_of(form_of(headers), headers, body)
    except Refused as refused:
        return refused.problem


@settings(deadline=None)
@given(told=st.sampled_from(one_of_each()), changes=st.dictionaries(NAMES, ANY_JSON, min_size=1, max_size=3))
def test_an_event_with_anything_in_its_envelope_is_taken_or_refused_with_a_place(
    told: dict[str, Any], changes: dict[str, Any]
) -> None:
    """A problem names a status, a code and a JSONPath; nothing raises."""
    found = judge(json.dumps(told | changes).encode())
    problem = found.problem if isinstance(found, Taken) else found
    assert problem is None or (400 <= problem.status < 500 and problem.path is not None and problem.path[0] == "$")


@settings(deadline=None)
@given(changes=st.dictionaries(DATA_NAMES, ANY_JSON, max_size=4), flagged=st.booleans())
def test_a_red_flag_beside_anything_is_handed_on(changes: dict[str, Any], flagged: bool) -> None:
    """However wrong the rest of the data is, a red flag in a list of symptoms goes to the stream."""
    data = session(1) | changes | ({"symptoms": ["saddle_anaesthesia"]} if flagged else {})
    found = judge(json.dumps(event("session.reported", data)).encode())
    assert isinstance(found, Taken) or not flagged


@settings(deadline=None)
@given(body=st.binary(max_size=200) | ANY_JSON.map(lambda value: json.dumps(value).encode()), batch=st.booleans())
def test_any_bytes_are_an_event_a_batch_or_a_problem(body: bytes, batch: bool) -> None:
    """Neither the split of a batch nor a lone body raises anything but a refusal."""
    found = split(Headers({"content-type": BATCH if batch else STRUCTURED}), body)
    if isinstance(found, Problem):
        assert found.status == 400
    else:
        assert all(isinstance(judge(raw), Taken | Problem) for raw in found)


@settings(deadline=None)
@given(
    attributes=st.dictionaries(NAMES, st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30)),
    data=ANY_JSON,
)
def test_an_event_in_binary_mode_is_one_object_whose_data_is_the_body(attributes: dict[str, str], data: Any) -> None:
    """No header and no body changes another attribute than its own."""
    headers = Headers({"content-type": "application/json"} | {f"ce-{name}": text for name, text in attributes.items()})
    body = json.dumps(data).encode()
    found = split(headers, body)
    if isinstance(found, Problem):
        assert found.status == 400
    elif attributes:
        whole = json.loads(found[0])
        assert set(whole) == {*attributes, "datacontenttype", "data"}
        assert json.dumps(whole["data"]) == json.dumps(data)
