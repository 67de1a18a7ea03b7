"""The guard's own certificate authority: made on this device, for this device, for one year.

It can sign for web sites only: no authority below it, no name of this machine or of a private
network. The key never leaves the state directory. Certificates for sites have a key of their
own that lives in memory.
"""

import ipaddress
import os
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from mitmproxy import certs

from protech.errors import ConfigError

AUTHORITY_LIFE = timedelta(days=365)
RENEWAL = timedelta(days=30)
"""An authority this close to its end is made anew when the guard starts."""

SITE_LIFE = timedelta(days=30)
BACKDATING = timedelta(days=1)
"""Clocks of browsers and of this process agree within this."""

SITES_KEPT = 1024

KEY_FILE = "authority-key.pem"
CERTIFICATE_FILE = "authority.pem"
"""What a browser is told to trust; holds no secret."""

EXCLUDED_NAMES = ("localhost", "local")
EXCLUDED_NETWORKS = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """The authority's certificate and key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> bytes:
        """Return the certificate, which is what browsers are given."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def open_authority(directory: Path, *, now: datetime) -> Authority:
    """Return the authority kept in ``directory``; make it where there is none or it ends soon.

    Raises:
        ConfigError: The directory or a file in it cannot be used.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = _kept(directory)
        if kept is not None and _holds(kept, now=now):
            return kept
        made = make_authority(now=now)
        _write(directory / KEY_FILE, _key_pem(made.key), mode=0o600)
        _write(directory / CERTIFICATE_FILE, made.pem(), mode=0o644)
    except OSError as refused:
        raise ConfigError(
            f"The guard cannot keep its certificate in {directory}: {refused.strerror};"
            " make the directory writable for you, or name another with --state."
        ) from refused
    return made


def make_authority(*, now: datetime) -> Authority:
    """Return a new authority, valid from a day ago for a year."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Protech on this device")])
    excluded: list[x509.GeneralName] = [x509.DNSName(name) for name in EXCLUDED_NAMES]
    excluded += [x509.IPAddress(ipaddress.ip_network(net)) for net in EXCLUDED_NETWORKS]
    usage = _usage(signs_certificates=True)
    constraints = x509.NameConstraints(permitted_subtrees=None, excluded_subtrees=excluded)
    basic = x509.BasicConstraints(ca=True, path_length=0)
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATING)
        .not_valid_after(now - BACKDATING + AUTHORITY_LIFE)
        .add_extension(basic, critical=True)
        .add_extension(usage, critical=True)
        .add_extension(purpose, critical=False)
        .add_extension(constraints, critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate=certificate, key=key)


def may_sign(host: str) -> bool:
    """Return whether a browser would take a certificate for ``host`` from the authority."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        labels = host.rstrip(".").lower().split(".")
        return not any(labels[-1:] == [name] for name in EXCLUDED_NAMES)
    return not any(address in ipaddress.ip_network(net) for net in EXCLUDED_NETWORKS)


def site_name(host: str) -> x509.GeneralName:
    """Return ``host``, a name or an address, as a certificate names it."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return x509.DNSName(host.encode("idna").decode())


class SiteCertificates(certs.CertStore):
    """The certificates of sites, made when first asked for, kept in memory only."""

    def __init__(self, authority: Authority, *, chain_file: Path | None = None) -> None:
        """Make the one key that the certificates of all sites share until the process ends.

        The certificate in ``chain_file``, the authority's own, is sent along where it is given:
        a browser started for a test knows the authority by its key alone.
        """
        self._chain_file = chain_file
        super().__init__(authority.key, certs.Cert(authority.certificate), None, b"", None)  # type: ignore[arg-type]  # an EC key
        self._authority = authority
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._entries: OrderedDict[tuple[str, ...], certs.CertStoreEntry] = OrderedDict()

    def get_cert(
        self,
        commonname: str | None,  # noqa: ARG002 - mitmproxy's signature
        sans: Iterable[x509.GeneralName],
        organization: str | None = None,  # noqa: ARG002 - as above
        crl_url: str | None = None,  # noqa: ARG002 - as above
    ) -> certs.CertStoreEntry:
        """Return a certificate for ``sans`` that has more than half of its life before it."""
        names = list(sans)
        key = tuple(str(name.value) for name in names)
        now = datetime.now(UTC)
        entry = self._entries.pop(key, None)
        if entry is None or entry.cert.notafter - now < SITE_LIFE / 2:
            entry = certs.CertStoreEntry(
                cert=certs.Cert(self._signed(names, now=now)),
                privatekey=self._key,  # type: ignore[arg-type]  # theirs says RSA
                chain_file=self._chain_file,
                chain_certs=[self.default_ca],
            )
        self._entries[key] = entry
        if len(self._entries) > SITES_KEPT:
            self._entries.popitem(last=False)
        return entry

    def _signed(self, names: list[x509.GeneralName], *, now: datetime) -> x509.Certificate:
        issuer = self._authority.certificate
        identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        end = min(now - BACKDATING + SITE_LIFE, issuer.not_valid_after_utc)
        authority_key = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
            identifier
        )
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(issuer.subject)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(max(now - BACKDATING, issuer.not_valid_before_utc))
            .not_valid_after(end)
            # RFC 5280 4.2.1.6: critical where the subject is empty.
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(purpose, critical=False)
            .add_extension(authority_key, critical=False)
            .sign(self._authority.key, hashes.SHA256())
        )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _kept(directory: Path) -> Authority | None:
    key_file, certificate_file = directory / KEY_FILE, directory / CERTIFICATE_FILE
    try:
        if key_file.stat().st_mode & 0o077:
            return None  # Others could have read the key: it is worth nothing any more.
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return None
    return Authority(certificate=certificate, key=key)


def _holds(authority: Authority, *, now: datetime) -> bool:
    certificate = authority.certificate
    is_ours = certificate.public_key() == authority.key.public_key()
    is_current = (
        certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEWAL
    )
    return is_ours and is_current


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Replace ``path`` whole, never readable by more than ``mode`` allows."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    fresh.replace(path)
