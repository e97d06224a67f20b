"""`care.clinician.decided.v1`: a clinician's word, which binds every service."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.event.vocabulary import ExerciseId
from shared.event.wire import FreeText, Identifier, Omittable, Payload, Stream, Wire

DecisionKind = Literal[
    "acknowledge", "approve", "hold", "resume", "reclassify", "modify", "refer", "discharge", "continue"
]
ConditionId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
"""Names a protocol file; whether it exists is for the planner to say."""


class Changes(Wire):
    """What `modify` changes; at least one of them."""

    remove_exercises: Annotated[tuple[ExerciseId, ...], Field(max_length=40)] = ()
    sessions_per_week: Omittable[Annotated[int, Field(ge=1, le=7)]] = None
    load_factor: Omittable[Annotated[float, Field(ge=0.1, le=1.5, allow_inf_nan=False)]] = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.remove_exercises and self.sessions_per_week is None and self.load_factor is None:
            raise PydanticCustomError(
                "empty_change", "changes must hold remove_exercises, sessions_per_week or load_factor"
            )
        return self


class ClinicianDecided(Payload):
    """One decision of one clinician."""

    event_type: ClassVar[str] = "care.clinician.decided.v1"
    stream: ClassVar[Stream] = Stream.DECISIONS
    identity: ClassVar[str | None] = "decision_id"

    decision_id: Identifier
    clinician_id: Identifier
    decision: DecisionKind
    escalation_id: Omittable[Identifier] = None
    program_id: Omittable[Identifier] = None
    intake_id: Omittable[Identifier] = None
    conditions: Annotated[tuple[ConditionId, ...], Field(max_length=10)] = ()
    changes: Omittable[Changes] = None
    rationale: Omittable[FreeText] = None
    useful: Omittable[bool] = None
    """Beyond the contract's table: whether the alert that it answers was of use, in the clinician's opinion."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.decision not in ("acknowledge", "approve") and not (self.rationale or "").strip():
            raise PydanticCustomError("missing_rationale", "this decision needs a rationale")
        if self.decision == "reclassify" and not self.conditions:
            raise PydanticCustomError("missing_conditions", "reclassify needs conditions")
        if self.decision == "modify" and self.changes is None:
            raise PydanticCustomError("missing_changes", "modify needs changes")
        if self.decision == "acknowledge" and self.escalation_id is None:
            raise PydanticCustomError("missing_escalation", "acknowledge needs an escalation_id")
        return self
