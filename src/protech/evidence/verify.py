"""Checks a disclosure pack without Protech: one file, for whoever doubts it.

    python verify.py PACK [--log-key KEY] [--tsa CERTIFICATE] [--lang fr]

It needs Python 3.12 and the package `cryptography`, and opens no network. It ends with 0 where
all agrees, 1 where something does not, 2 where the pack cannot be read. Keys in a pack prove
nothing: give the log's key as the unit published it, and the certificate of the time-stamping
authority. Sources: RFC 6962, 3161 and 5652, c2sp.org/tlog-checkpoint, BEP 3, 6, 10 and 52.
"""

import argparse
import base64
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from hashlib import new, sha256
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
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
# The fields of a transcript's events, and their forms.
NAMES = {"<": {"elided", "length", "sha256"}, "!": {"transport", "outcome"}}
NAMES |= {"=": {"piece", "length", "sha256", "distinct_bytes"}}
FORMS = dict.fromkeys(("piece", "offset", "length"), re.compile("[0-9]{1,9}"))
FORMS |= dict.fromkeys(("elided", "transport", "outcome"), re.compile(r'"[a-z0-9_]{1,32}"'))
FORMS |= {"sha256": re.compile('"[0-9a-f]{64}"'), "sha1": re.compile('"[0-9a-f]{40}"')}
FORMS |= {"md4": re.compile('"[0-9a-f]{32}"')}
FORMS |= {"distinct_bytes": re.compile("[0-9]{1,2}|1[0-9]{2}|2[0-4][0-9]|25[0-6]")}
# How long messages are behind their kind, where all of a kind are alike.
SIZES = {**dict.fromkeys((0, 1, 2, 3, 14, 15), 0), **dict.fromkeys((4, 13, 17), 4)}
SIZES |= {**dict.fromkeys((6, 8, 16), 12), 9: 2, 21: 48, 23: 48}

TEXT = """
checkpoint|The checkpoint is signed by the log's key|Le point de contrôle est signé par la clé
included|In the signed log|Dans le journal signé
together|Run, entry and sighting belong together|Session, entrée et constat vont ensemble
listed|The entry is in the signed list|L'entrée est dans la liste signée
paper|The authorisation is the one recorded|L'autorisation est celle inscrite
term|Within the term of the authorisation|Dans le délai de l'autorisation
covered|Network, list, place, level are authorised|Réseau, liste, lieu, niveau sont autorisés
request|Two named operators signed for the piece|Deux opérateurs nommés ont signé pour la pièce
replay|Replayed, the conversation shows the same|L'échange rejoué montre la même chose
stamp|The time stamp holds|L'horodatage est valable
key|The log's key is the one you gave|La clé du journal est celle que vous donnez
!key|The log's key came along: COMPARED WITH NOTHING|Clé du journal jointe : COMPARÉE À RIEN
!tsa|The stamp's certificate came along: COMPARED WITH NOTHING|Certificat joint : COMPARÉ À RIEN
!paper|Compare the authorisation with the signed paper|Comparez l'autorisation avec l'acte signé
!unstamped|No time stamp: the unit's own clock says when|Pas d'horodatage : heure du service
!stamped|It existed by then; its own time is the unit's|Existait alors ; heure propre du service
!clock|The unit's clock was NOT synchronised|L'horloge du service n'était PAS synchronisée
!lab|A LABORATORY run: it concerns nobody|Session de LABORATOIRE : ne vise personne
0|somebody named the address; anybody can be named|adresse citée ; chacun peut l'être
1|something accepted a connection|une connexion a été acceptée, par on ne sait quoi
2|it shares this torrent; not that it has any of the file|partage ce torrent, sinon le fichier
3|it says that it has pieces of the file; it may lie|dit avoir des pièces ; peut mentir
4|it delivered a piece of the file from this address|a livré une pièce, depuis cette adresse
4!|not: the whole file, a device, a person, knowledge|sans désigner fichier entier ni personne
AGREES|AGREES|CONCORDE
DIFFERS|DOES NOT AGREE|NE CONCORDE PAS
UNREADABLE|CANNOT BE READ|ILLISIBLE
"""
WORDS = {code: words for code, *words in (line.split("|") for line in TEXT.split("\n")[1:-1])}

dumps = partial(json.dumps, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
BROKEN = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
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
        except InvalidSignature:
            fault = ": the signature does not hold"
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


def _above(level: Sequence[bytes]) -> list[bytes]:
    return [digest_of(*pair) for pair in zip(level[::2], level[1::2], strict=True)]


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
    start, made = f"\N{EM DASH} {name} ", raw(line.rpartition(" ")[2].strip(), is_hex=False)
    is_ours = line == f"{start}{base64.b64encode(made).decode()}\n" and made[:4] == own_id
    require(is_ours and origin == name, "it is of another log, or not signed by its key")
    signer = ed25519.Ed25519PublicKey.from_public_bytes(public[1:])
    signer.verify(made[4:], f"{text}\n".encode())
    return int(size), raw(root, is_hex=False)


def der(data: bytes, *tags: int) -> list[bytes]:
    """Return the contents of the elements of ``data``; ``tags`` must be those of the first."""
    found, at = [], 0
    while at < len(data):
        length, start = int.from_bytes(data[at + 1 : at + 2]), at + 2
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
    _, _, algorithm, signed_too, _, signature = der(signer, 0x02, 0x30, 0x30, 0xA0, 0x30, 0x04)[
        :6
    ]
    means = SHA_2[der(algorithm, 0x06)[0].hex()]
    said = {oid.hex(): der(one)[0] for oid, one in (der(one) for one in der(signed_too))}
    is_its = said[MESSAGE_DIGEST] == new(means.name, info).digest()
    require(is_its and said[CONTENT_TYPE].hex() == TST_INFO, "the stamp was changed")
    # What is signed are the attributes as a SET (RFC 5652, 5.4).
    size, key = len(signed_too).to_bytes(2), certificate.public_key()
    length = b"\x82" + size if size[0] else (b"\x81" if size[1] > 127 else b"") + size[1:]
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, b"\x31" + length + signed_too, padding.PKCS1v15(), means)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, b"\x31" + length + signed_too, ec.ECDSA(means))
    else:
        raise Fault("the authority's key is of an unknown kind")
    return at


def read_transcript(content: bytes) -> dict[str, Any]:
    """Return a transcript; each of its events is one that transcripts have."""
    found, before = canonical(content), 0
    require(set(found) == {"events", "network", "transport", "v"}, "it is no transcript")
    values = [{"transport": found[one] or "none"} for one in ("network", "transport")]
    for event in found["events"]:
        at, kind, value = event
        require(type(at) is int and before <= at <= 86_400_000, "its times go back")
        require(kind == "!" or found["transport"] is not None, "said without a connection")
        before = at
        if isinstance(value, str):
            require(kind in {"<", ">"} and value != "", "the transcript has an unknown event")
            event[2] = raw(value, is_hex=False)
        else:
            names = set(value) - ({"offset", "sha1", "md4"} if kind == "=" else set())
            require(names == NAMES[kind], "the transcript has an unknown event")
            values.append(value)
    parts = [(name, json.dumps(value)) for one in values for name, value in one.items()]
    is_sound = all(FORMS[name].fullmatch(value) for name, value in parts)
    require(is_sound and json.dumps(found["v"]) == "1", "the transcript has an unknown value")
    return found


def replay(content: bytes, key: Fields) -> dict[str, Any]:
    """Return what a transcript shows of a listed key, and the fault that ended it early."""
    networks = {"torrent": BitTorrent, "torrent_v2": BitTorrent}  # eD2k's is not there yet
    found, fault = read_transcript(content), ""
    require(key["kind"] in networks, f"{key['kind']} is not replayed by this version")
    heard = networks[key["kind"]](key)
    try:
        for _, kind, value in found["events"]:
            heard.hear(kind, value)
    except Fault as broken:
        fault = str(broken)
    shown = {"level": 0, "client": None, "claims": None, "proof": None, "fault": fault}
    shown |= {} if found["transport"] is None else heard.shown()
    return {**shown, "network": found["network"], "transport": found["transport"]}


class BitTorrent:
    """One conversation, heard again; ``hear`` raises Fault where the protocol is broken."""

    def __init__(self, key: Fields) -> None:
        self.is_v2 = key["kind"] == "torrent_v2"
        self.size, self.width = key["size_bytes"], key["piece_bytes"]
        self.info_hash = bytes.fromhex(key["info_hash"])[:20]
        self.start = 0 if self.is_v2 else key["first_byte"]
        self.end = self.size if self.is_v2 else key["torrent_bytes"]
        listed = (key["layer"] or [key["root"]]) if self.is_v2 else key["pieces"]
        self.digests, self.root = list(map(bytes.fromhex, listed)), key.get("root")
        self.first = key["first_piece"] if self.is_v2 else self.start // self.width
        self.total = key["torrent_pieces"] if self.is_v2 else -(-self.end // self.width)
        is_sane = self.size > 0 and 0 <= self.first <= self.total - len(listed) < 1 << 24
        require(is_sane, "the listed key is of no torrent")
        # How many layers stand between a block and the listed hash above it (BEP 52).
        blocks = -(-min(self.size, self.width) // BLOCK)
        self.height = ((self.width // BLOCK if key.get("layer") else blocks) - 1).bit_length()
        twice = {at for at, one in enumerate(listed) if listed.count(one) > 1}
        self.weak = twice | set(key["weak"])
        self.data, self.shake = {">": b"", "<": b""}, {">": b"", "<": b""}
        self.held, self.is_told = 0, False  # a bit for each piece, the last one's lowest
        self.asked: set[bytes] = set()
        self.blocks: dict[int, dict[int, tuple[int, str]]] = {}
        self.hashes: list[bytes] = []
        self.proof: dict[str, Any] | None = None

    def hear(self, kind: str, value: Any) -> None:  # noqa: ANN401 - bytes or fields
        """Take the next event."""
        if isinstance(value, bytes):
            self.data[kind] += value
            if not self.shake[kind] and len(self.data[kind]) >= 68:
                self._greet(kind)
            for message in self._messages(kind):
                if kind == "<":
                    self._take(message[0], message[1:])
                else:  # a request, for a block or for hashes; nothing else of ours matters
                    self.asked |= {message} if message[0] in {6, 21} else set()
        elif kind == "<":
            self._elide(value["length"], value["sha256"])
        elif kind == "=" and self.shake["<"]:
            self.proof = self.proof or self._proof(value)

    def _greet(self, kind: str) -> None:
        made, self.data[kind] = self.data[kind][:68], self.data[kind][68:]
        is_ours = made[:20] == b"\x13BitTorrent protocol" and made[28:48] == self.info_hash
        require(is_ours, "no handshake for this info-hash")
        if kind == "<":
            require(self.shake[">"] != b"", "the peer spoke first")
            require(made[48:] != self.shake[">"][48:], "an echo of our own handshake")
        self.shake[kind] = made

    def _messages(self, kind: str) -> Iterator[bytes]:
        while self.shake[kind] and len(data := self.data[kind]) >= 4:
            end = 4 + int.from_bytes(data[:4])
            require(end <= 4 + MESSAGE_BYTES, "a message is too long")
            if len(data) < end:
                return
            self.data[kind] = data[end:]
            if end > 4:
                yield data[4:end]

    def _take(self, kind: int, body: bytes) -> None:
        spare, number = -self.total % 8, int.from_bytes(body)
        is_fast = self.shake["<"][27] & self.shake[">"][27] & 4
        size = {**SIZES, 5: (self.total + spare) // 8}.get(kind, len(body))
        is_sound = len(body) == size and len(body) >= {7: 8, 20: 1}.get(kind, 0)
        is_sound = is_sound and (bool(is_fast) or not 13 <= kind <= 17)
        is_sound = is_sound and (kind != 4 or number < self.total)
        is_whole = kind != 5 or number % (1 << spare) == 0
        require(is_sound and is_whole, f"message {kind} is malformed")
        if kind == 4:
            self.held |= 1 << (self.total - 1 - number)
        elif kind == 5:
            self.held |= number >> spare
        elif kind == 14:
            self.held = (1 << self.total) - 1
        elif kind == 22:
            self._take_hashes(body[:48], body[48:])
        self.is_told = self.is_told or kind in {4, 5, 14, 15}

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
        self.data["<"] = b""

    def _proof(self, found: Fields) -> dict[str, Any] | None:
        place, at, digest = found["piece"] - self.first, found.get("offset"), found["sha256"]
        if not 0 <= place < len(self.digests) or place in self.weak:
            return None
        first = (place if self.is_v2 else found["piece"]) * self.width
        size, listed = min(self.width, self.end - first), self.digests[place]
        blocks = self.blocks.get(found["piece"], {})
        if at is None:
            is_shown = self._is_whole(found, blocks, size, listed)
            is_inside = self.start <= first and first + size <= self.start + self.size
            is_shown, digest = is_shown and is_inside, listed.hex()
        else:
            size, leaf = min(BLOCK, size - at), bytes.fromhex(digest)
            is_shown = self.is_v2 and at % BLOCK == 0 and blocks.get(at) == (size, digest)
            led = (self._led(one, (first + at) // BLOCK, leaf) for one in self.hashes)
            is_shown = is_shown and listed in (led if self.height else [leaf])
        is_shown = is_shown and found["length"] == size
        if not is_shown or found["distinct_bytes"] < DISTINCT_BYTES:
            return None
        kept = {one: found[one] for one in ("piece", "sha256", "distinct_bytes")}
        offset = first + (at or 0) - self.start
        return {**kept, "offset_bytes": offset, "length_bytes": size, "digest": digest}

    def _is_whole(self, found: Fields, blocks: Blocks, size: int, listed: bytes) -> bool:
        at, leaves = 0, [raw(leaf) for _, (_, leaf) in sorted(blocks.items())]
        for begin, (length, _) in sorted(blocks.items()):
            is_next = begin == at and (not self.is_v2 or length == min(BLOCK, size - at))
            at = at + length if is_next else -1
        if at != size or (len(leaves) == 1 and leaves[0].hex() != found["sha256"]):
            return False
        if not self.is_v2:
            return bool(found.get("sha1") == listed.hex())
        leaves += [bytes(32)] * ((1 << self.height) - len(leaves))
        while len(leaves) > 1:
            leaves = _above(leaves)
        return leaves == [listed]

    def _led(self, hashes: bytes, number: int, leaf: bytes) -> bytes:
        base, index, count = (int.from_bytes(hashes[at : at + 4]) for at in (32, 36, 40))
        each = [hashes[at : at + 32] for at in range(48, len(hashes), 32)]
        level, uncles, at = each[:count], each[count:], number - index
        if base or not 0 <= at < count or level[at] != leaf:
            return b""
        for height in range(self.height):
            if len(level) > 1:
                level, at = _above(level), at >> 1
                leaf = level[at]
            else:  # one that is missing leads nowhere
                pair = (leaf, uncles.pop(0) if uncles else b"")
                leaf = digest_of(*(pair[::-1] if number >> height & 1 else pair))
        return leaf

    def shown(self) -> dict[str, Any]:
        """Return what the conversation shows, in the words of a record."""
        wire = (self.held << (-self.total % 8)).to_bytes(-(-self.total // 8))
        after = self.total - self.first - len(self.digests)
        listed = (self.held >> after & ((1 << len(self.digests)) - 1)).bit_count()
        counts = {"held": self.held.bit_count(), "total": self.total, "listed_held": listed}
        counts["listed_total"] = len(self.digests)
        claims = {**counts, "bitfield_sha256": digest_of(wire).hex()} if self.is_told else None
        level = 1 if not self.shake["<"] else 4 if self.proof else 3 if listed else 2
        client = self.shake["<"][48:].hex() or None
        return {"level": level, "client": client, "claims": claims, "proof": self.proof}


def open_record(part: Fields, size: int, top: bytes) -> dict[str, Any]:
    """Return a record that is under the root of a checkpoint."""
    content, salt = part["record"].encode(), raw(part["salt"])
    found = root_by(digest_of(b"\0", salt, content), part["index"], size, part["proof"])
    require(found == top and len(salt) == 16, "the checkpoint was signed for another one")
    return {**canonical(content), "index": part["index"]}


class Sighting:
    """A sighting and the records that it rests on."""

    def __init__(self, records: Fields) -> None:
        names = ("run", "entry", "sighting", "proof_request")
        self.run, self.entry, self.it, self.request = (records.get(one) or {} for one in names)
        self.paper: Fields = {}
        self.key: Fields = {}

    def check(self, findings: Findings, about: str = "") -> None:
        """Note how each check comes out, and what the reader must know."""
        checks = {"together": self._together, "listed": self._listed, "paper": self._papers}
        checks |= {"term": self._in_term, "covered": self._covered, "replay": self._replayed}
        checks |= {"request": self._requested} if self.it.get("level") == 4 else {}
        for code, check in checks.items():
            findings.check(code, check, about)
        clock = self.it.get("clock", {}).get("synchronised")
        told = {"paper": True, "lab": self.run.get("lab"), "clock": not clock}
        for code in (one for one, is_so in told.items() if is_so):
            findings.note(code)

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
        text = given.get("document", dumps(given))
        is_it = digest_of(text.encode()).hex() == self.run["authorisation_sha256"]
        self.paper = canonical(text.encode())
        require(is_it and self.paper["case"] == self.run["case"], "it is another one")

    def _in_term(self, paper: Fields | None = None) -> None:
        paper, it = self.paper if paper is None else paper, self.it
        events = json.loads(base64.b64decode(it["transcript"]))["events"]
        lasted = timedelta(milliseconds=max([0, *(one[0] for one in events)]))
        spoke = timedelta(milliseconds=max([0, *(at for at, kind, _ in events if kind == ">")]))
        texts = (it["started_at"], it["ended_at"], paper["not_before"], paper["not_after"])
        begin, end, first, after = map(datetime.fromisoformat, texts)
        require(begin <= begin + lasted <= end + SLACK, "its times contradict each other")
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
        terms, digest = canonical(text), digest_of(text).hex()
        is_it = digest == self.request["request_sha256"] == it["request_sha256"]
        said = {"kind": "proof_request", "case": run["case"], "list": it["list"]["name"]}
        said["authorisation_sha256"] = run["authorisation_sha256"]
        is_it = is_it and {**terms, **said} == terms and self.request["index"] < it["index"]
        is_for = terms["entries"] == "all" or it["entry"] in terms["entries"]
        is_for = is_for and it["network"] in terms["networks"]
        require(is_it and is_for, "it is another request, or for something else")
        self._in_term(terms)
        named = [one for one in self.paper["operators"] if one["kind"] == "p256" or run["lab"]]
        keys = {base64.b64decode(one["public_key"]).hex(): one["name"] for one in named}
        for one in self.request["signatures"]:
            is_named = keys.get(one["public_key"]) == one["operator"]
            require(is_named, "somebody signed whom the authorisation does not name")
            _check_operator(one["public_key"], one["signature"], text)
        signers = {one["public_key"] for one in self.request["signatures"]}
        require(len(signers) > 1, "fewer than two operators have signed")

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


def _check_operator(public: str, signature: str, message: bytes) -> None:
    """Check a token's signature (ECDSA on P-256), or in a laboratory one of Ed25519."""
    point, made = raw(public), raw(signature)
    if len(point) == 32:
        ed25519.Ed25519PublicKey.from_public_bytes(point).verify(made, message)
        return
    both = utils.encode_dss_signature(int.from_bytes(made[:32]), int.from_bytes(made[32:]))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    key.verify(both, message, ec.ECDSA(hashes.SHA256()))


def check_pack(findings: Findings, pack: Fields, options: argparse.Namespace) -> str:
    """Check the pack of one sighting; return what it shows."""
    note, key, stamp = pack["checkpoint"], options.log_key or pack["log_key"], pack["stamp"]
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
        check = partial(read_stamp, response, note.encode(), options.tsa or own)
        if at := findings.check("stamp", check):
            findings.note("stamped", f" ({at.isoformat()})")
    records = {}
    for kind, part in pack["records"].items():
        check_it = partial(open_record, part, size, top)
        records[kind] = findings.check("included", check_it, f" ({kind})")
    Sighting(records).check(findings)
    level = str((records.get("sighting") or {}).get("level"))
    words = [WORDS[one][findings.language] for one in (level, f"{level}!") if one in WORDS]
    return f"L{level}: {'; '.join(words)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a pack; 0 where all agrees, 1 where something does not, 2 where it is none."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("--log-key", type=str.strip, help="the log's public key, name+id+key")
    parser.add_argument("--tsa", type=lambda name: Path(name).read_bytes(), help="a file")
    parser.add_argument("--lang", choices=("en", "fr"), default="en")
    options = parser.parse_args(arguments)
    findings, shown, verdict = Findings(options.lang), "", "UNREADABLE"
    try:
        pack = json.loads(options.pack.read_bytes())
        require((pack["v"], pack["kind"]) == (1, "protech_disclosure"), "it is no pack")
        shown = check_pack(findings, pack, options)
        verdict = "DIFFERS" if findings.failed else "AGREES"
    except (*BROKEN, OSError) as broken:
        findings.lines.append(f"({type(broken).__name__})")
    print(*findings.lines, shown, WORDS[verdict][findings.language], sep="\n")
    return ("AGREES", "DIFFERS", "UNREADABLE").index(verdict)


if __name__ == "__main__":
    sys.exit(main())
