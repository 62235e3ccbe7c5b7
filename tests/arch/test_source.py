"""House rules that a reader of the source relies on, checked on its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("bmnode", "operators", "pipelines")
LONGEST_MODULE = 400
LONGEST_FUNCTION = 60

CLOCK = Path("bmnode") / "clock.py"
COMMAND_LINE = Path("bmnode") / "cli"
TIME_CALLS = frozenset({"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.sleep", "time.time"})
LOGGERS = frozenset({"_log", "_LOG", "log", "logger"})
DANGEROUS_MODULES = frozenset({"pickle", "marshal", "shelve", "dill", "cloudpickle"})
DANGEROUS_CALLS = frozenset({"eval", "exec", "pickle.loads", "pickle.load"})

HISTORY = Path("bmnode") / "storage" / "migrations" / "versions"
"""Migrations are lists of statements that are never changed again: their length says nothing."""


def _sources() -> Iterator[tuple[Path, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def _calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_modules_and_functions_are_short() -> None:
    """A module is read in one sitting, a function on one screen."""
    long = []
    for path, tree in _sources():
        if path.is_relative_to(HISTORY):
            continue
        lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
        long += [f"{path}: {lines} lines"] if lines > LONGEST_MODULE else []
        for function in _functions(tree):
            length = (function.end_lineno or 0) - function.lineno + 1
            long += [f"{path}: {function.name} has {length} lines"] if length > LONGEST_FUNCTION else []
    assert long == []


def test_time_is_injected() -> None:
    """Only the clock asks the system for the time or sleeps: everything else can be tested without waiting."""
    found = [
        f"{path}: {call}"
        for path, tree in _sources()
        if path != CLOCK
        for call in _calls(tree)
        if call.removeprefix("datetime.") in TIME_CALLS or call in TIME_CALLS
    ]
    assert found == []


def test_nothing_prints_outside_the_command_line() -> None:
    """A service speaks through its log."""
    found = [path for path, tree in _sources() if not path.is_relative_to(COMMAND_LINE) and "print" in _calls(tree)]
    assert found == []


def test_nothing_runs_data_as_code() -> None:
    """No pickle, no eval: what comes from outside stays data."""
    found = [
        path
        for path, tree in _sources()
        if not DANGEROUS_MODULES.isdisjoint(name.split(".")[0] for name in _imports(tree))
        or not DANGEROUS_CALLS.isdisjoint(_calls(tree))
    ]
    assert found == []


def test_public_things_are_documented() -> None:
    """Every module, public class and public function says what it promises."""
    silent = []
    for path, tree in _sources():
        silent += [] if ast.get_docstring(tree) or not tree.body else [str(path)]
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                silent += [] if ast.get_docstring(node) else [f"{path}: {node.name}"]
    assert silent == []


def test_every_test_states_its_promise() -> None:
    """A test says in one sentence what would be broken if it failed."""
    silent = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []


def test_no_log_event_carries_an_identity() -> None:
    """No log call passes a patient's data or a bare UID: redaction is the second line, not the first."""
    found = [
        f"{path}: {ast.unparse(node)}"
        for path, tree in _sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[0] in LOGGERS
        if any(_is_identity(keyword.arg or "") for keyword in node.keywords)
    ]
    assert found == []


def _is_identity(key: str) -> bool:
    return key.startswith("patient") or (key.endswith("_uid") and key not in {"sop_class_uid", "transfer_syntax_uid"})
