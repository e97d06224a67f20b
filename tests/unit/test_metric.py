"""What metrics are called and what their labels may say."""

import re
from datetime import timedelta
from typing import Any

import pytest

from shared.event.adjustment import LoadAdjusted
from shared.journey.library import shipped_journeys
from shared.metric import Metrics
from shared.protocol.library import shipped_protocols
from shared.stream.pure_pipeline import time_of
from tests.support.four_services import four_services, four_services_pipeline

BOUNDED = {
    *("service", "stream", "outcome", "rule", "code", "decision"),
    *("severity", "reason", "channel", "role", "result", "answered", "age"),
    *("method", "route", "status", "subscription"),
}
"""Labels whose values are known beforehand, or made by operators. A patient, an event or a program is none of them."""


def test_every_metric_is_described_with_its_unit_and_labels_that_are_bounded() -> None:
    """Names end in the unit that the meaning says; a label that could grow with the patients does not get in."""
    metrics = Metrics()
    own = {family.name: family for family in metrics.registry.collect() if family.name.startswith("care_")}
    assert set(own) == {described.name for described in metrics.described}
    for described in metrics.described:
        assert own[described.name].type == described.kind
        assert set(described.labels) <= BOUNDED, described.name
        for unit in ("seconds", "bytes"):
            if described.name.endswith(unit):
                assert f"in {unit}" in described.meaning, described.name
        assert re.fullmatch(r"care_[a-z_]+[a-z]", described.name)


@pytest.mark.parametrize("journey", ["J02", "J07", "J12"])
def test_every_rule_that_fires_in_published_care_has_a_name_of_its_own(journey: str) -> None:
    """`other` is for what nobody foresaw, not for a rule that somebody forgot to name."""
    raws = next(one.events for one in shipped_journeys() if one.journey_id == journey)
    run = four_services_pipeline(min(time_of(raw) for raw in raws))
    run.replay(sorted(raws, key=time_of))
    run.advance(max(time_of(raw) for raw in raws) + timedelta(days=30))
    evidence = frozenset(shipped_protocols().evidence)
    words: dict[str, Any] = {service.name: evidence | service.words for service in four_services()}
    fired = {(step.service, step.rule) for step in run.steps if step.rule and step.outcome != "ignored"}
    assert len(fired) > 5
    assert not {(name, rule) for name, rule in fired if rule not in words[name]}
    adjusted = [event.data for event in run.published("adjustments") if isinstance(event.data, LoadAdjusted)]
    assert not {change.rule for data in adjusted for change in data.changes} - words["progression"]
