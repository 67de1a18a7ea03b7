"""Anchors come from what root alone can have written, and from nowhere else."""

import base64
import json
import os
import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protech.errors import AuthorityError, TrustError
from protech.lists.seal import new_identity, recipient_of
from protech.locate import anchors as anchors_module
from protech.locate.anchors import (
    FILE,
    FILE_BYTES,
    FOLDER,
    anchors_content,
    guarded,
    lab_anchors,
    parse_anchors,
    system_anchors,
)
from tests.authorised import CLERK, MAGISTRATE, ROOT_SHA256, anchors_json

USER = os.getuid()


def write(path: Path, content: bytes = b"{}", mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A folder that stands for the root of the file system."""
    folder = tmp_path / "top"
    folder.mkdir(mode=0o755)
    return folder


def test_a_file_that_only_its_owner_can_write_is_read(top: Path) -> None:
    path = write(top / "etc" / "protech" / FILE, b"content")
    assert guarded(path, top=top, owner=USER) == b"content"


@pytest.mark.parametrize("place", [".", "etc", "etc/protech", f"etc/protech/{FILE}"])
@pytest.mark.parametrize("right", [0o020, 0o002])
def test_what_others_can_write_is_refused(top: Path, place: str, right: int) -> None:
    path = write(top / "etc" / "protech" / FILE)
    other = top / place
    other.chmod(other.stat().st_mode | right)
    with pytest.raises(AuthorityError, match="Others than root can write"):
        guarded(path, top=top, owner=USER)


def test_another_owner_is_refused(top: Path) -> None:
    path = write(top / FILE)
    with pytest.raises(AuthorityError, match="Others than root can write"):
        guarded(path, top=top, owner=USER + 1)


@pytest.mark.parametrize("place", ["etc", "etc/protech", f"etc/protech/{FILE}"])
def test_a_link_is_not_followed(top: Path, tmp_path: Path, place: str) -> None:
    path = write(top / "etc" / "protech" / FILE)
    there, elsewhere = top / place, tmp_path / "elsewhere"
    there.rename(elsewhere)
    there.symlink_to(elsewhere)
    with pytest.raises(AuthorityError, match="no links"):
        guarded(path, top=top, owner=USER)


def test_without_a_package_there_is_the_lab_alone(top: Path) -> None:
    with pytest.raises(AuthorityError, match="only the lab runs"):
        guarded(top / "etc" / "protech" / FILE, top=top, owner=USER)
    (top / "etc").mkdir(mode=0o755)
    with pytest.raises(AuthorityError, match="only the lab runs"):
        guarded(top / "etc" / FILE, top=top, owner=USER)


def test_what_is_no_file_is_refused(top: Path) -> None:
    (top / FILE).mkdir(mode=0o755)
    with pytest.raises(AuthorityError, match="is no file"):
        guarded(top / FILE, top=top, owner=USER)
    os.mkfifo(top / "pipe", mode=0o644)
    with pytest.raises(AuthorityError, match="is no file"):
        guarded(top / "pipe", top=top, owner=USER)


def test_the_system_has_one_place_and_nothing_moves_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert Path("/etc/protech/locate/authority.json") == FOLDER / FILE
    write(tmp_path / "etc" / "protech" / "locate" / FILE, anchors_json())
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "PROTECH_LOCATE"):
        monkeypatch.setenv(name, str(tmp_path / "etc"))
    monkeypatch.chdir(tmp_path)
    source = Path(anchors_module.__file__).read_text()
    assert not re.search(r"environ|getenv|expanduser|argv|settings", source)
    if not (FOLDER / FILE).exists():
        with pytest.raises(AuthorityError):
            system_anchors()


def test_a_lab_has_its_own_anchors(tmp_path: Path) -> None:
    with pytest.raises(AuthorityError, match="name the folder of a lab"):
        lab_anchors(tmp_path)
    write(tmp_path / FILE, anchors_json())
    anchors = lab_anchors(tmp_path)
    assert anchors.is_lab
    assert anchors.authorisations.keys == {MAGISTRATE.public}
    assert anchors.timestamps.keys == {CLERK.public}


def test_all_that_a_package_names_is_read() -> None:
    recipient = recipient_of(new_identity())
    certificate = base64.b64encode(b"der").decode()
    anchors = parse_anchors(
        anchors_json(
            stamp_authorities=[
                {"certificate": certificate, "url": "https://tsa.example/"},
                {"certificate": certificate},
            ],
            recipients=[recipient],
            observers=["192.0.2.0/24", "2001:db8::/32"],
            sources=["192.0.2.1", "2001:db8::1"],
            remarks="unknown fields are left alone",
        ),
        is_lab=False,
    )
    assert not anchors.is_lab
    assert anchors.lists[0].root_sha256 == ROOT_SHA256
    assert [one.url for one in anchors.stamp_authorities] == ["https://tsa.example/", None]
    assert anchors.stamp_authorities[0].certificate == b"der"
    assert anchors.recipients == (recipient,)
    assert anchors.observers == (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))
    assert anchors.sources == (ip_address("192.0.2.1"), ip_address("2001:db8::1"))
    assert "192.0.2" not in repr(anchors)
    assert parse_anchors(anchors_content(anchors), is_lab=False) == anchors


@pytest.mark.parametrize(
    ("url", "fits", "fits_a_lab"),
    [
        ("http://127.0.0.1:8080/stamp", True, True),
        ("https://[2001:2::1]/", True, True),
        ("http://198.19.255.255/", True, True),
        ("http://198.20.0.0/", True, False),
        ("https://tsa.example/", True, False),
        ("http://localhost/", True, False),
        ("http://[::1/", False, False),
        ("http://127.0.0.1:0/", False, False),
        ("http://127.0.0.1:70000/", False, False),
        ("ftp://127.0.0.1/", False, False),
        ("//127.0.0.1/", False, False),
        ("http:///stamp", False, False),
    ],
)
def test_a_lab_s_checkpoints_are_stamped_inside_of_it(
    url: str, *, fits: bool, fits_a_lab: bool
) -> None:
    content = anchors_json(stamp_authorities=[{"certificate": "ZGVy", "url": url}])
    for is_lab, fit in ((False, fits), (True, fits_a_lab)):
        if fit:
            assert parse_anchors(content, is_lab=is_lab).stamp_authorities[0].url == url
            continue
        with pytest.raises(TrustError, match="http or https"):
            parse_anchors(content, is_lab=is_lab)


KEY = {"ed25519": base64.b64encode(bytes(32)).decode()}


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"name": ""},
        {"authorisations": None},
        {"authorisations": {"threshold": 1, "keys": []}},
        {"authorisations": {"threshold": 0, "keys": [KEY]}},
        {"authorisations": {"threshold": 2, "keys": [KEY]}},
        {"timestamps": {"threshold": 2, "keys": [KEY, KEY]}},
        {"timestamps": {"threshold": 1, "keys": [{"ed25519": "AA=="}]}},
        {"lists": [{"root_sha256": "00", "authorities": ["a"]}]},
        {"lists": [{"root_sha256": "00" * 32, "authorities": ["../a"]}]},
        {"lists": [{"root_sha256": "00" * 32, "authorities": "a"}]},
        {"stamp_authorities": [{"certificate": "?"}]},
        {"recipients": ["age1"]},
        {"observers": ["192.0.2.1/24"]},
        {"sources": ["localhost"]},
        {"sources": [1]},
    ],
)
def test_what_does_not_hold_together_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(TrustError, match="have its authority make the package again"):
        parse_anchors(anchors_json(**changes), is_lab=True)


@pytest.mark.parametrize("name", sorted(json.loads(anchors_json())))
def test_every_field_must_be_there(name: str) -> None:
    told = json.loads(anchors_json())
    del told[name]
    with pytest.raises(TrustError):
        parse_anchors(json.dumps(told).encode(), is_lab=True)


@given(st.binary(max_size=100))
def test_what_is_no_package_is_refused(content: bytes) -> None:
    with pytest.raises(TrustError):
        parse_anchors(content, is_lab=True)


def test_a_package_that_is_too_large_is_refused() -> None:
    with pytest.raises(TrustError):
        parse_anchors(anchors_json() + b" " * FILE_BYTES, is_lab=True)
