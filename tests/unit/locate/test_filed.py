"""The papers of a case in a folder."""

import os
from pathlib import Path

import pytest

from protech.errors import AuthorityError, TrustError
from protech.locate.filed import (
    AUTHORISATION,
    REQUEST_FILES,
    REQUESTS,
    TIMESTAMP,
    authorisation_in,
    requests_in,
    timestamp_in,
)
from tests.authorised import ANCHORS, authorisation, file_papers, request


def test_what_is_filed_is_found(tmp_path: Path) -> None:
    paper = authorisation()
    file_papers(tmp_path, paper)
    assert authorisation_in(tmp_path, ANCHORS) == paper
    assert timestamp_in(tmp_path, ANCHORS).terms.in_force == {paper.sha256}
    assert requests_in(tmp_path) == (request(paper),)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuthorityError, match=AUTHORISATION):
        authorisation_in(tmp_path, ANCHORS)
    with pytest.raises(AuthorityError, match=TIMESTAMP):
        timestamp_in(tmp_path, ANCHORS)
    assert requests_in(tmp_path) == ()


def test_one_request_that_does_not_hold_is_said(tmp_path: Path) -> None:
    file_papers(tmp_path, authorisation())
    (tmp_path / REQUESTS / "z.json").write_bytes(b"{}")
    with pytest.raises(TrustError):
        requests_in(tmp_path)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / TIMESTAMP)
    (tmp_path / AUTHORISATION).mkdir()
    (tmp_path / REQUESTS).mkdir()
    (tmp_path / REQUESTS / "0.json").symlink_to("/dev/tty")
    for read in (
        lambda: timestamp_in(tmp_path, ANCHORS),
        lambda: authorisation_in(tmp_path, ANCHORS),
        lambda: requests_in(tmp_path),
    ):
        with pytest.raises(AuthorityError, match="cannot be read"):
            read()


def test_a_paper_without_end_is_none(tmp_path: Path) -> None:
    with (tmp_path / TIMESTAMP).open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(TrustError, match="no signed document"):
        timestamp_in(tmp_path, ANCHORS)


def test_there_is_an_end_to_requests(tmp_path: Path) -> None:
    (tmp_path / REQUESTS).mkdir()
    for i in range(REQUEST_FILES + 1):
        (tmp_path / REQUESTS / f"{i}.json").touch()
    with pytest.raises(AuthorityError, match="more than 1000"):
        requests_in(tmp_path)
