"""Answers of NCMEC's hash sharing service: read as they stream, attacks refused."""

import io
from contextlib import suppress
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import ListFormatError
from protech.lists.entries import BadEntry, Entry
from protech.lists.formats import ncmec

MD5, SHA1, PDQ, PHOTODNA = "ab" * 16, "cd" * 20, "0f" * 32, "01" * 144
SPACE = 'xmlns="https://hashsharing.ncmec.org/hashsharing/v2"'


def answer(images: str = "", videos: str = "", space: str = SPACE) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><queryResult {space}>'
        f'<images count="1" maxTimestamp="2017-10-24T15:10:00Z">{images}</images>'
        f'<videos count="1" maxTimestamp="2017-10-24T15:10:00Z">{videos}</videos>'
        "<paging><next>/v2/entries?start=1&amp;size=1000</next></paging></queryResult>"
    ).encode()


def item(fingerprints: str, *, kind: str = "image", more: str = "") -> str:
    return (
        f'<{kind}><member id="42">Example</member><id>one</id>'
        f"<classification>A1</classification><fingerprints>{fingerprints}</fingerprints>"
        f"{more}</{kind}>"
    )


def read(content: bytes) -> list[Entry | BadEntry]:
    return list(ncmec.read(io.BytesIO(content)))


def about(**more: object) -> dict[str, object]:
    return {
        "ncmec": {"type": "image", "member": "42", "id": "one", "classification": "A1", **more}
    }


def test_images_and_videos_are_entries_with_what_is_said_of_them() -> None:
    image = item(
        f"<md5>{MD5}</md5><SHA1>{SHA1}</SHA1><pdna>{PHOTODNA}</pdna><pdq>{PDQ}</pdq>"
        "<netclean>x1</netclean>"
    )
    video = item(f"<md5> {MD5.upper()} </md5>", kind="video")
    assert read(answer(image, video)) == [
        Entry(
            md5=bytes.fromhex(MD5),
            sha1=bytes.fromhex(SHA1),
            pdq=(bytes.fromhex(PDQ),),
            photodna=bytes.fromhex(PHOTODNA),
            others=about(fingerprints={"netclean": "x1"}),
        ),
        Entry(md5=bytes.fromhex(MD5), others=about(type="video")),
    ]


@pytest.mark.parametrize(("space", "prefix"), [("", ""), ('xmlns:n="urn:x"', "n:")])
def test_namespaces_are_nothing(space: str, prefix: str) -> None:
    content = answer(item(f"<md5>{MD5}</md5>"), space=space).decode()
    for name in ("queryResult", "images", "image", "fingerprints", "md5", "id"):
        for before in ("<", "</"):
            content = content.replace(f"{before}{name}>", f"{before}{prefix}{name}>")
            content = content.replace(f"{before}{name} ", f"{before}{prefix}{name} ")
    [entry] = read(content.encode())
    assert isinstance(entry, Entry)
    assert entry.md5 == bytes.fromhex(MD5)


def test_what_its_member_deleted_is_counted_and_left_out() -> None:
    deleted = '<deletedImage><member id="43">B</member><id>two</id></deletedImage>'
    kept = item(f"<md5>{MD5}</md5>")
    gone = item(f"<md5>{MD5}</md5>", kind="deletedVideo")
    assert [type(one) for one in read(answer(kept + deleted, gone))] == [
        Entry,
        BadEntry,
        BadEntry,
    ]
    assert read(answer(deleted)) == [
        BadEntry(line=1, reason="its member has deleted it, so it is no entry any more")
    ]


def test_a_wrong_fingerprint_is_named_by_place_and_the_others_kept() -> None:
    wrong = item(f"<md5>{MD5}</md5><pdna>a1a1...</pdna>")
    assert read(answer(item(f"<md5>{MD5}</md5>") + wrong)) == [
        Entry(md5=bytes.fromhex(MD5), others=about()),
        Entry(md5=bytes.fromhex(MD5), others=about()),
        BadEntry(line=2, reason="'photodna' is not 144 bytes in hex, base64 or decimal"),
    ]


def test_contradictory_digests_of_one_image_are_refused() -> None:
    both = item(f"<md5>{MD5}</md5><md5>{'00' * 16}</md5><sha1>{SHA1}</sha1>")
    assert read(answer(both)) == [
        Entry(sha1=bytes.fromhex(SHA1), others=about()),
        BadEntry(line=1, reason="'md5' is not 32 hex digits"),
    ]


def test_an_item_of_another_kind_or_without_identifier_is_named() -> None:
    content = answer(item(f"<md5>{MD5}</md5>", kind="audio") + item("<x>1</x>"))
    assert [one.reason for one in read(content) if isinstance(one, BadEntry)] == [
        "it is neither an image nor a video",
        "there is no identifier",
    ]


def test_votes_are_counted_and_their_members_left_out() -> None:
    feedback = (
        '<feedback><affirmativeFeedback type="MD5"><members><member id="1">A</member>'
        '<member id="2">B</member></members></affirmativeFeedback>'
        '<negativeFeedback type="MD5"><reasons><reason name="r" guid="g"/><members>'
        '<member id="3">C</member></members></reasons></negativeFeedback></feedback>'
    )
    [entry] = read(answer(item(f"<md5>{MD5}</md5>", more=feedback)))
    assert isinstance(entry, Entry)
    assert entry.others == about(votes={"MD5": [2, 1]})


def test_so_many_kinds_of_votes_and_fingerprints_and_no_more() -> None:
    kinds = range(ncmec.FINGERPRINTS + 1)
    votes = "".join(
        f'<affirmativeFeedback type="k{kind}"><members><member/></members>'
        "</affirmativeFeedback>"
        for kind in (*kinds, 0)
    )
    others = "".join(f"<k{kind}>x</k{kind}>" for kind in kinds)
    more = f"<feedback>{votes}</feedback>"
    [entry] = read(answer(item(f"<md5>{MD5}</md5>{others}", more=more)))
    assert isinstance(entry, Entry)
    said = entry.others["ncmec"]
    assert isinstance(said, dict)
    assert len(said["votes"]) == len(said["fingerprints"]) == ncmec.FINGERPRINTS
    assert said["votes"]["k0"] == [2, 0]


def test_long_text_is_carried_up_to_a_limit() -> None:
    most = "y" * ncmec.TEXT_CHARACTERS
    entries = read(
        answer(
            "".join(
                item(f"<md5>{MD5}</md5><tmk_pdqf>{t}</tmk_pdqf>") for t in (most, most + "y")
            )
        )
    )
    kept = [one.others["ncmec"] for one in entries if isinstance(one, Entry)]
    assert kept == [about(fingerprints={"tmk_pdqf": most})["ncmec"], about()["ncmec"]]


@pytest.mark.parametrize("between", ["", "\n", "\n\ufeff", "<!-- next -->"])
@pytest.mark.parametrize("pages", [2, 400])
def test_the_pages_of_one_question_stand_in_one_file(between: str, pages: int) -> None:
    page = answer(item(f"<md5>{MD5}</md5>") + item("<md5>x</md5>"))
    found = read(between.encode().join([page] * pages))
    assert [one.line for one in found if isinstance(one, BadEntry)] == list(
        range(2, 2 * pages + 1, 2)
    )
    assert len(found) == 2 * pages


def test_a_page_may_end_anywhere_in_a_piece() -> None:
    page = answer(item(f"<md5>{MD5}</md5>"))
    for short in range(-8, 80):
        space = b" " * (ncmec.CHUNK_BYTES - len(page) - short)
        assert len(read(page + space + page)) == 2


@pytest.mark.parametrize(
    "after", [b"x", b"<", b"</a>", b"<other/>", b"<queryResult>", b"&amp;"]
)
def test_what_stands_after_a_page_is_another_or_refused(after: bytes) -> None:
    with pytest.raises(ListFormatError, match="NCMEC"):
        read(answer() + after)


ATTACKS = {
    "entities": b'<!DOCTYPE q [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>'
    b"<queryResult>&b;</queryResult>",
    "a file": b'<!DOCTYPE q [<!ENTITY a SYSTEM "file:///etc/passwd">]><queryResult/>',
    "a type": b"<!DOCTYPE queryResult><queryResult/>",
    "depth": b"<queryResult>" + b"<a>" * ncmec.DEPTH,
    "names": b"<queryResult>" + b"".join(b"<a%d/>" % i for i in range(ncmec.NAMES + 1)),
    "prefixes": b"<queryResult>"
    + b"".join(b'<a xmlns:p%d="u"/>' % i for i in range(ncmec.NAMES + 1)),
    "a long tag": b'<queryResult a="' + b"a" * (ncmec.TOKEN_BYTES + 2 * ncmec.CHUNK_BYTES),
    "another encoding": b'<?xml version="1.0" encoding="utf-7"?><queryResult>'
    b"\xff</queryResult>",
    "an unknown entity": b"<queryResult>&nothing;</queryResult>",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_on_the_parser_are_refused(attack: str) -> None:
    with pytest.raises(ListFormatError, match="NCMEC"):
        read(ATTACKS[attack])


@pytest.mark.parametrize("content", [b"", b"   ", b"<other/>", b"{}", b"<queryResult><images>"])
def test_what_is_no_answer_or_cut_is_refused(content: bytes) -> None:
    with pytest.raises(ListFormatError, match="NCMEC"):
        read(content)


def test_what_came_before_a_cut_was_already_read() -> None:
    content = answer(item(f"<md5>{MD5}</md5>") * 3000)
    found: list[Entry | BadEntry] = []
    with pytest.raises(ListFormatError):
        found.extend(ncmec.read(io.BytesIO(content[:-20])))
    assert len(found) > 100


class Endless(io.RawIOBase):
    """An answer that never ends."""

    def __init__(self) -> None:
        self.fed = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        piece = answer()[: answer().index(b"</images>")] if not self.fed else b""
        piece += item(f"<md5>{MD5}</md5>").encode() * 300
        self.fed += len(piece)
        return piece


def test_memory_does_not_grow_with_the_file() -> None:
    file = Endless()
    entries = ncmec.read(file)  # type: ignore[arg-type]
    before = None
    while file.fed < 16_000_000:
        next(entries)
        if file.fed > 4_000_000 and before is None:
            before = resident_pages()
    assert before is not None
    assert resident_pages() - before < 2000


def resident_pages() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1])


def test_an_answer_is_known_by_its_root() -> None:
    assert ncmec.matches(answer())
    assert not ncmec.matches(b"<other/>")
    assert not ncmec.matches(b"queryResult")


TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12)


@given(
    tags=st.lists(st.tuples(st.sampled_from(["md5", "pdq", "pdna", "x"]), TEXTS), max_size=5),
    member=TEXTS,
)
def test_any_text_is_carried_as_it_is_or_named(
    tags: list[tuple[str, str]], member: str
) -> None:
    inside = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in tags)
    more = f"<member id={quoteattr(member)}/>"
    found = read(answer(item(inside + f"<sha1>{SHA1}</sha1>", more=more)))
    assert isinstance(found[0], Entry)
    assert found[0].sha1 == bytes.fromhex(SHA1)


@given(content=st.binary(max_size=300), wrapped=st.booleans())
def test_any_bytes_are_read_or_refused(content: bytes, wrapped: bool) -> None:
    if wrapped:
        content = answer().replace(b"</images>", content + b"</images>")
    ncmec.matches(content)
    with suppress(ListFormatError):
        assert all(isinstance(one, Entry | BadEntry) for one in read(content))
