"""The log of a case: records that only grow, each committed to in a tree, under the case's key.

A leaf is the hash of a salt and a record, so that one record can be disclosed without the
others, and a deleted one leaves a leaf that says nothing. ``append`` returns once its records
are on the disk. Leaves are readable without the key: whoever has none can still check that
nothing was changed. ``frames`` holds all of it, ``checkpoint`` the last signed state.
Sources: RFC 6962 (the tree), c2sp.org/tlog-checkpoint (the signed state).
"""

import os
import threading
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Self

from protech.errors import ConfigError, TrustError
from protech.evidence.canonical import canonical_each
from protech.evidence.ciphers import Cipher
from protech.evidence.frames import RECORD_BYTES, SALT_BYTES, leaves_of
from protech.evidence.log_about import About, read_about
from protech.evidence.log_checkpoint import SignedState, parse_state, read_state, sign_state
from protech.evidence.log_disk import cut, extend, open_file, unreadable, unwritten
from protech.evidence.log_records import (
    Logged,
    check_leaves,
    damaged,
    framed,
    log_cipher,
    salted_in,
)
from protech.evidence.log_walk import Damage, Frame, Place, grown, walk
from protech.merkle import Tree
from protech.settings import private_directory, replacing, settle
from protech.signing import Key, write_new

FRAMES = "frames"
CHECKPOINT = "checkpoint"


class Log:
    """The open log of a case: one process appends, others may read while it grows."""

    def __init__(
        self,
        directory: Path,
        descriptor: int,
        about: About,
        *,
        signer: Key | None,
        cipher: Cipher | None,
    ) -> None:
        """Take an open file; ``create`` and ``open`` make logs."""
        self.about = about
        self._directory = directory
        self._descriptor = descriptor
        self._signer = signer
        self._cipher = cipher
        self._tree = Tree()
        self._next = Place()
        self._places: list[Place] = []
        self._roots: dict[int, bytes] = {}
        self._state: SignedState | None = None
        self._is_broken = False
        self._turn = threading.Lock()

    @classmethod
    def create(cls, directory: Path, *, origin: str, signer: Key, data_key: bytes) -> Self:
        """Make an empty log in a directory of its own, and open it for appending.

        Args:
            directory: Of this user alone; made if need be.
            origin: What the log is called in checkpoints, without spaces and plus signs.
            signer: Signs its checkpoints, now and later.
            data_key: The case's 32 bytes.

        Raises:
            ConfigError: There is a log already, or none can be written.
            TrustError: The origin cannot be one, or the directory is open to others.
        """
        about = About.new(origin, signer.public)
        write_new(private_directory(directory) / FRAMES, about.frame)
        settle(directory)
        return cls.open(directory, signer=signer, data_key=data_key)

    @classmethod
    def open(
        cls, directory: Path, *, signer: Key | None = None, data_key: bytes | None = None
    ) -> Self:
        """Open a log after checking every frame, its tree, and its last checkpoint.

        What a kill cut short at its end was never confirmed; whoever appends removes it.

        Args:
            directory: Where ``create`` made it.
            signer: The key of its checkpoints: opens it for appending. None: to read it.
            data_key: The case's 32 bytes; None: its leaves alone can be read.

        Raises:
            SourceError: There is none that can be read.
            ConfigError: It cannot be written, or another process appends to it.
            TrustError: It was changed or cut, and where; or the key is another log's.
        """
        descriptor = open_file(directory / FRAMES, for_writing=signer is not None)
        try:
            about = read_about(descriptor)
            if signer is not None and signer.public != about.key.public:
                raise TrustError(
                    "The log was made with another key than this; name the one that it was made"
                    " with."
                )
            cipher = None if data_key is None else log_cipher(data_key, about.log_id)
            log = cls(directory, descriptor, about, signer=signer, cipher=cipher)
            log.refresh()
            if signer is not None:
                cut(descriptor, log._next.offset)
        except BaseException:
            os.close(descriptor)
            raise
        return log

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let another process append; the log is not used any more."""
        os.close(self._descriptor)

    @property
    def size(self) -> int:
        """How many records it has."""
        return self._tree.size

    @property
    def root(self) -> bytes:
        """The root of the tree over all of them."""
        return self._tree.root

    @property
    def last_checkpoint(self) -> SignedState | None:
        """The last signed state: its note, size, root and time; None before the first."""
        return self._state

    def refresh(self) -> int:
        """Take in what another process has appended since; return how many records there are.

        Raises:
            ConfigError: It cannot be read.
            TrustError: It was changed or cut, and where.
        """
        # Read before the frames, of which it never counts more than were on the disk then.
        state = read_state(self._directory / CHECKPOINT, self.about.key)
        for frame in self._walked(self._next):
            self._tree = grown(self._tree, leaves_of(frame.head, frame.body))
            self._places.append(frame.place)
            self._roots[self.size] = self.root
            self._next = frame.place.after(frame.head)
        if state is not None and state.size > self.size:
            raise TrustError(
                f"The log has {self.size} records, and its last checkpoint counts {state.size}:"
                " it was cut. Put back its copy, and keep this one for an expert."
            )
        if state is not None and self._roots.get(state.size) != state.root:
            raise TrustError(
                f"The first {state.size} records of the log (0 to {state.size - 1}) are not"
                " those that its last checkpoint was signed for: it was changed on purpose. Put"
                " back its copy, and keep this one for an expert."
            )
        self._state = state
        return self.size

    def append(self, records: Sequence[Mapping[str, object]]) -> range:
        """Add records in order; return their indexes once all of them are on the disk.

        Raises:
            ConfigError: They cannot be written: none of them is in the log.
            ValueError: One holds what JSON does not, or is too large; or the log is open for
                reading alone.
        """
        if self._signer is None or self._cipher is None:
            raise ValueError("a log is appended to with its signing key and the case's key")
        contents = canonical_each(records)
        if max(map(len, contents), default=0) > RECORD_BYTES:
            raise ValueError(f"a record is larger than {RECORD_BYTES} bytes")
        with self._turn:
            return self._append(contents, self._cipher)

    def _append(self, contents: Sequence[bytes], cipher: Cipher) -> range:
        if self._is_broken:
            raise ConfigError(
                "The log could not be written before, and what the disk holds of it is not"
                " known; mend the disk, and open the log again."
            )
        frames = list(framed(contents, self._next, log_id=self.about.log_id, cipher=cipher))
        try:
            if frames:
                content = b"".join(frame.content for frame in frames)
                extend(self._descriptor, content, at=self._next.offset)
        except OSError as refused:
            self._is_broken = True
            raise unwritten(refused) from refused
        start = self.size
        for frame in frames:
            self._tree = grown(self._tree, frame.leaves)
            self._places.append(frame.place)
            self._next = frame.after
        self._roots[self.size] = self.root
        return range(start, self.size)

    def checkpoint(self, now: datetime) -> bytes:
        """Sign what the log holds now; return the note, which is on the disk then.

        Args:
            now: The time, which the note says; it cannot be before the last one's.

        Raises:
            ConfigError: It cannot be written, or the clock went back.
            ValueError: The log is open for reading alone.
        """
        if self._signer is None:
            raise ValueError("a checkpoint is signed with the log's key")
        with self._turn:
            if self._state is not None and now < self._state.at:
                raise ConfigError(
                    "The clock says an earlier time than the log's last checkpoint; set it"
                    " right, and have a time service keep it."
                )
            state = sign_state(self.about.key, self.size, self.root, now, self._signer)
            with replacing(self._directory / CHECKPOINT) as file:
                file.write(state.note)
            settle(self._directory)
            self._state = state
        return state.note

    def read(self, start: int = 0) -> Iterator[Logged]:
        """Yield the records from an index on, to the last one that is there in the end.

        Raises:
            ConfigError: It cannot be read.
            TrustError: It was changed, or is under another key; says where.
            ValueError: It was opened without the case's key.
        """
        if self._cipher is None:
            raise ValueError("records are read with the case's key")
        known = bisect_right(self._places, start, key=lambda place: place.first) - 1
        for frame in self._walked(self._places[max(known, 0)]):
            first = max(start, frame.head.first)
            if first < frame.head.end:
                salted = salted_in(frame, self._cipher)
                some = islice(salted, first - frame.head.first, None)
                for index, one in enumerate(some, start=first):
                    yield Logged(index=index, salt=one[:SALT_BYTES], content=one[SALT_BYTES:])

    def check(self) -> int:
        """Return how many records there are, after each was found to be what its leaf says.

        Raises:
            ConfigError: It cannot be read.
            TrustError: It was changed, or is under another key; says where.
            ValueError: It was opened without the case's key.
        """
        if self._cipher is None:
            raise ValueError("records are read with the case's key")
        count = 0
        for frame in self._walked(Place()):
            check_leaves(frame, self._cipher)
            count += frame.head.count
        return count

    def state_of(self, note: bytes) -> SignedState:
        """Return what a checkpoint of this log says.

        Raises:
            TrustError: It is none of this log, or was changed.
        """
        return parse_state(note, self.about.key)

    def leaves(self) -> Iterator[bytes]:
        """Yield the leaf hashes of all records; the case's key is not needed.

        Raises:
            ConfigError: It cannot be read.
            TrustError: It was changed; says where.
        """
        for frame in self._walked(Place()):
            yield from leaves_of(frame.head, frame.body)

    def _walked(self, start: Place) -> Iterator[Frame]:
        try:
            for found in walk(self._descriptor, start, log_id=self.about.log_id):
                if isinstance(found, Damage):
                    raise damaged([found])
                yield found
        except OSError as refused:
            raise unreadable(refused) from refused
