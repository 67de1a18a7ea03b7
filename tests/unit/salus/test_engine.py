"""The main path with real lists, real locked workers and the surrogate models."""

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protech.errors import ListFormatError, ModelError, SourceError, TrustError
from protech.lists.entries import (
    OWN_USES,
    Category,
    Entry,
    ListHeader,
    Use,
)
from protech.lists.formats.own import (
    ListWriter,
)
from protech.salus.digest import digest
from protech.salus.engine import Engine
from protech.salus.examine import Examiner
from protech.salus.measure import Meter
from protech.salus.pdq import pdq
from protech.salus.policy import GUARD, MESSAGING
from protech.salus.sniff import MediaType
from protech.types import (
    Decision,
    Kind,
    Limits,
    MatchKind,
    Measured,
    Media,
    PdqHash,
    Reason,
    Unscannable,
    Verdict,
)
from tests.make_data import encode, make_noise, make_photo
from tests.surrogate import Variant, make_surrogate, paint_pattern

LISTED = encode(make_photo(1), "PNG")
RESEMBLING = encode(make_photo(1), "JPEG", quality=60)
INNOCENT = encode(make_photo(2), "JPEG")
CREATED_AT = datetime(2026, 11, 1, tzinfo=UTC)


def write_list(
    path: Path, *, uses: frozenset[Use] = OWN_USES, is_known_good: bool = False
) -> Path:
    digests = digest(LISTED)
    entry = Entry(
        label="one", sha256=digests.sha256, sha1=digests.sha1, pdq=(pdq(make_photo(1)).bits,)
    )
    header = ListHeader(
        name=path.stem,
        version=1,
        category=Category.KNOWN_GOOD if is_known_good else Category.OWN,
        uses=uses,
        created_at=CREATED_AT,
    )
    with path.open("wb") as file:
        writer = ListWriter(file, header)
        writer.write(entry)
        writer.finish()
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        yield home


@pytest.fixture(scope="module")
def engine(home: Path) -> Iterator[Engine]:
    with Engine.open(
        lists=[write_list(home / "own.list")], use_models=False, workers=2
    ) as engine:
        yield engine


@pytest.fixture(scope="module")
def scoring(home: Path) -> Iterator[Engine]:
    models = make_surrogate(home / "models")
    with Engine.open(models=models, settings=GUARD, workers=1) as engine:
        yield engine


def of(verdict: Verdict) -> tuple[Decision, Reason, int]:
    return verdict.decision, verdict.reason, verdict.rule


def test_listed_file_is_known_without_being_decoded(engine: Engine) -> None:
    verdict = engine.inspect(LISTED)
    assert of(verdict) == (Decision.BLOCK, Reason.KNOWN, 1)
    assert verdict.findings.frames == ()
    assert verdict.findings.digests == digest(LISTED)
    assert {match.kind for match in verdict.findings.matches} == {
        MatchKind.SHA256,
        MatchKind.SHA1,
    }
    assert engine.dimensions(LISTED) == (480, 360)


def test_copy_with_other_bytes_resembles(engine: Engine) -> None:
    verdict = engine.inspect(RESEMBLING)
    assert of(verdict) == (Decision.BLOCK, Reason.RESEMBLES, 2)
    (match,) = verdict.findings.matches
    assert match.source.name == "own"
    assert match.entry == "one"
    assert match.distance_bits is not None
    assert match.distance_bits <= 31


def test_innocent_photo_is_allowed(engine: Engine) -> None:
    verdict = engine.inspect(INNOCENT)
    assert of(verdict) == (Decision.ALLOW, Reason.NONE, 8)
    assert (verdict.findings.width_px, verdict.findings.height_px) == (480, 360)


def test_path_bytes_and_descriptor_agree(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(RESEMBLING)
    with path.open("rb") as file:
        media = Media(descriptor=file.fileno(), size_bytes=len(RESEMBLING))
        verdicts = [engine.inspect(path), engine.inspect(RESEMBLING), engine.inspect(media)]
    assert verdicts[0] == verdicts[1] == verdicts[2]


@pytest.mark.parametrize(
    ("content", "claims", "kind", "unscannable"),
    [
        (b"", None, Kind.OTHER, Unscannable.EMPTY),
        (b"", Kind.IMAGE, Kind.IMAGE, Unscannable.EMPTY),
        (RESEMBLING[:2000], None, Kind.IMAGE, Unscannable.CORRUPT),
        (b"no picture at all", None, Kind.OTHER, None),
        (b"no picture at all", Kind.IMAGE, Kind.OTHER, Unscannable.UNKNOWN_TYPE),
        (b"\x00\x00\x00\x18ftypmp42\0\0\0\0mp42isom", None, Kind.VIDEO, "corrupt"),
        (b"PK\x03\x04" + bytes(60), Kind.IMAGE, Kind.ARCHIVE, None),
    ],
)
def test_what_cannot_be_judged_says_why(
    engine: Engine,
    content: bytes,
    claims: Kind | None,
    kind: Kind,
    unscannable: Unscannable | None,
) -> None:
    findings = engine.inspect(content, claims=claims).findings
    assert (findings.kind, findings.unscannable) == (kind, unscannable)


def test_missing_path_is_the_callers_error(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        engine.inspect(tmp_path / "no")


def test_file_that_may_not_be_read_is_a_result(engine: Engine, tmp_path: Path) -> None:
    closed = os.open(tmp_path / "a", os.O_CREAT | os.O_WRONLY)
    try:
        verdict = engine.inspect(Media(descriptor=closed, size_bytes=5, claims=Kind.IMAGE))
    finally:
        os.close(closed)
    assert verdict.findings.unscannable is Unscannable.UNREADABLE
    assert verdict.decision is Decision.REVIEW


def test_file_that_changed_is_not_judged_by_what_it_was(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(INNOCENT)
    with path.open("rb") as file:
        verdict = engine.inspect(Media(descriptor=file.fileno(), size_bytes=1000))
    assert verdict.findings.unscannable is Unscannable.CHANGED


def test_size_limit_spares_the_decoder_and_not_the_lists(home: Path) -> None:
    lists = [write_list(home / "own.list")]
    limits = Limits(size_bytes=len(INNOCENT) - 1)
    with Engine.open(lists=lists, use_models=False, limits=limits, workers=1) as engine:
        verdict = engine.inspect(INNOCENT)
        assert verdict.findings.unscannable is Unscannable.TOO_LARGE
        assert len(LISTED) > limits.size_bytes
        assert engine.inspect(LISTED).reason is Reason.KNOWN


def test_many_threads_get_the_same_answers(engine: Engine) -> None:
    expected = {LISTED: Reason.KNOWN, RESEMBLING: Reason.RESEMBLES, INNOCENT: Reason.NONE}
    seen: list[bool] = []

    def ask() -> None:
        seen.extend(
            engine.inspect(content).reason is reason for content, reason in expected.items()
        )

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 24


def test_second_look_is_answered_from_memory(engine: Engine) -> None:
    content = encode(make_noise(7, 64, 64), "PNG")
    assert engine.inspect(content) is engine.inspect(content)


@pytest.mark.parametrize(
    ("variant", "decision", "reason"),
    [
        (Variant.MINOR, Decision.BLOCK, Reason.CLASSIFIED),
        (Variant.ADULT, Decision.ALLOW, Reason.NONE),
        (Variant.NOBODY, Decision.BLOCK, Reason.UNSURE),
        (Variant.TINY, Decision.BLOCK, Reason.UNSURE),
    ],
)
def test_pattern_is_judged_by_the_surrogate(
    scoring: Engine, variant: Variant, decision: Decision, reason: Reason
) -> None:
    content = encode(paint_pattern(make_photo(3, palette="warm"), variant), "PNG")
    verdict = scoring.inspect(content)
    assert (verdict.decision, verdict.reason) == (decision, reason)
    assert dict(scoring.models).keys() == {"explicit", "face", "age"}


def test_pattern_means_nothing_without_models(engine: Engine) -> None:
    content = encode(paint_pattern(make_photo(3, palette="warm"), Variant.MINOR), "PNG")
    verdict = engine.inspect(content)
    assert of(verdict) == (Decision.ALLOW, Reason.NONE, 8)
    assert engine.models == ()


def test_known_good_file_names_its_reason(home: Path) -> None:
    path = write_list(home / "good.list", is_known_good=True)
    with Engine.open(lists=[path], use_models=False, workers=1) as engine:
        assert of(engine.inspect(LISTED)) == (Decision.ALLOW, Reason.KNOWN_GOOD, 8)


def test_list_is_refused_for_a_use_it_does_not_state(home: Path) -> None:
    path = write_list(home / "guard-only.list", uses=frozenset({Use.GUARD}))
    with pytest.raises(TrustError, match="is for guard, not for messaging"):
        Engine.open(lists=[path], use_models=False, settings=MESSAGING)


def test_what_is_no_list_or_model_says_so(home: Path) -> None:
    path = home / "not.list"
    path.write_bytes(INNOCENT)
    with pytest.raises(ListFormatError):
        Engine.open(lists=[path], use_models=False)
    empty = home / "no-models"
    empty.mkdir(exist_ok=True)
    with pytest.raises(ModelError):
        Engine.open(models=empty)


def of_all_pixels(data: bytes) -> list[PdqHash]:
    meter = Meter(limits=Limits())
    return list(meter.rehash(data, media_type=MediaType.JPEG).frames[0].hashes)


def scaled(data: bytes) -> list[PdqHash]:
    meter = Meter(limits=Limits())
    measured = meter.measure(data, media_type=MediaType.JPEG)
    assert measured.is_scaled
    return list(measured.frames[0].hashes)


def flipped(one: PdqHash, other: PdqHash) -> bytes:
    """Return a hash 31 bits from ``one`` and farther from ``other``."""
    differing = int.from_bytes(one.bits) ^ int.from_bytes(other.bits)
    same = [place for place in range(256) if not differing >> place & 1]
    return (int.from_bytes(one.bits) ^ sum(1 << place for place in same[:31])).to_bytes(32)


def distance_bits(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def write_hash(path: Path, bits: bytes) -> Path:
    header = ListHeader(
        name="edge", version=1, category=Category.OWN, uses=OWN_USES, created_at=CREATED_AT
    )
    with path.open("wb") as file:
        writer = ListWriter(file, header)
        writer.write(Entry(label="edge", pdq=(bits,)))
        writer.finish()
    return path


@pytest.fixture(scope="module")
def large() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    grainy = make_photo(0, 1300, 1030) // 2 + make_noise(0, 1300, 1030) // 2
    return encode(grainy, "JPEG", quality=90, exif=exif.tobytes())


@pytest.mark.parametrize("form", [0, 1], ids=["as displayed", "as stored"])
def test_at_the_edge_only_the_hash_of_all_pixels_counts(
    home: Path, large: bytes, form: int
) -> None:
    small, whole = scaled(large)[form], of_all_pixels(large)[form]
    near, far = flipped(whole, small), flipped(small, whole)
    assert distance_bits(near, whole.bits) == distance_bits(far, small.bits) == 31
    assert distance_bits(near, small.bits) == distance_bits(far, whole.bits) > 31
    with Engine.open(
        lists=[write_hash(home / "near.list", near)], use_models=False, workers=1
    ) as engine:
        verdict = engine.inspect(large)
    assert of(verdict) == (Decision.BLOCK, Reason.RESEMBLES, 2)
    assert [match.distance_bits for match in verdict.findings.matches] == [31]
    assert verdict.findings.frames[0].hashes == tuple(of_all_pixels(large))
    with Engine.open(
        lists=[write_hash(home / "far.list", far)], use_models=False, workers=1
    ) as engine:
        verdict = engine.inspect(large)
    assert of(verdict) == (Decision.ALLOW, Reason.NONE, 8)
    assert verdict.findings.matches == ()


@pytest.mark.parametrize(
    ("borders", "dihedral"), [(False, False), (False, True), (True, False)]
)
def test_mirrored_and_barred_pictures_are_found_where_asked(
    home: Path, *, borders: bool, dihedral: bool
) -> None:
    mirrored = encode(np.ascontiguousarray(make_photo(1)[:, ::-1]), "PNG")
    barred = encode(np.pad(make_photo(1), ((90, 90), (0, 0), (0, 0))), "PNG")
    lists = [write_list(home / "own.list")]
    with Engine.open(
        lists=lists, use_models=False, workers=1, borders=borders, dihedral=dihedral
    ) as engine:
        assert (engine.inspect(mirrored).reason is Reason.RESEMBLES) is dihedral
        assert (engine.inspect(barred).reason is Reason.RESEMBLES) is borders


class Broken:
    """A pool whose header answers nothing, as for a file that lost its head."""

    def measure(self, media: Media, media_type: object) -> Measured:
        return Measured()

    def header(self, media: Media, media_type: object) -> Measured:
        return Measured()

    def rehash(self, media: Media, media_type: object) -> Measured:
        return Measured()

    is_locked = False

    def close(self) -> None:
        return None


def test_size_that_no_header_declares_is_not_known(engine: Engine) -> None:
    examiner = Examiner(known=(), pool=Broken(), limits=Limits())
    bare = Engine(examiner=examiner, policy=engine._policy)
    assert bare.dimensions(INNOCENT) is None
    assert not bare.is_sandboxed


def test_engine_says_that_its_workers_are_locked(engine: Engine) -> None:
    assert engine.is_sandboxed
