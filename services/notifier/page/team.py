"""Whom a patient's escalations concern: everybody whom the care team's policy may tell."""

from zoneinfo import ZoneInfo

from services.notifier.domain.ladder import policy_of
from services.notifier.domain.policy import DEFAULT, EscalationPolicy, Policies
from services.notifier.domain.state import NotifierState


def zone_of(policies: Policies) -> ZoneInfo:
    """The clinic's, for pages about several patients: that of the default policy."""
    return ZoneInfo(policies.policies[DEFAULT].working_hours.timezone)


def concerns(policies: Policies, state: NotifierState, recipient: str) -> bool:
    return recipient in _told(policies, policy_of(policies, state))


def _told(policies: Policies, policy: EscalationPolicy) -> set[str]:
    names = {policy.owner, policy.last_resort}
    for ladder in (policy.emergency, policy.urgent, policy.routine):
        for step in ladder.steps:
            names.update(step.to)
    rotas = [policies.rotas[name] for name in names if name in policies.rotas]
    on_shift = [person for rota in rotas for shift in rota.shifts for person in shift.who]
    instead = [person for rota in rotas for override in rota.overrides for person in override.who]
    return names.union(on_shift, instead)
