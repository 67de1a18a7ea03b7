"""Databases as NSRL publishes them, with random digests, for the tests of their reader."""

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

Digests = tuple[str, str, str]

MINIMAL = """
CREATE TABLE FILE (
    sha256 VARCHAR NOT NULL, sha1 VARCHAR NOT NULL, md5 VARCHAR NOT NULL,
    file_name VARCHAR NOT NULL, file_size INTEGER NOT NULL, package_id INTEGER NOT NULL,
    CONSTRAINT PK_FILE PRIMARY KEY (sha256, sha1, md5, file_name, file_size, package_id)
);
CREATE VIEW DISTINCT_HASH AS SELECT DISTINCT sha256, sha1, md5 FROM FILE;
"""

FULL = """
CREATE TABLE PACKAGE_OBJECT (
    package_object_id INTEGER UNIQUE NOT NULL, package_id INTEGER NOT NULL,
    object_id INTEGER UNIQUE NOT NULL
);
CREATE TABLE METADATA (
    metadata_id NUMERIC UNIQUE NOT NULL, object_id INTEGER, key_hash VARCHAR NOT NULL,
    file_name VARCHAR NOT NULL, extension VARCHAR DEFAULT '' NOT NULL, bytes INTEGER NOT NULL,
    update_date TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL, crc32 VARCHAR NOT NULL,
    md5 VARCHAR NOT NULL, sha1 VARCHAR NOT NULL, sha256 VARCHAR NOT NULL,
    CONSTRAINT PK_METADATA__METADATA_ID PRIMARY KEY (metadata_id)
);
CREATE VIEW FILE AS
    SELECT UPPER(md.sha256) AS sha256, UPPER(md.sha1) AS sha1, UPPER(md.md5) AS md5,
        md.file_name AS file_name, md.bytes AS file_size, po.package_id
    FROM METADATA AS md, PACKAGE_OBJECT AS po WHERE md.object_id = po.object_id;
"""


def digests(count: int, *, seed: int = 0) -> list[Digests]:
    """Return so many triples of SHA-256, SHA-1 and MD5, upper case."""
    source = random.Random(seed)
    widths = (32, 20, 16)
    return [
        (
            source.randbytes(widths[0]).hex().upper(),
            source.randbytes(widths[1]).hex().upper(),
            source.randbytes(widths[2]).hex().upper(),
        )
        for _ in range(count)
    ]


def minimal(path: Path, rows: Sequence[Sequence[object]]) -> None:
    """Write a minimal set, each file of it in two packages."""
    twice = [(*row, "a name", 1, package) for package in (1, 2) for row in rows]
    script(path, MINIMAL, "INSERT INTO FILE VALUES (?, ?, ?, ?, ?, ?)", twice)


def full(path: Path, rows: Sequence[Sequence[object]]) -> None:
    """Write a full set, each file of it twice in a row."""
    twice = [(2 * at + i, *row) for at, row in enumerate(rows) for i in (0, 1)]
    insert = (
        "INSERT INTO METADATA (metadata_id, key_hash, file_name, bytes, crc32,"
        " sha256, sha1, md5) VALUES (?, '', 'a name', 1, '', ?, ?, ?)"
    )
    script(path, FULL, insert, twice)


def script(
    path: Path, schema: str, insert: str = "", rows: Sequence[Sequence[object]] = ()
) -> None:
    """Write a database of any schema."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(schema)
        if insert:
            connection.executemany(insert, rows)
