"""MD5, SHA-1 and SHA-256 of an item in one pass over its bytes."""

import hashlib
import os
from collections.abc import Iterable, Iterator

from protech.types import Digests

CHUNK_BYTES = 1 << 20
"""Small enough to stay in the cache while three digests read it."""


def digest(content: bytes | memoryview) -> Digests:
    """Return the three digests of ``content``."""
    view = memoryview(content).cast("B")
    return _digest(view[at : at + CHUNK_BYTES] for at in range(0, view.nbytes, CHUNK_BYTES))


def digest_descriptor(descriptor: int, *, size_bytes: int) -> Digests:
    """Return the digests of the first ``size_bytes`` of a file, leaving its offset as it is.

    A file that shrank gives the digests of what is left: the caller watches for change. A file
    that grows is not followed.

    Raises:
        OSError: The file cannot be read.
    """
    return _digest(_chunks(descriptor, size_bytes))


def _chunks(descriptor: int, size_bytes: int) -> Iterator[bytes]:
    at = 0
    while at < size_bytes:
        chunk = os.pread(descriptor, min(CHUNK_BYTES, size_bytes - at), at)
        if not chunk:
            return
        at += len(chunk)
        yield chunk


def _digest(chunks: Iterable[bytes | memoryview]) -> Digests:
    # MD5 and SHA-1 are what lists hold; policy row 1 wants both of them, or SHA-256.
    md5 = hashlib.md5(usedforsecurity=False)
    sha1 = hashlib.sha1(usedforsecurity=False)
    sha256 = hashlib.sha256()
    for chunk in chunks:
        md5.update(chunk)
        sha1.update(chunk)
        sha256.update(chunk)
    return Digests(md5=md5.digest(), sha1=sha1.digest(), sha256=sha256.digest())
