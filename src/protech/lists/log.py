"""The log of published versions: one leaf for each, for everyone to see, and none ever gone.

What its files hold and how a device checks it; pure. ``lists.logbook`` writes the files.
``log/entries`` holds a leaf a line, ``log/checkpoint`` what the log and its witnesses signed.
Leaves are written before the checkpoint that counts them, so a reader takes the first ones,
as many as the checkpoint says, whatever a kill or an upload in between has left behind them.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from protech.errors import TrustError
from protech.lists.checkpoint import Checkpoint
from protech.lists.fields import Fields
from protech.lists.trust import LARGEST_LIST_BYTES, ListTarget, TargetKind
from protech.merkle import Tree, leaf_hash

ENTRIES = "entries"
CHECKPOINT = "checkpoint"
"""The names of its files, below ``log/``."""

LOG_BYTES = 64 * 1024 * 1024
LEAVES = 250_000
LEAF_BYTES = 1024

ANY_TIME = datetime.min.replace(tzinfo=UTC)

WHAT = "A leaf of the log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One published version: of which list, and what its plain form is."""

    name: str
    version: int
    kind: TargetKind
    sha256: bytes = field(repr=False)
    size_bytes: int
    published_at: datetime

    @property
    def data(self) -> bytes:
        """The leaf as it stands in the log: canonical JSON."""
        fields = {
            "kind": self.kind.value,
            "list": self.name,
            "published_at": self.published_at.astimezone(UTC).isoformat(timespec="seconds"),
            "sha256": self.sha256.hex(),
            "size_bytes": self.size_bytes,
            "version": self.version,
        }
        return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()

    @property
    def version_key(self) -> tuple[object, ...]:
        """What only one content may ever be published as."""
        return self.name, self.version, self.kind

    @property
    def result(self) -> tuple[object, ...]:
        """The content."""
        return self.sha256, self.size_bytes


def leaf_of(target: ListTarget, *, published_at: datetime) -> Leaf:
    """Return the leaf of the version that a target leads to; a delta's is that of the whole."""
    is_delta = target.kind is TargetKind.DELTA
    return Leaf(
        name=target.name,
        version=target.version,
        kind=TargetKind.FULL if is_delta else target.kind,
        sha256=target.sha256,
        size_bytes=target.size_bytes,
        published_at=published_at,
    )


def parse_leaf(data: bytes) -> Leaf:
    """Return what a line of the log says.

    Raises:
        TrustError: It is no leaf, or not written as leaves are.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    fields = Fields(value, WHAT)
    leaf = Leaf(
        name=fields.text("list", longest=200),
        version=fields.number("version", least=1),
        kind=fields.choice("kind", TargetKind),
        sha256=fields.digest("sha256"),
        size_bytes=fields.number("size_bytes", most=LARGEST_LIST_BYTES),
        published_at=fields.moment("published_at"),
    )
    if leaf.data != data:
        raise fields.wrong("is not written as leaves are")
    return leaf


def lines(content: bytes) -> list[bytes]:
    """Return the leaves in ``log/entries``; a line without its end is left out.

    Raises:
        TrustError: It, or a line of it, is larger than it may be.
    """
    if len(content) <= LOG_BYTES and content.count(b"\n") <= LEAVES:
        found = content.split(b"\n")[:-1]
        if max(map(len, found), default=0) <= LEAF_BYTES:
            return found
    raise TrustError(
        f"The log is larger than {LOG_BYTES} bytes or {LEAVES} leaves, or a leaf of it than"
        f" {LEAF_BYTES} bytes; tell the repository's operator."
    )


def verified(
    leaves: Sequence[bytes], checkpoint: Checkpoint, earlier: Checkpoint | None
) -> list[bytes]:
    """Return the leaves that a checkpoint vouches for: each is in it, and in its place.

    Args:
        leaves: All that ``log/entries`` holds; what is behind the checkpoint's is left out.
        checkpoint: One that ``checkpoint.verify`` let through.
        earlier: The last one that was; None for the first time.

    Raises:
        TrustError: They are other leaves, or the log lost or changed what it had shown before.
    """
    if earlier is not None:
        _check_order(checkpoint, earlier)
    if len(leaves) < checkpoint.size:
        raise TrustError(
            f"The log has {len(leaves)} leaves, and its checkpoint counts {checkpoint.size}: it"
            " was cut, or is being uploaded. Try again later; where it stays so, tell the"
            " repository's operator."
        )
    tree = Tree()
    if earlier is not None:
        _grow(tree, leaves[: earlier.size])
        if tree.root != earlier.root:
            raise _other_past()
    _grow(tree, leaves[tree.size : checkpoint.size])
    if tree.root != checkpoint.root:
        raise TrustError(
            "The leaves of the log are not those that its checkpoint was signed for: the"
            " repository was changed. Nothing of it is used; tell its operator."
        )
    return list(leaves[: checkpoint.size])


def _grow(tree: Tree, leaves: Iterable[bytes]) -> None:
    for leaf in leaves:
        tree.append(leaf_hash(leaf))


def _check_order(checkpoint: Checkpoint, earlier: Checkpoint) -> None:
    if checkpoint.origin != earlier.origin:
        raise TrustError(
            "The checkpoint is of another log than the last one: the repository was mixed up."
            " Tell its operator."
        )
    if checkpoint.size < earlier.size:
        raise TrustError(
            f"The log has {checkpoint.size} leaves and had {earlier.size} before: someone shows"
            " an old state of it. Nothing of it is used; tell the repository's operator."
        )
    if checkpoint.size == earlier.size and checkpoint.root != earlier.root:
        raise _other_past()


def _other_past() -> TrustError:
    return TrustError(
        "The log shows another past than it showed before: its key has signed two histories, so"
        " it shows different lists to different people. Nothing of it is used. Keep both"
        " checkpoints, and tell the repository's operator and the witnesses."
    )


def require(leaves: Iterable[bytes], targets: Iterable[ListTarget]) -> None:
    """Check that each target's version is in the log, and in it only once.

    Args:
        leaves: What ``verified`` returned.
        targets: What is about to be loaded.

    Raises:
        TrustError: One is not in the log, or the log holds another content of its version.
    """
    wanted = [leaf_of(target, published_at=ANY_TIME) for target in targets]
    found: dict[tuple[object, ...], set[tuple[object, ...]]] = {}
    for leaf in map(parse_leaf, leaves):
        found.setdefault(leaf.version_key, set()).add(leaf.result)
    for leaf in wanted:
        results = found.get(leaf.version_key, set())
        if results != {leaf.result}:
            why = "is not in the log" if leaf.result not in results else "is twice in the log"
            raise TrustError(
                f"Version {leaf.version} of the list {leaf.name} {why}: it may be one that was"
                " made for you alone. It is not used; tell its authority."
            )
