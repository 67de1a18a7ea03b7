"""The seals of an index's parts: what is cut, added to or changed is found before it is used.

Each block of 16 KiB of each part has a seal of 64 bits: the sum, modulo 2^64, of its 32-bit
little-endian characters, each times a key of its own. The keys are odd numbers drawn at random
for each index; the manifest holds the seed they are expanded from (SHAKE-256), every part's
size, and the SHA-256 of all seals; its own SHA-256 stands before it. Every byte is checked on
opening.

What that promises: a change inside one character, a flipped bit for one, is always found, since
an odd key times a difference is never zero modulo 2^64. Any other change in a block passes with
a probability of at most 2^-32, whatever it is, provided it does not depend on the keys: two
sums are equal for at most 2^31 of the 2^63 values of any one key whose character differs.
(Multilinear hashing: Lemire, Kaser, "Strongly Universal String Hashing is Fast", 2014.)
Whoever changes an index on purpose could make its manifest anew, as with plain SHA-256; against
this stand the modes of its files, 0600 in a directory of 0700. Seals are used because they are
checked as fast as memory is read, where SHA-256 of 10 million hashes takes a second.
"""

import hashlib
import json
import os
from collections.abc import Buffer, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protech.errors import ListFormatError
from protech.lists import kernel
from protech.lists.kernel import BLOCK_BYTES
from protech.lists.parts import File, mapped

FORMAT_VERSION = 2

MANIFEST = "manifest"
SEALS = "seals"

SEED_BYTES = 32

PIECE_BYTES = 8 << 20
"""What one thread checks at a time; an index smaller than that is checked in this thread."""

THREADS = 8
"""More than a small machine has processors: one that waits for the disk holds up no other."""

Words = NDArray[np.uint64]


def keys_of(seed: bytes) -> Words:
    """Return the odd keys that ``seed`` stands for, one for each character of a block."""
    count = BLOCK_BYTES // 4
    drawn = np.frombuffer(hashlib.shake_256(seed).digest(8 * count), "<u8")
    return drawn | np.uint64(1)


class Part:
    """One part while it is written: every block is sealed on its way."""

    def __init__(self, file: File, keys: Words) -> None:
        """Take a new file."""
        self._file, self._keys = file, keys
        self._rest = bytearray()
        self._seals: list[Words] = []
        self.size_bytes = 0

    def write(self, content: Buffer) -> None:
        """Append ``content``."""
        view = memoryview(content)
        if not view.nbytes:  # a shape with a zero cannot be cast
            return
        view = view.cast("B")
        self._file.write(view)
        self.size_bytes += len(view)
        missing = -len(self._rest) % BLOCK_BYTES
        self._rest += view[:missing]
        if len(self._rest) == BLOCK_BYTES:
            self._seal(self._rest)
            self._rest = bytearray()
        view = view[missing:]
        whole = len(view) // BLOCK_BYTES * BLOCK_BYTES
        self._seal(view[:whole])
        self._rest += view[whole:]

    def view(self) -> NDArray[np.uint8]:
        """Return the whole part; nothing is written to it any more."""
        return self._file.view()

    def finish(self) -> Words:
        """Return the seals of all blocks."""
        self._file.close()
        self._seal(self._rest)
        return np.concatenate(self._seals)

    def _seal(self, content: Buffer) -> None:
        self._seals.append(kernel.seals(content, self._keys))


class Sealing:
    """The parts of an index while it is written; ``finish`` adds seals and manifest."""

    def __init__(self, make: Callable[[str], File]) -> None:
        """Take what makes a new file of a name."""
        self._make = make
        self._seed = os.urandom(SEED_BYTES)
        self._keys = keys_of(self._seed)
        self._parts: dict[str, Part] = {}

    def part(self, name: str) -> Part:
        """Return a new part."""
        self._parts[name] = Part(self._make(name), self._keys)
        return self._parts[name]

    def finish(self, about: Mapping[str, object], *, entries: int) -> None:
        """Write what is said of the parts, for JSON."""
        seals = np.concatenate([part.finish() for part in self._parts.values()])
        self._write(SEALS, seals)
        body = {
            "v": FORMAT_VERSION,
            "entries": entries,
            "seed": self._seed.hex(),
            "seals": hashlib.sha256(seals).hexdigest(),
            "parts": {name: part.size_bytes for name, part in self._parts.items()},
            "about": about,
        }
        content = json.dumps(body).encode()
        self._write(MANIFEST, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)

    def _write(self, name: str, content: Buffer) -> None:
        file = self._make(name)
        file.write(content)
        file.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """An index whose every byte was checked: its parts, and what its maker says of it."""

    parts: Mapping[str, NDArray[np.uint8]] = field(repr=False)
    entries: int
    about: Mapping[str, Any]


def open_sealed(directory: Path) -> Sealed:
    """Map the parts in ``directory`` after checking every byte of them.

    Raises:
        ListFormatError: A part is missing, cut or changed.
    """
    try:
        manifest = _manifest((directory / MANIFEST).read_bytes())
        with ExitStack() as stack:
            files = {
                name: _opened(stack, directory / name) for name in (SEALS, *manifest["parts"])
            }
            parts = {name: mapped(descriptor) for name, descriptor in files.items()}
            checks = {
                name: partial(kernel.file_seals, descriptor, manifest["keys"])
                for name, descriptor in files.items()
            }
            return _checked(manifest, parts, checks)
    except OSError as missing:
        raise damaged("a file of it is missing or cannot be read") from missing


def sealed_of(contents: Mapping[str, Buffer]) -> Sealed:
    """Return the parts in ``contents``, by name as files would be, after checking every byte.

    Raises:
        ListFormatError: A part is missing, cut or changed.
    """
    try:
        manifest = _manifest(bytes(contents[MANIFEST]))
        parts = {
            name: np.frombuffer(contents[name], np.uint8)
            for name in (SEALS, *manifest["parts"])
        }
    except KeyError as missing:
        raise damaged("a part of it is missing") from missing
    keys = manifest["keys"]
    checks = {name: partial(_content_seals, part, keys) for name, part in parts.items()}
    return _checked(manifest, parts, checks)


def _content_seals(content: NDArray[np.uint8], keys: Words, *, at: int, size: int) -> Words:
    return kernel.seals(content[at : at + size], keys)


def _opened(stack: ExitStack, path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    stack.callback(os.close, descriptor)
    return descriptor


def _manifest(content: bytes) -> dict[str, Any]:
    seal, _, body = content.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != seal:
        raise damaged("its manifest was cut or changed")
    manifest: dict[str, Any] = json.loads(body)
    if manifest["v"] != FORMAT_VERSION:
        raise damaged("it is of another version of Protech")
    manifest["keys"] = keys_of(bytes.fromhex(manifest["seed"]))
    return manifest


def _checked(
    manifest: Mapping[str, Any],
    parts: dict[str, NDArray[np.uint8]],
    checks: Mapping[str, Callable[..., Words]],
) -> Sealed:
    sizes = manifest["parts"]
    seals = parts.pop(SEALS)
    is_whole = hashlib.sha256(seals).hexdigest() == manifest["seals"]
    if not is_whole or any(len(parts[name]) != size for name, size in sizes.items()):
        raise damaged("a part of it was cut or changed")
    pieces = list(_pieces(sizes, checks, seals.view("<u8")))
    if sum(sizes.values()) <= PIECE_BYTES:
        is_whole = all(piece() for piece in pieces)
    else:
        with ThreadPoolExecutor(THREADS) as pool:
            is_whole = all(pool.map(lambda piece: piece(), pieces))
    if not is_whole:
        raise damaged("a part of it was cut or changed")
    return Sealed(parts=parts, entries=manifest["entries"], about=manifest["about"])


def _pieces(
    sizes: Mapping[str, int], checks: Mapping[str, Callable[..., Words]], seals: Words
) -> Iterator[Callable[[], bool]]:
    """Yield checks of one piece of a part each; the seals are those of the parts in order."""
    first = 0
    for name, size in sizes.items():
        for at in range(0, size, PIECE_BYTES):
            piece = min(PIECE_BYTES, size - at)
            count = -(-piece // BLOCK_BYTES)
            wanted = seals[first : first + count]
            yield partial(_is_sealed, checks[name], at, piece, wanted)
            first += count


def _is_sealed(check: Callable[..., Words], at: int, size: int, wanted: Words) -> bool:
    return bool(np.array_equal(check(at=at, size=size), wanted))


def damaged(why: str) -> ListFormatError:
    """Return the error that an index cannot be used."""
    return ListFormatError(
        f"The index of a known list cannot be used: {why}. Delete its directory; it is made"
        " again from the list."
    )
