"""`protech scan` as a person runs it, over everything a hostile or broken disk may hold."""

import io
import json
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from tests.make_data import encode, make_photo
from tests.surrogate import Variant, make_surrogate, paint_pattern

PROTECH = Path(sys.executable).with_name("protech")

KEYS = [
    "v", "path", "path_bytes", "kind", "size_bytes", "sha256", "decision", "reason", "rule",
    "policy", "matches", "excepted", "scores", "unscannable",
]  # fmt: skip

PHOTO = encode(make_photo(1), "JPEG")
OTHER = encode(make_photo(2), "PNG")

AS_ROOT_BUT_BOUND = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Root reads what no permission allows; without these two capabilities it does not."""

Row = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder to be scanned."""
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


def run(
    *arguments: str | Path, place: Path, before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[bytes]:
    """Run protech with directories of its own, as installed, from some other directory."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("XDG_")},
        "XDG_CACHE_HOME": str(place / "cache"),
    }
    return subprocess.run(
        [*before, PROTECH, *arguments],
        cwd=place,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )


def scanned(
    folder: Path, *options: str | Path, before: tuple[str, ...] = ()
) -> tuple[int, dict[str, Row], str]:
    """Scan a folder by known lists alone; return exit code, rows by name, and stderr."""
    ended = run("scan", folder, "--json", *options, place=folder.parent, before=before)
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    assert all(list(row) == KEYS for row in rows)
    names = {os.path.relpath(row["path"], folder): row for row in rows}
    assert len(names) == len(rows)
    return ended.returncode, names, ended.stderr.decode()


def results(rows: dict[str, Row]) -> dict[str, str | None]:
    return {name: row["unscannable"] for name, row in rows.items()}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a list of one photo, made as a person makes it."""
    place = tmp_path_factory.mktemp("known")
    (place / "mine").mkdir()
    (place / "mine" / "photo.jpg").write_bytes(PHOTO)
    made = run("lists", "make", "mine", "--out", "mine.list", place=place)
    assert (made.returncode, made.stderr) == (0, b"")
    return place / "mine.list"


def test_known_resembling_and_other_photos(folder: Path, known: Path) -> None:
    (folder / "same.jpg").write_bytes(PHOTO)
    (folder / "copy.webp").write_bytes(encode(make_photo(1), "WEBP", quality=70))
    (folder / "half.png").write_bytes(encode(make_photo(1)[::2, ::2], "PNG"))
    (folder / "other.png").write_bytes(OTHER)
    (folder / "note.txt").write_text("text")
    code, rows, err = scanned(folder, "--fast", "--list", known)
    assert code == 1
    assert {name: row["reason"] for name, row in rows.items()} == {
        "copy.webp": "resembles",
        "half.png": "resembles",
        "note.txt": "none",
        "other.png": "none",
        "same.jpg": "known",
    }
    assert list(rows) == sorted(rows)
    assert rows["same.jpg"]["matches"][0]["entry"] == "photo.jpg"
    assert err == "5 items: 3 blocked, 0 to review, 2 allowed\n"


def test_with_nothing_known_the_exit_code_is_0(folder: Path, known: Path) -> None:
    (folder / "other.png").write_bytes(OTHER)
    code, _, _ = scanned(folder, "--fast", "--list", known)
    assert code == 0


def test_a_printed_pattern_is_classified_and_only_by_the_classifier(
    folder: Path, tmp_path: Path
) -> None:
    models = make_surrogate(tmp_path / "models")
    minor = paint_pattern(make_photo(3), Variant.MINOR)
    nobody = paint_pattern(make_photo(3), Variant.NOBODY)
    (folder / "minor.png").write_bytes(encode(minor, "PNG"))
    (folder / "nobody.png").write_bytes(encode(nobody, "PNG"))
    (folder / "plain.png").write_bytes(encode(make_photo(3), "PNG"))
    code, rows, _ = scanned(folder, "--models", models)
    assert code == 1
    assert {name: (row["decision"], row["reason"]) for name, row in rows.items()} == {
        "minor.png": ("block", "classified"),
        "nobody.png": ("review", "unsure"),
        "plain.png": ("allow", "none"),
    }
    assert rows["minor.png"]["scores"]["persons"] == 1
    code, rows, _ = scanned(folder, "--fast")
    assert code == 0
    assert {row["decision"] for row in rows.values()} == {"allow"}
    assert rows["minor.png"]["scores"] is None


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    )


def png_bomb() -> bytes:
    """Return a small PNG that says it is 50,000 x 50,000 pixels."""
    size = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(bytes(99_999)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def gif_bomb() -> bytes:
    """Return a GIF of 100,000 frames."""
    one = encode(make_photo(1)[:4, :4], "GIF")
    at = one.index(b"\x2c\x00\x00\x00\x00")
    return one[:at] + one[at:-1] * 100_000 + b";"


def polyglot() -> bytes:
    """Return a JPEG that is also a ZIP."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("inside.txt", "text")
    return PHOTO + archive.getvalue()


def test_each_bad_file_is_a_row_and_the_rest_goes_on(folder: Path, known: Path) -> None:
    (folder / "truncated.jpg").write_bytes(OTHER[: len(OTHER) // 2])
    (folder / "cut.jpg").write_bytes(encode(make_photo(5), "JPEG")[:2000])
    (folder / "zero.png").write_bytes(b"")
    (folder / "noise.jpg").write_bytes(bytes(range(256)) * 9)
    (folder / "bomb.png").write_bytes(png_bomb())
    (folder / "frames.gif").write_bytes(gif_bomb())
    (folder / "wrong.txt").write_bytes(PHOTO)
    (folder / "polyglot.zip").write_bytes(polyglot())
    (folder / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(99))
    (folder / "zz-last.jpg").write_bytes(PHOTO)
    code, rows, err = scanned(folder, "--fast", "--list", known)
    assert code == 1
    assert results(rows) == {
        "bomb.png": "too_large",
        "cut.jpg": "corrupt",
        "film.mp4": "corrupt",
        "frames.gif": "too_large",
        "noise.jpg": "unknown_type",
        "polyglot.zip": None,
        "truncated.jpg": "corrupt",
        "wrong.txt": None,
        "zero.png": "empty",
        "zz-last.jpg": None,
    }
    assert {row["decision"] for row in rows.values() if row["unscannable"]} == {"review"}
    # What a file is called changes nothing of what it is.
    assert (rows["wrong.txt"]["kind"], rows["wrong.txt"]["reason"]) == ("image", "known")
    assert (rows["polyglot.zip"]["kind"], rows["polyglot.zip"]["reason"]) == (
        "image",
        "resembles",
    )
    assert rows["zero.png"]["size_bytes"] == 0
    assert rows["bomb.png"]["sha256"] is not None
    assert err.startswith("10 items: 3 blocked, 7 to review, 0 allowed; could not be judged: ")


@pytest.mark.needs("setpriv")
def test_what_may_not_be_read_is_a_row_and_exit_code_2(folder: Path, known: Path) -> None:
    for name in ("a/in.jpg", "b.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(PHOTO)
        (folder / name).chmod(0o000)
    (folder / "c.png").write_bytes(OTHER)
    (folder / "a").chmod(0o000)
    before = AS_ROOT_BUT_BOUND if os.geteuid() == 0 else ()
    code, rows, err = scanned(folder, "--fast", "--list", known, before=before)
    (folder / "a").chmod(0o700)
    assert code == 2
    assert results(rows) == {"a": "unreadable", "b.jpg": "unreadable", "c.png": None}
    assert "2 unreadable" in err
    (folder / "d.jpg").write_bytes(PHOTO)
    (folder / "a").chmod(0o000)
    assert scanned(folder, "--fast", "--list", known, before=before)[0] == 1
    (folder / "a").chmod(0o700)


def test_a_file_that_changes_while_it_is_read_is_a_row(folder: Path) -> None:
    # It only ever grows, so whatever is read of it is a whole photo: only the watch can tell.
    changing = folder / "changing.jpg"
    changing.write_bytes(PHOTO)
    (folder / "other.png").write_bytes(OTHER)
    code = (
        "import sys, time\n"
        "with open(sys.argv[1], 'ab', buffering=0) as file:\n"
        "    end = time.monotonic() + 100\n"
        "    while time.monotonic() < end: file.write(b'x' * 9); time.sleep(0.0002)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, changing]) as writer:
        try:
            _, rows, _ = scanned(folder, "--fast")
        finally:
            writer.kill()
    assert results(rows) == {"changing.jpg": "changed", "other.png": None}
    assert rows["changing.jpg"]["decision"] == "review"


def test_loops_links_pipes_and_sockets_are_passed_over(folder: Path) -> None:
    (folder / "below").mkdir()
    (folder / "below" / "photo.png").write_bytes(OTHER)
    (folder / "below" / "loop").symlink_to(folder)
    (folder / "self").symlink_to("self")
    (folder / "outside").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    code, rows, _ = scanned(folder, "--fast")
    assert code == 0
    assert results(rows) == {"below/photo.png": None}


def test_a_name_that_is_not_utf8_is_given_in_base64(folder: Path) -> None:
    raw = os.fsencode(folder) + b"/caf\xe9\n\x1b[31m.png"
    descriptor = os.open(raw, os.O_CREAT | os.O_WRONLY)
    os.write(descriptor, OTHER)
    os.close(descriptor)
    ended = run("scan", folder, "--fast", "--json", place=folder.parent)
    (row,) = map(json.loads, ended.stdout.splitlines())
    assert row["kind"] == "image"
    assert row["path"].endswith("caf\ufffd\n\x1b[31m.png")
    assert b64decode(row["path_bytes"]) == raw
    table = run("scan", folder, "--fast", place=folder.parent).stdout.decode()
    assert table.endswith("caf\ufffd\ufffd\ufffd[31m.png\n")
    assert len(table.splitlines()) == 1


def test_paths_that_are_not_there_and_wrong_options(folder: Path) -> None:
    (folder / "other.png").write_bytes(OTHER)
    missing = run("scan", "none", "disk", "--fast", place=folder.parent)
    assert missing.returncode == 3
    assert b"none cannot be looked at: No such file or directory; check" in missing.stderr
    assert missing.stdout.endswith(b"disk/other.png\n")
    assert run("scan", "disk", "--list", "none", place=folder.parent).returncode == 3
    assert run("scan", "disk", "--list", "disk/other.png", place=folder.parent).returncode == 4
    assert run("scan", "disk", "--models", "disk", place=folder.parent).returncode == 6
    assert run("scan", "disk", "--workers", "0", place=folder.parent).returncode == 2
    assert run("scan", "disk", "--jsonl", "none/rows", place=folder.parent).returncode == 2


def test_without_a_list_it_warns_and_goes_on(folder: Path) -> None:
    (folder / "other.png").write_bytes(OTHER)
    code, rows, err = scanned(folder, "--fast")
    assert (code, len(rows)) == (0, 1)
    assert "no known list is loaded" in err


def test_a_scan_that_is_stopped_leaves_no_worker(folder: Path) -> None:
    for number in range(500):
        (folder / f"{number}.png").write_bytes(OTHER + bytes([number % 256, number // 256]))
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder.parent / "cache")}
    with subprocess.Popen(
        [PROTECH, "scan", folder, "--fast", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as scan:
        assert scan.stdout is not None
        scan.stdout.readline()
        children = Path(f"/proc/{scan.pid}/task/{scan.pid}/children").read_text().split()
        scan.send_signal(2)
        _, err = scan.communicate(timeout=60)
    assert scan.returncode == 130
    assert err.endswith(b"protech: stopped\n")
    assert children
    assert not any(Path(f"/proc/{child}").exists() for child in children)
