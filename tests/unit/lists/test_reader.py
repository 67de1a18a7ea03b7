"""Reading a list in a locked process, and readers that misbehave."""

import io
import sys
from pathlib import Path

import pytest

from protech.errors import ListFormatError, SandboxError
from protech.lists.batch import Batch, batches
from protech.lists.entries import BadEntry, Entry
from protech.lists.reader import READER, answers, reading
from protech.lists.records import End, Lines, Refusal, record_bytes
from tests.unit.lists.formats.test_own import HEADER, written
from tests.unit.lists.test_batch import entries_of

ENTRY = Entry(label="a", sha256=bytes(32))


def test_header_and_entries_come_out_of_the_locked_process(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(written(HEADER, [ENTRY, ENTRY]) + b"bad\n")
    with path.open("rb") as file:
        file.seek(7)
        with reading(file.fileno()) as (header, lines):
            assert (header.name, header.count) == ("mine", 2)
            bad = BadEntry(line=4, reason="the line is no JSON object in UTF-8")
            found = list(lines)
            assert bad in found
            assert entries_of(one for one in found if isinstance(one, Batch)) == [ENTRY] * 2


def test_the_reader_can_open_nothing_once_it_is_locked(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(written(HEADER, []))
    code = (
        "from protech.lists import reader\n"
        "from protech.lists.confined import answer_for_stdin\n"
        "from protech.lists.formats import own as formats\n"
        "def hostile(file):\n"
        "    for attempt in (lambda: open('/etc/passwd'), lambda: __import__('os').fork()):\n"
        "        try: attempt()\n"
        "        except PermissionError: continue\n"
        "        raise SystemExit(9)\n"
        "    return formats.read_header(file)\n"
        "reader.read_header = hostile\n"
        "raise SystemExit(answer_for_stdin(reader.answers))\n"
    )
    hostile = (sys.executable, "-P", "-c", code)
    with (
        (tmp_path / "list").open("rb") as file,
        reading(file.fileno(), reader=hostile) as (header, lines),
    ):
        assert header.name == "mine"
        assert list(lines) == []


def saying(stream: bytes, *, after: str = "") -> tuple[str, ...]:
    """Return a reader that says just this."""
    code = f"import sys; sys.stdout.buffer.write({stream!r}); sys.stdout.flush(); {after}"
    return (sys.executable, "-c", code)


HEADER_RECORD = record_bytes(HEADER)
BATCH_RECORD = b"".join(map(record_bytes, batches([ENTRY])))


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"\xff" * 9,
        BATCH_RECORD,
        HEADER_RECORD,
        HEADER_RECORD + BATCH_RECORD,
        HEADER_RECORD + record_bytes(Lines(count=0, content=b"")) + record_bytes(End()),
        HEADER_RECORD + HEADER_RECORD,
        HEADER_RECORD + record_bytes(End())[:3],
        HEADER_RECORD + b"\2\1\0\0\0\0",
    ],
)
def test_a_reader_that_misbehaves_costs_the_list(tmp_path: Path, stream: bytes) -> None:
    with (
        (tmp_path / "list").open("w+b") as file,
        pytest.raises(ListFormatError, match="made its reader fail"),
        reading(file.fileno(), reader=saying(stream)) as (_, lines),
    ):
        list(lines)


def test_a_reader_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    hanging = saying(HEADER_RECORD, after="import time; time.sleep(60)")
    with (
        (tmp_path / "list").open("w+b") as file,
        pytest.raises(ListFormatError, match="made its reader fail"),
        reading(file.fileno(), reader=hanging, silence_s=1.0) as (_, lines),
    ):
        list(lines)


@pytest.mark.parametrize(
    ("is_sandbox", "error"), [(True, SandboxError), (False, ListFormatError)]
)
def test_what_the_reader_refuses_is_our_error(
    tmp_path: Path, is_sandbox: bool, error: type[Exception]
) -> None:
    refusing = saying(record_bytes(Refusal(is_sandbox=is_sandbox, text="no, do this")))
    with (
        (tmp_path / "list").open("w+b") as file,
        pytest.raises(error, match="no, do this"),
        reading(file.fileno(), reader=refusing),
    ):
        pass


def test_an_entry_given_up_half_way_ends_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(written(HEADER, [ENTRY] * 20_000))
    with path.open("rb") as file, reading(file.fileno()) as (_, lines):
        assert isinstance(next(lines), Batch)


def test_a_list_is_answered_to_its_end() -> None:
    said = [type(one).__name__ for one in answers(io.BytesIO(written(HEADER, [ENTRY])))]
    assert said == ["ListHeader", "Batch", "End"]


def test_the_reader_does_not_import_from_where_the_person_stands() -> None:
    assert "-P" in READER
