"""The certificate of the demo's site, and the pin by which the demo's browser knows one."""

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from protech.guard.proxy.certificates import SiteCertificates, make_authority


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePair:
    """Everything PEM: the authority to trust, the site's chain and its private key."""

    authority: bytes
    chain: bytes
    key: bytes = field(repr=False)


def site_pair(host: str, *, now: datetime) -> SitePair:
    """Return a fresh certificate for ``host`` from an authority that nothing else knows."""
    authority = make_authority(now=now)
    entry = SiteCertificates(authority).get_cert(None, [x509.DNSName(host)])
    key = entry.privatekey.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pem = authority.pem()
    return SitePair(authority=pem, chain=entry.cert.to_pem() + pem, key=key)


def pin(certificate: bytes) -> str:
    """Return the base64 SHA-256 of a PEM certificate's public key (RFC 7469 2.4)."""
    key = x509.load_pem_x509_certificate(certificate).public_key()
    encoded = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(hashlib.sha256(encoded).digest()).decode()
