"""One-time tokens that let a browser in: a file each, named by its hash, gone once used."""

import hashlib
import secrets
import time
from contextlib import suppress
from pathlib import Path

TOKEN_BYTES = 32

TOKEN_LIFE_S = 600.0
"""Ten minutes from the printed address to the first click."""


class OneTimeTokens:
    """Tokens under a directory of mode 0700, shared by the processes of one user.

    Removing the file is what redeems a token, so of two that try the kernel lets one succeed.
    The directory never holds a token itself, only its SHA-256.
    """

    def __init__(self, directory: Path) -> None:
        """Keep tokens under ``directory``; it is made when the first one is minted."""
        self._directory = directory

    def mint(self) -> str:
        """Return a new token, valid once and for ``TOKEN_LIFE_S``."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._path(token).touch(mode=0o600)
        return token

    def redeem(self, token: str, *, now: float | None = None) -> bool:
        """Return whether ``token`` was minted here, is young enough, and is unused."""
        path = self._path(token)
        try:
            minted_at = path.stat().st_mtime
            path.unlink()
        except FileNotFoundError:
            return False
        return (time.time() if now is None else now) - minted_at <= TOKEN_LIFE_S

    def forget(self) -> None:
        """Remove every unused token."""
        for path in self._directory.glob("*.token"):
            with suppress(FileNotFoundError):
                path.unlink()

    def _path(self, token: str) -> Path:
        return self._directory / f"{hashlib.sha256(token.encode()).hexdigest()}.token"
