"""The content modes of CloudEvents over HTTP: from headers and body to the JSON of each event.

Source: CloudEvents HTTP protocol binding 1.0.2, sections 3.1 to 3.3.
"""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.datastructures import Headers

from shared.door.problem import Problem, Refused

Mode = Literal["structured", "batch", "binary"]

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
PLAIN = "application/json"
EVENT_BYTES = 512 * 1024
"""Of one event as it is read. The decoder takes less (256 KiB), but looks for red flags in what is longer."""
BATCH_BYTES = 4 * 1024 * 1024
BATCH_EVENTS = 100
_PREFIX = "ce-"
_NAME = re.compile(r"^[a-z0-9]{1,40}$")
_QUOTED = re.compile(r'^"(.*)"$', re.DOTALL)
_FROM_ELSEWHERE = {"data": "the body", "datacontenttype": "Content-Type"}
"""Attributes that binary mode takes from elsewhere: as a header they could only contradict it."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a request carries its events."""

    mode: Mode
    limit: int
    """Bytes of its body."""


def form_of(headers: Headers) -> Form:
    """By the content type, then by `ce-` headers. Raises Refused with 415."""
    media, *parameters = (part.strip().lower() for part in headers.get("content-type", "").split(";"))
    charset = next((p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")), "utf-8")
    if charset not in ("utf-8", "utf8"):
        raise Refused(Problem(415, "unsupported_charset", "events are JSON in UTF-8"))
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refused(Problem(415, "unsupported_encoding", "the body must not be compressed"))
    if media == BATCH:
        return Form("batch", BATCH_BYTES)
    is_binary = any(name.startswith(_PREFIX) for name in headers)
    if media == STRUCTURED or (media == PLAIN and not is_binary):
        return Form("structured", EVENT_BYTES)
    if media == PLAIN:
        return Form("binary", EVENT_BYTES)
    detail = f"the content type must be {STRUCTURED}, {BATCH} or {PLAIN}"
    raise Refused(Problem(415, "unsupported_media_type", detail, headers={"Accept": f"{STRUCTURED}, {BATCH}, {PLAIN}"}))


def events_of(form: Form, headers: Headers, body: bytes) -> list[bytes]:
    """The JSON of each event, to the byte as it was sent. Raises Refused where there is none to be read."""
    if form.mode == "batch":
        return _split(body)
    _must_be_json(body)
    return [body if form.mode == "structured" else _joined(headers, body)]


def _split(body: bytes) -> list[bytes]:
    try:
        events = msgspec.json.decode(body, type=list[msgspec.Raw])
    except msgspec.ValidationError:
        raise Refused(Problem(400, "invalid_batch", "a batch is a JSON array of events", "$")) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Refused(_no_json()) from None
    if len(events) > BATCH_EVENTS:
        detail = f"a batch holds at most {BATCH_EVENTS} events, this one {len(events)}; nothing of it was taken"
        raise Refused(Problem(413, "batch_too_long", detail, "$"))
    return [bytes(event) for event in events]


def _joined(headers: Headers, body: bytes) -> bytes:
    """The event as one JSON object. The body is valid JSON by now, so it cannot reach beyond `data`."""
    attributes: dict[str, str] = {}
    for header, value in headers.items():
        if not header.startswith(_PREFIX):
            continue
        name = header.removeprefix(_PREFIX)
        path = f"$.{name}" if _NAME.fullmatch(name) else "$"
        if name in _FROM_ELSEWHERE:
            raise Refused(_bad_header(path, f"`{name}` comes from {_FROM_ELSEWHERE[name]}, never from a ce- header"))
        if path == "$":
            raise Refused(_bad_header(path, "the name of an attribute is lower-case letters and digits"))
        if name in attributes:
            raise Refused(_bad_header(path, f"ce-{name} is there twice"))
        attributes[name] = _decoded(value, path)
    attributes["datacontenttype"] = PLAIN
    return msgspec.json.encode(attributes)[:-1] + b',"data":' + body + b"}"


def _decoded(value: str, path: str) -> str:
    """Header values are percent-encoded UTF-8, perhaps in quotes."""
    quoted = _QUOTED.match(value)
    if quoted:
        value = re.sub(r"\\(.)", r"\1", quoted[1])
    try:
        # Header bytes are Latin-1 to ASGI; senders that forget to encode mean UTF-8.
        return unquote_to_bytes(value.encode("latin-1")).decode("utf-8")
    except UnicodeError:
        raise Refused(_bad_header(path, "the header is not percent-encoded UTF-8")) from None


def _must_be_json(body: bytes) -> None:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise Refused(_no_json()) from None


def _no_json() -> Problem:
    return Problem(400, "invalid_json", "not JSON in UTF-8", "$")


def _bad_header(path: str, detail: str) -> Problem:
    return Problem(400, "invalid_header", detail, path)
