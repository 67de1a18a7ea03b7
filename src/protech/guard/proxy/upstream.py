"""What goes wrong between the guard and a site, and what is said of it.

A person who opens a page reads why it did not open. What a page asks for itself breaks off, as
it would without a proxy, so that it learns nothing of who answered.
"""

import html
import ssl
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

TLS_CIPHERS = (
    "@SECLEVEL=2",  # RSA and DH of 2048 bits or more, no SHA-1 signatures
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
)
"""What Chromium still takes from servers, the first wanted most. Source: Chromium's net/ssl."""


class Trouble(StrEnum):
    """Why a site could not be reached; the value is only for our own records."""

    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    WRONG_HOST = "wrong_host"
    SELF_SIGNED = "self_signed"
    UNKNOWN_ROOT = "unknown_root"
    WEAK_KEY = "weak_key"
    OLD_TLS = "old_tls"
    NO_TLS = "no_tls"
    TLS_FAILED = "tls_failed"
    OWN_MACHINE = "own_machine"
    NOT_COVERED = "not_covered"
    NOT_SCREENABLE = "not_screenable"
    UNREACHABLE = "unreachable"
    BROKEN_ANSWER = "broken_answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A headline and what it means for the person, in plain words."""

    title: str
    text: str


_SITE = (
    "This is a matter of the site. Try again later; do not enter a password there meanwhile."
)
_WORDS = {
    Trouble.EXPIRED: Words(
        title="The site's certificate has run out",
        text=f"Nobody can tell any more whether this is the real site. {_SITE}",
    ),
    Trouble.NOT_YET_VALID: Words(
        title="The site's certificate is not valid yet",
        text="Check the date and time of this computer; if they are right, it is the site.",
    ),
    Trouble.WRONG_HOST: Words(
        title="The certificate belongs to another site",
        text=f"The answer came from somewhere that cannot prove to be this site. {_SITE}",
    ),
    Trouble.SELF_SIGNED: Words(
        title="The site vouches only for itself",
        text=f"Its certificate is signed by nobody else; anybody could have made it. {_SITE}",
    ),
    Trouble.UNKNOWN_ROOT: Words(
        title="Nobody known vouches for this site",
        text=f"Its certificate is signed by somebody whom this computer does not know. {_SITE}",
    ),
    Trouble.WEAK_KEY: Words(
        title="The site's certificate is too weak",
        text=f"Its key or signature is of a kind that can be forged. {_SITE}",
    ),
    Trouble.OLD_TLS: Words(
        title="The site's encryption is out of date",
        text=f"It offers no protocol that is still held to be safe (TLS 1.2 or newer). {_SITE}",
    ),
    Trouble.NO_TLS: Words(
        title="The site does not answer securely",
        text="An encrypted connection was asked for and something else answered. Check the"
        " address.",
    ),
    Trouble.TLS_FAILED: Words(
        title="No secure connection came about",
        text="The site and this computer did not agree on how to encrypt. Try again later.",
    ),
    Trouble.OWN_MACHINE: Words(
        title="This address is this computer itself",
        text="Web pages may not reach programs on this computer. Open it without the protection"
        " if you started it yourself.",
    ),
    Trouble.NOT_COVERED: Words(
        title="This address is inside your own network",
        text="Encrypted pages of devices in your own network cannot be screened, so they are"
        " not opened. Use its http:// address, or open it without the protection.",
    ),
    Trouble.NOT_SCREENABLE: Words(
        title="This cannot be screened yet",
        text="It is a video, or a part of something that only makes sense as a whole. It is not"
        " shown because it cannot be looked at first.",
    ),
    Trouble.UNREACHABLE: Words(
        title="The site cannot be reached",
        text="The name is not known, or nothing answers there. Check the address and that this"
        " computer is online.",
    ),
    Trouble.BROKEN_ANSWER: Words(
        title="The site's answer was not complete",
        text="The connection broke or the answer makes no sense. Try again.",
    ),
}

OWN_MACHINE_ERROR = "target is this machine"
NOT_COVERED_ERROR = "target cannot be certified"

_SIGNS = (
    (OWN_MACHINE_ERROR, Trouble.OWN_MACHINE),
    (NOT_COVERED_ERROR, Trouble.NOT_COVERED),
    ("certificate has expired", Trouble.EXPIRED),
    ("not yet valid", Trouble.NOT_YET_VALID),
    ("ostname mismatch", Trouble.WRONG_HOST),
    ("address mismatch", Trouble.WRONG_HOST),
    ("self-signed certificate in certificate chain", Trouble.UNKNOWN_ROOT),
    ("self signed certificate in certificate chain", Trouble.UNKNOWN_ROOT),
    ("self-signed certificate", Trouble.SELF_SIGNED),
    ("self signed certificate", Trouble.SELF_SIGNED),
    ("unable to get local issuer", Trouble.UNKNOWN_ROOT),
    ("unable to get issuer", Trouble.UNKNOWN_ROOT),
    ("unable to verify the first", Trouble.UNKNOWN_ROOT),
    ("key too weak", Trouble.WEAK_KEY),
    ("key too small", Trouble.WEAK_KEY),
    ("digest algorithm too weak", Trouble.WEAK_KEY),
    ("signature algorithm too weak", Trouble.WEAK_KEY),
    ("agree on a TLS version", Trouble.OLD_TLS),
    ("unsupported protocol", Trouble.OLD_TLS),
    ("protocol version", Trouble.OLD_TLS),
    ("does not speak TLS", Trouble.NO_TLS),
    ("wrong version number", Trouble.NO_TLS),
    ("Certificate verify failed", Trouble.UNKNOWN_ROOT),
    ("OpenSSL", Trouble.TLS_FAILED),
    ("SSL", Trouble.TLS_FAILED),
    ("alert", Trouble.TLS_FAILED),
    ("handshake", Trouble.TLS_FAILED),
)
"""Words of OpenSSL's X509_verify_cert_error_string and of mitmproxy's connection errors."""


def trouble(message: str, *, was_connected: bool = False) -> Trouble:
    """Return what a connection error of the proxy means."""
    for sign, meaning in _SIGNS:
        if sign in message:
            return meaning
    return Trouble.BROKEN_ANSWER if was_connected else Trouble.UNREACHABLE


def page(what: Trouble, *, host: str) -> bytes:
    """Return a page in plain words about ``what`` happened with ``host``."""
    words = _WORDS[what]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{html.escape(words.title)}</title>"
        '<meta name="viewport" content="width=device-width">'
        "<style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;"
        "padding:0 1rem;color:#222;background:#fff}</style>"
        f"<h1>{html.escape(words.title)}</h1><p>{html.escape(words.text)}</p>"
        f"<p><small>{html.escape(host)}</small></p>"
    ).encode()


def trusted_roots() -> str | None:
    """Return the file of roots that this machine trusts, None where there is none."""
    named = ssl.get_default_verify_paths().cafile
    files = (named, "/etc/ssl/certs/ca-certificates.crt")
    return next((file for file in files if file and Path(file).is_file()), None)
