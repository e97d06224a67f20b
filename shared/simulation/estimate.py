"""A figure with its 95 % interval. None stands for a figure of nobody: absent, not zero."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, fsum, lgamma, log, sqrt
from statistics import NormalDist, fmean, quantiles, stdev

CONFIDENCE = 0.95
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `of`, with the exact interval. All three are 0 to 1."""

    count: int
    of: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, a mean of paired differences or a ratio over `patients`, with the interval by normal approximation."""

    patients: int
    value: float
    low: float
    high: float


def share(count: int, of: int) -> Share | None:
    """A proportion with the interval of Clopper and Pearson, which is never too narrow.

    Source: Clopper CJ, Pearson ES. Biometrika 1934;26:404-413.
    """
    if not of:
        return None
    if not 0 <= count <= of:
        raise ValueError(f"{count} of {of} is no share")
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if count == 0 else _where(lambda p: _at_least(count, of, p) >= tail)
    high = 1.0 if count == of else _where(lambda p: 1 - _at_least(count + 1, of, p) <= tail)
    return Share(count, of, count / of, low, high)


def mean(values: Sequence[float]) -> Estimate | None:
    """The mean over patients."""
    if not values:
        return None
    centre = fmean(values)
    half = Z * stdev(values) / sqrt(len(values)) if len(values) > 1 else 0.0
    return Estimate(len(values), centre, centre - half, centre + half)


def difference(values: Sequence[float], others: Sequence[float]) -> Estimate | None:
    """The mean of each patient's value less the same patient's other value."""
    return mean([value - other for value, other in zip(values, others, strict=True)])


def ratio(above: Sequence[float], below: Sequence[float]) -> Estimate | None:
    """The sum of `above` over the sum of `below`, one pair for each patient.

    The interval is that of the linearised ratio, so it knows that a patient's events come together.
    Source: Cochran WG. Sampling Techniques, 3rd ed. 1977, section 6.3.
    """
    if not (total := fsum(below)):
        return None
    value = fsum(above) / total
    residuals = [a - value * b for a, b in zip(above, below, strict=True)]
    half = Z * stdev(residuals) * sqrt(len(residuals)) / abs(total) if len(residuals) > 1 else 0.0
    return Estimate(len(residuals), value, value - half, value + half)


def percentiles(values: Sequence[float], *wanted: int) -> tuple[float, ...]:
    """Percentiles (1 to 99) by linear interpolation between the values; of one value that value."""
    cut = quantiles(values if len(values) > 1 else [*values, *values], n=100, method="inclusive")
    return tuple(cut[one - 1] for one in wanted)


def _at_least(count: int, of: int, p: float) -> float:
    """The probability of `count` or more out of `of` at the rate `p`, 0 < p < 1."""
    return fsum(
        exp(lgamma(of + 1) - lgamma(k + 1) - lgamma(of - k + 1) + k * log(p) + (of - k) * log(1 - p))
        for k in range(count, of + 1)
    )


def _where(is_above: Callable[[float], bool]) -> float:
    """Where a condition that holds from some rate on begins to hold, by bisection."""
    low, high = 0.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if is_above(middle) else (middle, high)
    return (low + high) / 2
