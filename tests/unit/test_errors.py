"""Each class of error has an exit code of its own, from 2 up, as docs/rows.md lists them."""

from pathlib import Path

from protech import errors
from protech.errors import ProtechError


def test_each_class_has_its_own_exit_code() -> None:
    classes = [error for error in vars(errors).values() if _is_kind(error)]
    codes = [error.exit_code for error in classes]
    assert sorted(codes) == list(range(2, 2 + len(classes)))
    listed = Path("docs/rows.md").read_text(encoding="utf-8")
    assert all(f"\n| {code} | " in listed for code in codes)


def _is_kind(error: object) -> bool:
    return isinstance(error, type) and ProtechError in error.__bases__
