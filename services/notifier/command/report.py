"""What the notifier adds to `adaptive-care status`: what is open, and what nobody was told or has answered."""

from typing import Any

from services.notifier.domain.index import ANSWERED, UNANSWERED, UNTOLD
from shared.cli.report import Ages, Report
from shared.cli.terminal import span
from shared.event.vocabulary import URGENCIES

TOLD_WITHIN_S = {"emergency": 120, "urgent": 900}
ANSWERED_WITHIN_S = 1800
"""Limits of the alert rules EmergencyNotTold and EmergencyUnanswered."""


async def report(ages: Ages) -> Report:
    """What `adaptive-care status` says of open escalations, the gravest first."""
    figures: dict[str, Any] = {}
    lines, problems = [], []
    for severity in reversed(URGENCIES):
        (unanswered,), oldest_s = await ages(f"{UNANSWERED}{severity}", (0.0,))
        (answered,), _ = await ages(f"{ANSWERED}{severity}", (0.0,))
        _, untold_s = await ages(f"{UNTOLD}{severity}", ())
        figures[severity] = {
            "unanswered": unanswered,
            "oldest_unanswered_s": round(oldest_s, 1),
            "answered": answered,
            "oldest_untold_s": round(untold_s, 1),
        }
        if unanswered or answered:
            oldest = f", the oldest for {span(oldest_s)}" if unanswered else ""
            lines.append(f"{severity}: {unanswered} unanswered{oldest}; {answered} answered and still open")
        if untold_s > TOLD_WITHIN_S.get(severity, float("inf")):
            problems.append(f"an escalation ({severity}) was raised {span(untold_s)} ago and nobody was told")
    oldest_s = figures["emergency"]["oldest_unanswered_s"]
    if oldest_s > ANSWERED_WITHIN_S:
        problems.append(f"an emergency has had no answer for {span(oldest_s)}: adaptive-care alerts list")
    return Report("open escalations", tuple(lines), figures, tuple(problems))
