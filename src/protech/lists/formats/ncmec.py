"""NCMEC hash sharing, version 2: the XML that its service answers with.

Source: the client of the package threatexchange (exchanges/clients/ncmec/hash_api.py), which
names https://report.cybertip.org/hashsharing/v2/documentation.pdf.
"""

from collections.abc import Iterator, Mapping
from typing import BinaryIO
from xml.parsers import expat

from protech.errors import ListFormatError
from protech.lists.entries import BadEntry, Entry
from protech.lists.formats.lines import HEAD_BYTES, UTF8_MARK, refuse_fetch_keys
from protech.lists.formats.values import BadValue, entry_of

ROOT = "queryResult"
GROUPS = ("images", "videos")
ITEMS = ("image", "video")
DELETED = "deleted"

IDENTIFIERS = {
    "md5": "md5",
    "sha1": "sha1",
    "sha256": "sha256",
    "pdq": "pdq",
    "pdna": "photodna",
}
"""Names of fingerprints that are identifiers here; the others are carried as text."""

CHUNK_BYTES = 64 * 1024
DEPTH = 32
NAMES = 1024
"""Different names of elements, attributes and prefixes; expat keeps each one."""
TOKEN_BYTES = 1024 * 1024
"""The longest tag, comment or attribute, which expat holds whole."""
TEXT_CHARACTERS = 4096
"""The longest text that is carried; the longest identifier, PhotoDNA, has 576 characters."""
FINGERPRINTS = 64


def matches(head: bytes) -> bool:
    """Return whether the first bytes are of an answer of the hash sharing service."""
    start = head[:HEAD_BYTES].removeprefix(UTF8_MARK).lstrip()
    return start.startswith(b"<") and ROOT.encode() in start


def read(file: BinaryIO) -> Iterator[Entry | BadEntry]:
    """Yield what each image and video of an answer is; their places are counted from 1.

    The pages of one question may follow each other in one file. What its member has deleted is
    a bad entry that says so. Memory does not grow with the file.

    Raises:
        ListFormatError: It is no such XML, is cut, or has a document type (which nothing needs
            but attacks by entities).
    """
    answer = _Answer()
    page = _Page(answer)
    while chunk := file.read(CHUNK_BYTES):
        if page.fed == 0 and answer.is_new:
            refuse_fetch_keys(chunk)
        while chunk := page.feed(chunk):
            page = _Page(answer)
        yield from answer.taken()
    page.end()
    yield from answer.taken()


class _Page:
    """One XML document on its way through expat."""

    def __init__(self, answer: "_Answer") -> None:
        self._answer = answer
        self._answer.is_whole = False  # else it could begin anew at the same byte for ever
        self._parser = _parser(answer)
        self._earlier = b""
        self.fed = 0

    def feed(self, chunk: bytes) -> bytes:
        """Take in a piece; return what of it is the begin of another document.

        Raises:
            ListFormatError: It is no part of such a document.
        """
        start = self.fed - len(self._earlier)
        self.fed += len(chunk)
        try:
            self._parser.Parse(chunk, False)  # noqa: FBT003 - expat takes no keywords
        except expat.ExpatError as wrong:
            at = self._parser.ErrorByteIndex - start
            rest = (self._earlier + chunk)[at:].removeprefix(UTF8_MARK)
            if not self._answer.is_whole or at < 0 or not rest.startswith(b"<"):
                raise _broken("it is no whole XML document") from wrong
            return rest
        except ValueError as wrong:
            raise _broken("it is no UTF-8") from wrong
        if self.fed - max(self._parser.CurrentByteIndex, 0) > TOKEN_BYTES:
            raise _broken("one of its tags is too long")
        self._earlier = chunk
        return b""

    def end(self) -> None:
        """Say that nothing follows.

        Raises:
            ListFormatError: Something should.
        """
        try:
            self._parser.Parse(b"", True)  # noqa: FBT003 - as above
        except expat.ExpatError as wrong:
            raise _broken("it is no whole XML document") from wrong


def _parser(answer: "_Answer") -> expat.XMLParserType:
    # UTF-8 whatever it declares: another encoding would be looked for on the disk.
    # No dictionary of names: a hostile file has as many as it likes.
    parser = expat.ParserCreate("utf-8", " ", None)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.StartNamespaceDeclHandler = answer.prefix
    parser.StartElementHandler = answer.start
    parser.EndElementHandler = answer.end
    parser.CharacterDataHandler = answer.text
    return parser


def _refuse_document_type(*_: object) -> None:
    raise _broken("it has a document type")


def _broken(why: str) -> ListFormatError:
    return ListFormatError(
        f"The list is no answer of NCMEC's hash sharing service: {why}. Get it again."
    )


class _Item:
    """An image or video while its elements are read."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.held: dict[str, list[str]] = {}
        self.about: dict[str, str] = {}
        self.carried: dict[str, str] = {}
        self.votes: dict[str, list[int]] = {}


class _Answer:
    """What expat's events make of an answer."""

    def __init__(self) -> None:
        self.is_new = True
        self.is_whole = False
        self._path: list[str] = []
        self._names: set[str] = set()
        self._item: _Item | None = None
        self._sentiment: tuple[str, int] | None = None
        self._text: list[str] = []
        self._length = 0
        self._place = 0
        self._out: list[Entry | BadEntry] = []

    def taken(self) -> list[Entry | BadEntry]:
        out, self._out = self._out, []
        return out

    def prefix(self, prefix: str | None, _: str) -> None:
        self._known(prefix or "")

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        for one in (name, *attributes):
            self._known(one)
        name = name.rpartition(" ")[2]
        if len(self._path) == DEPTH:
            raise _broken("its elements stand in each other too deep")
        self._path.append(name)
        self._text.clear()
        self._length = 0
        self.is_new = self.is_whole = False
        if len(self._path) == 1 and name != ROOT:
            raise _broken(f"it does not begin with {ROOT}")
        if len(self._path) == 3 and self._path[1] in GROUPS:
            self._place += 1
            self._item = _Item(name)
        elif self._item is not None:
            self._inside(self._item, name, attributes)

    def text(self, text: str) -> None:
        if self._item is not None and self._length <= TEXT_CHARACTERS:
            self._text.append(text[: TEXT_CHARACTERS + 1])
            self._length += len(text)

    def end(self, _: str) -> None:
        name = self._path.pop()
        self.is_whole = not self._path
        if self._item is None:
            return
        if len(self._path) == 2:
            self._finish(self._item)
            self._item = None
        elif len(self._path) == 3 and name in {"id", "classification"}:
            self._item.about[name] = self._said()
        elif len(self._path) == 4 and self._path[3] == "fingerprints":
            self._fingerprint(self._item, name.lower())
        elif len(self._path) == 4:
            self._sentiment = None
        self._text.clear()

    def _known(self, name: str) -> None:
        self._names.add(name)
        if len(self._names) > NAMES:
            raise _broken("it has too many different names")

    def _said(self) -> str:
        return "".join(self._text)[: TEXT_CHARACTERS + 1].strip()

    def _inside(self, item: _Item, name: str, attributes: Mapping[str, str]) -> None:
        if len(self._path) == 4 and name == "member":
            item.about["member"] = attributes.get("id", "")[:TEXT_CHARACTERS]
        elif len(self._path) == 5 and self._path[3] == "feedback":
            kind = attributes.get("type", "")[:TEXT_CHARACTERS]
            if len(item.votes) < FINGERPRINTS or kind in item.votes:
                self._sentiment = kind, 0 if name == "affirmativeFeedback" else 1
        elif name == "member" and self._sentiment is not None:
            kind, place = self._sentiment
            item.votes.setdefault(kind, [0, 0])[place] += 1

    def _fingerprint(self, item: _Item, name: str) -> None:
        said = self._said()
        if not said:
            return
        if name in IDENTIFIERS:
            values = item.held.setdefault(IDENTIFIERS[name], [])
            if said not in values and len(values) <= FINGERPRINTS:
                values.append(said)
        elif len(said) <= TEXT_CHARACTERS and len(item.carried) < FINGERPRINTS:
            item.carried[name] = said

    def _finish(self, item: _Item) -> None:
        try:
            entry = _entry(item)
        except BadValue as bad:
            if bad.kept is not None:
                self._out.append(bad.kept)
            self._out.append(BadEntry(line=self._place, reason=str(bad)))
        else:
            self._out.append(entry)


def _entry(item: _Item) -> Entry:
    if item.kind.lower().startswith(DELETED):
        raise BadValue("its member has deleted it, so it is no entry any more")
    if item.kind.lower() not in ITEMS:
        raise BadValue("it is neither an image nor a video")
    held = {name: " ".join(values) for name, values in item.held.items()}
    about: dict[str, object] = {"type": item.kind.lower(), **item.about}
    if item.carried:
        about["fingerprints"] = item.carried
    if item.votes:
        about["votes"] = item.votes
    return entry_of(held, others={"ncmec": about})
