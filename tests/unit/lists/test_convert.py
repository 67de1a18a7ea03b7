"""Foreign lists made into own ones: inside the lock, in one step, never without a choice."""

import io
import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protech.errors import ConfigError, ListFormatError, TrustError
from protech.lists import convert as module
from protech.lists.convert import ALL, Converted, converting
from protech.lists.entries import OWN_USES, BadEntry, Category, Entry, Use
from protech.lists.formats.known import Format
from protech.lists.formats.own import read_entries, read_header
from protech.lists.records import End, Lines, Record, Tally, Told, record_bytes
from tests import rds, vics
from tests.unit.lists.formats.test_in_the_lock import LISTS
from tests.unit.lists.formats.test_own import HEADER, written
from tests.unit.lists.test_reader import saying

CSAM = replace(HEADER, category=Category.CSAM, issuer="an authority")
EVERY = frozenset({ALL})


def convert(path: Path, out: Path, **options: Any) -> Converted:
    with path.open("rb") as file:
        file.seek(3)
        return converting(file.fileno(), out=out, header=options.pop("header", CSAM), **options)


def entries_in(path: Path) -> list[Entry | BadEntry]:
    with path.open("rb") as file:
        assert read_header(file).count == len(path.read_bytes().splitlines()) - 1
        return list(read_entries(file))


def media(*categories: object) -> str:
    fields = [
        {"MD5": i.to_bytes(16).hex(), "Category": category}
        for i, category in enumerate(categories)
    ]
    return json.dumps({"@odata.context": vics.CONTEXT, "value": fields})


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in" / "foreign"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "mine.list"


def test_only_what_is_taken_is_listed_and_all_is_counted(foreign: Path, out: Path) -> None:
    foreign.write_text(media(1, 2, 0, 1, "2", None))
    made = convert(foreign, out, take=frozenset({"1", "2"}))
    assert made == Converted(
        format=Format.VICS,
        entries=4,
        bad=0,
        categories={"1": 2, "2": 2, "0": 1, "none": 1},
    )
    assert [one.md5 for one in entries_in(out) if isinstance(one, Entry)] == [
        i.to_bytes(16) for i in (0, 1, 3, 4)
    ]
    with out.open("rb") as file:
        assert read_header(file) == replace(CSAM, count=4)
    assert out.stat().st_mode & 0o777 == 0o600
    assert convert(foreign, out, take=EVERY).entries == 6


@pytest.mark.parametrize("take", [None, frozenset({"7", "8"})])
def test_nothing_is_listed_before_it_is_said_what(
    foreign: Path, out: Path, take: frozenset[str] | None
) -> None:
    foreign.write_text(media(1, 0, 1))
    with pytest.raises(ConfigError, match=r"0 \(1\), 1 \(2\)\..*--take") as refused:
        convert(foreign, out, take=take)
    assert ("None of them is 7 or 8" in str(refused.value)) == bool(take)
    assert list(out.parent.iterdir()) == []


def test_a_format_without_categories_takes_no_choice(foreign: Path, out: Path) -> None:
    foreign.write_text(LISTS["csv"])
    with pytest.raises(ListFormatError, match="have no categories; leave out --take"):
        convert(foreign, out, take=frozenset({"1"}))
    assert convert(foreign, out, take=EVERY).entries == 1


@pytest.mark.parametrize("name", [*LISTS, "own"])
def test_every_format_is_read_inside_the_lock(name: str, foreign: Path, out: Path) -> None:
    content = LISTS.get(name, "").encode() or written(HEADER, [Entry(md5=bytes(16))])
    foreign.write_bytes(content)
    for format_ in (None, Format(name)):
        made = convert(foreign, out, format=format_, take=EVERY if name == "ncmec" else None)
        assert (made.format, made.entries) == (name, len(entries_in(out)))
        assert made.entries >= 1


@pytest.mark.parametrize("format_", [None, Format.NSRL])
def test_a_database_is_read_inside_the_lock(
    format_: Format | None, foreign: Path, out: Path
) -> None:
    rds.minimal(foreign, rds.digests(50))
    with pytest.raises(ListFormatError, match="known_good"):
        convert(foreign, out, format=format_)
    good = replace(HEADER, category=Category.KNOWN_GOOD)
    made = convert(foreign, out, format=format_, header=good)
    assert (made.format, made.entries, made.bad) == (Format.NSRL, 50, 0)


def test_what_is_of_no_format_or_another_is_refused(foreign: Path, out: Path) -> None:
    foreign.write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ListFormatError, match="--format"):
        convert(foreign, out)
    for format_ in (Format.VICS, Format.NSRL, Format.CIRCL, Format.NCMEC, Format.OWN):
        with pytest.raises(ListFormatError):
            convert(foreign, out, format=format_)
    assert list(out.parent.iterdir()) == []


def test_bad_entries_are_counted_and_the_first_named(
    foreign: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign.write_text(media(*["1"] * 3).replace("0" * 31, "x" * 31))
    made = convert(foreign, out, take=EVERY, format=Format.VICS)
    assert (made.entries, made.bad) == (0, 3)
    assert made.first_bad[0] == BadEntry(line=1, reason="'md5' is not 32 hex digits")
    monkeypatch.setattr(module, "BAD_SENT", 2)
    converter = module._Converter(Format.VICS, EVERY, database=None)
    with foreign.open("rb") as file:
        said = list(converter.answers(file))
    assert [type(one).__name__ for one in said] == [
        "Told", "BadEntry", "BadEntry", "Lines", "Tally", "End"
    ]  # fmt: skip
    assert said[-2] == Tally(category="", count=3)


def test_categories_without_end_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CATEGORIES_MOST", 2)
    converter = module._Converter(None, frozenset({"c"}), database=None)
    taken = [converter._is_taken(category) for category in "abcca"]
    assert taken == [False, False, True, True, False]
    assert converter._counts == {"a": 2, "b": 1, "others": 2}


def test_of_a_long_list_that_nothing_is_taken_of_the_reader_is_not_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PASSED_SENT", 2)
    converter = module._Converter(Format.VICS, None, database=None)
    said = list(converter.answers(io.BytesIO(media(*range(5)).encode())))
    assert said[1:4] == [Lines(count=0, content=b"")] * 3


def test_an_imported_list_is_never_for_locate(foreign: Path, out: Path) -> None:
    foreign.write_text(media(1))
    for uses in (frozenset({Use.LOCATE}), OWN_USES | {Use.LOCATE}):
        with pytest.raises(TrustError, match="no signature"):
            convert(foreign, out, header=replace(CSAM, uses=uses), take=EVERY)
    assert list(out.parent.iterdir()) == []


def stream(*said: Record) -> bytes:
    return b"".join(map(record_bytes, said))


TOLD = Told(format="vics")
GOOD = Lines(count=1, content=b"{}\n")


@pytest.mark.parametrize(
    "said",
    [
        stream(),
        stream(End()),
        stream(Told(format="no")),
        stream(GOOD, End()),
        stream(TOLD, GOOD),
        stream(TOLD, TOLD, End()),
        stream(TOLD, HEADER, End()),
        stream(TOLD, *(Tally(category=str(i), count=i) for i in range(2000)), End()),
        stream(TOLD) + b"\7\1\0\0\0\0",
    ],
)
def test_a_reader_that_misbehaves_costs_the_list(said: bytes, foreign: Path, out: Path) -> None:
    foreign.write_bytes(b"")
    out.write_bytes(b"old")
    with pytest.raises(ListFormatError, match="made its reader fail"):
        convert(foreign, out, converter=saying(said))
    assert out.read_bytes() == b"old"
    assert list(out.parent.iterdir()) == [out]


def test_a_reader_that_says_more_than_the_file_can_hold_is_not_believed(
    foreign: Path, out: Path
) -> None:
    foreign.write_bytes(b"")
    lines = stream(Lines(count=1, content=b"x" * 1000 + b"\n"))
    code = f"import sys; sys.stdout.buffer.write({stream(TOLD)!r} + {lines!r} * 1100)"
    with pytest.raises(ListFormatError, match="made its reader fail"):
        convert(foreign, out, converter=(sys.executable, "-c", code))
    assert list(out.parent.iterdir()) == []


def test_a_file_that_changes_meanwhile_leaves_the_old_list(foreign: Path, out: Path) -> None:
    foreign.write_text(media(1))
    out.write_bytes(b"old")
    with pytest.raises(ListFormatError, match="changed while it was read"):
        convert(foreign, out, take=EVERY, on_entries=lambda _: os.utime(foreign, ns=(0, 0)))
    assert out.read_bytes() == b"old"


def test_a_reader_that_hangs_is_not_waited_for(foreign: Path, out: Path) -> None:
    foreign.write_bytes(b"")
    hanging = saying(stream(TOLD), after="import time; time.sleep(60)")
    with pytest.raises(ListFormatError, match="made its reader fail"):
        convert(foreign, out, converter=hanging, silence_s=1.0)


def test_the_converter_can_open_nothing_once_it_is_locked(foreign: Path, out: Path) -> None:
    foreign.write_text(media(1))
    code = (
        "from protech.lists import convert\nfrom protech.lists.formats import known, vics\n"
        "from protech.lists.confined import answer_for_stdin\n"
        "import dataclasses, os\n"
        "def hostile(file):\n"
        "    tell = lambda: os.write(2, b'x')\n"
        "    for attempt in (lambda: open('/etc/passwd'), os.fork, tell):\n"
        "        try: attempt()\n"
        "        except PermissionError: continue\n"
        "        raise SystemExit(9)\n"
        "    return vics.read(file)\n"
        "known.FORMATS[known.Format.VICS] = dataclasses.replace(\n"
        "    known.FORMATS[known.Format.VICS], read=hostile)\n"
        "raise SystemExit(answer_for_stdin(convert._prepared().answers))\n"
    )
    hostile = (sys.executable, "-P", "-c", code)
    assert convert(foreign, out, take=EVERY, converter=hostile).entries == 1


def test_a_kill_leaves_the_old_list_and_the_next_import_no_litter(
    foreign: Path, out: Path
) -> None:
    vics.write(foreign, 60_000)
    out.write_bytes(b"old")
    code = (
        "import sys; from pathlib import Path; from protech.lists.convert import converting\n"
        "from tests.unit.lists.test_convert import CSAM, EVERY\n"
        "with open(sys.argv[1], 'rb') as file:\n"
        "    converting(file.fileno(), out=Path(sys.argv[2]), header=CSAM, take=EVERY,\n"
        "        on_entries=lambda count: print(count, flush=True))\n"
    )
    importing = subprocess.Popen(
        [sys.executable, "-c", code, foreign, out], stdout=subprocess.PIPE, env=_paths()
    )
    assert importing.stdout is not None
    with importing:
        assert int(importing.stdout.readline()) > 0
        importing.send_signal(signal.SIGKILL)
    assert out.read_bytes() == b"old"
    assert len(list(out.parent.iterdir())) == 2
    foreign.write_text(media(1))
    convert(foreign, out, take=EVERY)
    assert list(out.parent.iterdir()) == [out]


def _paths() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_a_full_disk_leaves_the_old_list(foreign: Path, out: Path) -> None:
    vics.write(foreign, 2000)
    out.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    quiet = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
        with pytest.raises(ConfigError, match="make room, or name another place with --out"):
            convert(foreign, out, take=EVERY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, quiet)
    assert out.read_bytes() == b"old"
    assert list(out.parent.iterdir()) == [out]


def test_a_large_list_arrives_whole(foreign: Path, out: Path) -> None:
    vics.write(foreign, 5000)
    told: list[int] = []
    made = convert(foreign, out, take=EVERY, on_entries=told.append)
    assert (made.entries, made.bad) == (5000, 0)
    assert told[-1] == 5000
    assert len(told) > 2
    found = entries_in(out)
    assert all(isinstance(one, Entry) and one.md5 and one.sha1 for one in found)
    assert sum(isinstance(one, Entry) and one.pdq != () for one in found) == 500


def test_the_process_reads_its_options(foreign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lines_of(*options: str) -> int:
        with foreign.open("rb") as file:
            monkeypatch.setattr(sys, "stdin", file)
            said = list(module._prepared(options).answers(file))
        return sum(one.count for one in said if isinstance(one, Lines))

    foreign.write_text(media(1, 2))
    assert lines_of("--format=vics", "--take=2,3") == 1
    assert lines_of() == 0
    foreign.unlink()
    rds.minimal(foreign, rds.digests(3))
    assert lines_of() == 3
