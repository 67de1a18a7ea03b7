"""Each class of error has an exit code of its own, from 2 up, as docs/rows.md lists them."""

from protech import errors
from protech.errors import ProtechError


def test_each_class_has_its_own_exit_code() -> None:
    classes = ProtechError.__subclasses__()
    codes = [error.exit_code for error in classes]
    assert sorted(codes) == list(range(2, 2 + len(classes)))
    assert all(hasattr(errors, error.__name__) for error in classes)
