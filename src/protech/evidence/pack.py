"""Disclosure packs: one sighting with all that it rests on, for the defence's expert.

A pack holds the records of one sighting, of its run, its listed entry, and the signed request
where a piece was asked for, each with its salt and its proof of inclusion; the checkpoint, and
its stamp. Nothing of another peer or entry is in it. ``evidence/verify.py`` checks it.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from protech.errors import ConfigError, SourceError
from protech.evidence.canonical import canonical
from protech.evidence.log import Log
from protech.evidence.log_checkpoint import SignedState
from protech.evidence.log_records import Logged
from protech.evidence.stamp import Stamp, Stamps
from protech.merkle import levels, path

FORMAT_VERSION = 1

PACK = "protech_disclosure"

MARKS = (b'"kind":"entry"', b'"kind":"proof_request"', b'"kind":"run"')
"""What stands in a canonical record that sightings rest on."""

type Record = Mapping[str, Any]


class Disclosure:
    """What a log can disclose: made once, it gives the packs of any of its sightings."""

    def __init__(self, log: Log, stamps: Stamps | None = None) -> None:
        """Read a log whose records can be read, and its stamps.

        Raises:
            ConfigError: It cannot be read, or was never signed for.
            TrustError: It was changed.
        """
        log.refresh()
        if log.last_checkpoint is None:
            raise ConfigError(
                "The log was never signed for, so nothing of it can be shown; sign a checkpoint"
                " first."
            )
        self._log = log
        self._last = log.last_checkpoint
        self._stamps = () if stamps is None else stamps.all()
        self._leaves = list(log.leaves())
        self._tree: tuple[int, list[Sequence[bytes]]] | None = None
        """Of the checkpoint that was shown last: most packs show the same one."""

    def pack(self, index: int) -> bytes:
        """Return the pack of one sighting, canonical JSON.

        Raises:
            SourceError: There is no sighting at this index, or a record that it rests on.
            ConfigError: No checkpoint covers it yet.
        """
        records = self._records_of(index)
        newest = max(one.index for one in records.values())
        stamp = next((one for one in self._stamps if one.covers(newest)), None)
        state = self._last
        if stamp is not None:
            state = self._log.state_of(stamp.checkpoint)
        if newest >= state.size:
            raise ConfigError(
                "No checkpoint covers this sighting yet; sign one, then disclose it."
            )
        parts = {kind: self._part(one, state.size) for kind, one in records.items()}
        return canonical({**self._head(state, stamp), "records": parts})

    def _head(self, state: SignedState, stamp: Stamp | None) -> dict[str, Any]:
        return {
            "checkpoint": state.note.decode(),
            "kind": PACK,
            "log_key": self._log.about.key.text,
            "stamp": None if stamp is None else _stamp_fields(stamp),
            "v": FORMAT_VERSION,
        }

    def _part(self, one: Logged, size: int) -> dict[str, object]:
        if self._tree is None or self._tree[0] != size:
            self._tree = size, levels(self._leaves[:size])
        proof = path(self._tree[1], one.index)
        return {**_plain(one), "proof": [node.hex() for node in proof]}

    @cached_property
    def _rested_on(self) -> list[Logged]:
        """The records that sightings rest on: few among many, which are not even parsed."""
        return [one for one in self._log.read() if any(mark in one.content for mark in MARKS)]

    def _records_of(self, index: int) -> Mapping[str, Logged]:
        """Find the records that a sighting rests on, each under its kind."""
        sighting = next(self._log.read(index), None)
        about = {} if sighting is None else _record(sighting)
        if sighting is None or about.get("kind") != "sighting":
            raise SourceError(
                f"Record {index} of the log is no sighting; name one of those that"
                " `protech locate report` lists."
            )
        found = {"sighting": sighting}
        for one in self._rested_on:
            if one.index >= index:
                break
            kind = _rests_on(about, one)
            if kind is not None:
                found[kind] = one
        if "run" not in found or "entry" not in found:
            raise SourceError(
                f"The log lacks the run or the entry that sighting {index} rests on: only those"
                " from a valid handshake on (level 2) can be disclosed."
            )
        return found


def _rests_on(sighting: Record, one: Logged) -> str | None:
    """Return as what a record belongs to a sighting; None for one that does not."""
    other = _record(one)
    match other["kind"]:
        case "run":
            is_it = one.index == sighting["run"]
        case "entry" if one.index > sighting["run"]:
            is_it = all(other[name] == sighting[name] for name in ("number", "list"))
        case "proof_request":
            is_it = other["request_sha256"] == sighting["request_sha256"]
        case _:
            is_it = False
    return str(other["kind"]) if is_it else None


def _record(one: Logged) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(one.content)
    return fields


def _plain(one: Logged) -> dict[str, object]:
    return {"index": one.index, "record": one.content.decode(), "salt": one.salt.hex()}


def _stamp_fields(stamp: Stamp) -> dict[str, object]:
    return {
        "certificate": base64.b64encode(stamp.certificate).decode(),
        "checkpoint": stamp.checkpoint.decode(),
        "response": base64.b64encode(stamp.response).decode(),
    }
