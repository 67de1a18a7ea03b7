"""What the origin sent, as SHA-256 by address, to compare with what a page received."""

import hashlib
from itertools import chain

from tests.e2e.matrix.deliveries import SCRIPTED, UNJUDGEABLE
from tests.e2e.matrix.pages import document
from tests.e2e.matrix.pictures import Picture
from tests.e2e.matrix.transports import CODINGS, TRANSPORTS, Wanted

DOCUMENTS = ("/wall.js", "/worker.js", "/keep.js")
PAGES = ("/p/wall", "/p/strict", "/p/integrity", "/wall.css", "/inline.js")
CODED = frozenset({*CODINGS, "twice"})
NOT_WHOLE = frozenset(
    {
        "insistent",
        "disguised",
        "mixed",
        "server-sent",
        "hesitant",
        "moved",
        "cut-off",
        "json",
        "numbered",
    }
)
"""In parts, elsewhere, or sent in several styles."""
JSON_STYLES = ("data", "slash", "unicode", "bare", "bare-slash", "urlsafe")

Group = dict[str, Picture]


def sent(name: str, group: Group) -> dict[str, str]:
    """Return the digest of every address of the site that concerns one set of pictures."""
    addresses = [*DOCUMENTS, *(f"{path}?set={name}" for path in PAGES)]
    addresses += [f"{kind}/{name}/{copy}" for kind in ("/svg", "/svgz") for copy in group]
    sums = {}
    for address in addresses:
        path, _, query = address.partition("?")
        made = document({name: group}, path, {"set": query.removeprefix("set=") or name})
        assert made is not None, address
        sums[address] = digest(made[1])
    for copy, picture in group.items():
        for transport in TRANSPORTS.keys() - NOT_WHOLE:
            sums[f"/m/{transport}/{name}/{copy}?sum"] = digest(_body(transport, picture, {}))
        for style in JSON_STYLES:
            address = f"/m/json/{name}/{copy}?sum&style={style}"
            sums[address] = digest(_body("json", picture, {"style": style}))
    return sums


def received(group: Group) -> dict[str, str]:
    """Return the digests that the scripted deliveries of the wall should report."""
    return {
        f"{delivery}/{copy}": digest(picture.content)
        for delivery in SCRIPTED
        if delivery not in UNJUDGEABLE
        for copy, picture in group.items()
    }


def digest(content: bytes) -> str:
    """Return the SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _body(transport: str, picture: Picture, query: dict[str, str]) -> bytes:
    if transport in CODED:
        return picture.content
    wanted = Wanted(picture=picture, headers={}, query=query)
    return bytes(chain.from_iterable(TRANSPORTS[transport](wanted).pieces))
