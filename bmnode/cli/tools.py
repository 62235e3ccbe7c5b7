"""The image science that commands reach by entry point: `bmnode` itself imports none of it."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from bmnode.errors import MissingToolError

GROUP = "bmnode.tools"


def load_tool(name: str, *, extra: str) -> Any:
    """The tool of a command, `suv` or, of a command in a group, `evaluate-measurements`.

    Raises MissingToolError, which names the extra that brings its libraries.
    """
    words = name.replace("-", " ")
    remedy = f"install it with: pip install 'bmnode[{extra}]'"
    for point in entry_points(group=GROUP, name=name):
        try:
            return point.load()
        except ImportError as error:
            raise MissingToolError(f"`bmnode {words}` needs {error.name or 'a library'}, {remedy}") from error
    raise MissingToolError(f"`bmnode {words}` is not installed, {remedy}")
