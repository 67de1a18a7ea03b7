"""Time stamps on the wire (RFC 3161): what is asked, and whether an answer holds.

The only door to rfc3161-client, which reads strict DER: a token that `openssl ts` made with
``-chain`` is refused, since its certificates are not in order.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from rfc3161_client import (
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from protech.errors import TrustError

ANSWER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """An answer that holds: when the authority saw the content, as it says."""

    at: datetime
    response: bytes = field(repr=False)


def request(content: bytes) -> bytes:
    """Return what an authority is asked, in DER; it learns a digest and nothing else.

    No certificates are asked for: nothing signs them, and the authority's own is known here.
    """
    builder = TimestampRequestBuilder().data(content).nonce(nonce=True)
    return builder.cert_request(cert_request=False).build().as_bytes()


def check(content: bytes, response: bytes, certificate: bytes) -> Stamped:
    """Return what an authority's answer says of some content.

    Args:
        content: What was stamped.
        response: The answer, TimeStampResp in DER.
        certificate: The authority's own, in DER; it is trusted as it is.

    Raises:
        TrustError: The answer is none, refuses, or does not hold for this content.
    """
    try:
        if len(response) > ANSWER_BYTES:
            raise ValueError("an answer is short")
        parsed = decode_timestamp_response(response)
        signer = x509.load_der_x509_certificate(certificate)
        verifier = (
            VerifierBuilder().tsa_certificate(signer).add_root_certificate(signer).build()
        )
        verifier.verify_message(parsed, content)
        at = parsed.tst_info.gen_time
    except (ValueError, VerificationError) as bad:
        raise TrustError(
            "The time stamp is none of the named authority, or not for this checkpoint; ask for"
            " it again, and where it stays so tell the authority."
        ) from bad
    return Stamped(at=at.astimezone(UTC), response=response)
