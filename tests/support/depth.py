"""How far a test looks: little on every run, far on `make deep`."""

from hypothesis import HealthCheck, Phase, settings

DEEP = "deep"


def times(usual: int, deep: int) -> int:
    """The second number under the profile `deep`."""
    return deep if settings.get_current_profile_name() == DEEP else usual


def depth(usual: int, deep: int, steps: int) -> settings:
    """For a state machine: so many histories of at most so many steps."""
    return settings(
        max_examples=times(usual, deep),
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
        print_blob=True,
    )
