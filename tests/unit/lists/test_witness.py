"""Witnesses: what only grew is cosigned, all else is refused loudly, and split views fail."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from protech.errors import ConfigError, TrustError
from protech.lists.checkpoint import Checkpoint, cosign, log_key, signed, verify, witness_key
from protech.lists.log import Leaf, verified
from protech.lists.logbook import append, put_file, read_leaves
from protech.lists.root import RootExtension, Witness
from protech.lists.witness import Cosigned, cosign_seen, read_state, sign
from protech.signing import Key
from protech.signing import verify as verify_signature
from tests.unit.lists.test_log import DATA, LEAVES, ORIGIN, checkpoint_of

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)

LOG = Key.of_seed(b"l" * 32)
LOG_KEY = log_key(ORIGIN, LOG.public)
KEYS = [Key.of_seed(bytes([number]) * 32) for number in range(5)]
NAMED = [witness_key(f"witness-{number}", key.public) for number, key in enumerate(KEYS)]

OTHER = [replace(leaf, sha256=bytes(32)) for leaf in LEAVES]


def pinned(quorum: int = 3) -> RootExtension:
    return RootExtension(
        log_origin=ORIGIN,
        log_key=LOG.public,
        witnesses=tuple(Witness(name=one.name, key=one.public) for one in NAMED),
        quorum=quorum,
    )


class Repository:
    """A log's directory, the checkpoint that waits for witnesses, and their states."""

    def __init__(self, folder: Path, states: Path) -> None:
        self.log = folder / "log"
        self.staged = folder / "staged" / "checkpoint"
        self.states = states

    def publish(self, *leaves: Leaf) -> Checkpoint:
        return append(
            self.log,
            leaves,
            log_key=LOG_KEY,
            sign=LOG.sign,
            verify_signature=verify_signature,
            into=self.staged,
        )

    def state(self, number: int) -> Path:
        return self.states / str(number) / "state.json"

    def witness(self, number: int, *, now: datetime = NOW) -> Cosigned:
        return sign(
            self.log,
            self.staged,
            pinned=pinned(),
            key=KEYS[number],
            state=self.state(number),
            now=now,
            may_begin=not self.state(number).exists(),
        )

    def show(self, earlier: Checkpoint | None = None, *, quorum: int = 3) -> Checkpoint:
        """Return the checkpoint that a device takes."""
        checkpoint = verify(
            self.staged.read_bytes(),
            log_key=LOG_KEY,
            witnesses=NAMED,
            quorum=quorum,
            now=NOW,
            verify_signature=verify_signature,
        )
        verified(read_leaves(self.log), checkpoint, earlier)
        return checkpoint


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository", tmp_path / "states")


def test_a_device_takes_what_enough_witnesses_saw_grow(repository: Repository) -> None:
    first = repository.publish(*LEAVES[:2])
    for number in (0, 1, 2):
        repository.witness(number)
    assert repository.show() == first
    second = repository.publish(*LEAVES[2:5])
    with pytest.raises(TrustError, match="cosigned by 0 of the 3"):
        repository.show(first)
    for number in (2, 3, 4):
        repository.witness(number)
    assert repository.show(first) == second


def test_a_witness_says_what_it_saw(repository: Repository) -> None:
    repository.publish(*LEAVES[:2])
    assert "for the first time" in repository.witness(0).message
    repository.publish(*LEAVES[2:5])
    assert repository.witness(0).message == (
        "Cosigned the log's 5 versions, 3 of them new; none was changed."
    )


def test_the_state_is_the_witness_s_alone_and_says_what_it_saw(repository: Repository) -> None:
    repository.publish(*LEAVES[:2])
    repository.witness(0)
    state = repository.state(0)
    assert state.stat().st_mode & 0o777 == 0o600
    assert read_state(state)[ORIGIN].checkpoint == checkpoint_of(DATA[:2])


def test_a_checkpoint_can_be_cosigned_again_later(repository: Repository) -> None:
    repository.publish(*LEAVES[:2])
    repository.witness(0)
    once = repository.staged.read_bytes()
    repository.witness(0, now=NOW + timedelta(hours=1))
    again = repository.staged.read_bytes()
    assert once != again
    assert once.count(b"witness-0") == again.count(b"witness-0") == 1


def refused(repository: Repository, number: int, why: str) -> None:
    """Check that a witness refuses and that neither checkpoint nor state has changed."""
    before = (repository.staged.read_bytes(), repository.state(number).read_bytes())
    with pytest.raises(TrustError, match=why):
        repository.witness(number)
    assert before == (repository.staged.read_bytes(), repository.state(number).read_bytes())


def forged(repository: Repository, leaves: list[Leaf]) -> None:
    """Have the log sign another history, as a dishonest operator can."""
    data = [leaf.data for leaf in leaves]
    put_file(repository.log / "entries", b"".join(one + b"\n" for one in data))
    put_file(repository.staged, signed(checkpoint_of(data), key=LOG_KEY, sign=LOG.sign))


@pytest.mark.parametrize(
    ("leaves", "why"),
    [
        (LEAVES[:4], "has 4 leaves and had 5 before"),
        (OTHER[:5], "another past"),
        ([*LEAVES[:4], OTHER[4]], "another past"),
        ([OTHER[0], *LEAVES[1:8]], "another past"),
        (LEAVES[:3] + LEAVES[4:9], "another past"),
    ],
)
def test_a_witness_refuses_a_log_that_was_rolled_back_or_rewritten(
    repository: Repository, leaves: list[Leaf], why: str
) -> None:
    repository.publish(*LEAVES[:5])
    repository.witness(0)
    forged(repository, leaves)
    refused(repository, 0, why)


def test_a_witness_refuses_leaves_that_are_not_those_of_the_checkpoint(
    repository: Repository,
) -> None:
    repository.publish(*LEAVES[:5])
    repository.witness(0)
    repository.publish(*LEAVES[5:7])
    put_file(repository.log / "entries", b"".join(one + b"\n" for one in DATA[:6] + DATA[7:8]))
    refused(repository, 0, "not those that its checkpoint")


def test_a_witness_refuses_what_the_log_did_not_sign(repository: Repository) -> None:
    repository.publish(*LEAVES[:5])
    repository.witness(0)
    other = Key.generate()
    named = log_key(ORIGIN, other.public)
    put_file(repository.staged, signed(checkpoint_of(DATA[:6]), key=named, sign=other.sign))
    refused(repository, 0, "not signed by its log")


def test_a_witness_refuses_a_log_under_another_key(repository: Repository) -> None:
    repository.publish(*LEAVES[:5])
    repository.witness(0)
    other = Key.generate()
    named = log_key(ORIGIN, other.public)
    with pytest.raises(TrustError, match="another key than this witness knows"):
        cosign_seen(
            signed(checkpoint_of(DATA[:6]), key=named, sign=other.sign),
            DATA,
            log=named,
            witness=NAMED[0],
            key=KEYS[0],
            state=repository.state(0),
            now=NOW,
        )


def test_a_witness_keeps_the_logs_apart(repository: Repository) -> None:
    repository.publish(*LEAVES[:5])
    repository.witness(0)
    other = replace(checkpoint_of(DATA[:2]), origin="other.example")
    named = log_key("other.example", LOG.public)
    cosign_seen(
        signed(other, key=named, sign=LOG.sign),
        DATA,
        log=named,
        witness=NAMED[0],
        key=KEYS[0],
        state=repository.state(0),
        now=NOW,
        may_begin=True,
    )
    sizes = {name: one.checkpoint.size for name, one in read_state(repository.state(0)).items()}
    assert sizes == {ORIGIN: 5, "other.example": 2}


def test_a_key_that_is_no_witness_signs_nothing(repository: Repository) -> None:
    repository.publish(*LEAVES[:2])
    with pytest.raises(TrustError, match="none of the witnesses"):
        sign(
            repository.log,
            repository.staged,
            pinned=pinned(),
            key=Key.generate(),
            state=repository.state(0),
            now=NOW,
        )
    assert not repository.state(0).exists()


def test_without_a_checkpoint_there_is_nothing_to_sign(repository: Repository) -> None:
    with pytest.raises(ConfigError, match="nothing to sign"):
        repository.witness(0)


GOOD = {"key": "A" * 43 + "=", "size": 2, "root": "A" * 43 + "="}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        json.dumps({"protech_witness": 2, "logs": {}}),
        json.dumps({"protech_witness": 1}),
        json.dumps({"protech_witness": 1, "logs": []}),
        *(
            json.dumps({"protech_witness": 1, "logs": {ORIGIN: {**GOOD, **wrong}}})
            for wrong in (
                {"size": -1},
                {"size": True},
                {"size": "2"},
                {"root": "AAAA"},
                {"key": "!"},
            )
        ),
    ],
)
def test_a_damaged_state_stops_the_witness(repository: Repository, content: str) -> None:
    repository.publish(*LEAVES[:2])
    put_file(repository.state(0), content.encode())
    refused(repository, 0, "Restore its copy")


def test_a_state_that_cannot_be_kept_lets_nothing_be_signed(repository: Repository) -> None:
    repository.publish(*LEAVES[:2])
    before = repository.staged.read_bytes()
    repository.states.write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        repository.witness(0)
    assert repository.staged.read_bytes() == before


def two_views(tmp_path: Path) -> tuple[Repository, Repository, Checkpoint]:
    """Return two repositories whose log has one key and one past, and then two histories."""
    one = Repository(tmp_path / "one", tmp_path / "states")
    other = Repository(tmp_path / "other", tmp_path / "states")
    common = one.publish(*LEAVES[:3])
    for number in range(5):
        one.witness(number)
    assert one.show() == common
    one.publish(LEAVES[3])
    forged(other, [*LEAVES[:3], OTHER[3]])
    return one, other, common


def is_taken(view: Repository, earlier: Checkpoint) -> bool:
    """Return whether a device takes what it is shown; if not, for too few witnesses."""
    try:
        view.show(earlier)
    except TrustError as refusal:
        if "witnesses that it needs" not in str(refusal):
            raise
        return False
    return True


def test_both_sides_of_a_split_view_are_refused(tmp_path: Path) -> None:
    one, other, common = two_views(tmp_path)
    for number in (0, 1):
        one.witness(number)
    for number in (2, 3):
        other.witness(number)
    assert not is_taken(one, common)
    assert not is_taken(other, common)
    for number in (0, 1):
        refused(other, number, "another past")
    for number in (2, 3):
        refused(one, number, "another past")


@pytest.mark.parametrize("quorum", [3, 4, 5])
def test_however_witnesses_are_divided_two_views_are_never_both_taken(quorum: int) -> None:
    forged_data = [*DATA[:3], OTHER[3].data]
    views = [checkpoint_of(DATA[:4]), checkpoint_of(forged_data)]
    notes = [signed(view, key=LOG_KEY, sign=LOG.sign) for view in views]
    for sides in product((0, 1, None), repeat=5):
        shown = list(notes)
        for number, side in enumerate(sides):
            if side is not None:  # a state lets a witness cosign one of them only, see above
                shown[side] = cosign(
                    shown[side], key=NAMED[number], sign=KEYS[number].sign, now=NOW
                )
        assert sum(counts(one, quorum) for one in shown) <= 1


def counts(note: bytes, quorum: int) -> bool:
    try:
        verify(
            note,
            log_key=LOG_KEY,
            witnesses=NAMED,
            quorum=quorum,
            now=NOW,
            verify_signature=verify_signature,
        )
    except TrustError:
        return False
    return True


def test_a_witness_that_lost_its_state_cosigns_no_other_past(repository: Repository) -> None:
    repository.publish(*LEAVES)
    repository.witness(0)
    repository.state(0).unlink()
    waiting = repository.staged.read_bytes()
    with pytest.raises(TrustError, match="restore that file"):
        sign(
            repository.log,
            repository.staged,
            pinned=pinned(),
            key=KEYS[0],
            state=repository.state(0),
            now=NOW,
        )
    assert repository.staged.read_bytes() == waiting
    assert not repository.state(0).exists()
