"""The access points and their sightings, one card each; pure."""

from collections.abc import Iterator

from protech.evidence.report import (
    Block,
    Card,
    Cell,
    Code,
    Column,
    Facts,
    Heading,
    Notice,
    PageOf,
    Row,
    Several,
    Table,
    Text,
    lines,
)
from protech.locate.adapter import Level, Network
from protech.locate.networks_listed import Flag
from protech.locate.report.case import Place, Proven, Seen, Socket
from protech.locate.report.cover import LEAST_HOURS
from protech.locate.report.material import Material
from protech.locate.report.peers import Peer
from protech.locate.report.stamps import LATE, Checkpoint, first_stamp
from protech.locate.report.words import Words

SHA1_BYTES = 20
"""A listed digest of this width is the SHA-1 of the piece; a wider one its SHA-256, or the root
of a tree over it (BEP 52)."""

ADDRESS_CHARACTERS = 20
END_CHARACTERS = 34
NAME_CHARACTERS = 80
"""What a column of a table, half a card, and a whole one have room for."""

SHORT_DIGITS = 16
"""Of a digest that the log's annex prints whole."""

ANONYMOUS = frozenset({Flag.TOR_EXIT, Flag.VPN, Flag.HOSTING})
"""Flags that say that the subscriber is hardly the user."""


def overview(material: Material, words: Words) -> Iterator[Block]:
    """Yield the table of access points."""
    yield Heading(level=1, text=words.say("overview"))
    if not material.peers:
        yield Text(text=words.say("overview_none"))
        return
    yield Text(text=words.say("overview_text"))
    yield Table(
        columns=(
            Column(title=words.say("number"), is_number=True),
            Column(title=words.say("endpoint"), width=5),
            Column(title=words.say("sightings_l4"), is_number=True),
            Column(title=words.say("sightings_l3"), is_number=True),
            Column(title=words.say("first_last"), width=5),
            Column(title=words.say("operator"), width=4),
            Column(title=words.say("on_page"), is_number=True),
        ),
        rows=tuple(_overview_row(peer, words) for peer in material.peers),
        size=8.5,
    )


def peers(material: Material, words: Words) -> Iterator[Block]:
    """Yield a section for each access point, with all its sightings."""
    for peer in material.peers:
        title = words.say("peer_title", number=peer.number, endpoint=peer.socket.text)
        yield Heading(level=2, text=title, label=_label(peer))
        yield Facts(rows=tuple(_peer_rows(peer, words)))
        yield from _warnings(peer, words)
        for one in peer.seen:
            yield _card(one, material, words)


def end_of(end: Socket, words: Words) -> Several:
    """Return an end of a connection for a narrow column: its address, below it its port."""
    address = lines(end.address, width=ADDRESS_CHARACTERS, after=":").parts
    return Several(parts=(*address, words.say("port", number=end.port)))


def flags_of(flags: tuple[str, ...], words: Words) -> str:
    """Return flags in words."""
    return words.several([words.named("flag", flag) for flag in flags])


def countries_of(place: Place, words: Words) -> str:
    """Return what each database says."""
    said = [f"{name}: {country or words.say('unknown')}" for name, country in place.countries]
    return "; ".join(said) or words.say("unknown")


def _label(peer: Peer) -> str:
    return f"peer-{peer.number}"


def _overview_row(peer: Peer, words: Words) -> tuple[Cell, ...]:
    delivered = len(peer.delivered)
    return (
        str(peer.number),
        end_of(peer.socket, words),
        words.number(delivered),
        words.number(len(peer.seen) - delivered),
        Several(
            parts=(
                words.moment(peer.first_at, thousandths=False),
                words.moment(peer.last_at, thousandths=False),
            )
        ),
        operator_of(peer.place, words),
        PageOf(label=_label(peer)),
    )


def operator_of(place: Place | None, words: Words) -> str:
    """Return whose network an address belongs to."""
    if place is None:
        return words.say("unknown")
    number = "" if place.asn is None else f"AS{place.asn}"
    return " ".join(one for one in (number, place.operator) if one) or words.say("unknown")


def _peer_rows(peer: Peer, words: Words) -> Iterator[Row]:
    delivered = len(peer.delivered)
    claimed = len(peer.seen) - delivered
    yield words.say("peer_level"), words.say(f"l{peer.level.value}")
    counts = words.say(
        "peer_sightings_value", l4=words.number(delivered), l3=words.number(claimed)
    )
    yield words.say("peer_sightings"), counts
    yield words.say("peer_first"), words.moment(peer.first_at)
    yield words.say("peer_last"), words.moment(peer.last_at)
    yield (
        words.say("peer_entries"),
        Several(parts=tuple(Code(text=one) for one in peer.entries)),
    )
    yield words.say("peer_place"), _place(peer.place, words)
    yield words.say("operator"), operator_of(peer.place, words)
    yield words.say("flags"), flags_of(peer.flags, words)


def _warnings(peer: Peer, words: Words) -> Iterator[Block]:
    if anonymous := tuple(flag for flag in peer.flags if flag in ANONYMOUS):
        yield Notice(
            title=words.say("peer_anonymous_title"),
            paragraphs=(words.say("peer_anonymous", flags=flags_of(anonymous, words)),),
            is_warning=True,
        )
    if peer.same_address:
        numbers = ", ".join(str(number) for number in peer.same_address)
        yield Notice(
            title=words.say("peer_shared_title"),
            paragraphs=(words.say("peer_shared", numbers=numbers),),
            is_warning=True,
        )
    if peer.client_ids > 1:
        yield Text(text=words.say("peer_ids", count=peer.client_ids), is_small=True)
    asked = "peer_proposed" if peer.proposal.is_proposed else "peer_not_proposed"
    yield Text(text=words.say(asked, hours=LEAST_HOURS), is_small=True)


def _card(one: Seen, material: Material, words: Words) -> Card:
    local = (
        lines(one.local.text, width=END_CHARACTERS, after=":")
        if one.local
        else words.say("unknown")
    )
    named = [words.named("source", source) for source in one.sources]
    pairs: tuple[Row, ...] = (
        (words.say("began"), words.moment(one.started_at)),
        (words.say("ended"), words.moment(one.ended_at)),
        (words.say("remote"), lines(one.peer.text, width=END_CHARACTERS, after=":")),
        (words.say("local"), local),
        (words.say("network"), network_of(one, words)),
        (words.say("clock"), clock_of(one, words)),
        (words.say("attempts"), words.number(one.attempts)),
        (words.say("named_by"), words.several(named)),
    )
    return Card(
        title=words.say(
            "sighting_title",
            index=one.index,
            level=words.say(f"l{one.level.value}"),
            at=words.moment(one.started_at),
        ),
        pairs=pairs,
        wide=tuple(_wide(one, material, words)),
        is_strong=one.level is Level.DELIVERED,
    )


def _wide(one: Seen, material: Material, words: Words) -> Iterator[Row]:
    yield (
        words.say("entry"),
        words.say("entry_value", entry=one.entry, list=one.list_name, version=one.list_version),
    )
    yield words.say("outcome"), words.named("outcome", one.outcome)
    if one.claims is not None:
        counts = {
            name: words.number(getattr(one.claims, name))
            for name in ("listed_held", "listed_total", "held", "total")
        }
        yield words.say("claims"), words.say("claims_value", **counts)
    if one.proof is not None and one.level is Level.DELIVERED:
        yield from _proof(one.proof, words)
    if one.request_sha256 is not None:
        yield words.say("request"), Code(text=one.request_sha256.hex())
    if one.client_name or one.client_id:
        yield words.say("client"), _client(one)
    yield words.say("place"), _place(one.place, words)
    yield words.say("stamp"), _stamp(one, material, words)
    yield words.say("shows_short"), words.say(f"l{one.level.value}_shows")
    yield words.say("shows_not_short"), words.say(f"l{one.level.value}_not")
    # What was measured, was measured on BitTorrent.
    is_measured = one.network == Network.BITTORRENT
    rate = material.measured.get(one.level) if is_measured else None
    yield words.say("precision_short"), words.rate(rate)


def _proof(proof: Proven, words: Words) -> Iterator[Row]:
    yield (
        words.say("piece"),
        words.say(
            "piece_value",
            piece=proof.piece,
            length=words.number(proof.length_bytes),
            offset=words.number(proof.offset_bytes),
            distinct=proof.distinct_bytes,
        ),
    )
    kind = "SHA-1" if len(proof.digest) == SHA1_BYTES else "SHA-256"
    if kind == "SHA-256" and proof.digest != proof.sha256:
        kind = words.say("digest_tree")
    listed = words.say("digest_value", kind=kind, digest=proof.digest.hex())
    yield words.say("digest_listed"), Code(text=listed)
    yield words.say("digest_measured"), Code(text=proof.sha256.hex())


def network_of(one: Seen, words: Words) -> str:
    """Return which network a conversation was in, and what carried it."""
    return words.say(
        "network_value",
        network=words.named("network", one.network),
        transport=words.named("transport", one.transport or "none"),
    )


def clock_of(one: Seen, words: Words) -> str:
    """Return how far the times of a sighting can be off."""
    if not one.clock.is_synchronised:
        return words.say("clock_bad")
    if one.clock.error_ms is None:
        return words.say("clock_good_unknown")
    return words.say("clock_good", error=words.decimal(one.clock.error_ms, places=1))


def _client(one: Seen) -> Cell:
    parts: list[str | Code] = []
    if one.client_name:
        parts += lines(one.client_name, width=NAME_CHARACTERS).parts
    if one.client_id:
        parts.append(Code(text=one.client_id.hex()))
    return Several(parts=tuple(parts))


def _place(place: Place | None, words: Words) -> str:
    if place is None:
        return words.say("place_none")
    verdict = words.named("place", place.verdict)
    return words.say("place_value", verdict=verdict, countries=countries_of(place, words))


def authority_of(stamp: Checkpoint, words: Words) -> str:
    """Return who stamped, by the beginning of its certificate's digest."""
    digest = stamp.certificate_sha256
    if digest is None:
        return words.say("unknown")
    return words.say("stamp_authority", digest=digest.hex()[:SHORT_DIGITS])


def _stamp(one: Seen, material: Material, words: Words) -> str:
    stamp = first_stamp(material.checkpoints, one.index)
    if stamp is None or stamp.stamped_at is None:
        return words.say("stamp_none")
    delay = stamp.stamped_at - one.ended_at
    return words.say(
        "stamp_late" if delay >= LATE else "stamp_value",
        authority=authority_of(stamp, words),
        at=words.moment(stamp.stamped_at, thousandths=False),
        delay=words.delay(delay),
    )
