"""A big swarm in a namespace, from outside: start it, ask, and be rid of it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protech.locate.lab.truth import Truth, read_truth

ROOT = Path(__file__).resolve().parents[2]
NAMESPACES = ("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A running big swarm. One thing is done at a time."""

    seed: int
    process: "subprocess.Popen[str]" = field(repr=False)

    def ask(self, do: str, **options: Any) -> dict[str, Any]:
        """Have something done in the namespace, and return what came of it."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **options}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def truth(self) -> Truth:
        """Return what is so in the swarm."""
        return read_truth(self.ask("truth")["truth"].encode())

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the swarm with seed {self.seed} ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def stage(*, seed: int, size: str) -> Iterator[Stage]:
    """Hold a swarm (``full`` or ``thin``) in a namespace of its own; it goes with the context.

    Its first process ends when our end of its input closes, however that comes, and with it
    the namespaces and all that is in them.
    """
    command = [*NAMESPACES, sys.executable, "-m", "tests.swarm.stage", str(seed), size]
    print(f"swarm: {size}, seed {seed}", file=sys.stderr, flush=True)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        made = Stage(seed=seed, process=process)
        try:
            made._answer()
            yield made
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
