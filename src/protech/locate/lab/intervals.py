"""Confidence intervals of a share of so many of so many: Wilson's, and the exact one."""

import math
from statistics import NormalDist

STEPS = 100
"""Halvings: more than a double can tell apart."""
NOTHING = 2.0**-60
"""So small a part of a sum changes nothing of it."""


def wilson(hits: int, of: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the two-sided interval of a share (Wilson 1927).

    Raises:
        ValueError: There are more hits than tries, or no tries.
    """
    _require(hits, of)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = hits / of
    spread = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    middle, scale = share + z * z / (2 * of), 1 + z * z / of
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def upper_bound(hits: int, of: int, *, confidence: float = 0.95) -> float:
    """Return the exact one-sided upper bound of a share (Clopper and Pearson 1934).

    It is the share at which so few hits, or fewer, would come up with probability
    ``1 - confidence``. Without any hit in n tries it is about 3 / n: the rule of three.

    Raises:
        ValueError: There are more hits than tries, or no tries.
    """
    _require(hits, of)
    if hits == of:
        return 1.0
    low, high = hits / of, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        if _at_most(hits, of, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def clopper_pearson(hits: int, of: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval of a share (Clopper and Pearson 1934).

    Raises:
        ValueError: There are more hits than tries, or no tries.
    """
    one_sided = (1 + confidence) / 2
    low = 1 - upper_bound(of - hits, of, confidence=one_sided)
    return low, upper_bound(hits, of, confidence=one_sided)


def _at_most(hits: int, of: int, share: float) -> float:
    """Return the probability of at most so many hits: the binomial distribution's sum.

    The share is no less than ``hits / of``, so that each fewer hit is less probable.
    """
    if share >= 1.0:
        return 1.0 if hits >= of else 0.0
    if share <= 0.0:
        return 1.0
    term = math.exp(
        math.lgamma(of + 1)
        - math.lgamma(hits + 1)
        - math.lgamma(of - hits + 1)
        + hits * math.log(share)
        + (of - hits) * math.log1p(-share)
    )
    total = term
    for i in range(hits, 0, -1):
        term *= i / (of - i + 1) * (1 - share) / share
        total += term
        if term < total * NOTHING:
            break
    return total


def _require(hits: int, of: int) -> None:
    if not 0 <= hits <= of or of < 1:
        raise ValueError("there are no tries, or more hits than tries")
