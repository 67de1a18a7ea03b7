"""The verifier runs where there is no Protech: a file of its own, and one package."""

import ast
import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import protech.evidence.verify as verifier
from protech.evidence.pack import Disclosure
from protech.lists.fetch_keys import key_fields
from tests import packs
from tests.packs import Talk

SOURCE = Path(verifier.__file__)
ALLOWED = {"cryptography"}

FLAT, _ = packs.flat_key()

BLOCKED = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "protech":
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
sys.argv = sys.argv[1:]
import runpy
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_it_imports_the_standard_library_and_cryptography_alone() -> None:
    imported = set()
    for node in ast.walk(ast.parse(SOURCE.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert imported - sys.stdlib_module_names == ALLOWED
    assert len(SOURCE.read_text().splitlines()) <= 600


def test_it_agrees_and_refuses_without_protech(tmp_path: Path) -> None:
    made = packs.make_case(tmp_path / "log", (FLAT,))
    claim = Talk(FLAT).greet().bitfield().end()
    shown = verifier.replay(claim, json.loads(json.dumps(key_fields(FLAT))))
    with made.log:
        index = made.sighting(0, claim, shown)
        made.log.checkpoint(packs.START + timedelta(minutes=9))
        content = Disclosure(made.log).pack(index)
    away = tmp_path / "expert"
    away.mkdir()
    shutil.copy(SOURCE, away / "verify.py")
    (away / "pack.json").write_bytes(content)
    changed = content.replace(b"198.18.3.4", b"198.18.3.5")
    (away / "changed.json").write_bytes(changed)
    ends = {"pack.json": (0, "AGREES"), "changed.json": (1, "DOES NOT AGREE")}
    for name, (code, verdict) in ends.items():
        ran = subprocess.run(
            [sys.executable, "-c", BLOCKED, "verify.py", name],
            cwd=away,
            capture_output=True,
            check=False,
            text=True,
        )
        assert (ran.returncode, ran.stderr) == (code, "")
        assert ran.stdout.endswith(f"{verdict}\n")
