"""The stand-alone verifier: it agrees with what holds, and refuses whatever was changed."""

import base64
import copy
import hashlib
import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from protech.evidence import verify
from protech.evidence.log_checkpoint import SignedState
from protech.evidence.pack import Disclosure
from protech.lists.fetch_keys import key_fields
from protech.lists.note import NoteKey
from protech.signing import Key
from tests import packs
from tests.packs import Case, Talk

FLAT, TORRENT = packs.flat_key(rest=70_000)
TREE, FILE = packs.tree_key()


def flat_talk() -> Talk:
    """A conversation that goes to level 4 in the first version."""
    piece = FLAT.first_piece + 1
    data = TORRENT[piece * FLAT.piece_bytes : (piece + 1) * FLAT.piece_bytes]
    return Talk(FLAT).greet().bitfield().say(2).hear(1).piece(piece, data)


def tree_talk() -> Talk:
    """A conversation that goes to level 4 in the second version: one block."""
    block = FILE[5 * 16384 : 6 * 16384]
    talk = Talk(TREE).greet().hear(14).say(2).hear(1)
    talk.block(TREE.first_piece + 1, 16384, block).hashes(4, 2, 1, file=FILE)
    return talk.measure(TREE.first_piece + 1, block, offset=16384)


def shown_by(transcript: bytes, key: Any) -> dict[str, Any]:
    return verify.replay(transcript, json.loads(json.dumps(key_fields(key))))


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    made = packs.make_case(tmp_path / "log", (FLAT, TREE))
    with made.log:
        yield made


def pack_of(case: Case, index: int) -> dict[str, Any]:
    case.log.checkpoint(packs.START + timedelta(minutes=9))
    found: dict[str, Any] = json.loads(Disclosure(case.log).pack(index))
    return found


def sighted(case: Case, number: int = 0, **changes: object) -> int:
    transcript = (flat_talk, tree_talk)[number]().end()
    return case.sighting(number, transcript, shown_by(transcript, case.keys[number]), **changes)


def run(tmp_path: Path, pack: object, *arguments: str) -> int:
    path = tmp_path / "pack.json"
    path.write_bytes(pack if isinstance(pack, bytes) else verify.dumps(pack).encode())
    return verify.main([str(path), *arguments])


@pytest.mark.parametrize("number", [0, 1])
def test_a_whole_pack_agrees(
    tmp_path: Path, case: Case, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = pack_of(case, sighted(case, number))
    assert run(tmp_path, pack) == 0
    said = capsys.readouterr().out
    assert said.endswith("AGREES\n")
    assert "L4: it delivered a piece" in said
    assert "COMPARED WITH NOTHING" in said
    assert "No time stamp" in said
    assert run(tmp_path, pack, "--lang", "fr") == 0
    assert "COMPARÉE À RIEN" in capsys.readouterr().out


def test_a_given_key_is_compared(
    tmp_path: Path, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = pack_of(case, sighted(case))
    keys = (
        "--log-key",
        case.log.about.key.text,
        "--authority-key",
        case.authority.public.hex(),
    )
    assert run(tmp_path, pack, *keys) == 0
    assert "COMPARED WITH NOTHING" not in capsys.readouterr().out
    key = case.log.about.key
    as_a_report_has_it = f"{key.text[:50]}\n {key.text[50:]}\n"
    assert run(tmp_path, pack, "--log-key", as_a_report_has_it) == 0
    other = NoteKey(name=key.name, kind=key.kind, public=Key.generate().public)
    assert run(tmp_path, pack, "--log-key", other.text) == 1
    assert run(tmp_path, pack, "--log-key", "none") == 1


def test_the_authority_has_signed_with_the_keys_that_are_given(
    tmp_path: Path, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = pack_of(case, sighted(case))
    key, other = case.authority.public.hex(), packs.Officer("B court").public.hex()
    assert run(tmp_path, pack) == 0
    assert f"Key of the authority COMPARED WITH NOTHING (A court: {key})" in said_in(capsys)
    assert run(tmp_path, pack, "--authority-key", key) == 0
    for given in (
        ("--authority-key", other),
        ("--authority-key", key, "--authority-key", other),
    ):
        assert run(tmp_path, pack, *given) == 1
        assert "a key that you gave has not signed it" in said_in(capsys)


def said_in(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("signatures", "why"),
    [
        (lambda made: [], "nobody has signed it"),
        (lambda made: [{**made, "signature": "00" * 64}], "InvalidSignature"),
        (lambda made: [{**made, "signature": "01" * 64}], "InvalidSignature"),
        (
            lambda made: [made, {**made, "public_key": packs.Officer("").public.hex()}],
            "Invalid",
        ),
    ],
)
def test_an_authorisation_that_nobody_signed_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    signatures: Callable[[dict[str, str]], list[dict[str, str]]],
    why: str,
) -> None:
    made = packs.make_case(tmp_path / "log", (FLAT,), signed=signatures)
    with made.log:
        assert run(tmp_path, pack_of(made, sighted(made))) == 1
    assert f"and signed: {why}" in said_in(capsys)


def test_an_authority_may_sign_with_ed25519() -> None:
    key = Key.generate()
    text = b"what was authorised"
    signature = {"public_key": key.public.hex(), "signature": key.sign(text).hex()}
    assert verify.signers([signature], text) == {key.public.hex()}
    with pytest.raises(InvalidSignature):
        verify.signers([signature], text + b".")


def test_what_is_no_pack_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in (b"", b"{", b"[]", b"{}", b'{"v":1,"kind":"x"}', b'{"v":2}', b"\xff"):
        assert run(tmp_path, content) == 2
    assert verify.main([str(tmp_path / "missing")]) == 2
    assert "CANNOT BE READ" in capsys.readouterr().out


def leaves_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a pack."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from leaves_of(value[key], (*path, key))
    else:
        yield path


def changed(value: Any) -> Any:
    """Return another value of the same kind."""
    if isinstance(value, str):
        return ("1" if value[:1] == "0" else "0") + value[1:] if value else "0"
    return True if value is None else value + 1


def put(pack: Any, path: tuple[Any, ...], new: Any) -> Any:
    made = copy.deepcopy(pack)
    at = made
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = new
    return made


def test_every_changed_or_missing_field_of_a_pack_is_refused(
    tmp_path: Path, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = pack_of(case, sighted(case))
    for path in leaves_of(pack):
        value = pack
        for key in path:
            value = value[key]
        if path == ("stamp",):
            continue
        assert run(tmp_path, put(pack, path, changed(value))) != 0, path
        assert run(tmp_path, put(pack, path, [])) != 0, path
    for kind in pack["records"]:
        less = copy.deepcopy(pack)
        del less["records"][kind]
        assert run(tmp_path, less) == 1, kind
    capsys.readouterr()


def test_random_flips_are_refused(
    tmp_path: Path, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    content = verify.dumps(pack_of(case, sighted(case, 1))).encode()
    drawn = random.Random(1)
    for _ in range(150):
        flipped = bytearray(content)
        at = drawn.randrange(len(content))
        flipped[at] ^= 1 << drawn.randrange(8)
        same = False
        with suppress(ValueError):
            same = json.loads(flipped) == json.loads(content)
        assert (run(tmp_path, bytes(flipped)) == 0) == same, at
    capsys.readouterr()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"level": 3}, "it shows level 4"),
        ({"network": "ed2k"}, "Network, list, place, level"),
        ({"transport": "utp"}, "another transport"),
        ({"claims": None}, "another claims"),
        ({"proof": None}, "another proof"),
        ({"client": {"id": "00" * 20, "name": None}}, "another client"),
        ({"case": "A-2"}, "of other runs"),
        ({"run": 0}, ""),
        ({"number": 1}, ""),
        ({"entry": "e1"}, "another entry"),
        ({"list": {"name": "other", "version": 3}}, ""),
        ({"place": {"verdict": "outside", "country": "DE"}}, "outside of it"),
        ({"place": {"verdict": "inside", "country": "DE"}}, "outside of it"),
        ({"started_at": "2020-11-20T00:00:00.000Z"}, "outside of the term"),
        ({"started_at": "2026-12-20T00:00:00.000Z"}, "contradict"),
        ({"ended_at": "2020-11-28T13:04:00.000Z"}, "contradict"),
        ({"ended_at": "never"}, "ValueError"),
        ({"request_sha256": None}, ""),
    ],
)
def test_a_record_that_says_more_than_it_can_is_refused(
    tmp_path: Path,
    case: Case,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, object],
    why: str,
) -> None:
    index = sighted(case)
    good = next(case.log.read(index)).content
    record = json.loads(good)
    proof_of_bad = case.log.append([{**record, **changes}]).start
    pack = pack_of(case, index)
    size = case.log.last_checkpoint
    assert isinstance(size, SignedState)
    # A pack made by hand around the bad record, which is truly in the log.
    disclosure = Disclosure(case.log)
    bad = next(case.log.read(proof_of_bad))
    pack["records"]["sighting"] = disclosure._part(bad, size.size)
    assert run(tmp_path, pack) == 1
    said = capsys.readouterr().out
    assert "FAILED" in said
    assert why in said


@pytest.mark.parametrize(
    ("paper", "terms", "signers"),
    [
        ({"powers": ["observe"]}, {}, 2),
        ({"networks": ["ed2k"]}, {}, 2),
        ({"lists": ["other"]}, {}, 2),
        ({"jurisdiction": ["BE"]}, {}, 2),
        ({"case": "A-2"}, {}, 2),
        ({"not_after": packs.time_text(packs.START)}, {}, 2),
        ({"operators": []}, {}, 2),
        ({}, {"entries": ["e7"]}, 2),
        ({}, {"networks": ["ed2k"]}, 2),
        ({}, {"list": "other"}, 2),
        ({}, {"case": "A-2"}, 2),
        ({}, {"kind": "authorisation"}, 2),
        ({}, {"authorisation_sha256": "00" * 32}, 2),
        ({}, {"not_before": packs.time_text(packs.START + timedelta(hours=1))}, 2),
        ({}, {"not_after": packs.time_text(packs.START)}, 2),
        ({}, {}, 1),
        ({}, {}, 0),
    ],
)
def test_what_no_paper_covers_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    paper: dict[str, object],
    terms: dict[str, object],
    signers: int,
) -> None:
    made = packs.make_case(tmp_path / "log", (FLAT,), paper=paper, terms=terms, signers=signers)
    with made.log:
        assert run(tmp_path, pack_of(made, sighted(made))) == 1
    assert "FAILED" in capsys.readouterr().out


def test_an_unknown_network_is_said_to_be_so() -> None:
    with pytest.raises(verify.Fault, match="not replayed"):
        verify.replay(flat_talk().end(), {"kind": "gnutella"})


Make = Callable[[], Talk]

LEVELS: list[tuple[int, Make]] = [
    (1, lambda: Talk(FLAT)),
    (1, lambda: Talk(FLAT).greet(packs.OURS)),
    (2, lambda: Talk(FLAT).greet()),
    (2, lambda: Talk(FLAT).greet().hear(15)),
    (2, lambda: Talk(FLAT).greet().bitfield({FLAT.torrent_pieces - 1})),
    (3, lambda: Talk(FLAT).greet().bitfield({FLAT.first_piece})),
    (3, lambda: Talk(FLAT).greet().hear(4, (FLAT.first_piece + 1).to_bytes(4))),
    (3, lambda: Talk(FLAT).greet().hear(14)),
    (2, lambda: Talk(FLAT).greet(reserved=bytes(8)).hear(14)),
    (2, lambda: Talk(FLAT).greet().hear(4, FLAT.torrent_pieces.to_bytes(4))),
    (2, lambda: Talk(FLAT).greet().hear(5, b"\xff" * 2)),
    (3, lambda: Talk(FLAT).greet().bitfield().hear(0, b"x").hear(15)),
    (4, flat_talk),
    (4, tree_talk),
]


@pytest.mark.parametrize(("level", "make"), LEVELS)
def test_a_conversation_shows_its_level(level: int, make: Make) -> None:
    talk = make()
    assert shown_by(talk.end(), talk.key)["level"] == level


def flat_piece(place: int) -> bytes:
    at = (FLAT.first_piece + place) * FLAT.piece_bytes
    return TORRENT[at : at + FLAT.piece_bytes]


def bad_piece(data: bytes) -> Talk:
    return Talk(FLAT).greet().bitfield().piece(FLAT.first_piece + 1, data)


@pytest.mark.parametrize(
    ("twin", "answer", "level"),
    [
        (bytes(20), bytes(20), 3),
        (bytes(20), FLAT.info_hash, 3),
        (bytes(20), bytes([1] * 20), 1),
        (None, bytes(20), 1),
        (None, FLAT.info_hash, 3),
    ],
)
def test_a_hybrid_may_answer_with_the_twin_that_is_listed(
    twin: bytes | None, answer: bytes, level: int
) -> None:
    key = replace(FLAT, twin=twin)
    talk = Talk(key)
    talk.recorder.sent(packs.handshake(key, packs.OURS))
    talk.recorder.received(packs.handshake(replace(key, info_hash=answer), packs.THEIRS))
    assert shown_by(talk.bitfield().end(), key)["level"] == level


def test_we_never_call_with_the_twin() -> None:
    key = replace(FLAT, twin=bytes(20))
    talk = Talk(key)
    talk.recorder.sent(packs.handshake(replace(key, info_hash=bytes(20)), packs.OURS))
    talk.recorder.received(packs.handshake(key, packs.THEIRS))
    assert shown_by(talk.end(), key)["level"] == 1


NO_PROOF: list[Make] = [
    lambda: Talk(FLAT).greet().bitfield().measure(FLAT.first_piece + 1, flat_piece(1)),
    lambda: bad_piece(bytes(FLAT.piece_bytes)),
    lambda: bad_piece(flat_piece(2)),
    lambda: Talk(FLAT).greet().bitfield().piece(FLAT.first_piece, flat_piece(0)),
    lambda: (
        Talk(FLAT).greet().bitfield().piece(FLAT.first_piece + 1, flat_piece(1), distinct=63)
    ),
    lambda: (
        Talk(FLAT)
        .greet()
        .bitfield()
        .unasked(FLAT.first_piece + 1, 0, flat_piece(1)[:16384])
        .block(FLAT.first_piece + 1, 16384, flat_piece(1)[16384:])
        .measure(FLAT.first_piece + 1, flat_piece(1))
    ),
    lambda: (
        Talk(FLAT)
        .greet()
        .bitfield()
        .block(FLAT.first_piece + 1, 0, flat_piece(1)[:16384])
        .block(FLAT.first_piece + 1, 8192, flat_piece(1)[8192:24576])
        .measure(FLAT.first_piece + 1, flat_piece(1))
    ),
]


@pytest.mark.parametrize("make", NO_PROOF)
def test_what_proves_nothing_stays_a_claim(make: Make) -> None:
    assert shown_by(make().end(), FLAT)["level"] == 3


def test_weak_pieces_and_those_found_twice_prove_nothing() -> None:
    fields = json.loads(json.dumps(key_fields(FLAT)))
    transcript = flat_talk().end()
    assert verify.replay(transcript, {**fields, "weak": [1]})["level"] == 3
    twice = [*fields["pieces"][:2], fields["pieces"][1], *fields["pieces"][3:]]
    assert verify.replay(transcript, {**fields, "pieces": twice})["level"] == 3
    assert verify.replay(transcript, {**fields, "weak": [0]})["level"] == 4


def test_a_key_of_no_torrent_is_refused() -> None:
    fields = json.loads(json.dumps(key_fields(FLAT)))
    for bad in ({"torrent_bytes": 1 << 60}, {"size_bytes": 0}, {"torrent_bytes": 1}):
        with pytest.raises(verify.Fault, match="no torrent"):
            verify.replay(flat_talk().end(), {**fields, **bad})


def test_a_record_keeps_the_transcript_that_it_was_made_with(case: Case) -> None:
    pack = pack_of(case, sighted(case))
    record = json.loads(pack["records"]["sighting"]["record"])
    assert base64.b64decode(record["transcript"]) == flat_talk().end()


def test_what_was_named_and_is_empty_or_missing_is_never_taken_from_the_pack(
    tmp_path: Path, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = pack_of(case, sighted(case))
    assert run(tmp_path, pack, "--log-key", " ") == 1
    assert "The log's key is the one you gave: it is" in capsys.readouterr().out
    answer = base64.b64encode(b"0").decode()
    pack["stamp"] = {
        "certificate": answer,
        "checkpoint": pack["checkpoint"],
        "response": answer,
    }
    assert run(tmp_path, pack, "--tsa", str(tmp_path / "missing")) == 2
    assert "CANNOT BE READ" in capsys.readouterr().out


def test_a_pack_is_written_in_one_way_and_holds_no_more_than_one(
    tmp_path: Path, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = pack_of(case, sighted(case))
    content = verify.dumps(pack)
    twice = content.replace('"records":', '"records":{},"records":')
    for other in (twice, content + "\n", json.dumps(pack), " " + content):
        assert run(tmp_path, other.encode()) == 2
    more = {**pack["records"], "\x1b[2J\nneighbour": pack["records"]["run"]}
    assert run(tmp_path, {**pack, "records": more}) == 2
    assert "\x1b" not in capsys.readouterr().out


def line_of(**changes: object) -> str:
    return verify.dumps({**key_fields(FLAT), **changes}) + "\n"


@pytest.mark.parametrize(
    "line",
    [
        line_of(piece_bytes=0),
        line_of(piece_bytes=1 << 60),
        json.dumps({"kind": "\ud800\x1b[2J"}),
        '{"kind":"torrent","size_bytes":' + "9" * 5000 + "}",
    ],
)
def test_a_hostile_key_is_a_finding(
    tmp_path: Path, case: Case, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    index = sighted(case)
    parts = pack_of(case, index)["records"]
    records = {
        kind: {**json.loads(part["record"]), "index": part["index"]}
        for kind, part in parts.items()
    }
    records["entry"] |= {"line": line, "number": 0, "proof": []}
    records["sighting"] |= {"number": 0}
    leaf = verify.digest_of(b"\0", line.encode()).hex()
    records["run"]["list"] |= {"keys": 1, "tree_root": leaf}
    findings = verify.Findings()
    verify.Sighting(records).check(findings)
    assert findings.failed


def test_hostile_times_are_a_finding(
    tmp_path: Path, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    long = base64.b64encode(b'{"events":[[1e300,">","AA=="]]}').decode()
    latest = "9999-12-31T23:59:59.999Z"
    odd: list[dict[str, Any]] = [
        {"transcript": long},
        {"started_at": latest, "ended_at": latest},
    ]
    for changes in odd:
        assert run(tmp_path, pack_of(case, sighted(case, **changes))) == 1
    assert "FAILED" in capsys.readouterr().out


def test_a_sighting_later_than_its_stamp_is_refused(case: Case) -> None:
    parts = pack_of(case, sighted(case))["records"]
    records = {
        kind: {**json.loads(part["record"]), "index": part["index"]}
        for kind, part in parts.items()
    }
    at = packs.START + timedelta(minutes=5)
    for stamped, fails in ((at - timedelta(minutes=1), True), (at, False)):
        findings = verify.Findings()
        verify.Sighting(records).check(findings, stamped)
        assert findings.failed == fails


def test_what_a_transcript_may_hold_is_bounded() -> None:
    head, end = b'{"events":[', b'],"network":"bittorrent","transport":"tcp","v":1}'
    kept = base64.b64encode(bytes(1 << 20))
    event = b'[0,"<","' + kept + b'"]'
    assert len(verify.read_transcript(head + b",".join([event] * 4) + end)["events"]) == 4
    many = b",".join([b'[0,"<","AA=="]'] * ((1 << 14) + 1))
    for content in (head + b",".join([event] * 5) + end, head + many + end):
        with pytest.raises(verify.Fault, match="too many"):
            verify.read_transcript(content)


def test_messages_without_content_are_read_in_one_go() -> None:
    talk = flat_talk()
    talk.recorder.received(bytes(3 << 20))
    assert shown_by(talk.end(), FLAT)["level"] == 4


def test_a_stamp_with_an_odd_certificate_is_a_finding(
    tmp_path: Path, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = pack_of(case, sighted(case))
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([]), packs.START
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 5)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
    # A name of a kind that no reader knows (x400Address), and no extension at all.
    odd = x509.UnrecognizedExtension(
        x509.ObjectIdentifier("2.5.29.17"), bytes.fromhex("3004a3020500")
    )
    imprint = tlv(0x30, tlv(0x30, tlv(6, bytes.fromhex("608648016503040201")))
                  + tlv(4, hashlib.sha256(pack["checkpoint"].encode()).digest()))  # fmt: skip
    moment = now.strftime("%Y%m%d%H%M%SZ").encode()
    info = tlv(0x30, tlv(2, b"\1") + tlv(6, b"*") + imprint + tlv(2, b"\1") + tlv(0x18, moment))
    kind, signed = bytes.fromhex(verify.TST_INFO), bytes.fromhex(verify.SIGNED_DATA)
    content = tlv(0x30, tlv(6, kind) + tlv(0xA0, tlv(4, info)))
    data = tlv(0x30, tlv(2, b"\3") + tlv(0x31, b"") + content + tlv(0x31, tlv(0x30, b"")))
    status = tlv(0x30, tlv(2, b"\0"))
    response = tlv(0x30, status + tlv(0x30, tlv(6, signed) + tlv(0xA0, data)))
    for builder in (made, made.add_extension(odd, critical=False)):
        certificate = builder.sign(key, SHA256()).public_bytes(Encoding.DER)
        pack["stamp"] = {
            "certificate": base64.b64encode(certificate).decode(),
            "checkpoint": pack["checkpoint"],
            "response": base64.b64encode(response).decode(),
        }
        assert run(tmp_path, pack) == 1
        said = capsys.readouterr().out
        assert "ExtensionNotFound" in said or "UnsupportedGeneralNameType" in said


def tlv(tag: int, content: bytes) -> bytes:
    """Return an element of DER."""
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 128 | len(digits)]) + digits + content
