"""Verdicts of this process, kept in memory by SHA-256 and by what they were decided under."""

from collections import OrderedDict
from threading import Lock

from protech.types import Kind, ListRef, Unscannable, Verdict

CACHE_ENTRIES = 4096
"""About 4 MB of verdicts; a browsing day shows some thousands of distinct images."""

PASSING = frozenset(
    {Unscannable.CRASHED, Unscannable.TIMED_OUT, Unscannable.UNREADABLE, Unscannable.CHANGED}
)
"""Results that say more of the moment than of the bytes; they are measured again."""

Key = tuple[
    bytes,
    Kind | None,
    tuple[ListRef, ...],
    tuple[tuple[str, str], ...],
    str,
    tuple[tuple[str, int, int], ...],
]
"""SHA-256, what the item claims to be, lists, models, policy, exception lists."""


class VerdictCache:
    """A bounded map of verdicts, least recently used out first; safe between threads."""

    def __init__(self, *, entries: int = CACHE_ENTRIES) -> None:
        """Keep at most ``entries`` verdicts; 0 keeps none."""
        self._entries = entries
        self._verdicts: OrderedDict[Key, Verdict] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        """Return how many verdicts are held."""
        return len(self._verdicts)

    def find(self, key: Key) -> Verdict | None:
        """Return the verdict under ``key``, or None."""
        with self._lock:
            if key in self._verdicts:
                self._verdicts.move_to_end(key)
            return self._verdicts.get(key)

    def keep(self, key: Key, verdict: Verdict) -> None:
        """Keep ``verdict``, unless it speaks of a passing trouble."""
        if verdict.findings.unscannable in PASSING:
            return
        with self._lock:
            self._verdicts[key] = verdict
            self._verdicts.move_to_end(key)
            while len(self._verdicts) > self._entries:
                self._verdicts.popitem(last=False)
