"""What a record depends on: the modules that a module reaches by import, and the tables that lie beside them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from bmnode.domain.ids import digest

_ROOTS = ("bmnode", "operators", "pipelines")
_WORDS = ".md"


def code_digest(module: str) -> str:
    """SHA-256, in hex, of every module that `module` can reach, itself included, and of every table beside one.

    The pipeline's version alone would let a record pass for code that was changed since; the whole installation would
    throw records away for a change of the node's other parts, which cannot change them. A table is any other file in a
    reached module's folder, pages apart. Other distributions are not in it.

    Raises ValueError where `module` is not of this distribution.
    """
    modules = reached(module)
    folders = sorted({path.parent for path in modules.values()})
    tables = sorted(path for folder in folders for path in folder.iterdir() if _is_table(path))
    return digest(
        part
        for name, path in [*sorted(modules.items()), *((path.name, path) for path in tables)]
        for part in (name, path.read_bytes().hex())
    )


def reached(module: str) -> dict[str, Path]:
    """Modules of this distribution that `module` imports, at once or when called, and those that these import.

    An import below `TYPE_CHECKING` counts too: too many modules cost an evaluation, too few a wrong figure.

    Raises ValueError where `module` is not of this distribution.
    """
    if _file(module) is None:
        raise ValueError(f"{module} is no module of this distribution")
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = None if name in found else _file(name)
        if path is not None:
            found[name] = path
            waiting += [name.rpartition(".")[0], *_imports(path)]
    return found


def _imports(path: Path) -> Iterator[str]:
    """Names that may be modules: `from a import b` gives a and a.b."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module is None or node.level:
                raise ValueError(f"{path.name} line {node.lineno}: a relative import, which is not followed")
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file(module: str) -> Path | None:
    root, *rest = module.split(".")
    if root not in _ROOTS:
        return None
    place = Path(str(files(root))).joinpath(*rest)
    return next((path for path in (place / "__init__.py", place.with_suffix(".py")) if path.is_file()), None)


def _is_table(path: Path) -> bool:
    return path.is_file() and path.suffix not in {".py", ".pyc", _WORDS}
