"""How far a state machine looks: little on every run, far on `make deep`."""

from hypothesis import HealthCheck, Phase, settings

DEEP = "deep"


def depth(usual: int, deep: int, steps: int) -> settings:
    """So many histories of at most so many steps; the second number under the profile `deep`."""
    is_deep = settings.get_current_profile_name() == DEEP
    return settings(
        max_examples=deep if is_deep else usual,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
        print_blob=True,
    )
