import http.client
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from protech.errors import ConfigError
from protech.lists.seal import new_identity, recipient_of
from protech.locate.case import create_case
from protech.locate.watching import START_S, page_of, patience_s


def test_the_page_of_a_case_answers_while_it_is_wanted_and_ends_then(tmp_path: Path) -> None:
    case = create_case(
        tmp_path / "case", name="C-1", is_lab=True, recipients=[recipient_of(new_identity())]
    )
    with page_of(case) as address:
        place = urlsplit(address)
        connection = http.client.HTTPConnection("127.0.0.1", place.port or 0, timeout=10)
        connection.request("GET", f"/enter?{place.query}", headers={"Host": place.netloc})
        assert connection.getresponse().status == 200
        connection.close()
        assert case.data_key.hex() not in address
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", place.port or 0, timeout=10).connect()


def test_a_page_that_does_not_come_up_is_named(tmp_path: Path) -> None:
    case = create_case(
        tmp_path / "case", name="C-1", is_lab=True, recipients=[recipient_of(new_identity())]
    )
    (case.folder / "log" / "frames").unlink()
    with pytest.raises(ConfigError, match="--no-page"), page_of(case):
        pass


def test_a_long_log_is_waited_for(tmp_path: Path) -> None:
    case = create_case(
        tmp_path / "case", name="C-1", is_lab=True, recipients=[recipient_of(new_identity())]
    )
    frames = case.folder / "log" / "frames"
    assert START_S <= patience_s(case) < START_S + 1
    os.truncate(frames, 4_000_000_000)
    assert patience_s(case) == START_S + 400
    frames.unlink()
    assert patience_s(case) == START_S
