"""A proposal that care has failed can be computed again from what lies in the streams, to the byte."""

import json
from functools import cache
from pathlib import Path

import pytest

import shared
from shared.event.wire import Stream
from shared.stream.pure_pipeline import PurePipeline, time_of
from tests.support.four_services import four_services, four_services_pipeline

FAILED = ("J12", "J13", "J16")
"""Journeys of patients whom exercise did not help."""
CLINICAL = ("intake", "planner", "progression")


def journey(name: str) -> list[bytes]:
    """What the platform sends, in order."""
    path = next(Path(shared.__file__).parent.rglob(f"{name}.jsonl"))
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if '"specversion"' in line]
    return [json.dumps(json.loads(line)).encode() for line in lines]


@cache
def lived(name: str) -> PurePipeline:
    """The journey through all clinical services."""
    raws = journey(name)
    pipeline = four_services_pipeline(time_of(raws[0]), CLINICAL)
    pipeline.replay(raws)
    return pipeline


def failed(pipeline: PurePipeline) -> list[bytes]:
    """Every proposal of failed care, as it lies in its stream."""
    return [
        raw for raw in pipeline.entries(Stream.ESCALATIONS) if b'"failed_conservative_care"' in raw and b"sbar" in raw
    ]


@pytest.mark.parametrize("name", FAILED)
def test_the_packet_comes_again_from_the_recorded_streams(name: str) -> None:
    """Sessions, programs and decisions as recorded, read by a progression that knows nothing, give the same packet."""
    recorded = lived(name)
    read = [
        raw
        for stream in (Stream.PROGRAMS, Stream.PATIENTS, Stream.SESSIONS, Stream.DECISIONS)
        for raw in recorded.entries(stream)
        if b'"source":"//adaptive-care/progression"' not in raw
    ]
    read.sort(key=time_of)
    fresh = PurePipeline(four_services(("progression",)), time_of(read[0]))
    fresh.replay(read)
    assert failed(recorded)
    assert failed(fresh) == failed(recorded)


@pytest.mark.parametrize("name", FAILED)
def test_the_packet_comes_again_from_what_the_platform_sent(name: str) -> None:
    """The platform's events alone, through all services anew, give the same packet."""
    raws = journey(name)
    again = four_services_pipeline(time_of(raws[0]), CLINICAL)
    again.replay(raws)
    assert failed(again) == failed(lived(name))


@pytest.mark.parametrize("name", FAILED)
def test_the_packet_is_whole(name: str) -> None:
    """Weeks, dose done against prescribed, trends, what was tried, diagnosis and rivals, and versions stand in it."""
    data = json.loads(failed(lived(name))[0])["data"]
    evidence = data["evidence"]
    assert evidence["weeks"] >= evidence["dose"]["min_weeks"]
    assert evidence["dose"]["sessions_done"] >= evidence["dose"]["min_sessions"]
    assert evidence["dose"]["sessions_due"]
    assert any(one["performed"] > 0 and one["prescribed"] >= one["performed"] for one in evidence["tried"])
    assert evidence["pain"]["trend_per_week"] is not None
    assert evidence["pain"]["trend_sd_per_week"] is not None
    assert "function" in evidence
    assert evidence["working_diagnosis"]
    assert evidence["rivals"]
    assert evidence["protocols"]
    assert [one["item"] for one in evidence["rule_out"]] == list("abcdefghijk")
    assert all(option["evidence_grade"] and option["references"] for option in data["options"])
    assert data["basis"]
