"""What people sign: shown before, signed by whom it must, and filed under a name of its own."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from protech.errors import AuthorityError, TrustError
from protech.locate.command_papers import approve_request, propose_request, sign_paper
from protech.locate.documents import make_authorisation, read_authorisation, sign
from protech.locate.papers import KeyKind, Operator, Power
from protech.locate.tokens import Token
from tests.softhsm import MODULE, PIN, tokens
from tests.unit.locate.case_in_earnest import CASE, LIST, Ground, ground
from tests.unit.locate.test_command_key import pin


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    return ground(tmp_path, monkeypatch)


def terms_of(at: Ground) -> dict[str, object]:
    whole = json.loads((at.papers / "authorisation.json").read_bytes())
    return dict(json.loads(whole["document"]))


def test_terms_are_signed_and_then_signed_by_another(
    at: Ground, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terms, out = tmp_path / "terms.json", tmp_path / "signed.json"
    terms.write_text(json.dumps(terms_of(at), indent=1))
    at.people.magistrate.save(tmp_path / "magistrate.key")
    at.people.clerk.save(tmp_path / "clerk.key")
    first = ("sign", terms, "--signer", tmp_path / "magistrate.key", "--out", out)
    assert sign_paper(at.options(*first)) == 0
    assert f"  case                   {CASE}\n" in capsys.readouterr().out
    assert read_authorisation(out.read_bytes(), at.anchors).terms.case == CASE
    assert (
        sign_paper(at.options("sign", out, *first[2:3], tmp_path / "clerk.key", *first[4:]))
        == 0
    )
    assert "2 signatures" in capsys.readouterr().out
    assert len(read_authorisation(out.read_bytes(), at.anchors).signatures) == 2


def test_a_passphrase_comes_through_a_descriptor(at: Ground, tmp_path: Path) -> None:
    terms, out = tmp_path / "terms.json", tmp_path / "signed.json"
    terms.write_text(json.dumps(terms_of(at)))
    at.people.magistrate.save(tmp_path / "magistrate.key", passphrase="long enough")
    words = ("sign", terms, "--signer", tmp_path / "magistrate.key", "--out", out)
    with pin("long enough\n") as descriptor:
        assert sign_paper(at.options(*words, "--passphrase-fd", descriptor)) == 0
    assert read_authorisation(out.read_bytes(), at.anchors).terms.case == CASE


def proposed(at: Ground, name: str = "request.txt") -> Path:
    out = at.folder / name
    words = ("propose", at.case, "--list", LIST, "--pieces", "3", "--out", out)
    assert propose_request(at.options(*words)) == 0
    return out


def test_a_request_asks_for_what_is_named_until_the_authorisation_ends(at: Ground) -> None:
    out = at.folder / "request.json"
    words = ("propose", at.case, "--list", LIST, "--pieces", "3", "--entry", "E-1")
    assert propose_request(at.options(*words, "--hours", "900", "--out", out)) == 0
    terms = json.loads(json.loads(out.read_bytes())["document"])
    assert (terms["pieces"], terms["entries"]) == (3, ["E-1"])
    assert terms["not_after"] == terms_of(at)["not_after"]


def with_tokens(at: Ground) -> list[tuple[str, ...]]:
    """Have the authorisation name two operators with tokens; return the options for each."""
    words: list[tuple[str, ...]] = []
    operators = []
    for label in tokens()[:2]:
        key = f"signs {at.folder.name}"
        with Token.open(MODULE, label, PIN, may_make_keys=True) as token:
            public = token.make_key(key).public
        operators.append(Operator(name=f"of {label}", kind=KeyKind.P256, public=public))
        words.append(("--module", str(MODULE), "--token", label, "--key", key, "--pin-fd"))
    path = at.papers / "authorisation.json"
    terms = read_authorisation(path.read_bytes(), at.anchors).terms
    terms = replace(terms, operators=tuple(operators))
    path.write_bytes(sign(make_authorisation(terms), at.people.magistrate).content)
    return words


@pytest.mark.needs("softhsm2-util")
def test_two_tokens_make_a_request_that_a_run_takes(
    at: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = with_tokens(at)
    before = len(list((at.papers / "requests").iterdir()))
    for _ in range(2):  # of one name; both are kept
        request = proposed(at)
        for words, told in ((first, "1 more must sign"), (second, "a run takes it")):
            with pin(PIN) as descriptor:
                options = at.options("approve", request, "--case", at.case, *words, descriptor)
                assert approve_request(options) == 0
            assert told in capsys.readouterr().out
        request.unlink()
    found = [one.name for one in (at.papers / "requests").iterdir()]
    assert len(found) == before + 2
    assert all(name.endswith(".json") for name in found)


@pytest.mark.needs("softhsm2-util")
def test_a_token_that_is_nobodys_signs_nothing(at: Ground) -> None:
    request = proposed(at)
    label = tokens()[2]
    with Token.open(MODULE, label, PIN, may_make_keys=True) as token:
        token.make_key(f"no one {at.folder.name}")
    words = ("--module", str(MODULE), "--token", label, "--key", f"no one {at.folder.name}")
    with pin(PIN) as descriptor, pytest.raises(AuthorityError, match="names no operator"):
        approve_request(
            at.options("approve", request, "--case", at.case, *words, "--pin-fd", descriptor)
        )


def test_without_the_power_to_prove_nothing_is_proposed(at: Ground) -> None:
    path = at.papers / "authorisation.json"
    terms = read_authorisation(path.read_bytes(), at.anchors).terms
    terms = replace(terms, powers=frozenset({Power.OBSERVE}))
    path.write_bytes(sign(make_authorisation(terms), at.people.magistrate).content)
    with pytest.raises(AuthorityError, match="power to prove"):
        proposed(at)


@pytest.mark.parametrize("document", ["[]", "7", "", "no JSON", "[" * 100_000])
def test_what_says_nothing_is_not_signed(at: Ground, document: str) -> None:
    request = at.folder / "request.json"
    request.write_text(json.dumps({"v": 1, "document": document, "signatures": []}))
    with pytest.raises(TrustError, match="says nothing that can be shown"):
        approve_request(at.options("approve", request, "--case", at.case))


def test_what_a_paper_says_is_shown_and_not_obeyed(
    at: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    request = at.folder / "request.json"
    text = json.dumps({"\x1b]0;owned\x07": "\x1b[2J", "list": ["\u202e"]})
    request.write_text(json.dumps({"v": 1, "document": text, "signatures": []}))
    with pytest.raises(Exception, match="--module and --token"):
        approve_request(at.options("approve", request, "--case", at.case))
    told = capsys.readouterr().out
    assert "owned" in told
    assert not {"\x1b", "\x07", "\u202e"} & set(told)
