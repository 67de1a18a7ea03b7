"""Where Protech keeps what, and the settings that the person chose."""

import fcntl
import os
import stat
import tempfile
import tomllib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from platformdirs import PlatformDirs

from protech.errors import ConfigError, TrustError

SETTINGS = "settings.toml"
SETTINGS_BYTES = 1 << 20

PRIVATE = 0o700
OTHERS = 0o077
OTHERS_WRITE = 0o022

NEW = ".protech-new"
"""How the name of a file ends that is not in its place yet."""
OPEN_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
NEW_CHARACTERS = 40
"""So much of a name stands in its new file's, which must not be too long."""

ROOM = "make room, or make the directory yours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """This user's directories; none of them need exist yet.

    ``config`` is what the person wrote, ``state`` what must survive, ``cache`` what can be made
    again, ``runtime`` what ends with the session. Source: XDG Base Directory Specification 0.8.
    """

    config: Path
    state: Path
    cache: Path
    runtime: Path

    @classmethod
    def of_user(cls) -> "Places":
        """Return the directories of the user who runs this process."""
        found = PlatformDirs("protech", appauthor=False)
        with warnings.catch_warnings():
            # Without a session there is no runtime directory; ours in /tmp is checked on use.
            warnings.simplefilter("ignore")
            runtime = found.user_runtime_path
        return cls(
            config=found.user_config_path,
            state=found.user_state_path,
            cache=found.user_cache_path,
            runtime=runtime,
        )

    @property
    def settings_file(self) -> Path:
        """Where the person's settings stand."""
        return self.config / SETTINGS

    def make_runtime(self) -> Path:
        """Make the runtime directory, 0700, and return it.

        Raises:
            TrustError: It, or the directory that holds it, could be changed by others.
            ConfigError: It cannot be made.
        """
        runtime = private_directory(self.runtime)
        holder = runtime.parent.stat()
        is_shared = holder.st_mode & OTHERS_WRITE and not holder.st_mode & stat.S_ISVTX
        if holder.st_uid not in {0, os.getuid()} or is_shared:
            raise TrustError(
                f"Others could replace what is in {runtime.parent}; name a directory of yours"
                " alone with XDG_RUNTIME_DIR."
            )
        return runtime


def private_directory(path: Path) -> Path:
    """Make a directory that only this user can enter, or check that it is one; return it.

    Raises:
        TrustError: It belongs to another user, is a link, or is open to others.
        ConfigError: It cannot be made.
    """
    try:
        path.parent.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        path.mkdir(mode=PRIVATE, exist_ok=True)
        state = path.lstat()
    except OSError as refused:
        raise ConfigError(
            f"The directory {path} cannot be made: {refused.strerror}. Make it yours, or name"
            " another place with the XDG_* variables."
        ) from refused
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
        raise TrustError(
            f"{path} is not a directory of yours; remove it, it is made again as it should be."
        )
    if stat.S_IMODE(state.st_mode) & OTHERS:
        raise TrustError(f"The directory {path} is open to others; run: chmod 700 {path}")
    return path


def read_settings(path: Path) -> dict[str, Any]:
    """Return the settings in a TOML file; nothing where there is none.

    Raises:
        ConfigError: It cannot be read, or is not TOML.
        TrustError: Others can write to it.
    """
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            content = file.read(SETTINGS_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as refused:
        raise ConfigError(
            f"The settings in {path} cannot be read: {refused.strerror}; mend the file."
        ) from refused
    if state.st_uid not in {0, os.getuid()} or state.st_mode & OTHERS_WRITE:
        raise TrustError(
            f"Others can write to the settings in {path}; look at what it says, then run:"
            f" chmod 600 {path}"
        )
    try:
        if len(content) > SETTINGS_BYTES:
            raise ValueError(f"it is larger than {SETTINGS_BYTES} bytes")
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as bad:
        raise ConfigError(
            f"The settings in {path} are not TOML: {bad}; mend or remove the file."
        ) from bad


def change_settings(path: Path, changes: Mapping[str, object]) -> None:
    """Change top-level settings; all else in the file stays, comments too.

    Args:
        path: The file; it and its directory are made if need be.
        changes: New values by name; None takes a setting out.

    Raises:
        ConfigError: It cannot be read or written.
        TrustError: Others can write to it.
    """
    import tomlkit  # heavy, and only who changes a setting needs it

    read_settings(path)
    document = tomlkit.parse(path.read_bytes()) if path.exists() else tomlkit.document()
    for name, value in changes.items():
        if value is None:
            document.pop(name, None)
        else:
            document[name] = value
    write_private(path, tomlkit.dumps(document).encode())


def write_private(path: Path, content: bytes) -> None:
    """Put a file of this user alone at ``path`` in one step: a kill leaves the old or the new.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        path.parent.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    except OSError as refused:
        raise _unwritable(path, refused, ROOM) from refused
    with replacing(path) as file:
        file.write(content)


def write_once(path: Path, content: bytes) -> None:
    """Put a file of this user alone at ``path``, where none stands.

    Raises:
        ConfigError: One does, or it cannot be written.
    """
    if path.exists() or path.is_symlink():
        raise ConfigError(f"There is {path} already, and nothing was written; name a new file.")
    write_private(path, content)


@contextmanager
def replacing(path: Path, *, remedy: str = ROOM) -> Iterator[BinaryIO]:
    """Give a new file of this user alone that takes the place of ``path`` once it is whole.

    What a killed process left of such a file is deleted on the way.

    Args:
        path: Where it will stand; a kill or an error leaves what stands there.
        remedy: What the person is told to do where it cannot be written.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        _sweep(path)
        descriptor, name = _new_file(path)
        with os.fdopen(descriptor, "wb") as file:
            try:
                yield file
                file.flush()
                os.fsync(descriptor)
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
    except OSError as refused:
        raise _unwritable(path, refused, remedy) from refused


def settle(path: Path) -> None:
    """See to it that a power cut does not undo what was written to a file or directory.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as refused:
        raise _unwritable(path, refused, ROOM) from refused


def _new_file(path: Path) -> tuple[int, str]:
    """Make a file that ``_sweep`` leaves alone while this process holds its lock."""
    while True:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=_new(path), suffix=NEW)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, name
        os.close(descriptor)  # it was swept before it was locked


def _sweep(path: Path) -> None:
    """Delete the new files that no process holds any more."""
    for other in path.parent.iterdir():
        if not (other.name.startswith(_new(path)) and other.name.endswith(NEW)):
            continue
        with suppress(OSError):  # a live one is locked, another user's not ours to open
            descriptor = os.open(other, os.O_RDWR | OPEN_FLAGS)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                other.unlink()
            finally:
                os.close(descriptor)


def _new(path: Path) -> str:
    return f".{path.name[:NEW_CHARACTERS]}-"


def _unwritable(path: Path, refused: OSError, remedy: str) -> ConfigError:
    return ConfigError(f"{path} cannot be written: {refused.strerror}; {remedy}.")
