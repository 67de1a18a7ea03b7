"""Every reader at work where it works: in a process that opens no file any more."""

import subprocess
import sys

import pytest

LOCKED = """
import sys
from protech.lists.entries import Entry
from protech.lists.formats import hma, icse, ncmec, tables
from protech.sandbox import lock_down
readers = {
    "ncmec": (ncmec.matches, ncmec.read),
    "hma": (hma.matches, hma.read),
    "icse": (icse.matches, icse.read),
    "csv": (tables.csv_matches, tables.read_csv),
    "text": (tables.text_matches, tables.read_text),
}
matches, read = readers[sys.argv[1]]
state = lock_down(memory_bytes=256 << 20, channel=1)
head = sys.stdin.buffer.peek()
found = list(read(sys.stdin.buffer))
good = sum(isinstance(one, Entry) for one in found)
print(state.is_locked, matches(head), good, len(found) - good, flush=True)
"""

MD5, SHA1, HASH = "ab" * 16, "cd" * 20, "0f" * 32

LISTS = {
    "ncmec": '<?xml version="1.0" encoding="windows-1252"?><queryResult><images><image>'
    f"<id>\u00e9</id><fingerprints><md5>{MD5}</md5></fingerprints></image><image/></images></queryResult>",
    "hma": f'pdq {HASH}\n["{HASH},100,0.0"]\nno\u00e9\n0,100,{HASH},0.0\n',
    "icse": f"\ufeffMD5;SHA1;Image ID\n{MD5};{SHA1};\u00e9\n;;1\n",
    "csv": f'\ufefflabel,md5\n"\u00e9 ""x""",{MD5}\n"\n',
    "text": f"\ufeff# \u00e9\n{MD5} \u00e9\n\u00e9\n",
}


@pytest.mark.parametrize("name", LISTS)
def test_a_reader_needs_no_file(name: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", LOCKED, name],
        input=LISTS[name].encode() + (b"" if name == "ncmec" else b"\xff\xfe\x80\n"),
        capture_output=True,
        check=False,
    )
    is_locked, is_known, good, bad = shown.stdout.split() or [shown.stderr] * 4
    assert (is_locked, is_known) == (b"True", b"True")
    assert int(good) >= 1
    assert int(bad) >= 1
