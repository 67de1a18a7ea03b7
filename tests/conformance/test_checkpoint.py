"""Notes, checkpoints and cosignatures of other implementations, which must hold here.

- golang.org/x/mod v0.21.0, sumdb/note: keys, and a note that two of them signed.
- c2sp.org/signed-note@v1.0.0: its example.
- transparency-dev/formats v0.1.1, note/note_cosigv1_test.go: keys.
- The checkpoint of a public log of TLS certificates (May 2026), signed by the log and by four
  public witnesses whose operators publish their keys.

All must be equal, byte for byte.
"""

from datetime import UTC, datetime

import pytest

from protech.errors import TrustError
from protech.lists.checkpoint import Checkpoint, parse, verify
from protech.lists.note import (
    Note,
    NoteKey,
    SignatureKind,
    parse_key,
    parse_note,
    signed_at,
    with_signature,
)
from protech.signing import Key
from protech.signing import verify as verify_signature

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = "810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
ENOCH_SEED = "00" * 32

GO_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
GO_NOTE = (
    f"{GO_TEXT}\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdng"
    "otpRZb6KE6RyyBwJnAM=\n"
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWL"
    "ox33WWd1RvMc+QQ=\n"
).encode()

EXAMPLE = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mF"
    "XmRKuwHjG1Yu72IneyaQM=\n"
).encode()

LOG = (
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0"
    "+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
)
WITNESSES = (
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
)
CHECKPOINT = (
    "arche2025h1.staging.ct.transparency.dev\n"
    "1432088532\n"
    "U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n"
    "\n"
    "— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6ho"
    "GREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=\n"
    "— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUk"
    "zbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n"
    "— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYT"
    "zwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==\n"
    "— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/"
    "iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==\n"
    "— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIob"
    "WX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n"
    "— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr"
    "+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==\n"
).encode()
SEEN_AT = datetime(2026, 5, 23, 21, 50, 24, tzinfo=UTC)


def note_of(content: bytes) -> Note:
    return parse_note(content, what="The note")


@pytest.mark.parametrize(
    "text",
    [
        PETER,
        ENOCH,
        EXAMPLE,
        "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
        "TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6",
        LOG,
        *WITNESSES,
    ],
)
def test_a_published_key_is_read_and_written_as_it_is(text: str) -> None:
    assert parse_key(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "bananas.sigstore.dev+12344556",
        "rekor.sigstore.dev+12345678+THIS_IS_NOT_BASE64!",
        "rekor.sigstore.dev+12345678+AwEB",
    ],
)
def test_what_they_refuse_as_a_key_is_refused(text: str) -> None:
    with pytest.raises(TrustError):
        parse_key(text)


def test_two_keys_sign_their_note_as_theirs_did() -> None:
    note = Note(text=GO_TEXT, signatures=())
    for name, seed in (("PeterNeumann", PETER_SEED), ("EnochRoot", ENOCH_SEED)):
        key = Key.of_seed(bytes.fromhex(seed))
        signer = NoteKey(name=name, kind=SignatureKind.ED25519, public=key.public)
        assert signer.text in {PETER, ENOCH}
        note = with_signature(note, signer, key.sign)
    assert note.content == GO_NOTE


@pytest.mark.parametrize(
    ("content", "key"), [(GO_NOTE, PETER), (GO_NOTE, ENOCH), (EXAMPLE_NOTE, EXAMPLE)]
)
def test_a_note_that_they_signed_holds(content: bytes, key: str) -> None:
    note = note_of(content)
    assert note.content == content
    assert signed_at(note, parse_key(key), verify_signature, what="The note") == (0,)


def test_a_checkpoint_that_public_witnesses_cosigned_holds() -> None:
    found = verify(
        CHECKPOINT,
        log_key=parse_key(LOG),
        witnesses=map(parse_key, WITNESSES),
        quorum=len(WITNESSES),
        now=SEEN_AT,
        verify_signature=verify_signature,
    )
    assert found == Checkpoint(
        origin="arche2025h1.staging.ct.transparency.dev",
        size=1432088532,
        root=bytes.fromhex("53b58cefd8ebcf2846679fc65014e933b373c1dc9f171eb5b77468be0702e11a"),
    )


@pytest.mark.parametrize("witness", WITNESSES)
def test_a_cosignature_tells_when_it_was_made(witness: str) -> None:
    times = signed_at(
        note_of(CHECKPOINT), parse_key(witness), verify_signature, what="The note"
    )
    assert [datetime.fromtimestamp(time_s, UTC) for time_s in times] == [SEEN_AT]


@pytest.mark.parametrize("key", [LOG, *WITNESSES])
def test_none_of_them_vouches_for_another_size(key: str) -> None:
    other = note_of(CHECKPOINT.replace(b"1432088532", b"1432088533"))
    assert parse(other.content).size == 1432088533
    with pytest.raises(TrustError, match="does not hold"):
        signed_at(other, parse_key(key), verify_signature, what="The note")
