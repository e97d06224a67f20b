"""The true course of one patient under one plan, written down day by day."""

from collections import deque
from dataclasses import dataclass, field

from shared.simulation.latent import Body

FLARE_RISE_NPRS = 2.0
"""A day of flare: true pain at least so far above the mean of the last 7 days without. Source: P14."""
FLARE_DAYS = 7


@dataclass(slots=True)
class Diary:
    """Weekly means and counts; pain of week 0 is that of the start."""

    pain_nprs: list[float]
    capacity: list[float]
    load: list[float] = field(default_factory=lambda: [0.0])
    status: list[str] = field(default_factory=lambda: [""])
    flare_days: int = 0
    sessions_done: int = 0
    _calm: deque[float] = field(default_factory=lambda: deque(maxlen=FLARE_DAYS))
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=7))
    _pains: list[float] = field(default_factory=list)
    _loads: list[float] = field(default_factory=list)

    @classmethod
    def begin(cls, body: Body) -> "Diary":
        """Before the first session."""
        return cls([body.pain_nprs], [body.capacity])

    def note_day(self, body: Body) -> None:
        """The true pain of a day."""
        pain = body.pain_nprs
        self._pains.append(pain)
        self._recent.append(pain)
        if self._calm and pain >= sum(self._calm) / len(self._calm) + FLARE_RISE_NPRS:
            self.flare_days += 1
        else:
            self._calm.append(pain)

    def note_session(self, load: float) -> None:
        """The load of a session that was done."""
        self.sessions_done += 1
        self._loads.append(load)

    def close_week(self, body: Body, status: str = "") -> None:
        """Seven days are over."""
        self.pain_nprs.append(sum(self._pains) / len(self._pains))
        self.capacity.append(body.capacity)
        self.load.append(sum(self._loads) / len(self._loads) if self._loads else 0.0)
        self.status.append(status)
        self._pains.clear()
        self._loads.clear()

    @property
    def week_nprs(self) -> float:
        """True mean pain of the last seven days, or of the start."""
        return sum(self._recent) / len(self._recent) if self._recent else self.pain_nprs[0]


def is_meaningful(before_nprs: float, after_nprs: float) -> bool:
    """2 points or 30 percent less. Source: O01."""
    return before_nprs - after_nprs >= least_meaningful(before_nprs)


def least_meaningful(before_nprs: float) -> float:
    """The fall of pain from which on it is meaningful: 2 points or 30 percent, whichever is less. Source: O01."""
    return min(2.0, 0.3 * before_nprs)
