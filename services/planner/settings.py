"""The planner's one knob: whether a clinician approves each program before it begins."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.settings import PREFIX


class PlannerSettings(BaseSettings):
    """Frozen: read once, at start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    approval: Literal["auto", "clinician"] = Field(
        "auto", description="`clinician`: every program is proposed, and begins when a clinician approves it"
    )
