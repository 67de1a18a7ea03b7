import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import ListFormatError
from protech.lists import canonical
from protech.lists.formats.own import LINE_BYTES, header_line, parse_header
from tests.authority import HEADER

lines = st.binary(max_size=8).map(lambda raw: raw.replace(b"\n", b"") + b"\n")


def made(content: bytes) -> bytes:
    out = io.BytesIO()
    canonical.canonical(io.BytesIO(content), out, HEADER)
    return out.getvalue()


@given(st.lists(lines, max_size=40), st.randoms(use_true_random=False), st.integers(1, 60))
def test_the_same_entries_make_the_same_bytes(
    entries: list[bytes], random: object, run_bytes: int
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(canonical, "RUN_BYTES", run_bytes)
        first = made(header_line(HEADER) + b"".join(entries))
    random.shuffle(entries)  # type: ignore[attr-defined]  # Hypothesis' own
    second = made(header_line(HEADER) + b"".join(entries))
    assert first == second
    head, *body = [line + b"\n" for line in first.split(b"\n")[:-1]]
    assert body == sorted(set(entries))
    assert parse_header(head).count == len(body)
    assert made(first) == first


@pytest.mark.parametrize("cut", [b"a", b"a" * (LINE_BYTES + 2) + b"\n"])
def test_a_line_that_was_cut_or_is_too_long_is_refused(cut: bytes) -> None:
    with pytest.raises(ListFormatError, match="cannot be published"):
        made(header_line(HEADER) + cut)
