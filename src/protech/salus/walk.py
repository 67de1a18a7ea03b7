"""Every file below the paths that a person names, in an order that is always the same.

Nothing is written, no link is followed, no pipe or device is opened. What cannot be read is an
item with its reason; the walk goes on.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from protech.errors import SourceError
from protech.types import Kind, Media, Unscannable

OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
"""What was a file when it was listed may be a pipe or a link by now; neither may be waited at
or followed."""

Inode = tuple[int, int]
"""Device and inode number."""

_IMAGES = """
    apng avif bmp dib gif heic heif ico j2k jfif jp2 jpe jpeg jpg jxl pjpeg png psd tif tiff
    webp
"""
_VIDEOS = """
    3g2 3gp asf avi divx f4v flv m2ts m4v mkv mov mp4 mpeg mpg mts ogm ogv rm rmvb vob webm wmv
"""
_CLAIMS = {
    **dict.fromkeys(_IMAGES.split(), Kind.IMAGE),
    **dict.fromkeys(_VIDEOS.split(), Kind.VIDEO),
}
"""What a name says of an item. It chooses no decoder; it makes what is unknown unscannable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file, or a place that cannot be read and why."""

    path: Path = field(repr=False)
    unscannable: Unscannable | None = None

    @property
    def claims(self) -> Kind | None:
        """Return what the name says that the item is."""
        return _CLAIMS.get(self.path.suffix[1:].lower())


def walk(
    path: str | os.PathLike[str], *, leave_out: frozenset[Inode] = frozenset()
) -> Iterator[Found]:
    """Return the files at ``path`` and below, in the order of their names' bytes.

    The path that is named may be a link; links below it are passed over, for they lead to what
    was not named, or back. So are pipes, sockets and devices.

    Args:
        path: A file or a directory.
        leave_out: Files to pass over, such as the one that the results go to.

    Raises:
        SourceError: At once, if the path does not exist, or is neither file nor directory.
    """
    place = Path(path)
    try:
        state = place.stat()
    except OSError as missing:
        raise SourceError(
            f"{shown(place)} cannot be looked at: {missing.strerror}; check the path."
        ) from missing
    if stat.S_ISDIR(state.st_mode):
        return _below(place, _inode(state), leave_out)
    if not stat.S_ISREG(state.st_mode):
        raise SourceError(
            f"{shown(place)} is neither a file nor a directory; name one of these."
        )
    if _inode(state) in leave_out:
        return iter(())
    return iter([Found(path=place.resolve() if place.is_symlink() else place)])


def shown(path: str | os.PathLike[str]) -> str:
    """Return a path as it can be shown on one line: U+FFFD for what is no character to see."""
    text = os.fsencode(path).decode(errors="replace")
    return "".join(mark if mark.isprintable() else "\N{REPLACEMENT CHARACTER}" for mark in text)


def _below(top: Path, inode: Inode, leave_out: frozenset[Inode]) -> Iterator[Found]:
    entered = [inode]
    waiting = [_listed(top)]
    while waiting:
        entry = next(waiting[-1], None)
        if entry is None:
            waiting.pop()
            entered.pop()
        elif isinstance(entry, Found):
            yield entry
        elif stat.S_ISDIR(entry[1].st_mode):
            # A directory inside itself can be mounted, and a broken disk may have one.
            if _inode(entry[1]) not in entered:
                entered.append(_inode(entry[1]))
                waiting.append(_listed(entry[0]))
        elif stat.S_ISREG(entry[1].st_mode) and _inode(entry[1]) not in leave_out:
            yield Found(path=entry[0])


def _listed(directory: Path) -> Iterator[Found | tuple[Path, os.stat_result]]:
    """Yield what a directory holds, links and all, by name; itself where it cannot be read."""
    names: list[str] = []
    try:
        with os.scandir(directory) as entries:
            names.extend(entry.name for entry in entries)
    except OSError:
        yield Found(path=directory, unscannable=Unscannable.UNREADABLE)
    for name in sorted(names, key=os.fsencode):
        place = directory / name
        try:
            yield place, place.lstat()
        except OSError:
            yield Found(path=place, unscannable=Unscannable.UNREADABLE)


def _inode(state: os.stat_result) -> Inode:
    return state.st_dev, state.st_ino


@contextmanager
def opened(found: Found) -> Iterator[Media]:
    """Give a file as Media for the length of the ``with``.

    Raises:
        OSError: It cannot be opened, or is no longer a file.
    """
    descriptor = os.open(found.path, OPEN_FLAGS)
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise OSError("no longer a file")
        yield Media(descriptor=descriptor, size_bytes=state.st_size, claims=found.claims)
    finally:
        os.close(descriptor)
