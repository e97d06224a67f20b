"""How fast, how often, how long: the numbers of webhooks. Nobody has had to set one, so none is a setting."""

from dataclasses import dataclass, field

from shared.stream.webhook.standing import Tempo


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds, on the machine's clock."""

    tempo: Tempo = field(default_factory=Tempo)
    post_s: float = 10.0
    """The time limit of one post."""
    poll_s: float = 0.25
    """Between looks at a partition in which nothing is new, at least."""
    poll_each_s: float = 0.005
    """The same for each courier of the process: many of them look less often."""
    page: int = 100
    """Entries of each stream read in one go."""
    read_ahead: int = 20_000
    """Events that are known to wait, without their bodies: so far back an emergency overtakes others."""
    span: int = 50_000
    """Entries remembered from the first that is not done on. Nothing is read beyond them."""
    lease_s: float = 30.0
    """So long a process that died keeps its work from others. No post begins that could outlast it."""
    tick_s: float = 1.0
    """Between looks at subscriptions and leases."""
    longest_rest_s: float = 3600.0
    """Of one patient's events, where one of them is refused while others are taken."""
    give_up_s: float = 24 * 3600.0
    """Such an event is given up after so long, and at least `give_up_tries`."""
    give_up_tries: int = 10


REPLAY = Pace(tempo=Tempo(longest_s=2.0), longest_rest_s=2.0)
"""In a replay hours pass within seconds: no pause is longer than this."""
