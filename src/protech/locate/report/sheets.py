"""Field sheets: what it takes to ask a provider for a subscriber; drafts that nobody sends.

Only what was measured is filled in: address, ports, UTC interval, protocol, provider. What an
authority decides is a blank. A sheet is refused until two separated level 4 sightings agree.
Sources: code de procédure pénale 60-1, 60-1-2, 77-1-1; Regulation (EU) 2023/1543, Annex I.
"""

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum

from protech.errors import AuthorityError, SourceError
from protech.evidence.report import (
    Blanks,
    Block,
    Column,
    Document,
    Facts,
    Heading,
    Notice,
    Row,
    Several,
    Table,
    Text,
)
from protech.locate.report.cover import LEAST_HOURS
from protech.locate.report.findings import (
    ANONYMOUS,
    clock_of,
    countries_of,
    end_of,
    flags_of,
    network_of,
    operator_of,
)
from protech.locate.report.material import Material
from protech.locate.report.peers import Peer
from protech.locate.report.words import Language, Words, load


class Sheet(StrEnum):
    """For which request fields are drafted."""

    REQUISITION = "requisition"
    EPOC = "epoc"


class Basis(StrEnum):
    """What a réquisition rests on, as the user chooses; whether it may is for a magistrate."""

    FLAGRANCE = "60-1"
    PRELIMINARY = "77-1-1"
    CONNECTION_DATA = "60-1-2"


def peer_of(material: Material, name: str) -> Peer:
    """Return the peer with a number (``3``) or an address and port, as the report writes them.

    Raises:
        SourceError: The report names no such peer.
    """
    for peer in material.peers:
        if name in {str(peer.number), peer.socket.text}:
            return peer
    raise SourceError(
        "The report of this case names no such access point: give its number, or its address"
        " and port, as the report writes them."
    )


def sheet(
    material: Material, words: Words, peer: Peer, kind: Sheet, *, basis: Basis | None = None
) -> Document:
    """Return the draft of one field sheet; a réquisition is in French whatever ``words`` are.

    Args:
        material: Of the whole case.
        words: Of the language of an EPOC sheet.
        peer: Whose subscriber would be asked for.
        kind: For which request.
        basis: What a réquisition rests on; None leaves a blank.

    Raises:
        AuthorityError: Two separated level 4 sightings are missing: no draft is made.
    """
    proposal = peer.proposal
    if not proposal.is_proposed:
        raise AuthorityError(
            f"No subscriber request is drafted for access point {peer.number}: it takes two"
            f" level 4 sightings at least {LEAST_HOURS} hours apart, and this one has"
            f" {len(peer.delivered)} of level 4. Observe it again, or leave it."
        )
    if kind is Sheet.REQUISITION:
        words = load(Language.FRENCH)
    made_at = words.moment(material.at, thousandths=False)
    over = words.say("sheet_over", case=material.case.name, number=peer.number)
    marks = [words.say("sheet_mark")]
    if material.case.is_lab:
        marks.append(words.say("lab_mark"))
    return Document(
        language=words.language,
        at=material.at,
        title=words.say(f"{kind}_title"),
        subtitle=words.say(f"{kind}_subtitle"),
        over=over,
        running_head=over,
        foot=words.say("sheet_foot", at=made_at, version=material.version),
        page_word=words.say("page"),
        mark=" ".join(marks),
        blocks=tuple(_blocks(material, words, peer, kind, basis)),
    )


def _blocks(
    material: Material, words: Words, peer: Peer, kind: Sheet, basis: Basis | None
) -> Iterator[Block]:
    told = [words.say("sheet_notice")]
    if material.case.is_lab:
        told += [words.say("lab_title"), words.say("lab_text")]
    title = words.say("sheet_notice_title")
    yield Notice(title=title, paragraphs=tuple(told), is_warning=True)
    yield from _doubts(peer, words)
    yield from _epoc(peer, words) if kind is Sheet.EPOC else _requisition(peer, words, basis)
    yield from _why(peer, words)


def _why(peer: Peer, words: Words) -> Iterator[Block]:
    """Yield the sightings that carry the request, and who signs it."""
    carrying = [peer.seen[place] for place in peer.proposal.sightings]
    apart = carrying[-1].started_at - carrying[0].started_at
    why = words.say(
        "sheet_why_text",
        hours=words.number(apart // timedelta(hours=1)),
        least=LEAST_HOURS,
        first=carrying[0].index,
        last=carrying[-1].index,
    )
    yield Heading(level=1, text=words.say("sheet_why"))
    yield Text(text=why)
    names = ("sign_name", "sign_quality", "sign_place", "sign_signature")
    yield Blanks(text=words.say("caution_1"), names=tuple(words.say(name) for name in names))


def _doubts(peer: Peer, words: Words) -> Iterator[Block]:
    """Yield what speaks against asking, where anything does."""
    doubts = []
    place = peer.place
    if place is not None and place.verdict in {"outside", "undetermined"}:
        name = "sheet_outside" if place.verdict == "outside" else "sheet_unsure"
        doubts.append(words.say(name, countries=countries_of(place, words)))
    if anonymous := tuple(flag for flag in peer.flags if flag in ANONYMOUS):
        doubts.append(words.say("sheet_anonymous", flags=flags_of(anonymous, words)))
    if peer.same_address:
        numbers = ", ".join(str(number) for number in peer.same_address)
        doubts.append(words.say("sheet_shared", numbers=numbers))
    if doubts:
        yield Notice(title="", paragraphs=tuple(doubts), is_warning=True)


def _epoc(peer: Peer, words: Words) -> Iterator[Block]:
    blank = words.say("sheet_blank")
    yield Text(text=words.say("epoc_check"), is_small=True)
    before = ("epoc_a", "epoc_b", "epoc_c", "epoc_d")
    yield Facts(rows=(*_provider(peer, words), *((words.say(name), blank) for name in before)))
    yield Heading(level=1, text=words.say("epoc_e"))
    yield from _points(peer, words)
    yield Heading(level=1, text=words.say("epoc_f"))
    yield Text(text=words.say("epoc_f_value"))
    yield Facts(rows=((words.say("epoc_g"), blank),))


def _requisition(peer: Peer, words: Words, basis: Basis | None) -> Iterator[Block]:
    blank = words.say("sheet_blank")
    chosen = blank if basis is None else words.say(f"basis_{basis}")
    yield Facts(
        rows=(
            (words.say("requisition_basis"), chosen),
            (words.say("requisition_authority"), blank),
            (words.say("requisition_addressee"), blank),
            *_provider(peer, words),
            (words.say("requisition_data"), words.say("requisition_data_value")),
            (words.say("requisition_deadline"), blank),
        )
    )
    yield Text(text=words.say("basis_check"), is_small=True)
    yield Heading(level=1, text=words.say("sheet_points"))
    yield from _points(peer, words)


def _provider(peer: Peer, words: Words) -> tuple[Row, ...]:
    return ((words.say("sheet_provider"), operator_of(peer.place, words)),)


def _points(peer: Peer, words: Words) -> Iterator[Block]:
    """Yield what finds one subscriber: each level 4 sighting as a line."""
    yield Text(text=words.say("sheet_points_text"))
    yield Table(
        columns=(
            Column(title=words.say("sheet_record"), is_number=True),
            Column(title=words.say("sheet_window"), width=5),
            Column(title=words.say("sheet_remote"), width=4),
            Column(title=words.say("sheet_local"), width=4),
            Column(title=words.say("sheet_protocol"), width=3),
            Column(title=words.say("sheet_clock"), width=4),
        ),
        rows=tuple(
            (
                str(one.index),
                Several(parts=(words.moment(one.started_at), words.moment(one.ended_at))),
                end_of(one.peer, words),
                end_of(one.local, words) if one.local else words.say("unknown"),
                network_of(one, words),
                clock_of(one, words),
            )
            for one in peer.delivered
        ),
        size=8.5,
    )
    yield Text(text=words.say("sheet_port_note"), is_small=True)
