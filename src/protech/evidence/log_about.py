"""What a log says of itself in its first frame: which one it is, and whose key signs for it."""

import json
import os
from dataclasses import dataclass, field

from protech.errors import TrustError
from protech.evidence.canonical import canonical
from protech.evidence.frames import (
    ABOUT,
    HEAD_BYTES,
    LOG_ID_BYTES,
    NoFrame,
    about_frame,
    check_body,
    parse_head,
)
from protech.evidence.log_disk import unreadable
from protech.lists.checkpoint import log_key
from protech.lists.note import NoteKey, parse_key

FORMAT_VERSION = 1

ABOUT_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """A log: its random id, its origin, and the key of its checkpoints."""

    log_id: bytes = field(repr=False)
    key: NoteKey = field(repr=False)

    @classmethod
    def new(cls, origin: str, public: bytes) -> "About":
        """Return a new log's.

        Raises:
            TrustError: The origin cannot be one.
        """
        return cls(log_id=os.urandom(LOG_ID_BYTES), key=log_key(origin, public))

    @property
    def frame(self) -> bytes:
        """The first frame of the log."""
        return about_frame(self.log_id, canonical({"key": self.key.text, "v": FORMAT_VERSION}))


def read_about(descriptor: int) -> About:
    """Return what the first frame of a log's file says.

    Raises:
        ConfigError: It cannot be read.
        TrustError: It was changed, or is no log, or of another version.
    """
    try:
        head = parse_head(os.pread(descriptor, HEAD_BYTES, 0))
        rest_bytes = min(head.frame_bytes - HEAD_BYTES, ABOUT_BYTES)
        body = check_body(head, os.pread(descriptor, rest_bytes, HEAD_BYTES))
        fields = json.loads(body)
        if head.kind != ABOUT or fields["v"] != FORMAT_VERSION:
            raise NoFrame("it is no first frame of this version")
        return About(log_id=head.log_id, key=parse_key(str(fields["key"])))
    except OSError as refused:
        raise unreadable(refused) from refused
    except (NoFrame, ValueError, KeyError, TypeError, RecursionError):
        raise TrustError(
            "The log's first frame was changed, or the file is no log of this version (frame 0,"
            " no records). Put back its copy, and keep what was found for an expert."
        ) from None
