"""The papers of a case in a folder: authorisation, timestamp, and the proof requests.

``authorisation.json``, ``timestamp.json`` and ``requests/*.json``. Anybody may put them there:
they count by their signatures alone.
"""

import errno
import os
import stat
from pathlib import Path

from protech.errors import AuthorityError
from protech.locate.documents import (
    FILE_BYTES,
    read_authorisation,
    read_request,
    read_timestamp,
)
from protech.locate.papers import Anchors, Authorisation, Paper, ProofRequest, Timestamp

AUTHORISATION = "authorisation.json"
TIMESTAMP = "timestamp.json"
REQUESTS = "requests"

REQUEST_FILES = 1000

FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def authorisation_in(folder: Path, anchors: Anchors) -> Paper[Authorisation]:
    """Return the authorisation in a folder.

    Raises:
        AuthorityError: There is none, or too few have signed it.
        TrustError: It does not hold together, or a signature does not hold.
    """
    return read_authorisation(content_of(folder / AUTHORISATION), anchors)


def timestamp_in(folder: Path, anchors: Anchors) -> Paper[Timestamp]:
    """Return the timestamp in a folder.

    Raises:
        AuthorityError: There is none, or too few have signed it.
        TrustError: It does not hold together, or a signature does not hold.
    """
    return read_timestamp(content_of(folder / TIMESTAMP), anchors)


def requests_in(folder: Path) -> tuple[Paper[ProofRequest], ...]:
    """Return the proof requests in a folder, by the names of their files.

    Raises:
        AuthorityError: One cannot be read, or they are too many.
        TrustError: One does not hold together, or a signature does not hold.
    """
    return tuple(read_request(content_of(path)) for path in request_files(folder))


def request_files(folder: Path) -> list[Path]:
    """Return where the proof requests in a folder stand, by their names.

    Raises:
        AuthorityError: They are too many.
    """
    place = folder / REQUESTS
    found = sorted(place.glob("*.json"))
    if len(found) > REQUEST_FILES:
        raise AuthorityError(
            f"There are more than {REQUEST_FILES} proof requests in {place}; move those away"
            " that have ended."
        )
    return found


def content_of(path: Path) -> bytes:
    """Return a paper's file, whoever it is of; what is no file is not waited for.

    Raises:
        AuthorityError: There is none, or it cannot be read.
    """
    try:
        # A run reads its papers again and again: a pipe that nobody writes to must not stop it.
        descriptor = os.open(path, FLAGS)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "it is no file")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(FILE_BYTES + 1)
        finally:
            os.close(descriptor)
    except OSError as refused:
        raise AuthorityError(
            f"The paper {path} cannot be read: {refused.strerror}. Put it there as its makers"
            " signed it; nothing is sent without it."
        ) from refused
