"""The rules of docs/STYLE.md that neither ruff nor mypy nor the import contracts can check."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tools.check import PYTEST_SUITES

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "protech"

MODULE_LINES = 300
STAND_ALONE = {"evidence/verify.py": 600}
"""One file on purpose: a stranger reads it whole and runs it without Protech."""

FUNCTION_LINES = 40

PROCESS_BOUNDARIES = {"guard/proxy/screen.py", "serve/detector_service.py"}
"""Where an item's fault, whatever it is, is logged and the item held: one an application."""

PURE = ("policy", "trust", "gate", "authority", "merkle")
CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter"}

EMPTY_NAMES = re.compile(r"(utils?|helpers?|managers?|common|misc)")
LOOSE_END = re.compile(r"\b(TODO|FIXME|XXX)\b(?! \(#\d+\))")
NOQA = re.compile(r"# noqa\b(?!: [A-Z]+\d+(, [A-Z]+\d+)*( -|  ?#) \S)")
TYPE_IGNORE = re.compile(r"# type: ignore\b(?!\[[a-z-]+(, [a-z-]+)*\]( -|  ?#) \S)")
MACHINE_PATH = re.compile(r"""["'\s`(=]/(root|home/\w+|Users/\w+|workspace|work)/""")

SHUTS_ITSELF = {"answer_for_stdin", "execv", "harden_process", "lock_down"}
"""What keeps a program from debuggers: the first locks it, the second makes it another one."""

PROGRAM = re.compile(r"""^if __name__ == ["']__main__["']:""", re.MULTILINE)

DISTRIBUTIONS = packages_distributions()

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> list[Path]:
    """Return the modules of the product."""
    return sorted(SOURCE.rglob("*.py"))


def python_files() -> list[Path]:
    """Return every Python file that is ours."""
    folders = (ROOT / "src", ROOT / "tests", ROOT / "tools")
    return [ROOT / "dev.py", *sorted(path for one in folders for path in one.rglob("*.py"))]


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE if path.is_relative_to(SOURCE) else ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=path.name)


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, Function))


def lines_without_docstring(function: Function) -> int:
    """Return the lines of a function, its decorators and docstring left out."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def matching_lines(pattern: re.Pattern[str]) -> list[str]:
    """Return where a pattern stands in our Python, this file left out, which names it."""
    return [
        f"{name_of(path)}:{number}"
        for path in python_files()
        if path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if pattern.search(line)
    ]


def none(found: Iterable[str]) -> None:
    """Fail with every place that was found, one a line."""
    places = sorted(found)
    assert not places, "\n" + "\n".join(places)


def test_modules_are_short() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in python_files()}
    others = [ROOT / "dev.py", *(ROOT / "tools").glob("*.py")]
    product = {name_of(path) for path in [*modules(), *others]}
    too_long = [
        f"{name} has {length} lines"
        for name, length in lengths.items()
        if name in product and length > STAND_ALONE.get(name, MODULE_LINES)
    ]
    none(too_long)


def test_functions_are_short() -> None:
    too_long = [
        f"{name_of(path)}:{function.lineno} {function.name}"
        for path in [*modules(), ROOT / "dev.py", *(ROOT / "tools").glob("*.py")]
        for function in functions(path)
        if lines_without_docstring(function) > FUNCTION_LINES
    ]
    none(too_long)


def test_every_module_that_does_something_has_a_twin_test() -> None:
    without = [
        name_of(path)
        for path in modules()
        if path.name not in {"__init__.py", "__main__.py"} and any(functions(path))
        if not has_test(twin_of(path))
    ]
    none(without)


def has_test(path: Path) -> bool:
    """Return whether a file is there and pytest finds a test in it."""
    return path.exists() and any(one.name.startswith("test_") for one in functions(path))


def test_every_file_of_tests_is_run_by_a_suite() -> None:
    files = {path for path in (ROOT / "tests").rglob("*.py") if has_test(path)}
    run = {
        path for suite in PYTEST_SUITES for path in (ROOT / "tests" / suite).rglob("test_*.py")
    }
    none(name_of(path) for path in files - run)


def twin_of(path: Path) -> Path:
    """Return where a module's own test file stands."""
    inside = path.relative_to(SOURCE)
    return ROOT / "tests" / "unit" / inside.parent / f"test_{path.stem.lstrip('_')}.py"


def test_only_process_boundaries_catch_everything() -> None:
    caught = [
        f"{name_of(path)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ExceptHandler) and catches_everything(node)
        if name_of(path) not in PROCESS_BOUNDARIES
    ]
    none(caught)


def catches_everything(handler: ast.ExceptHandler) -> bool:
    """Return whether an except clause ends what nobody foresaw, instead of passing it on."""
    last = handler.body[-1]
    if isinstance(last, ast.Raise) and last.exc is None:
        return False
    return handler.type is None or any(
        isinstance(node, ast.Name) and node.id in {"Exception", "BaseException"}
        for node in ast.walk(handler.type)
    )


def test_pure_modules_read_no_clock() -> None:
    read = [
        f"{name_of(path)}:{node.lineno} {node.attr}"
        for path in modules()
        if path.stem in PURE
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS
    ]
    none(read)


def test_values_are_frozen_slotted_and_keyword_only() -> None:
    loose = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in modules()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef)
        for decorator in node.decorator_list
        if "dataclass" in ast.unparse(decorator)
        if not {"frozen=True", "slots=True", "kw_only=True"} <= options(decorator)
    ]
    none(loose)


def options(decorator: ast.expr) -> set[str]:
    """Return the keywords of a decorator as they are written."""
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
    return {f"{keyword.arg}={ast.unparse(keyword.value)}" for keyword in keywords}


def test_every_program_keeps_itself_from_debuggers_and_core_dumps() -> None:
    open_to_others = [
        name_of(path)
        for path in modules()
        if PROGRAM.search(path.read_text()) and name_of(path) not in STAND_ALONE
        if not SHUTS_ITSELF & called_in(path)
    ]
    none(open_to_others)


def called_in(path: Path) -> set[str]:
    """Return the last names of all that a module calls."""
    calls = (node.func for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call))
    return {ast.unparse(call).rpartition(".")[2] for call in calls}


def test_names_say_something() -> None:
    empty = [name_of(path) for path in modules() if EMPTY_NAMES.fullmatch(path.stem)]
    none(empty)


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in modules()}
    without = [name_of(folder) for folder in folders if not (folder / "__init__.py").exists()]
    none(without)


def test_every_file_of_the_product_goes_into_the_wheel() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packed = {
        path for each in settings["package-data"]["protech"] for path in SOURCE.glob(each)
    }
    files = {path for path in SOURCE.rglob("*") if path.is_file()}
    built = {path for path in files if path.suffix in {".py", ".pyc", ".so"}}
    none(name_of(path) for path in files - built - packed)


def test_a_loose_end_has_an_issue() -> None:
    none(matching_lines(LOOSE_END))


def test_an_ignored_rule_is_named_with_its_reason() -> None:
    none(matching_lines(NOQA))
    none(line for line in matching_lines(TYPE_IGNORE) if not line.startswith("tests/"))


def test_no_file_names_a_path_of_one_machine() -> None:
    none(matching_lines(MACHINE_PATH))


def test_what_is_imported_is_declared() -> None:
    declared = {
        extra: declared_in(extra) for extra in ("base", "guard", "locate", "build", "dev")
    }
    allowed = {
        "src": declared["base"],
        "src/protech/guard": declared["base"] | declared["guard"],
        "src/protech/serve": declared["base"] | declared["guard"],
        "src/protech/db": declared["base"] | declared["locate"],
        "src/protech/evidence": declared["base"] | declared["locate"],
        "src/protech/locate": declared["base"] | declared["locate"],
        "tools": set().union(*declared.values()),
        "tests": set().union(*declared.values()),
    }
    undeclared = {
        f"{name_of(path)} {package}"
        for path in python_files()
        for package in imported_packages(path)
        if package not in allowed[max(folder for folder in allowed if is_inside(path, folder))]
    }
    none(undeclared)


def is_inside(path: Path, folder: str) -> bool:
    return path.is_relative_to(ROOT / folder)


def declared_in(extra: str) -> set[str]:
    """Return the packages that pyproject.toml asks for, by their bare names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {"base": project["dependencies"], **project["optional-dependencies"]}
    return {re.split(r"[^\w-]", requirement)[0].lower() for requirement in extras[extra]}


def imported_packages(path: Path) -> set[str]:
    """Return the packages from elsewhere that a file imports, as their makers name them."""
    roots = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            roots.add(node.module.partition(".")[0])
    return {
        DISTRIBUTIONS.get(root, [root])[0].lower().replace("_", "-")
        for root in roots - {"protech", "tests", "tools", "dev"} - sys.stdlib_module_names
    }


@pytest.mark.parametrize("module", ["protech.salus", "protech.salus.engine", "protech.cli"])
def test_importing_the_engine_or_the_commands_is_light(module: str) -> None:
    heavy = "{'onnxruntime', 'av', 'mitmproxy', 'fastapi'}"
    code = f"import sys, {module}; sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, text=True
    )
    assert (shown.returncode, shown.stderr) == (0, "")
