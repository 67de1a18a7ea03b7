"""Lists as Project VIC has them, made of random digests."""

import base64
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

CONTEXT = (
    "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/Default/$metadata#Media"
)


def media(i: int, *, draw: random.Random) -> dict[str, object]:
    """Return one of the media of a list, with what real ones have beside digests."""
    fields: dict[str, object] = {
        "MediaID": i,
        "Category": i % 4,
        "MD5": draw.randbytes(16).hex().upper(),
        "SHA1": draw.randbytes(20).hex().upper(),
        "MediaSize": draw.randrange(10**7),
        "DateUpdated": "2023-06-07T02:31:49.8300Z",
        "IsPrecategorized": "true",
        "VictimIdentified": ("true", "false")[i % 2],
        "OffenderIdentified": "false",
        "IsDistributed": "true",
        "Series": "",
        "Tags": "",
    }
    if i % 2:
        fields["PhotoDNA"] = base64.b64encode(draw.randbytes(144)).decode()
    if i % 10 == 0:
        fields["AlternativeHashes"] = [
            {"HashName": "PDQ", "HashValue": draw.randbytes(32).hex()},
            {"HashName": "SHA256", "HashValue": draw.randbytes(32).hex()},
        ]
    return fields


def pieces(count: int, *, seed: int = 1) -> Iterator[bytes]:
    """Yield the bytes of a list of ``count`` media, piece by piece."""
    draw = random.Random(seed)
    yield b'{"@odata.context":%s,"value":[' % json.dumps(CONTEXT).encode()
    for i in range(count):
        text = json.dumps(media(i, draw=draw), separators=(",", ":"))
        yield (("," if i else "") + text).encode()
    yield b"]}"


def write(path: Path, count: int, *, seed: int = 1) -> Path:
    """Write such a list to a file."""
    with path.open("wb") as file:
        write_to(file, count, seed=seed)
    return path


def write_to(file: BinaryIO, count: int, *, seed: int = 1) -> None:
    """Write such a list to an open file."""
    file.writelines(pieces(count, seed=seed))
