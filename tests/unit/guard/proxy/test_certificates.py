import ipaddress
import shutil
import ssl
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from protech.errors import ConfigError
from protech.guard.proxy.certificates import (
    AUTHORITY_LIFE,
    CERTIFICATE_FILE,
    EXCLUDED_NETWORKS,
    KEY_FILE,
    RENEWAL,
    SITES_KEPT,
    SiteCertificates,
    make_authority,
    may_sign,
    open_authority,
    site_name,
)
from tests.proxied import Sent, way

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def extension[T: x509.ExtensionType](certificate: x509.Certificate, kind: type[T]) -> T:
    return certificate.extensions.get_extension_for_class(kind).value


def test_the_authority_is_ecdsa_for_a_year_with_nothing_below_it() -> None:
    certificate = make_authority(now=NOW).certificate
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == AUTHORITY_LIFE
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical
    assert (basic.value.ca, basic.value.path_length) == (True, 0)
    usage = extension(certificate, x509.KeyUsage)
    assert usage.key_cert_sign
    assert not usage.digital_signature


def test_this_machine_and_private_networks_are_excluded() -> None:
    certificate = make_authority(now=NOW).certificate
    constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    excluded = constraints.value.excluded_subtrees
    assert excluded is not None
    names = {str(name.value) for name in excluded}
    assert names == {"localhost", "local", *EXCLUDED_NETWORKS}
    assert constraints.value.permitted_subtrees is None


def test_two_devices_share_nothing() -> None:
    one, other = make_authority(now=NOW), make_authority(now=NOW)
    assert one.certificate.public_key() != other.certificate.public_key()
    assert one.certificate.serial_number != other.certificate.serial_number


def test_the_key_is_kept_for_its_owner_alone_and_used_again(tmp_path: Path) -> None:
    made = open_authority(tmp_path / "state", now=NOW)
    key_file = tmp_path / "state" / KEY_FILE
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert b"PRIVATE" not in (tmp_path / "state" / CERTIFICATE_FILE).read_bytes()
    assert open_authority(tmp_path / "state", now=NOW).certificate == made.certificate


def test_the_authority_is_made_anew_before_it_ends(tmp_path: Path) -> None:
    made = open_authority(tmp_path, now=NOW)
    end = made.certificate.not_valid_after_utc
    still = open_authority(tmp_path, now=end - RENEWAL - timedelta(seconds=1))
    assert still.certificate == made.certificate
    assert open_authority(tmp_path, now=end - RENEWAL).certificate != made.certificate


@pytest.mark.parametrize("damage", ["key", "certificate", "mode", "other"])
def test_a_key_that_is_damaged_or_was_open_to_others_is_replaced(
    tmp_path: Path, damage: str
) -> None:
    made = open_authority(tmp_path, now=NOW)
    if damage == "mode":
        (tmp_path / KEY_FILE).chmod(0o644)
    elif damage == "other":
        open_authority(tmp_path / "second", now=NOW)
        shutil.copy(tmp_path / "second" / CERTIFICATE_FILE, tmp_path / CERTIFICATE_FILE)
    else:
        name = KEY_FILE if damage == "key" else CERTIFICATE_FILE
        (tmp_path / name).write_bytes(b"nonsense")
        (tmp_path / name).chmod(0o600)
    again = open_authority(tmp_path, now=NOW)
    assert again.certificate != made.certificate
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_a_directory_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="--state"):
        open_authority(tmp_path / "file", now=NOW)


@pytest.mark.parametrize(
    ("host", "may"),
    [
        ("example.org", True),
        ("localhost", False),
        ("printer.local", False),
        ("printer.LOCAL.", False),
        ("a.localhost", False),
        ("notlocal", True),
        ("8.8.8.8", True),
        ("192.168.1.1", False),
        ("10.0.0.1", False),
        ("[::1]", False),
        ("fd00::1", False),
        ("2001:db8::1", True),
    ],
)
def test_only_what_browsers_would_take_is_signed(host: str, may: bool) -> None:
    assert may_sign(host) is may


def test_a_site_has_a_key_that_is_not_the_authority_s() -> None:
    authority = make_authority(now=datetime.now(UTC))
    store = SiteCertificates(authority)
    entry = store.get_cert(None, [site_name("example.org")])
    certificate = entry.cert.to_cryptography()
    assert certificate.public_key() != authority.key.public_key()
    assert certificate.public_key() == entry.privatekey.public_key()
    assert not extension(certificate, x509.BasicConstraints).ca
    names = extension(certificate, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.DNSName) == ["example.org"]
    certificate.verify_directly_issued_by(authority.certificate)
    assert certificate.not_valid_after_utc <= authority.certificate.not_valid_after_utc


def test_site_certificates_are_kept_and_their_number_bounded() -> None:
    store = SiteCertificates(make_authority(now=datetime.now(UTC)))
    first = store.get_cert(None, [site_name("0.example")])
    assert store.get_cert(None, [site_name("0.example")]) is first
    for i in range(1, SITES_KEPT + 1):
        store.get_cert(None, [site_name(f"{i}.example")])
    assert store.get_cert(None, [site_name("0.example")]) is not first


def test_the_authority_is_sent_along_with_a_site(tmp_path: Path) -> None:
    with way(tmp_path) as opened:
        opened.routes["/"] = Sent(b"hello")
        command = ["openssl", "s_client", "-proxy", f"127.0.0.1:{opened.proxy.port}"]
        command += ["-connect", "photos.test:443", "-servername", "photos.test", "-showcerts"]
        shown = subprocess.run(command, capture_output=True, check=False, input=b"")
    chain = x509.load_pem_x509_certificates(shown.stdout)
    assert chain[1:] == [opened.proxy.authority.certificate]


def test_names_and_addresses_are_written_as_such() -> None:
    assert site_name("bücher.example") == x509.DNSName("xn--bcher-kva.example")
    assert site_name("[2001:db8::1]") == x509.IPAddress(ipaddress.ip_address("2001:db8::1"))


def test_clients_that_trust_the_authority_accept_its_sites(tmp_path: Path) -> None:
    with way(tmp_path) as opened:
        opened.routes["/"] = Sent(b"hello")
        assert opened.get("/")[2] == b"hello"  # Python's ssl, strict by its own defaults
        command = [
            "curl", "-sS", "-x", f"http://127.0.0.1:{opened.proxy.port}",
            "--cacert", str(opened.proxy.ca_file), "https://photos.test/",
        ]  # fmt: skip
        assert subprocess.run(command, capture_output=True, check=True).stdout == b"hello"
        context = ssl.create_default_context()
        assert context.verify_mode is ssl.CERT_REQUIRED
        refused = subprocess.run(command[:4] + command[-1:], capture_output=True, check=False)
        assert refused.returncode == 60  # curl: the peer's certificate cannot be authenticated


@pytest.mark.parametrize("host", ["localhost", "192.168.7.7", "nas.local"])
def test_openssl_refuses_a_certificate_for_what_is_excluded(tmp_path: Path, host: str) -> None:
    authority = open_authority(tmp_path, now=datetime.now(UTC))
    entry = SiteCertificates(authority).get_cert(None, [site_name(host)])
    (tmp_path / "site.pem").write_bytes(entry.cert.to_pem())
    command = ["openssl", "verify", "-x509_strict", "-CAfile", CERTIFICATE_FILE, "site.pem"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert b"excluded subtree violation" in result.stdout + result.stderr
    entry = SiteCertificates(authority).get_cert(None, [site_name("example.org")])
    (tmp_path / "site.pem").write_bytes(entry.cert.to_pem())
    assert (
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    )
