"""Checks a disclosure pack without Protech: one file, for whoever doubts it.

    python verify.py PACK [--log-key KEY] [--authority-key HEX] [--tsa CERTIFICATE] [--lang fr]

It needs Python 3.12 and the package `cryptography`, and opens no network. It ends with 0 where
all agrees, 1 where something does not, 2 where the pack cannot be read. Keys in a pack prove
nothing: give those of the log and of the authority as they were published, and the certificate
of the stamps. Sources: RFC 6962, 3161, 5652, c2sp.org/tlog-checkpoint, BEP 3, 6, 10 and 52.
"""

import argparse
import base64
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from hashlib import new, sha256
from pathlib import Path
from runpy import run_path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

DISTINCT_BYTES = 64  # as many has a proving piece: compressed media nearly 256, filler few
MESSAGE_BYTES, BLOCK = 1 << 22, 1 << 14
SLACK = timedelta(seconds=1)  # between a conversation's own clock and the record's
# RFC 3161 and 5652: what a stamp is, and what it is signed with.
SIGNED_DATA, TST_INFO = "2a864886f70d010702", "2a864886f70d0109100104"
CONTENT_TYPE, MESSAGE_DIGEST = "2a864886f70d010903", "2a864886f70d010904"
SHA_2: dict[str, hashes.HashAlgorithm] = {"608648016503040201": hashes.SHA256()}
SHA_2 |= {"608648016503040202": hashes.SHA384(), "608648016503040203": hashes.SHA512()}
# A transcript is written in one way; what is no number or text of JSON, JSON itself refuses.
NUMBER, WORD, SHA256 = "[0-9]{1,9}", '"[a-z0-9_]{1,32}"', '"[0-9a-f]{64}"'
MD4, SHA1 = '(?:"md4":"[0-9a-f]{32}",)?', '(?:"sha1":"[0-9a-f]{40}",)?'
SAID, TRIED = '"[<>]","[A-Za-z0-9+/]++={0,2}"', f'"!",{{"outcome":{WORD},"transport":{WORD}}}'
ELIDED = f'"<",{{"elided":{WORD},"length":{NUMBER},"sha256":{SHA256}}}'
MEASURED = f'"=",{{"distinct_bytes":{NUMBER},"length":{NUMBER},{MD4}(?:"offset":{NUMBER},)?'
MEASURED += f'"piece":{NUMBER},{SHA1}"sha256":{SHA256}}}'
EVENTS = rf"\[(?:\[{NUMBER},(?:{SAID}|{TRIED}|{ELIDED}|{MEASURED})\],?)*+\]"
ENDING = f'"network":{WORD},"transport":(?:null|{WORD}),"v":1'
TRANSCRIPT = re.compile(f'{{"events":{EVENTS},{ENDING}}}')
# How long the messages of a kind are behind it, at least and at most.
SIZES = {**dict.fromkeys((0, 1, 2, 3, 14, 15), (0, 0)), **dict.fromkeys((4, 13, 17), (4, 4))}
SIZES |= {**dict.fromkeys((6, 8, 16), (12, 12)), 9: (2, 2), 21: (48, 48), 23: (48, 48)}
SIZES |= {7: (8, MESSAGE_BYTES), 20: (1, MESSAGE_BYTES)}

TEXT = """
checkpoint|The checkpoint is signed by the log's key|Le point de contrôle est signé par la clé
included|In the signed log|Dans le journal signé
together|Run, entry and sighting belong together|Session, entrée et constat vont ensemble
listed|The entry is in the signed list|L'entrée est dans la liste signée
paper|The authorisation is the one recorded, and signed|L'autorisation inscrite est signée
term|Within the term of the authorisation|Dans le délai de l'autorisation
covered|Network, list, place, level are authorised|Réseau, liste, lieu, niveau sont autorisés
request|Two named operators signed for the piece|Deux opérateurs nommés ont signé pour la pièce
replay|Replayed, the conversation shows the same|L'échange rejoué montre la même chose
stamp|The time stamp holds|L'horodatage est valable
key|The log's key is the one you gave|La clé du journal est celle que vous donnez
!key|The log's key came along: COMPARED WITH NOTHING|Clé du journal jointe : COMPARÉE À RIEN
!tsa|The stamp's certificate came along: COMPARED WITH NOTHING|Certificat joint : COMPARÉ À RIEN
!authority|Key of the authority COMPARED WITH NOTHING|Clé de l'autorité COMPARÉE À RIEN
!unstamped|No time stamp: the unit's own clock says when|Pas d'horodatage : heure du service
!stamped|It existed by then; its own time is the unit's|Existait alors ; heure propre du service
!clock|The unit's clock was NOT synchronised|L'horloge du service n'était PAS synchronisée
!lab|A LABORATORY run: it concerns nobody|Session de LABORATOIRE : ne vise personne
2|it shares this torrent; not that it has any of the file|partage ce torrent, sinon le fichier
3|it says that it has pieces of the file; it may lie|dit avoir des pièces ; peut mentir
4|it delivered a piece of the file from this address|a livré une pièce, depuis cette adresse
4!|not: the whole file, a device, a person, knowledge|sans désigner fichier entier ni personne
AGREES|AGREES|CONCORDE
DIFFERS|DOES NOT AGREE|NE CONCORDE PAS
UNREADABLE|CANNOT BE READ|ILLISIBLE
"""
WORDS = {code: words for code, *words in (line.split("|") for line in TEXT.split("\n")[1:-1])}

load = cache(run_path)
dumps = partial(json.dumps, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
ODD = (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
BAD = (UnsupportedAlgorithm, InvalidSignature, x509.InvalidVersion, AttributeError, ValueError)
BROKEN = (*ODD, *BAD, LookupError, TypeError, ArithmeticError, MemoryError, RecursionError)
KINDS = ("run", "entry", "sighting", "proof_request")
type Fields = Mapping[str, Any]
type Blocks = Mapping[int, tuple[int, str]]


class Fault(ValueError):
    """What does not hold, in words."""


class Findings:
    """What was checked, and how it came out, in the reader's language."""

    def __init__(self, language: str = "en") -> None:
        self.language, self.failed = ("en", "fr").index(language), False
        self.lines: list[str] = []

    def note(self, code: str, about: str = "") -> None:
        """Say what the reader must know."""
        self.lines.append(f"[note  ] {WORDS[f'!{code}'][self.language]}{about}")

    def check[T](self, code: str, call: Callable[[], T], about: str = "") -> T | None:
        """Return what a check gives, and note how it came out; None where there is a fault."""
        fault, found = "", None
        try:
            found = call()
        except BROKEN as broken:
            fault = f": {broken if isinstance(broken, Fault) else type(broken).__name__}"
        mark = ("FAILED", "ÉCHEC ")[self.language] if fault else "ok    "
        self.lines.append(f"[{mark}] {WORDS[code][self.language]}{about}{fault}")
        self.failed = self.failed or bool(fault)
        return found


def require(is_so: bool, why: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raise a fault unless something is so."""
    if not is_so:
        raise Fault(why)


def raw(text: str, *, is_hex: bool = True) -> bytes:
    """Return the bytes that hex digits or base64 stand for; each can be written in one way."""
    found = bytes.fromhex(text) if is_hex else base64.b64decode(text)
    again = found.hex() if is_hex else base64.b64encode(found).decode()
    require(again == text, "it is not written as it should be")
    return found


def canonical(content: bytes) -> dict[str, Any]:
    """Return an object that is written in the one form of JSON that is signed."""
    value = json.loads(content)
    require(content[:1] == b"{" and dumps(value).encode() == content, "it is not canonical")
    return dict(value)


def digest_of(*parts: bytes) -> bytes:
    """Return a hash: of a leaf behind 0, of a node behind 1, in a torrent behind nothing."""
    return sha256(b"".join(parts)).digest()


def root_by(leaf: bytes, index: int, size: int, proof: Sequence[str]) -> bytes:
    """Return the root that an inclusion proof leads to (RFC 6962, 2.1.1)."""
    if size == 1:
        require(index == 0 and not proof, "the proof is of another place")
        return leaf
    *rest, beside = proof
    left = 1 << (size - 1).bit_length() - 1
    if index < left:
        return digest_of(b"\1", root_by(leaf, index, left, rest), raw(beside))
    return digest_of(b"\1", raw(beside), root_by(leaf, index - left, size - left, rest))


def read_checkpoint(note: str, key: str) -> tuple[int, bytes]:
    """Return size and root of a checkpoint that a key (name+id+base64) alone has signed."""
    name, key_id, encoded = key.split("+", 2)
    public = raw(encoded, is_hex=False)
    own_id = digest_of(name.encode(), b"\n", public)[:4]
    require(public[0] == 1 and own_id.hex() == key_id, "the key is none")
    text, _, line = note.rpartition("\n\n")
    origin, size, root, *_ = text.split("\n")
    start = f"\N{EM DASH} {name} "
    made = raw(line.removeprefix(start).removesuffix("\n"), is_hex=False)
    is_ours = line.startswith(start) and line.endswith("\n") and made[:4] == own_id
    require(is_ours and origin == name, "it is of another log, or not signed by its key")
    signer = ed25519.Ed25519PublicKey.from_public_bytes(public[1:])
    signer.verify(made[4:], f"{text}\n".encode())
    return int(size), raw(root, is_hex=False)


def der(data: bytes, *tags: int) -> list[bytes]:
    """Return the contents of the elements of ``data``; ``tags`` must be those of the first."""
    at, found = 0, list[tuple[int, bytes]]()
    while at < len(data):
        length, start = data[at + 1], at + 2
        if length > 127:
            start += length & 127
            length = int.from_bytes(data[at + 2 : start])
            require(length > 127 and data[at + 2] > 0, "the stamp is not in DER")
        require(start + length <= len(data), "the stamp was cut")
        found.append((data[at], data[start : start + length]))
        at = start + length
    require([tag for tag, _ in found[: len(tags)]] == list(tags), "the stamp has no form")
    return [content for _, content in found]


def read_stamp(response: bytes, note: bytes, given: bytes) -> datetime:
    """Return when the owner of a certificate saw a checkpoint, by its answer (RFC 3161)."""
    is_pem = given.lstrip().startswith(b"-----BEGIN")
    load = x509.load_pem_x509_certificate if is_pem else x509.load_der_x509_certificate
    status, content = der(der(response, 0x30)[0], 0x30, 0x30)
    require(der(status, 0x02)[0] in {b"\0", b"\1"}, "the authority refused to stamp")
    oid, wrapped = der(content, 0x06, 0xA0)
    signed = der(der(wrapped, 0x30)[0], 0x02, 0x31, 0x30)
    kind, octets = der(signed[2], 0x06, 0xA0)
    require([oid.hex(), kind.hex()] == [SIGNED_DATA, TST_INFO], "the stamp is of another kind")
    (info,), (signer,) = der(octets, 0x04), der(signed[-1], 0x30)
    _, _, imprint, _, made_at = der(der(info, 0x30)[0], 0x02, 0x06, 0x30, 0x02, 0x18)[:5]
    algorithm, digest = der(imprint, 0x30, 0x04)
    made = new(SHA_2[der(algorithm, 0x06)[0].hex()].name, note).digest()
    require(made == digest, "the stamp is of something else than this checkpoint")
    day, time = made_at[:8].decode(), made_at[8:14].decode()
    at, certificate = datetime.fromisoformat(f"{day}T{time}Z"), load(given)
    is_valid = certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc
    require(is_valid, "the authority's certificate was not valid then")
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    is_for_stamps = [one.dotted_string for one in usage.value] == ["1.3.6.1.5.5.7.3.8"]
    require(usage.critical and is_for_stamps, "the certificate is not for stamps alone")
    _, _, algorithm, signed_too, _, signature, *_ = der(signer, 2, 0x30, 0x30, 0xA0, 0x30, 4)
    means = SHA_2[der(algorithm, 0x06)[0].hex()]
    said = {oid.hex(): der(one)[0] for oid, one in (der(one) for one in der(signed_too))}
    is_its = said[MESSAGE_DIGEST] == new(means.name, info).digest()
    require(is_its and said[CONTENT_TYPE].hex() == TST_INFO, "the stamp was changed")
    # What is signed are the attributes as a SET (RFC 5652, 5.4).
    size, key = len(signed_too).to_bytes(2), certificate.public_key()
    length = b"\x82" + size if size[0] else (b"\x81" if size[1] > 127 else b"") + size[1:]
    message = b"\x31" + length + signed_too
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, message, padding.PKCS1v15(), means)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, message, ec.ECDSA(means))
    else:
        raise Fault("the authority's key is of an unknown kind")
    return at


def read_transcript(content: bytes) -> dict[str, Any]:
    """Return a transcript; each of its events is one that transcripts have."""
    require(bool(TRANSCRIPT.fullmatch(content[: 12 << 20].decode())), "it is no transcript")
    found, before, room = json.loads(content), 0, 4 << 20
    require(len(found["events"]) <= 1 << 14, "it has too many events")
    for event in found["events"]:
        at, kind, value = event
        require(before <= at <= 86_400_000, "its times go back")
        require(kind == "!" or found["transport"] is not None, "said without a connection")
        require(kind != "=" or value["distinct_bytes"] <= 256, "a byte has 256 values")
        event[2] = raw(value, is_hex=False) if isinstance(value, str) else value
        before, room = at, room - (len(event[2]) if isinstance(value, str) else 0)
    require(room >= 0, "it has too many bytes")
    return dict(found)


def replay(content: bytes, key: Fields) -> dict[str, Any]:
    """Return what a transcript shows of a listed key, and the fault that ended it early."""
    found, fault = read_transcript(content), ""
    kind, is_ed2k = key["kind"], key["kind"] == "ed2k"
    is_known = is_ed2k or kind in {"torrent", "torrent_v2"}
    require(is_known, f"{kind} is not replayed by this version")
    beside = str(Path(__file__).with_name("verify_ed2k.py"))  # replays eDonkey
    heard = load(beside)["Ed2k"](key, require) if is_ed2k else BitTorrent(key)
    try:
        for _, kind, value in found["events"]:
            heard.hear(kind, value)
    except Fault as broken:
        fault = str(broken)
    said = {one: found[one] for one in ("network", "transport")}
    shown = {**heard.shown(), **said, "fault": fault}
    return shown if found["transport"] is not None else {**shown, "level": 0}


class BitTorrent:
    """One conversation, heard again; ``hear`` raises Fault where the protocol is broken."""

    def __init__(self, key: Fields) -> None:
        self.is_v2, self.root = key["kind"] == "torrent_v2", key.get("root")
        self.size, self.width = key["size_bytes"], key["piece_bytes"]
        own, twin = bytes.fromhex(key["info_hash"])[:20], bytes.fromhex(key.get("twin") or "")
        self.names = {">": {own}, "<": {own, twin}}  # a hybrid may answer with its other hash
        if self.is_v2:
            self.start, self.end, listed = 0, self.size, key["layer"] or [self.root]
            self.first, self.total = key["first_piece"], key["torrent_pieces"]
        else:
            self.start, self.end = key["first_byte"], key["torrent_bytes"]
            listed = key["pieces"]
            self.first, self.total = self.start // self.width, -(-self.end // self.width)
        is_sane = self.size > 0 and 0 < self.width <= 1 << 30 and self.first >= 0
        is_sane = is_sane and self.first <= self.total - len(listed) < 1 << 24
        require(is_sane, "the listed key is of no torrent")
        # How many layers stand between a block and the listed hash above it (BEP 52).
        blocks = -(-min(self.size, self.width) // BLOCK)
        wide = self.width // BLOCK if key.get("layer") else blocks
        self.height: int = (wide - 1).bit_length()
        counts, self.digests = Counter(listed), list(map(bytes.fromhex, listed))
        self.weak = {*key["weak"], *(i for i, one in enumerate(listed) if counts[one] > 1)}
        self.data, self.shake = {">": bytearray(), "<": bytearray()}, {">": b"", "<": b""}
        # A bitfield as it is on the wire, the first piece's bit highest.
        self.held, self.bits, self.is_told = 0, -(-self.total // 8) * 8, False
        self.every = ((1 << self.total) - 1) << self.bits - self.total
        self.asked, self.hashes = set[bytes](), list[bytes]()
        self.blocks: dict[int, dict[int, tuple[int, str]]] = {}
        self.proof: dict[str, Any] | None = None

    def hear(self, kind: str, value: Any) -> None:  # noqa: ANN401 - bytes or fields
        """Take the next event."""
        if isinstance(value, bytes):
            self.data[kind] += value
            while message := self._next(kind):
                if not self.shake[kind]:
                    self._greet(kind, message)
                elif kind == "<" and len(message) > 4:
                    self._take(message[4], message[5:])
                elif message[4:5] in {b"\6", b"\x15"}:  # else it asks neither block nor hashes
                    self.asked.add(message[4:])
        elif kind == "<":
            self._elide(value["length"], value["sha256"])
        elif kind == "=" and self.shake["<"]:
            self.proof = self.proof or self._proof(value)

    def _next(self, kind: str) -> bytes:
        data = self.data[kind]
        end = 4 + int.from_bytes(data[:4] if len(data) > 3 else b"") if self.shake[kind] else 68
        require(end <= 4 + MESSAGE_BYTES, "a message is too long")
        if len(data) < end:
            return b""
        made = bytes(data[:end])
        del data[:end]
        return made

    def _greet(self, kind: str, made: bytes) -> None:
        is_ours = made[:20] == b"\x13BitTorrent protocol" and made[28:48] in self.names[kind]
        require(is_ours, "no handshake for this info-hash")
        require(kind == ">" or self.shake[">"] != b"", "the peer spoke first")
        require(made[48:] != self.shake[">"][48:], "an echo of our own handshake")
        self.shake[kind] = made

    def _take(self, kind: int, body: bytes) -> None:
        is_fast, number = self.shake["<"][27] & self.shake[">"][27] & 4, int.from_bytes(body)
        least, longest = {**SIZES, 5: (self.bits // 8,) * 2}.get(kind, (0, MESSAGE_BYTES))
        is_sound = least <= len(body) <= longest and (is_fast > 0 or not 13 <= kind <= 17)
        most = {4: self.total - 1, 5: number & self.every}.get(kind, number)
        require(is_sound and number <= most, f"message {kind} is malformed")
        said = {4: kind == 4 and 1 << self.bits - 1 - number, 5: number, 14: self.every, 15: 0}
        self.is_told, self.held = self.is_told or kind in said, self.held | said.get(kind, 0)
        if kind == 22:
            self._take_hashes(body[:48], body[48:])

    def _take_hashes(self, asked: bytes, given: bytes) -> None:
        index, count, layers = (int.from_bytes(asked[at : at + 4]) for at in (36, 40, 44))
        is_sound = count > 1 and count.bit_count() == 1 and index % count == 0
        many = count + max(0, layers + 2 - count.bit_length())
        require(is_sound and len(given) == 32 * many, "message 22 is malformed")
        if asked[:32].hex() == self.root and b"\x15" + asked in self.asked:
            self.asked.remove(b"\x15" + asked)
            self.hashes.append(asked + given)

    def _elide(self, length: int, digest: str) -> None:
        begun = self.data["<"]
        kind = begun[4] if self.shake["<"] and len(begun) > 4 else 0
        is_so = kind in {7, 20} and len(begun) >= {7: 13, 20: 6}[kind]
        is_so = is_so and 0 < 4 + int.from_bytes(begun[:4]) - len(begun) == length
        require(is_so, "something is left out where nothing may be")
        asked = b"\6" + begun[5:] + length.to_bytes(5)[1:]
        if kind == 7 and asked in self.asked:
            self.asked.remove(asked)
            piece, begin = int.from_bytes(asked[1:5]), int.from_bytes(asked[5:9])
            self.blocks.setdefault(piece, {})[begin] = length, digest
        self.data["<"] = bytearray()

    def _proof(self, found: Fields) -> dict[str, Any] | None:
        place, at, digest = found["piece"] - self.first, found.get("offset"), found["sha256"]
        if not 0 <= place < len(self.digests) or place in self.weak:
            return None
        first = (place if self.is_v2 else found["piece"]) * self.width
        size, listed = min(self.width, self.end - first), self.digests[place]
        is_shown = self.start <= first and first + size <= self.start + self.size
        blocks = self.blocks.get(found["piece"], {})
        if at is None:
            is_shown = is_shown and self._is_whole(found, blocks, size, listed)
            digest = listed.hex()
        else:
            size, leaf = min(BLOCK, size - at), bytes.fromhex(digest)
            is_shown = self.is_v2 and at % BLOCK == 0 and blocks.get(at) == (size, digest)
            led = (self._led(one, (first + at) // BLOCK, leaf) for one in self.hashes)
            is_shown = is_shown and listed in (led if self.height else [leaf])
        if not is_shown or found["length"] != size or found["distinct_bytes"] < DISTINCT_BYTES:
            return None
        kept = {one: found[one] for one in ("piece", "sha256", "distinct_bytes")}
        offset = first + (at or 0) - self.start
        return {**kept, "offset_bytes": offset, "length_bytes": size, "digest": digest}

    def _is_whole(self, found: Fields, blocks: Blocks, size: int, listed: bytes) -> bool:
        begins = sorted(blocks)
        ends = [begin + blocks[begin][0] for begin in begins]
        leaves = [bytes.fromhex(blocks[begin][1]) for begin in begins]
        is_so = [0, *ends] == [*begins, size]  # they follow each other, and are all
        is_so = is_so and (len(leaves) > 1 or leaves[0].hex() == found["sha256"])
        if not is_so or not self.is_v2:
            return bool(is_so and found.get("sha1") == listed.hex())
        leaves += [bytes(32)] * ((1 << self.height) - len(leaves))
        return begins == list(range(0, size, BLOCK)) and self._above(leaves, 0, []) == listed

    def _led(self, found: bytes, number: int, leaf: bytes) -> bytes:
        base, index, count = (int.from_bytes(found[at : at + 4]) for at in (32, 36, 40))
        each = [found[at : at + 32] for at in range(48, len(found), 32)]
        is_its = base == 0 and index <= number < index + count and each[number - index] == leaf
        return self._above(each[:count], number, each[count:]) if is_its else b""

    def _above(self, level: list[bytes], number: int, uncles: list[bytes]) -> bytes:
        """Return the node above leaf ``number`` that is as high as the listed one."""
        at = number % len(level) >> self.height
        for height in range(self.height):
            pairs = list(zip(level[::2], level[1::2], strict=False))
            if len(level) == 1:  # an uncle that is missing leads nowhere
                pair = (level[0], uncles.pop(0) if uncles else b"")
                pairs = [pair[::-1] if number >> height & 1 else pair]
            level = [digest_of(left, right) for left, right in pairs]
        return level[at]

    def shown(self) -> dict[str, Any]:
        """Return what the conversation shows, in the words of a record."""
        every = range(self.first, self.first + len(self.digests))
        listed = self.held >> self.bits - every.stop & ((1 << len(every)) - 1)
        claims: dict[str, Any] = {"held": self.held.bit_count(), "total": self.total}
        claims |= {"listed_held": listed.bit_count(), "listed_total": len(every)}
        claims["bitfield_sha256"] = digest_of(self.held.to_bytes(self.bits // 8)).hex()
        level = 1 if not self.shake["<"] else 4 if self.proof else 3 if listed else 2
        client = self.shake["<"][48:].hex() or None
        said = {"level": level, "client": client, "proof": self.proof}
        return {**said, "claims": claims if self.is_told else None}


def signers(signatures: Sequence[Fields], message: bytes) -> set[str]:
    """Return the keys of signatures, all of which hold: ECDSA on P-256, or Ed25519."""
    for one in signatures:
        public, made = raw(one["public_key"]), raw(one["signature"])
        if len(public) == 32:
            ed25519.Ed25519PublicKey.from_public_bytes(public).verify(made, message)
        else:
            r_and_s = (int.from_bytes(one) for one in (made[:32], made[32:]))
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
            key.verify(utils.encode_dss_signature(*r_and_s), message, ec.ECDSA(hashes.SHA256()))
    return {one["public_key"] for one in signatures}


def open_record(part: Fields, size: int, top: bytes) -> dict[str, Any]:
    """Return a record that is under the root of a checkpoint."""
    content, salt = part["record"].encode(), raw(part["salt"])
    found = root_by(digest_of(b"\0", salt, content), part["index"], size, part["proof"])
    require(found == top and len(salt) == 16, "the checkpoint was signed for another one")
    return {**canonical(content), "index": part["index"]}


class Sighting:
    """A sighting and the records that it rests on."""

    def __init__(self, records: Fields, authorities: Sequence[str] = ()) -> None:
        self.run, self.entry, self.it, self.request = (records.get(one) or {} for one in KINDS)
        self.paper, self.key = dict[str, Any](), dict[str, Any]()
        self.authorities, self.signed = set(authorities), set[str]()

    def check(self, findings: Findings, stamped: datetime | None = None) -> None:
        """Note how each check comes out, and what the reader must know."""
        self.stamped = stamped
        checks = {"together": self._together, "listed": self._listed, "paper": self._papers}
        checks |= {"term": self._in_term, "covered": self._covered, "replay": self._replayed}
        checks |= {"request": self._requested} if self.it.get("level") == 4 else {}
        for code, check in checks.items():
            findings.check(code, check)
        told = {"authority": not self.authorities, "lab": self.run.get("lab")}
        told["clock"] = not self.it.get("clock", {}).get("synchronised")
        whose = f" ({self.paper.get('issuer')}: {', '.join(sorted(self.signed))})"
        for code in filter(told.get, told):
            findings.note(code, whose if code == "authority" else "")

    def _together(self) -> None:
        run, entry, it = self.run, self.entry, self.it
        listed = {one: run["list"][one] for one in ("name", "version")}
        said = {"kind": "sighting", "run": run["index"], "case": run["case"], "list": listed}
        require({**it, **said} == it and run["kind"] == "run", "they are of other runs")
        said = {"kind": "entry", **{one: it[one] for one in ("entry", "number", "list")}}
        is_so = {**entry, **said} == entry and run["index"] < entry["index"] < it["index"]
        require(is_so, "they are of another entry")

    def _listed(self) -> None:
        line, listed = self.entry["line"].encode(), self.run["list"]
        leaf, number = digest_of(b"\0", line), self.entry["number"]
        found = root_by(leaf, number, listed["keys"], self.entry["proof"]).hex()
        require(found == listed["tree_root"], "the list has another entry in this place")
        self.key = json.loads(line)

    def _papers(self) -> None:
        given = self.run["authorisation"]
        text = given.get("document", dumps(given)).encode()
        is_it = digest_of(text).hex() == self.run["authorisation_sha256"]
        self.paper = canonical(text)
        require(is_it and self.paper["case"] == self.run["case"], "it is another one")
        self.signed = signers(self.run["authorisation_signatures"], text)
        require(len(self.signed) > 0, "nobody has signed it")
        require(self.authorities <= self.signed, "a key that you gave has not signed it")

    def _in_term(self, paper: Fields | None = None) -> None:
        paper, it = self.paper if paper is None else paper, self.it
        events = json.loads(base64.b64decode(it["transcript"]))["events"]
        lasted = timedelta(milliseconds=max([0, *(one[0] for one in events)]))
        spoke = timedelta(milliseconds=max([0, *(at for at, kind, _ in events if kind == ">")]))
        texts = (it["started_at"], it["ended_at"], paper["not_before"], paper["not_after"])
        begin, end, first, after = map(datetime.fromisoformat, texts)
        require(begin <= begin + lasted <= end + SLACK, "its times contradict each other")
        require(self.stamped is None or end <= self.stamped + 10 * SLACK, "its stamp is older")
        require(first <= begin <= begin + spoke < after + SLACK, "it is outside of the term")

    def _covered(self) -> None:
        it, paper, place = self.it, self.paper, self.it["place"] or {"verdict": "undetermined"}
        is_so = it["network"] in paper["networks"] and it["list"]["name"] in paper["lists"]
        require(is_so, "it does not cover the network or the list")
        powers = {"observe"} | ({"prove"} if it["level"] == 4 else set())
        require(powers <= set(paper["powers"]), "it does not carry the power")
        is_in = place["verdict"] == "inside" and place["country"] in paper["jurisdiction"]
        require(is_in or place["verdict"] == "undetermined", "the place is outside of it")

    def _requested(self) -> None:
        text, it, run = self.request["request"].encode(), self.it, self.run
        terms, signatures = canonical(text), self.request["signatures"]
        is_it = digest_of(text).hex() == self.request["request_sha256"] == it["request_sha256"]
        said = {one: run[one] for one in ("case", "authorisation_sha256")}
        said |= {"kind": "proof_request", "list": it["list"]["name"]}
        is_it = is_it and {**terms, **said} == terms and self.request["index"] < it["index"]
        is_for = terms["entries"] == "all" or it["entry"] in terms["entries"]
        require(is_it and is_for and it["network"] in terms["networks"], "it is for another")
        self._in_term(terms)
        named = [one for one in self.paper["operators"] if one["kind"] == "p256" or run["lab"]]
        keys = {base64.b64decode(one["public_key"]).hex(): one["name"] for one in named}
        is_named = all(keys[one["public_key"]] == one["operator"] for one in signatures)
        require(is_named, "somebody signed whom the authorisation does not name")
        require(len(signers(signatures, text)) > 1, "fewer than two operators have signed")

    def _replayed(self) -> None:
        it, shown = self.it, replay(base64.b64decode(self.it["transcript"]), self.key)
        why = f"it shows level {shown['level']}{shown['fault'] and ', then ' + shown['fault']}"
        require(shown["level"] == it["level"], why)
        shown["client"] = shown["client"] if it["level"] > 2 else None
        said = {**it, "client": it["client"]["id"]}
        wrong = [one for one in shown if one != "fault" and shown[one] != said[one]]
        network = "ed2k" if self.key["kind"] == "ed2k" else "bittorrent"
        is_so = not wrong and it["network"] == network
        require(is_so, f"it shows another {' '.join(wrong) or 'network'}")


def check_pack(findings: Findings, pack: Fields, options: argparse.Namespace) -> str:
    """Check the pack of one sighting; return what it shows."""
    note, stamp, at = pack["checkpoint"], pack["stamp"], None
    key = pack["log_key"] if options.log_key is None else options.log_key
    if options.log_key is None:
        findings.note("key")
    else:
        findings.check("key", partial(require, key == pack["log_key"], "it is another log's"))
    size, top = findings.check("checkpoint", partial(read_checkpoint, note, key)) or (0, b"")
    if stamp is None:
        findings.note("unstamped")
    else:
        require(stamp["checkpoint"] == note, "the stamp is of another checkpoint")
        response, own = (raw(stamp[one], is_hex=False) for one in ("response", "certificate"))
        if options.tsa is None:
            findings.note("tsa")
        given = own if options.tsa is None else options.tsa.read_bytes()
        at = findings.check("stamp", partial(read_stamp, response, note.encode(), given))
        if at is not None:
            findings.note("stamped", f" ({at.isoformat()})")
    require(pack["records"].keys() <= set(KINDS), "it holds records of others")
    records = {}
    for kind, part in pack["records"].items():
        check_it = partial(open_record, part, size, top)
        records[kind] = findings.check("included", check_it, f" ({kind})")
    Sighting(records, options.authority_key).check(findings, at)
    level = str((records.get("sighting") or {}).get("level"))
    words = [WORDS[one][findings.language] for one in (level, f"{level}!") if one in WORDS]
    return f"L{level}: {'; '.join(words)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a pack; 0 where all agrees, 1 where something does not, 2 where it is none."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pack", type=Path, help="sighting-N.json")
    parser.add_argument("--log-key", type=lambda key: "".join(key.split()), help="name+id+key")
    parser.add_argument("--authority-key", action="append", default=[], help="in hex; of each")
    parser.add_argument("--tsa", type=Path, help="the stamp authority's certificate, a file")
    parser.add_argument("--lang", choices=("en", "fr"), default="en")
    options = parser.parse_args(arguments)
    findings, shown, verdict = Findings(options.lang), "", "UNREADABLE"
    try:
        with options.pack.open("rb") as file:
            pack = canonical(file.read(1 << 27))
        require((pack["v"], pack["kind"]) == (1, "protech_disclosure"), "it is no pack")
        shown = check_pack(findings, pack, options)
        verdict = "DIFFERS" if findings.failed else "AGREES"
    except (*BROKEN, OSError) as broken:
        findings.lines.append(f"({getattr(broken, 'strerror', type(broken).__name__)})")
    code = sys.stdout.encoding or "ascii"
    for line in (*findings.lines, shown, WORDS[verdict][findings.language]):
        said = "".join(one if one.isprintable() else "?" for one in line)  # no escape codes
        print(said.encode(code, "replace").decode(code))
    return ("AGREES", "DIFFERS", "UNREADABLE").index(verdict)


if __name__ == "__main__":
    sys.exit(main())
