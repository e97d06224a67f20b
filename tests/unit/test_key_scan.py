"""The scan by which an erasure is proven finds what it looks for."""

import base64
import json
import zlib

import pytest

from shared.stream.record import Record, encode
from tests.support.key_scan import layers

NEEDLE = b"anna-7f3"


@pytest.mark.parametrize(
    "raw",
    [
        b"care:{0}:intake:state:anna-7f3",
        b'{"subject":"anna-7f3"}',
        base64.b64encode(b"anna-7f3"),
        json.dumps({"whole": base64.b64encode(zlib.compress(b'{"program_id":"prg-anna-7f3"}')).decode()}).encode(),
        encode(Record({"whole": zlib.compress(b'{"program_id":"prg-anna-7f3"}')}), 7),
        encode(Record({"subject": "anna-7f3"}), 7),
        b'{"raw":"' + base64.urlsafe_b64encode(base64.b64encode(b'{"subject":"anna-7f3"}')) + b'"}',
        b"patient=anna%2D7f3",
    ],
)
def test_a_name_is_found_in_any_wrapping(raw: bytes) -> None:
    """Plain, in base64, compressed, and one within the other."""
    assert any(NEEDLE in layer for layer in layers(raw))


def test_what_is_not_there_is_not_found() -> None:
    """Else the proof would never end."""
    assert not any(NEEDLE in layer for layer in layers(b'{"whole":"bertha-9c1"}'))
