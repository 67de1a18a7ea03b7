"""What every bench shares: measure two things in turn, print one row of JSON for each metric.

    python -m tests.bench.bench_pdq [METRIC...]

A row is DESIGN section 6: ``ours`` and ``theirs`` are medians, ``ratio`` is how many times
better ours is whatever the unit, ``p95`` is ours, ``low`` and ``high`` bound ours with 95 %
confidence. Nothing is judged here; a bench never fails a build.
"""

import json
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version

import numpy as np

RESAMPLES = 1000
DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One printed line; the fields and their order are the format."""

    bench: str
    metric: str
    unit: str
    ours: float | None
    peer: str
    peer_version: str
    theirs: float | None
    ratio: float | None
    n: int
    p95: float | None
    low: float | None
    high: float | None
    load: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What ours is measured against."""

    name: str
    version: str

    @classmethod
    def package(cls, name: str, *, what: str = "") -> "Peer":
        """Return the installed package ``name``, with ``what`` of it was used."""
        return cls(name=f"{name} {what}".strip(), version=version(name))


NO_PEER = Peer(name="", version="")


def in_turn(
    ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int, warm_up: int = 2
) -> tuple[list[float], list[float]]:
    """Time both ``rounds`` times, in milliseconds, each going first as often as the other.

    A machine that slows down, or is shared, then slows both alike.
    """
    for _ in range(warm_up):
        ours()
        theirs()
    times: tuple[list[float], list[float]] = [], []
    for i in range(rounds):
        for which in (0, 1) if i % 2 == 0 else (1, 0):
            times[which].append(_milliseconds((ours, theirs)[which]))
    return times


def _milliseconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1000


def row(
    bench: str,
    metric: str,
    *,
    unit: str,
    ours: Sequence[float],
    theirs: Sequence[float] = (),
    peer: Peer = NO_PEER,
    is_less_better: bool = True,
) -> Row:
    """Return the row of two samples; an empty one gives null.

    Args:
        bench: The fixed name of the bench.
        metric: The fixed name of the metric.
        unit: "ms", "bits", "MB", "fraction", "count" or a rate such as "records/s".
        ours: Our values, one for each round.
        theirs: The peer's values, empty where it has none.
        peer: Who the peer is.
        is_less_better: False for rates, recalls and shares that should be high.
    """
    middle, their_middle = _median(ours), _median(theirs)
    low, high = _bounds(ours)
    return Row(
        bench=bench,
        metric=metric,
        unit=unit,
        ours=middle,
        peer=peer.name,
        peer_version=peer.version,
        theirs=their_middle,
        ratio=_ratio(middle, their_middle, is_less_better=is_less_better),
        n=len(ours),
        p95=_rounded(float(np.percentile(ours, 95))) if len(ours) else None,
        low=low,
        high=high,
        load=round(os.getloadavg()[0], 2),
    )


def share(
    bench: str,
    metric: str,
    *,
    hits: int,
    of: int,
    theirs: float | None = None,
    peer: Peer = NO_PEER,
) -> Row:
    """Return the row of a share, a fraction of 1, with its 95 % Wilson interval."""
    ours = hits / of if of else None
    low, high = _wilson(hits, of) if of else (None, None)
    return Row(
        bench=bench,
        metric=metric,
        unit="fraction",
        ours=_rounded(ours),
        peer=peer.name,
        peer_version=peer.version,
        theirs=_rounded(theirs),
        ratio=_ratio(ours, theirs, is_less_better=False),
        n=of,
        p95=None,
        low=low,
        high=high,
        load=round(os.getloadavg()[0], 2),
    )


def show(measured: Row) -> None:
    """Print ``measured`` as one line of JSON, at once."""
    print(json.dumps(asdict(measured)), flush=True)


def main(metrics: Mapping[str, Callable[[], Row]]) -> int:
    """Run the metrics that the command line names, or all; 2 for a name that is none."""
    names = sys.argv[1:] or list(metrics)
    unknown = [name for name in names if name not in metrics]
    if unknown:
        known = ", ".join(metrics)
        print(f"no metric is called {unknown[0]}; there are: {known}", file=sys.stderr)
        return 2
    for name in names:
        show(metrics[name]())
    return 0


def _median(values: Sequence[float]) -> float | None:
    return _rounded(statistics.median(values)) if len(values) else None


def _ratio(ours: float | None, theirs: float | None, *, is_less_better: bool) -> float | None:
    if ours is None or theirs is None:
        return None
    over, under = (theirs, ours) if is_less_better else (ours, theirs)
    return _rounded(over / under) if under else None


def _bounds(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Return the 95 % interval of the median, by resampling from a seed."""
    if len(values) < 2:
        return None, None
    random = np.random.default_rng(0)
    drawn = random.choice(np.asarray(values), (RESAMPLES, len(values)))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
    return _rounded(float(low)), _rounded(float(high))


def _wilson(hits: int, of: int) -> tuple[float | None, float | None]:
    z, p = 1.959964, hits / of
    spread = z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    middle, scale = p + z * z / (2 * of), 1 + z * z / of
    return _rounded((middle - spread) / scale), _rounded((middle + spread) / scale)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
