"""Syncs that are killed, each at another step, and what the device has then.

Run as ``python killed.py FOLDER KIND EVERY``: it has no threads, so that it can fork. Prints a
JSON object: how many were killed, and each time that neither old nor new list was there.
"""

import json
import os
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path

from protech.errors import ProtechError
from protech.lists.device import DeviceLists
from protech.lists.keys import make_device_key
from protech.lists.sync.flow import sync
from tests.repository import LIST, Repository, lines

STEPS = ("open", "os.", "shutil.", "tempfile.", "fcntl.", "ctypes.dlsym", "socket.")
"""Audit events (sys.addaudithook): each file that is opened, made, renamed, deleted, locked."""


def main(folder: Path, kind: str, every: int) -> None:
    is_sealed = kind == "sealed"
    kept = folder / "kept"
    recipient = make_device_key(DeviceLists(kept).key)
    repository = Repository(folder / "repository", recipients=[recipient])
    entries = lines(1, 40)
    contents = [b""]
    if kind != "first":
        repository.add(entries, is_sealed=is_sealed)
        repository.publish()
        contents = [repository.contents[LIST, 1]]
        sync(DeviceLists(kept), str(repository.folder), root=repository.first_root)
    base = 1 if kind == "delta" else None
    repository.add(entries | lines(2, 3), version=2, base=base, is_sealed=is_sealed)
    repository.publish()
    contents.append(repository.contents[LIST, 2])
    lost, stuck = [], []
    found: Counter[int] = Counter()
    step = 1
    while True:
        device = DeviceLists(folder / "device")
        shutil.rmtree(device.folder, ignore_errors=True)
        shutil.copytree(kept, device.folder)
        was_killed = kill_at(step, device, repository)
        has = content_of(device)
        if has not in contents:
            lost.append(step)
        found[contents.index(has) if has in contents else -1] += 1
        sync(device, str(repository.folder), root=repository.first_root)
        if content_of(device) != contents[1]:
            stuck.append(step)
        if not was_killed:
            break
        step += every
    counts = {"killed": found.total() - 1, "old": found[0], "new": found[1]}
    sys.stdout.write(json.dumps({**counts, "lost": lost, "stuck": stuck}))


def kill_at(step: int, device: DeviceLists, repository: Repository) -> bool:
    """Sync in a child that kills itself at this step; return whether it came to it."""
    child = os.fork()
    if child == 0:
        left = step

        def count(event: str, _: object) -> None:
            nonlocal left
            if event.startswith(STEPS):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        done = sync(device, str(repository.folder), root=repository.first_root)
        os._exit(0 if done.error is None else 1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def content_of(device: DeviceLists) -> bytes:
    """Return the list that is in use; nothing where there is none yet."""
    try:
        if not device.lists():
            return b""
        with device.opened(LIST) as (held, descriptor):
            return os.pread(descriptor, held.target.size_bytes + 1, 0)
    except ProtechError as error:
        return str(error).encode()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
