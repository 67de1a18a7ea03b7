"""The pool loses one item to a hostile worker and never two; all workers are real processes."""

import io
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from protech.errors import ModelError, SandboxError
from protech.salus import pool as pools
from protech.salus.cage import Cage
from protech.salus.measure import Meter
from protech.salus.pool import Pool
from protech.salus.sniff import MediaType
from protech.types import Limits, Measured, Media, Unscannable
from tests.surrogate import Variant, make_surrogate, paint_pattern

HOSTILE = Path(__file__).with_name("hostile_worker.py")
LIMITS = Limits(seconds=0.5, memory_bytes=256 * 1024 * 1024, size_bytes=1024 * 1024)


def opened(
    how: str = "serve",
    *,
    workers: int = 1,
    spare: int = 1,
    models: Path | None = None,
    allow_unsandboxed: bool = False,
) -> Pool:
    return Pool(
        workers=workers,
        limits=LIMITS,
        models=models,
        spare=spare,
        allow_unsandboxed=allow_unsandboxed,
        worker=[sys.executable, "-P", str(HOSTILE), how],
    )


@pytest.fixture
def pool() -> Iterator[Pool]:
    with opened() as one:
        yield one


def ask(pool: Pool, deed: bytes) -> Measured:
    return pool.measure(Media(content=deed, size_bytes=len(deed)), MediaType.PNG)


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("segv", Unscannable.CRASHED),
        ("exec", Unscannable.CRASHED),
        ("eat", Unscannable.CRASHED),
        ("noise", Unscannable.CRASHED),
        ("huge", Unscannable.CRASHED),
        ("hang", Unscannable.TIMED_OUT),
        ("spin", Unscannable.TIMED_OUT),
    ],
)
def test_a_lost_worker_costs_one_item(pool: Pool, deed: str, reason: Unscannable) -> None:
    for _ in range(2):
        assert ask(pool, deed.encode()) == Measured(unscannable=reason)
        assert ask(pool, b"next").width_px == 4


def test_a_worker_that_speaks_or_dies_between_items_costs_none(pool: Pool) -> None:
    first = ask(pool, b"pid").width_px
    assert ask(pool, b"later").height_px == 1
    await_a_sign(pool._idle[0])
    second = ask(pool, b"pid").width_px
    assert second not in {first, None}
    os.kill(second or 0, signal.SIGKILL)
    await_a_sign(pool._idle[0])
    assert ask(pool, b"pid").width_px not in {first, second, None}


def test_every_warm_worker_killed_at_once_costs_none() -> None:
    with opened(spare=4) as pool:
        for cage in pool._idle:
            cage.await_ready(seconds=30)
        for cage in tuple(pool._idle):
            cage.kill()
            await_a_sign(cage)
        assert ask(pool, b"next").width_px == 4


def await_a_sign(cage: Cage) -> None:
    limit = time.monotonic() + 30
    while cage.is_silent() and time.monotonic() < limit:
        time.sleep(0.01)


def test_a_worker_that_the_system_kills_costs_the_item_it_was_at(pool: Pool) -> None:
    pid = ask(pool, b"pid").width_px
    killing = threading.Thread(target=lambda: kill_when_busy(pool, pid or 0), daemon=True)
    killing.start()
    assert ask(pool, b"hang") == Measured(unscannable=Unscannable.CRASHED)
    killing.join()
    assert ask(pool, b"next").width_px == 4


def kill_when_busy(pool: Pool, pid: int) -> None:
    while not pool._busy:
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)


def test_a_warm_spare_answers_when_a_worker_is_lost(pool: Pool) -> None:
    spare = pool._idle[-1]
    spare.await_ready(seconds=30)
    assert ask(pool, b"exit").unscannable is Unscannable.CRASHED
    assert pool._idle[0] is spare
    assert len(pool._idle) == 2


def test_the_header_is_asked_for_by_itself(pool: Pool) -> None:
    measured = pool.header(Media(content=b"12345", size_bytes=5), MediaType.JPEG)
    assert measured == Measured(width_px=5, height_px=1)


def test_media_is_too_large_one_byte_above_the_limit(pool: Pool) -> None:
    at_limit = bytes(LIMITS.size_bytes)
    assert ask(pool, at_limit).width_px == LIMITS.size_bytes
    assert ask(pool, at_limit + b"x") == Measured(unscannable=Unscannable.TOO_LARGE)


def test_many_threads_each_get_their_own_answer() -> None:
    with opened(workers=2) as pool, ThreadPoolExecutor(8) as threads:
        names = [f"item {n}".encode() for n in range(200)]
        deeds = [b"exit" if n % 50 == 25 else name for n, name in enumerate(names)]
        measured = list(threads.map(lambda deed: ask(pool, deed), deeds))
    for deed, one in zip(deeds, measured, strict=True):
        if deed == b"exit":
            assert one.unscannable is Unscannable.CRASHED
        else:
            assert one.frames[0].hashes[0].bits == deed.ljust(32)


def test_no_more_items_at_once_than_workers() -> None:
    with opened(workers=1) as pool, ThreadPoolExecutor(2) as threads:
        begun = time.monotonic()
        assert [
            one.unscannable for one in threads.map(lambda d: ask(pool, d), [b"hang"] * 2)
        ] == [Unscannable.TIMED_OUT] * 2
        assert time.monotonic() - begun >= 2 * LIMITS.seconds


def test_a_worker_is_replaced_after_its_share_of_items(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "ITEMS_PER_WORKER", 3)
    pids = [ask(pool, b"pid").width_px for _ in range(7)]
    assert len(set(pids[:3])) == len(set(pids[3:6])) == 1
    assert len(set(pids)) == 3


def test_closing_ends_every_process_and_frees_whoever_waits() -> None:
    pool = opened(workers=1)
    pid = ask(pool, b"pid").width_px
    results: list[Measured] = []
    waiting = threading.Thread(target=lambda: results.append(ask(pool, b"hang")), daemon=True)
    waiting.start()
    while not pool._busy:
        time.sleep(0.01)
    pool.close()
    waiting.join(10)
    assert results == [Measured(unscannable=Unscannable.CRASHED)]
    assert not Path(f"/proc/{pid}").exists()
    assert (len(pool._idle), len(pool._busy)) == (0, 0)
    with pytest.raises(ValueError, match="closed"):
        ask(pool, b"next")
    pool.close()


@pytest.mark.parametrize("how", ["gone", "noisy", "chatty"])
def test_workers_that_never_get_ready_are_an_error_that_says_what_to_do(how: str) -> None:
    with pytest.raises(SandboxError, match="doctor"):
        opened(how)


def test_a_worker_that_starts_at_the_third_attempt_is_enough(tmp_path: Path) -> None:
    with opened(f"flaky:{tmp_path / 'tries'}", spare=0) as pool:
        assert ask(pool, b"item").width_px == 4


def test_a_broken_model_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=str(tmp_path)):
        opened("refuse-models", models=tmp_path)


def test_a_program_that_cannot_be_started_is_an_error() -> None:
    with pytest.raises(SandboxError, match="No process"):
        Pool(workers=1, limits=LIMITS, models=None, worker=["/nonexistent/python"])


def test_where_the_kernel_cannot_lock_a_worker_the_pool_refuses() -> None:
    with pytest.raises(SandboxError, match="landlock is missing"):
        opened("without-kernel")


def test_going_on_without_the_lock_is_asked_for_and_shows() -> None:
    with opened("without-kernel", allow_unsandboxed=True) as pool:
        assert not pool.lock_state.is_locked
        assert ask(pool, b"item").width_px == 4


def test_a_locked_pool_says_so(pool: Pool) -> None:
    assert pool.lock_state.is_locked


@pytest.mark.parametrize(("workers", "spare"), [(0, 1), (1, -1)])
def test_a_pool_without_workers_is_a_caller_s_mistake(workers: int, spare: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        opened(workers=workers, spare=spare)


def test_a_worker_inherits_no_secret_and_no_relative_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/secret")
    monkeypatch.setenv("https_proxy", "http://user:secret@proxy")
    monkeypatch.setenv("PYTHONPATH", "here::/there")
    monkeypatch.chdir(tmp_path)
    environment = pools._environment()
    assert environment["PYTHONPATH"] == f"{tmp_path / 'here'}:/there"
    assert environment["OPENBLAS_NUM_THREADS"] == environment["OMP_NUM_THREADS"] == "1"
    assert "secret" not in str(environment)


def test_a_module_in_the_current_directory_is_not_imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("numpy", "socket", "protech"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    with Pool(workers=1, limits=LIMITS, models=None, spare=0) as pool:
        assert pool.lock_state.is_locked


CODECS = {
    MediaType.JPEG: "JPEG",
    MediaType.PNG: "PNG",
    MediaType.GIF: "GIF",
    MediaType.WEBP: "WEBP",
    MediaType.AVIF: "AVIF",
    MediaType.HEIC: "HEIF",
    MediaType.TIFF: "TIFF",
    MediaType.BMP: "BMP",
    MediaType.ICO: "ICO",
    MediaType.JPEG_2000: "JPEG2000",
}


def noise(side: int) -> Image.Image:
    blocks = np.random.default_rng(7).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(np.kron(blocks, np.ones((side // 8, side // 8, 1), np.uint8)))


def packed(media_type: MediaType, image: Image.Image) -> bytes:
    file = io.BytesIO()
    pillow_heif.register_heif_opener()
    image.save(file, CODECS[media_type])
    return file.getvalue()


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A pool of the product's own workers, with the models that fire on the printed pattern."""
    models = make_surrogate(tmp_path_factory.mktemp("models"))
    with Pool(workers=1, limits=Limits(), models=models) as pool:
        yield pool


@pytest.mark.parametrize("media_type", CODECS)
def test_every_codec_works_inside_the_lock(real: Pool, media_type: MediaType) -> None:
    content = packed(media_type, noise(256))
    measured = real.measure(Media(content=content, size_bytes=len(content)), media_type)
    assert (measured.unscannable, measured.width_px, measured.height_px) == (None, 256, 256)
    assert measured.frames[0].scores is not None
    outside = Meter(limits=Limits()).measure(content, media_type=media_type)
    assert measured.frames[0].hashes == outside.frames[0].hashes
    header = real.header(Media(content=content, size_bytes=len(content)), media_type)
    assert (header.width_px, header.height_px) == (256, 256)


def test_every_model_of_the_cascade_works_inside_the_lock(real: Pool) -> None:
    printed = paint_pattern(np.asarray(noise(256)), Variant.MINOR)
    content = packed(MediaType.PNG, Image.fromarray(printed))
    measured = real.measure(Media(content=content, size_bytes=len(content)), MediaType.PNG)
    scores = measured.frames[0].scores
    assert scores is not None
    assert (scores.explicit or 0) > 0.5
    assert any((person.apparent_minor or 0) > 0.5 for person in scores.persons)


def test_two_thousand_broken_files_cost_no_worker(real: Pool) -> None:
    chance = random.Random(7)
    whole = [(kind, packed(kind, noise(64))) for kind in CODECS]
    first = real._idle[0]
    for _ in range(2000):
        media_type, content = chance.choice(whole)
        broken = mutated(bytearray(content), chance)
        measured = real.measure(Media(content=broken, size_bytes=len(broken)), media_type)
        assert measured.unscannable not in {Unscannable.CRASHED, Unscannable.TIMED_OUT}
    assert first in real._idle or first.items >= pools.ITEMS_PER_WORKER


def mutated(content: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(content))
        match chance.randrange(4):
            case 0:
                content[at] = chance.randrange(256)
            case 1:
                del content[at : at + chance.randint(1, 16)]
            case 2:
                content[at:at] = chance.randbytes(chance.randint(1, 16))
            case _:
                content[at] ^= 1 << chance.randrange(8)
        content = content or bytearray(1)
    return bytes(content)
