"""Time stamps on the wire: what an authority signed holds, and nothing else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature

from protech.errors import TrustError
from protech.evidence import verify
from protech.evidence.stamp_wire import ANSWER_BYTES, check, request
from tests.stamping import Authority

pytestmark = pytest.mark.needs("openssl")

CONTENT = b"a checkpoint"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_an_answer_says_when(authority: Authority) -> None:
    found = check(CONTENT, authority.send(request(CONTENT)), authority.certificate)
    assert abs(found.at - datetime.now(UTC)) < timedelta(minutes=5)


def test_no_two_requests_are_alike() -> None:
    assert request(CONTENT) != request(CONTENT)


def test_what_is_larger_than_an_answer_is_not_read(authority: Authority) -> None:
    with pytest.raises(TrustError):
        check(CONTENT, bytes(ANSWER_BYTES + 1), authority.certificate)


def test_other_content_or_certificates_are_refused(
    authority: Authority, tmp_path: Path
) -> None:
    answer = authority.send(request(CONTENT))
    with pytest.raises(TrustError):
        check(b"other", answer, authority.certificate)
    with pytest.raises(TrustError):
        check(CONTENT, answer, Authority(tmp_path / "other").certificate)
    with pytest.raises(TrustError):
        check(CONTENT, answer, b"none")


@pytest.mark.parametrize(
    ("kind", "digest"), [("rsa:2048", "sha512"), ("rsa:2048", "sha384"), ("ec", "sha256")]
)
def test_the_stand_alone_verifier_reads_the_same(
    tmp_path: Path, kind: str, digest: str
) -> None:
    authority = Authority(tmp_path / "authority", kind=kind, digest=digest)
    answer = authority.send(request(CONTENT))
    found = check(CONTENT, answer, authority.certificate)
    pem = (authority.home / "certificate.pem").read_bytes()
    for given in (authority.certificate, pem):
        assert verify.read_stamp(answer, CONTENT, given) == found.at.replace(microsecond=0)


def test_each_flipped_byte_of_what_is_signed_is_refused_by_the_verifier(
    authority: Authority,
) -> None:
    answer = authority.send(request(CONTENT))
    accepted = [at for at in range(len(answer)) if is_read(answer, at, authority)]
    # What nothing signs: versions, a list of digests, the issuer beside the key.
    assert len(accepted) < 100


def is_read(answer: bytes, at: int, authority: Authority) -> bool:
    changed = bytearray(answer)
    changed[at] ^= 1
    try:
        verify.read_stamp(bytes(changed), CONTENT, authority.certificate)
    except (*verify.BROKEN, InvalidSignature):
        return False
    return True


def test_a_certificate_for_other_ends_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    config = (authority.home / "config").read_text()
    (authority.home / "config").write_text(
        config.replace("critical,time", "critical,clientAuth,time")
    )
    authority._openssl(
        "req", "-x509", "-key", "key", "-subj", "/CN=A test authority", "-config", "config",
        "-extensions", "stamping", "-out", "other.pem",
    )  # fmt: skip
    answer = authority.send(request(CONTENT))
    other = (authority.home / "other.pem").read_bytes()
    with pytest.raises(verify.Fault, match="not for stamps alone"):
        verify.read_stamp(answer, CONTENT, other)
