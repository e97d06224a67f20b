"""Builds the planner's inputs for its tests."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from services.planner.domain.decide import Policy, decide
from services.planner.domain.state import PlannerState
from shared.decision import Arrival, Decision, Draft, Incoming
from shared.event.program import ProgramChanged, ProgramPlanned
from shared.protocol.library import shipped_protocols
from tests.support.example import EPOCH, arrival

GT, SIJ = "gluteal_tendinopathy", "sacroiliac_joint_pain"
DGS, PHT = "deep_gluteal_syndrome", "proximal_hamstring_tendinopathy"
CONDITIONS = (GT, SIJ, DGS, PHT)
AUTO, CLINICIAN = Policy(), Policy(needs_approval=True)


def classified(
    probabilities: dict[str, float],
    *,
    intake_id: str = "intake-1",
    event_id: str = "c-1",
    time: datetime = EPOCH,
    disposition: str = "program",
    route: str | None = None,
    **facts: Any,
) -> Arrival:
    """A classification with these probabilities; the rest are at 0.10. Facts change the intake."""
    rated = sorted(((c, probabilities.get(c, 0.1)) for c in CONDITIONS), key=lambda pair: (-pair[1], pair[0]))
    primary = rated[0][0] if rated[0][1] >= 0.5 else None
    data = {
        "intake_id": intake_id,
        "disposition": disposition,
        "conditions": [{"condition_id": c, "probability": p, "supporting": [], "opposing": []} for c, p in rated],
        "primary": primary,
        "mixed": primary is not None and rated[1][1] >= 0.4,
        "red_flags": [],
        "referral_route": route,
        "next_findings": [],
        "protocol": {"id": "screening", "version": "1.0.0"},
        "rationale": "Because of the findings.",
        "references": ["T10"],
        "intake": {
            "age_years": 55,
            "sex": "female",
            "side": "right",
            "onset": "gradual",
            "duration_weeks": 20,
            "measures": [{"instrument": "NPRS", "value": 5}],
            "sessions_per_week": 7,
            "equipment": ["none", "band"],
        }
        | facts,
    }
    return arrival("care.condition.classified.v1", data, event_id=event_id, time=time)


def decided(kind: str, *, event_id: str = "d-1", hours: float = 1, **fields: Any) -> Arrival:
    """A clinician's decision some hours after the start."""
    data = {"decision_id": event_id, "clinician_id": "clinician-1", "decision": kind, "rationale": "Seen."} | fields
    return arrival("care.clinician.decided.v1", data, event_id=event_id, time=EPOCH + timedelta(hours=hours))


def stopped(program_id: str = "prg-intake-1", *, event_id: str = "s-1", hours: float = 2) -> Arrival:
    return arrival(
        "care.program.stopped.v1", {"program_id": program_id}, event_id=event_id, time=EPOCH + timedelta(hours=hours)
    )


def run(
    *events: Incoming, policy: Policy = AUTO, now: datetime | None = None
) -> tuple[PlannerState | None, list[Draft], list[Decision[PlannerState]]]:
    """Decides one event after the other; gives the last state, all drafts and all decisions."""
    core = partial(decide, policy)
    state: PlannerState | None = None
    drafts: list[Draft] = []
    decisions = []
    for event in events:
        decision = core(state, event, shipped_protocols(), now or EPOCH + timedelta(days=1))
        state = decision.state
        drafts += decision.drafts
        decisions.append(decision)
    return state, drafts, decisions


def programs(drafts: list[Draft]) -> list[ProgramPlanned | ProgramChanged]:
    return [d.data for d in drafts if isinstance(d.data, ProgramPlanned | ProgramChanged)]


def program(*events: Incoming, policy: Policy = AUTO) -> ProgramPlanned | ProgramChanged:
    """The last program published."""
    return programs(run(*events, policy=policy)[1])[-1]
