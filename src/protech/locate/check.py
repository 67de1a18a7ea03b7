"""What `protech locate check` says: each thing a run needs, whether it is there, what to do."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from protech.errors import ProtechError
from protech.lists.device import DeviceLists
from protech.locate.authority import check_request
from protech.locate.clock import Clock
from protech.locate.filed import authorisation_in, requests_in, timestamp_in
from protech.locate.listing import open_locate_list
from protech.locate.papers import Anchors, Authorisation, ClockReading, ListFacts, Paper, Power
from protech.locate.rules import Check, Situation, judge

PROVING = "proof requests"
"""The one check without which a run may begin: it proves nothing then."""

SIGNED = "it is there, and its signatures hold"

type AnchorsOf = Callable[[], Anchors]


def check(
    list_name: str,
    papers: Path,
    device: DeviceLists,
    *,
    anchors: AnchorsOf,
    logged_at: datetime | None = None,
    case: str | None = None,
    clock: Callable[[], Clock] = lambda: Clock(must_be_synchronised=False),
) -> tuple[Check, ...]:
    """Return what stands between here and a run, rule by rule; nothing is sent.

    Args:
        list_name: The list that a run would use.
        papers: The folder of authorisation, timestamp and proof requests.
        device: Where `protech lists sync` puts lists.
        anchors: Reads them: ``system_anchors``, or a lab's.
        logged_at: When the case's log was last signed, where there is one.
        case: What the case is called, where it was begun.
        clock: Gives the clock.
    """
    found: list[Check] = []
    trusted = _tried(found, "authority package", anchors, "it is there, and names keys")
    reading = _tried(found, "clock", lambda: clock().reading(), "the kernel tells of it")
    if trusted is None or reading is None:
        return tuple(found)
    authorisation = _tried(found, "authorisation", lambda: authorisation_in(papers, trusted))
    timestamp = _tried(found, "timestamp", lambda: timestamp_in(papers, trusted))
    facts = _tried(found, "list", lambda: _facts(list_name, trusted, device, reading))
    if authorisation is not None and timestamp is not None and facts is not None:
        found += judge(
            Situation(
                anchors=trusted,
                authorisation=authorisation,
                timestamp=timestamp,
                facts=facts,
                reading=reading,
                logged_at=logged_at,
            )
        )
    if authorisation is not None and case is not None:
        found.append(_of_case(authorisation.terms, case))
    if authorisation is not None:
        found += _proving(papers, authorisation, is_lab=trusted.is_lab)
    return tuple(found)


def fields_of(check: Check) -> dict[str, object]:
    """Return a check as ``--json`` prints it."""
    return {"what": check.what, "ok": check.is_met, "message": check.message}


def _tried[T](
    found: list[Check], what: str, read: Callable[[], T], message: str = SIGNED
) -> T | None:
    """Return what is read, and add whether that went well."""
    try:
        value = read()
    except ProtechError as wrong:
        found.append(Check(what=what, is_met=False, message=str(wrong)))
        return None
    found.append(Check(what=what, is_met=True, message=message))
    return value


def _facts(
    name: str, anchors: Anchors, device: DeviceLists, reading: ClockReading
) -> ListFacts:
    with open_locate_list(name, anchors, device, now=reading.at) as (facts, _):
        return facts


def _of_case(terms: Authorisation, case: str) -> Check:
    if terms.case == case:
        return Check(what="authorisation of this case", is_met=True, message="holds")
    return Check(
        what="authorisation of this case",
        is_met=False,
        message=(
            f"The authorisation {terms.id} is for the case {terms.case}, and this one is"
            f" {case}; put the right one into its folder of papers."
        ),
    )


def _proving(papers: Path, authorisation: Paper[Authorisation], *, is_lab: bool) -> list[Check]:
    """Return what holds of the proof requests; that there is none is no fault."""
    what = PROVING
    if Power.PROVE not in authorisation.terms.powers:
        return [
            Check(what=what, is_met=True, message="none: no power to prove, levels 0 to 3 only")
        ]
    try:
        signed = [
            check_request(authorisation, one, is_lab=is_lab)
            for one in requests_in(papers)
            if one.terms.authorisation_sha256 == authorisation.sha256
        ]
    except ProtechError as wrong:
        return [Check(what=what, is_met=False, message=str(wrong))]
    message = f"{len(signed)} signed by two operators" if signed else "none: levels 0 to 3 only"
    return [Check(what=what, is_met=True, message=message)]
