"""What `config init` promises: a file that can be edited by removing one character a line."""

from __future__ import annotations

import tomllib
from pathlib import Path

from bmnode.config.settings import Settings
from bmnode.config.sources import parse_settings
from bmnode.config.template import describe, render


def _uncommented(text: str) -> str:
    """Every line that looks like a setting or a table, in force."""
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    return "\n".join(
        line for line in lines if line.startswith("[") or (" = " in line and line.split(" = ")[0].isidentifier())
    )


def test_untouched_template_means_the_defaults() -> None:
    """Writing the file changes nothing."""
    assert parse_settings(render(), file=None) == parse_settings("", file=None)


def test_every_line_can_be_put_in_force() -> None:
    """Each key is spelled right and shows a value of the right type: its default."""
    settings = parse_settings(_uncommented(render()), file=None)
    defaults = parse_settings("", file=None)
    for section in set(Settings.model_fields) - {"peers", "routes"}:
        assert getattr(settings, section) == getattr(defaults, section)
    assert settings.routes[0].destinations == tuple(settings.peers)


def test_every_key_is_in_the_template_and_described() -> None:
    """No setting is left for the administrator to find in the code."""
    shown = tomllib.loads(_uncommented(render()))
    for section in describe():
        for setting in section.settings:
            assert setting.description.endswith("."), f"{section.header} {setting.key}"
    for name, info in Settings.model_fields.items():
        if name not in {"peers", "routes"}:
            assert info.annotation is not None
            assert shown[name].keys() == info.annotation.model_fields.keys()


def test_lines_fit_a_terminal(tmp_path: Path) -> None:
    """The file can be read without scrolling sideways."""
    assert max(len(line) for line in render().splitlines()) <= 102
