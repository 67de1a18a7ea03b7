"""Which build this is: the commit of the checkout that it runs from."""

from pathlib import Path

import protech

UNKNOWN = "unknown"
"""An installed package holds no commit; its version names the release."""


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
