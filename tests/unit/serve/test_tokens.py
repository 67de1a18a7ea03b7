"""One-time tokens: once, in time, and never written down."""

from pathlib import Path

from protech.serve.tokens import TOKEN_LIFE_S, OneTimeTokens


def test_token_is_good_once(tmp_path: Path) -> None:
    tokens = OneTimeTokens(tmp_path / "tokens")
    token = tokens.mint()
    assert tokens.redeem(token)
    assert not tokens.redeem(token)
    assert not tokens.redeem("guess")


def test_old_token_is_refused_and_gone(tmp_path: Path) -> None:
    tokens = OneTimeTokens(tmp_path)
    token = tokens.mint()
    minted_at = next(tmp_path.iterdir()).stat().st_mtime
    assert not tokens.redeem(token, now=minted_at + TOKEN_LIFE_S + 1)
    assert not tokens.redeem(token, now=minted_at)


def test_directory_holds_no_token_and_is_for_its_owner(tmp_path: Path) -> None:
    directory = tmp_path / "tokens"
    token = OneTimeTokens(directory).mint()
    assert directory.stat().st_mode & 0o077 == 0
    written = [path.name.encode() + path.read_bytes() for path in directory.iterdir()]
    assert written
    assert all(token.encode() not in text for text in written)


def test_another_process_of_the_person_can_mint(tmp_path: Path) -> None:
    assert OneTimeTokens(tmp_path).redeem(OneTimeTokens(tmp_path).mint())


def test_forget_removes_what_was_not_used(tmp_path: Path) -> None:
    tokens = OneTimeTokens(tmp_path)
    token = tokens.mint()
    tokens.forget()
    assert not tokens.redeem(token)
