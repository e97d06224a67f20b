"""What was measured at a few moments, as a course over time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Series:
    """Published points `(week, value)` in order, joined by straight lines and level beyond both ends."""

    points: tuple[tuple[float, float], ...]

    def at(self, week: float) -> float:
        """The value at a moment, to one decimal."""
        first, last = self.points[0], self.points[-1]
        if week <= first[0]:
            return first[1]
        if week >= last[0]:
            return last[1]
        for (start, before), (end, after) in zip(self.points, self.points[1:], strict=False):
            if week <= end:
                return round(before + (after - before) * (week - start) / (end - start), 1)
        raise AssertionError("unreachable: the last point is behind every week")


def series(*points: tuple[float, float]) -> Series:
    """A series from its points."""
    return Series(points)
