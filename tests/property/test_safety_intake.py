"""A red flag wins at intake whatever the probabilities say, also with wrong priors, weights and thresholds."""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from services.intake.domain.decide import decide
from services.intake.domain.state import IntakeState
from shared.decision import Arrival, Decision
from shared.event.classification import ConditionClassified
from shared.event.escalation import EscalationRaised
from shared.event.vocabulary import vocabulary
from shared.protocol.library import Protocols, shipped_protocols
from tests.support.depth import depth
from tests.support.example import EPOCH, arrival, intake
from tests.support.progression import decided
from tests.support.wrong_protocol import rewritten

FLAGS = vocabulary().red_flags
ANSWER = st.sampled_from(["present", "absent", "unknown"])
FINDINGS = st.dictionaries(st.sampled_from(sorted(vocabulary().findings)), ANSWER, max_size=40)
FLAG_ANSWERS = st.dictionaries(st.sampled_from(sorted(FLAGS)), ANSWER, max_size=4)
ORDER = ("program", "more_information", "clinician_review", "urgent_referral", "emergency")


def wrong_weights(seed: int | None) -> Protocols:
    """Shipped, or with priors, ratios, ceilings, bands and caps drawn anew; what implies a red flag is left out."""
    shipped = shipped_protocols()
    if seed is None:
        return shipped
    chance = random.Random(seed)  # noqa: S311  # no secret depends on it
    share = chance.choice([0.2, 0.6, 1.0])
    conditions = {
        key: one.model_copy(update={"recognition": rewritten(one.recognition, chance, share)})
        for key, one in shipped.versions.items()
    }
    bands = shipped.screening.bands.model_copy(
        update={
            "primary_at_least": chance.choice([0.001, 0.5, 0.999]),
            "mixed_at_least": chance.choice([0.001, 0.4, 0.999]),
            "probable_at_least": chance.choice([0.001, 0.8, 0.999]),
        }
    )
    screening = shipped.screening.model_copy(
        update={
            "bands": bands,
            "caps": rewritten(shipped.screening.caps, chance, share),
            "routes": () if chance.random() < share else shipped.screening.routes,
            "reviews": () if chance.random() < share else shipped.screening.reviews,
            "next_findings": rewritten(shipped.screening.next_findings, chance, share),
        }
    )
    red_flags = shipped.red_flags.model_copy(
        update={
            name: () if chance.random() < share else getattr(shipped.red_flags, name)
            for name in ("derivations", "suspicions")
        }
    )
    return replace(
        shipped,
        versions=conditions,
        conditions={key: conditions[key, one.version] for key, one in shipped.conditions.items()},
        screening=screening,
        red_flags=red_flags,
    )


class IntakeMachine(RuleBasedStateMachine):
    """A patient who answers, answers again, and a clinician who decides in between."""

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = EPOCH
        self.count = 0
        self.state: IntakeState | None = None

    @initialize(seed=st.one_of(st.integers(0, 2**20), st.none()))
    def begin(self, seed: int | None) -> None:
        self.protocols = wrong_weights(seed)

    def give(self, event: Arrival) -> Decision[IntakeState]:
        core = partial(decide, timedelta(days=14))
        decision = core(self.state, event, self.protocols, self.now)
        again = core(self.state, event, self.protocols, self.now)
        assert [d.data.model_dump_json() for d in decision.drafts] == [d.data.model_dump_json() for d in again.drafts]
        self.state = decision.state
        return decision

    @rule(
        findings=FINDINGS,
        flags=FLAG_ANSWERS,
        screen=st.sampled_from(["complete", "complete", "partial"]),
        age=st.integers(16, 90),
        sex=st.sampled_from(["female", "male", "unknown"]),
        modifiers=st.lists(st.sampled_from(sorted(vocabulary().modifiers)), max_size=3, unique=True),
        onset=st.sampled_from(["gradual", "sudden", "traumatic", "postpartum"]),
        which=st.integers(1, 2),
    )
    def submit(self, which: int, flags: dict[str, Any], screen: str, **facts: Any) -> None:
        """An intake, new or with further answers."""
        self.count += 1
        self.now += timedelta(hours=2)
        facts["age_years"] = facts.pop("age")
        data = intake(intake_id=f"intake-{which}", red_flags=flags, red_flag_screen=screen, **facts)
        event = arrival("care.intake.submitted.v1", data, event_id=f"i{self.count}", time=self.now)
        decision = self.give(event)
        found = [d.data for d in decision.drafts if isinstance(d.data, ConditionClassified)]
        if not found:
            return
        told = found[-1]
        present = {FLAGS[f].urgency for f, answer in flags.items() if answer == "present"}
        least = (
            "emergency"
            if "emergency" in present
            else "urgent_referral"
            if "urgent" in present
            else "clinician_review"
            if "routine" in present
            else "program"
        )
        assert ORDER.index(told.disposition) >= ORDER.index(least), "a red flag was averaged away"
        if "emergency" in present or "urgent" in present:
            severity = "emergency" if "emergency" in present else "urgent"
            state = self.state
            raised = [d.data for d in decision.drafts if isinstance(d.data, EscalationRaised)]
            assert state is not None
            assert all(r.severity in (severity, "emergency") for r in raised if r.reason == "red_flag")
        if told.disposition == "program":
            assert not {one.urgency for one in told.red_flags} & {"emergency", "urgent"}
            assert data["age_years"] >= 18 or not self.protocols.screening.reviews
            if screen == "partial":
                asked = {f for f in FLAGS if FLAGS[f].urgency in ("emergency", "urgent")}
                unknown = {f for f in asked if flags.get(f, "unknown") == "unknown"}
                cannot = {"pregnancy_bleeding_or_contractions"}
                assert unknown <= cannot, "a program while a dangerous sign is unknown"

    @rule(decision=st.sampled_from(["acknowledge", "continue", "resume", "approve"]), which=st.integers(1, 2))
    def clinician(self, decision: str, which: int) -> None:
        self.count += 1
        self.now += timedelta(hours=1)
        changes = {"escalation_id": f"unknown-{self.count}"} if decision == "acknowledge" else {}
        self.give(decided(self.now, decision, intake_id=f"intake-{which}", **changes))


TestIntake = IntakeMachine.TestCase
TestIntake.settings = depth(40, 3000, 5)
