"""Files of ThreatExchange and HMA: typed lines, tables, and vPDQ as text and JSON."""

import io
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import ListFormatError
from protech.lists.entries import VPDQ_PER_ENTRY, BadEntry, Entry
from protech.lists.formats.hma import matches, read
from protech.lists.formats.lines import LINE_BYTES
from protech.lists.formats.tables import Wide

MD5, SHA1, HASH = "ab" * 16, "cd" * 20, "0f" * 32
RAW = bytes.fromhex(HASH)


def lines(content: str | bytes, wide: Wide = Wide.PDQ) -> list[Entry | BadEntry]:
    raw = content if isinstance(content, bytes) else content.encode()
    return list(read(io.BytesIO(raw), wide=wide))


def test_a_bare_hash_is_told_by_its_length_and_64_digits_are_pdq() -> None:
    assert lines(f"{MD5}\n{SHA1}\n\n# no\n{HASH.upper()}\n") == [
        Entry(md5=bytes.fromhex(MD5)),
        Entry(sha1=bytes.fromhex(SHA1)),
        Entry(pdq=(RAW,)),
    ]
    assert lines(HASH, Wide.SHA256) == [Entry(sha256=RAW)]


def test_a_type_before_a_hash_says_its_kind() -> None:
    typed = (
        f"pdq {HASH}\nvideo_md5 {MD5}\nHASH_SHA1 {SHA1}\nvideo_sha256 {HASH} 'a collab' {{}}\n"
    )
    assert lines(typed) == [
        Entry(pdq=(RAW,)),
        Entry(md5=bytes.fromhex(MD5)),
        Entry(sha1=bytes.fromhex(SHA1)),
        Entry(sha256=RAW),
    ]


def test_the_command_line_s_cache_and_table_are_read() -> None:
    assert lines(f"{HASH},123,2020-01-01T00:00:00+0000,tag1 tag2\n") == [Entry(pdq=(RAW,))]
    frames = json.dumps([f"{HASH},100,0.0"]).replace('"', '""')
    table = (
        "signal_type,signal_str,collab,category,tags\r\n"
        f"pdq,{HASH},a,POSITIVE_CLASS,\r\n"
        f'vpdq,"{frames}",a,POSITIVE_CLASS,x\r\n'
        f"pdq,{HASH},a,NEGATIVE_CLASS,\r\n"
        f"pdq\r\n"
    )
    assert lines(table) == [
        Entry(pdq=(RAW,)),
        Entry(vpdq=(RAW,)),
        BadEntry(line=4, reason="its members say that it does not belong here"),
        BadEntry(line=5, reason="'pdq' is not 64 hex digits"),
    ]


def test_lines_that_are_no_hash_are_named_and_not_quoted() -> None:
    found = lines(f"raw_text some words\n{MD5}ab\nzz\npdq \nvpdq [1]\npdq {MD5}\n")
    assert [(one.line, one.reason) for one in found if isinstance(one, BadEntry)] == [
        (1, "its type is none of pdq, vpdq, md5, sha1, sha256, photodna"),
        (2, "the line has no hash of 32, 40 or 64 hex digits, alone or after a type"),
        (3, "the line has no hash of 32, 40 or 64 hex digits, alone or after a type"),
        (4, "the line has no hash of 32, 40 or 64 hex digits, alone or after a type"),
        (5, "the frames of a video are not as vPDQ writes them"),
        (6, "'pdq' is not 64 hex digits"),
    ]


def test_a_line_that_is_too_long_ends_a_video_and_is_named() -> None:
    assert lines(f"0,100,{HASH},0.0\n{'a' * (LINE_BYTES + 1)}\n1,100,{HASH},1.0\n") == [
        Entry(vpdq=(RAW,)),
        BadEntry(line=2, reason="the line is too long"),
        Entry(vpdq=(RAW,)),
    ]


def other(i: int) -> str:
    return f"{i:064x}"


def test_frames_of_quality_50_and_more_are_one_video() -> None:
    text = "".join(
        f"{i},{quality},{other(i)},{i}.033\n" for i, quality in enumerate([100, 49, 50])
    )
    assert lines(text) == [Entry(vpdq=(bytes.fromhex(other(0)), bytes.fromhex(other(2))))]


def test_a_frame_number_that_does_not_rise_begins_another_video() -> None:
    assert lines(
        f"0,100,{HASH},0.0\n30,100,{HASH},1.0\n0,100,{HASH},0.0\n{MD5}\n5,50,{HASH},1\n"
    ) == [
        Entry(vpdq=(RAW, RAW)),
        Entry(vpdq=(RAW,)),
        Entry(md5=bytes.fromhex(MD5)),
        Entry(vpdq=(RAW,)),
    ]


def test_a_bad_frame_is_named_and_the_video_kept() -> None:
    assert lines(f"0,100,{HASH},0\n1,100,{HASH[:-1]},1\n2,101,{HASH},1\n3,100,{HASH},2\n") == [
        BadEntry(line=2, reason="'vpdq' is not 64 hex digits"),
        BadEntry(line=3, reason="the quality of a frame is not from 0 to 100"),
        Entry(vpdq=(RAW, RAW)),
    ]


def test_a_video_of_poor_frames_is_named_where_it_begins() -> None:
    assert lines(f"\n0,49,{HASH},0\n1,0,{HASH},1\n") == [
        BadEntry(line=2, reason="the video has no frame of quality 50 or more")
    ]


def test_a_video_has_so_many_frames_and_no_more() -> None:
    frames = [f"{i},100,{other(i)},{i}.0\n" for i in range(VPDQ_PER_ENTRY + 2)]
    found = lines("".join(frames))
    assert [type(one) for one in found] == [BadEntry, BadEntry, Entry]
    assert isinstance(found[2], Entry)
    assert len(found[2].vpdq) == VPDQ_PER_ENTRY
    whole = json.dumps([f"{other(i)},100,0.0" for i in range(VPDQ_PER_ENTRY + 1)])
    assert lines(whole) == [
        BadEntry(line=1, reason=f"'vpdq' has more than {VPDQ_PER_ENTRY} hashes")
    ]


@pytest.mark.parametrize("before", ["", "vpdq "])
def test_both_forms_of_json_are_read(before: str) -> None:
    compact = json.dumps([f"{HASH},100,0.0", f"{other(1)},49,1.0", f"{other(2)},50,2.0"])
    numbered = json.dumps(
        {
            "30": {"quality": 50, "hash": other(2), "timestamp": 1.0},
            "0": {"quality": 100, "hash": HASH, "timestamp": 0.0},
        }
    )
    expected = Entry(vpdq=(RAW, bytes.fromhex(other(2))))
    assert lines(f"{before}{compact}\n{before}{numbered}\n") == [expected, expected]


@pytest.mark.parametrize(
    "wrong",
    [
        "[", "[]x", "{}", "[1]", '["a,b,c"]', '{"a": {}}', '{"0": []}', "[" * 100_000,
        '{"0": {"quality": "x", "hash": 1}}', '["' + HASH + ',1e9,0"]', f'["{HASH},-1,0"]',
    ],
)  # fmt: skip
def test_other_json_is_named(wrong: str) -> None:
    [found] = lines(wrong)
    assert isinstance(found, BadEntry)


@pytest.mark.parametrize(
    "head",
    [
        f"pdq {HASH}", f"video_md5 {MD5}", f"0,100,{HASH},0.000", f'["{HASH},100,0.0"]',
        "signal_type,signal_str,collab,category,tags", '{"0": {"quality": 100, "hash"',
    ],
)  # fmt: skip
def test_a_file_is_known_by_what_only_these_tools_write(head: str) -> None:
    assert matches(head.encode() + b"\nmore")


@pytest.mark.parametrize("head", ["", HASH, MD5, "hello there", "{}", "md5,sha1"])
def test_what_others_write_too_is_not_guessed(head: str) -> None:
    assert not matches(head.encode())


def test_bytes_that_are_no_text_are_no_list() -> None:
    with pytest.raises(ListFormatError, match="no text"):
        lines(b"\0\1")


FRAMES = st.lists(
    st.tuples(st.binary(min_size=32, max_size=32), st.integers(0, 100)), min_size=1, max_size=9
)


@given(frames=FRAMES, form=st.sampled_from(["lines", "compact", "numbered"]))
def test_a_video_in_each_form_is_its_good_frames(
    frames: list[tuple[bytes, int]], form: str
) -> None:
    if form == "lines":
        text = "".join(f"{i},{q},{raw.hex()},{i}.5\n" for i, (raw, q) in enumerate(frames))
    elif form == "compact":
        text = json.dumps([f"{raw.hex()},{q},0.5" for raw, q in frames])
    else:
        text = json.dumps(
            {str(i): {"hash": raw.hex(), "quality": q} for i, (raw, q) in enumerate(frames)}
        )
    good = tuple(raw for raw, quality in frames if quality >= 50)
    assert [one.vpdq for one in lines(text) if isinstance(one, Entry)] == (
        [good] if good else []
    )


@given(content=st.binary(max_size=400) | st.text('[]{}",:0 pdqv', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    matches(content)
    with suppress(ListFormatError):
        assert all(isinstance(one, Entry | BadEntry) for one in lines(content))
