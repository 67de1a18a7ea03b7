"""``protech locate sign``, ``propose`` and ``approve``: what people put their names to."""

import argparse
import json
import secrets
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from protech.errors import TrustError
from protech.locate.anchors import system_anchors
from protech.locate.approve import approve, propose, read_pin
from protech.locate.case import PAPERS
from protech.locate.command_key import token_key
from protech.locate.command_say import on_one_line
from protech.locate.documents import draft, read_document, sign
from protech.locate.filed import REQUESTS, authorisation_in, content_of
from protech.settings import write_once, write_private
from protech.signing import Key


def sign_paper(options: argparse.Namespace) -> int:
    """Sign terms that an officer wrote, or add a signature to a paper."""
    content = content_of(options.paper)
    is_signed = content.startswith(b'{"document":')
    document = read_document(content, "The paper") if is_signed else draft(content)
    _show(document.text)
    passphrase = None if options.passphrase_fd is None else read_pin(options.passphrase_fd)
    signed = sign(document, Key.load(options.signer, passphrase=passphrase))
    write_private(options.out, signed.content)
    print(f"{options.out}: {len(signed.signatures)} signatures")
    return 0


def propose_request(options: argparse.Namespace) -> int:
    """Write a request for pieces that two operators are to sign."""
    anchors = system_anchors()
    authorisation = authorisation_in(options.case / PAPERS, anchors)
    begin = datetime.now(UTC).replace(microsecond=0)
    document = propose(
        authorisation,
        id=f"{authorisation.terms.id}-{secrets.token_hex(4)}",
        list_name=options.list,
        entries=None if options.entry is None else frozenset(options.entry),
        pieces=options.pieces,
        not_before=begin,
        not_after=min(begin + timedelta(hours=options.hours), authorisation.terms.not_after),
    )
    _show(document.text)
    write_once(options.out, document.content)
    print(f"{options.out}: two operators sign it with `protech locate approve`")
    return 0


def approve_request(options: argparse.Namespace) -> int:
    """Sign a request for pieces with a token; once two have, it goes into the case's folder."""
    anchors = system_anchors()
    authorisation = authorisation_in(options.case / PAPERS, anchors)
    content = content_of(options.request)
    document = read_document(content, "The proof request", least=0)
    _show(document.text)
    with token_key(options) as key:
        given = approve(document, authorisation, key)
    write_private(options.request, given.document.content)
    print(f"{options.request}: signed by {', '.join(given.signed)}")
    if given.missing:
        print(f"{given.missing} more must sign it, each with a token of their own")
        return 0
    # Two requests may bear one name; neither may take the other's place.
    name = f"{options.request.stem}-{sha256(given.document.text.encode()).hexdigest()[:8]}.json"
    place = options.case / PAPERS / REQUESTS / name
    write_private(place, given.document.content)
    print(f"{place}: a run takes it from here")
    return 0


def _show(text: str) -> None:
    """Print what is signed, so that nobody signs what they have not seen."""
    try:
        terms = json.loads(text)
    except (ValueError, RecursionError):
        terms = None
    if not isinstance(terms, dict):
        raise TrustError("That paper says nothing that can be shown; get it again, unchanged.")
    for name, value in terms.items():
        told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=True)
        print(f"  {on_one_line(name):<22} {on_one_line(told)}")
