"""Which build this is: its commit, and the digest of the code that speaks and judges."""

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

import protech

UNKNOWN = "unknown"
"""An installed package holds no commit; its version names the release."""


JUDGING = (
    "evidence/events.py",
    "evidence/transcript.py",
    "lists/fetch_key.py",
    "locate/adapter.py",
    "locate/bittorrent/*.py",
    "locate/buffers.py",
    "locate/connections.py",
    "locate/door.py",
    "locate/identify.py",
    "locate/links.py",
    "locate/loss.py",
    "locate/rc4.py",
)
"""What error rates depend on: with the same code they are the same, whatever else changed.

They were measured on BitTorrent, and say nothing of other networks.
"""


@cache
def code_of_build() -> str:
    """Return the SHA-256 of that code, in hex: by it a report knows what was measured of it."""
    digest = sha256()
    for path in _judging(Path(protech.__file__).parent):
        digest.update(sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _judging(package: Path) -> Iterator[Path]:
    for pattern in JUDGING:
        found = sorted(package.glob(pattern))
        if not found:
            raise LookupError(f"no module is {pattern}")
        yield from found


def commit_of_build(folder: Path | None = None) -> str:
    """Return the commit of the checkout around a folder: the package's own, if None."""
    start = Path(protech.__file__).parent if folder is None else folder
    for place in start.parents:
        git = place / ".git"
        if git.is_dir():
            return _head(git)
    return UNKNOWN


def _head(git: Path) -> str:
    try:
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        if (git / name).exists():
            return (git / name).read_text().strip()
        packed = (git / "packed-refs").read_text().splitlines()
        return next(line.split()[0] for line in packed if line.endswith(f" {name}"))
    except (OSError, UnicodeDecodeError, StopIteration):
        return UNKNOWN
