"""Lists as Project VIC has them, made of random digests."""

import base64
import json
import random
from pathlib import Path

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


def write(path: Path, count: int, *, seed: int = 1, distinct: int = 20_000) -> Path:
    """Write a list of ``count`` media, of which ``distinct`` are, to a file."""
    draw = random.Random(seed)
    texts = [
        json.dumps(media(i, draw=draw), separators=(",", ":"))
        for i in range(min(count, distinct))
    ]
    rounds, rest = divmod(count, len(texts) or 1)
    with path.open("w") as file:
        file.write(f'{{"@odata.context":{json.dumps(CONTEXT)},"value":[')
        parts = [",".join(texts)] * rounds + ([",".join(texts[:rest])] if rest else [])
        for i, part in enumerate(parts):
            file.write("," if i else "")
            file.write(part)
        file.write("]}")
    return path
