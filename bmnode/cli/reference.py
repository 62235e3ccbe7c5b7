"""The reference pages that follow from the code: `python -m bmnode.cli.reference` writes them.

A test compares them with what lies in `docs/reference`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bmnode.cli.application import command
from bmnode.cli.documents import KINDS
from bmnode.cli.exit_codes import MEANINGS, raised
from bmnode.cli.output import say
from bmnode.config.settings import ENVIRONMENT_PREFIX
from bmnode.config.template import describe
from bmnode.errors import IngestError

FOLDER = Path("docs") / "reference"
_COMMAND = "python -m bmnode.cli.reference"
_NOTE = f"<!-- Written by `{_COMMAND}`: change the code, not this page. -->\n"
_AUTOMATIC = frozenset({"help"})


def pages() -> Mapping[str, str]:
    """Every generated page by its file name."""
    return {
        "cli.md": _cli(),
        "settings.md": _settings(),
        "exit-codes.md": _exit_codes(),
        "json.md": _json(),
        "sop-classes.md": _sop_classes(),
    }


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, as (`bmnode job show`, command)."""
    yield from _leaves("bmnode", command())


def main(folder: Path = FOLDER) -> None:
    """Write the pages into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
        say(f"wrote {folder / name}")


def _leaves(path: str, found: Any) -> Iterator[tuple[str, Any]]:
    children = getattr(found, "commands", None)
    if children is None:
        yield path, found
        return
    for name, child in children.items():
        yield from _leaves(f"{path} {name}", child)


def _cli() -> str:
    parts = [
        f"{_NOTE}\n# Commands\n",
        "Every command takes `--help`. `bmnode --config FILE COMMAND` names the configuration file; without it, "
        "`BMNODE_CONFIG`, `./bmnode.toml`, `/etc/bmnode/bmnode.toml` are looked for, and then the defaults hold. "
        "`--debug` shows the traceback of a defect. What a command exits with stands in "
        "[exit codes](exit-codes.md), the keys of `--json` in [JSON documents](json.md).\n",
        _parameters("bmnode", command()),
    ]
    for path, found in commands():
        parts.append(f"## {path}\n\n{_paragraphs(found.help or '')}\n")
        parts.append(_parameters(path, found))
        if found.epilog:
            example = found.epilog.removeprefix("Example: ")
            parts.append(f"```sh\n{example}\n```\n")
    return "\n".join(part for part in parts if part)


def _parameters(path: str, found: Any) -> str:
    shown = [item for item in found.params if item.name not in _AUTOMATIC and not getattr(item, "hidden", False)]
    if not shown:
        return ""
    rows = []
    usage = [path]
    for item in shown:
        is_option = item.opts[0].startswith("-")
        name = item.opts[0] if is_option else item.metavar or item.name.upper()
        value = " VALUE" if is_option and not item.is_flag else ""
        needed = "required" if item.required else ""
        rows.append(f"| `{name}{value}` | {_cell(item.help or '')} | {needed} |")
        if not is_option:
            usage.append(name if item.required else f"[{name}]")
    lines = [f"`{' '.join([*usage, '[OPTIONS]'])}`", "", "| parameter | meaning | |", "| --- | --- | --- |", *rows]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> str:
    blocks = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(" ".join(block.split()) for block in blocks)


def _settings() -> str:
    parts = [
        f"{_NOTE}\n# Settings\n",
        "One TOML file, read once at start. `bmnode config init` writes it with comments, `bmnode config check` looks "
        "whether it can work. A key that bmnode does not know is an error. The environment stands above the file: "
        f"`{ENVIRONMENT_PREFIX}NODE__PORT=11113` replaces `port` under `[node]`.\n",
    ]
    for section in describe():
        parts.append(f"## {section.header}\n\n{section.description}\n")
        parts.append("| key | type | default | meaning |\n| --- | --- | --- | --- |")
        for setting in section.settings:
            default = "required" if setting.required else (f"`{setting.default}`" if setting.default else "none")
            parts.append(f"| `{setting.key}` | {setting.type} | {default} | {_cell(setting.description)} |")
        parts.append("")
    return "\n".join(parts)


def _exit_codes() -> str:
    parts = [f"{_NOTE}\n# Exit codes and errors\n", "| code | meaning |", "| --- | --- |"]
    parts += [f"| {code} | {_cell(meaning)} |" for code, meaning in MEANINGS.items()]
    parts += [
        "\n## Errors\n",
        "What bmnode raises on purpose, with what to do. *Retry* says whether bmnode tries again by itself, *DIMSE* "
        "which C-STORE status the sender gets.\n",
        "| error | exit code | retry | DIMSE | meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    for error in sorted(raised(), key=lambda item: item.__name__):
        status = f"0x{error.dimse_status:04X}" if issubclass(error, IngestError) else ""
        retry = "yes" if error.retryable else "no"
        meaning = _cell(_paragraphs(error.__doc__ or ""))
        parts.append(f"| `{error.__name__}` | {error.exit_code} | {retry} | {status} | {meaning} |")
    return "\n".join(parts) + "\n"


def _json() -> str:
    parts = [
        f"{_NOTE}\n# JSON documents\n",
        "With `--json` a command writes one document to standard output and nothing else. What the document holds "
        "stands with each [command](cli.md); the kinds of things in it are below. If the command fails, the document "
        "is `error`, one error; a mistyped command writes its usage to standard error alone. "
        "Keys are added over time, and none is renamed or removed within a major version.\n",
    ]
    for kind, keys in KINDS.items():
        parts.append(f"## {kind}\n\n| key | meaning |\n| --- | --- |")
        parts += [f"| `{key}` | {_cell(meaning)} |" for key, meaning in keys.items()]
        parts.append("")
    return "\n".join(parts)


def _sop_classes() -> str:
    from pydicom.uid import UID

    from bmnode.scp.contexts import ANSWERED, ASSESSED, TRANSFER_SYNTAXES, TRAVELS_ALONG

    parts = [f"{_NOTE}\n# SOP classes and transfer syntaxes\n", "What the node takes over C-STORE.\n"]
    for title, table in (
        ("Images that a branch can assess", ASSESSED),
        ("Objects that travel with such a study", TRAVELS_ALONG),
        ("Images that no branch assesses: they get a clear answer", ANSWERED),
    ):
        parts.append(f"## {title}\n\n| SOP class | UID | why |\n| --- | --- | --- |")
        parts += [f"| {_name(UID(uid))} | {uid} | {_cell(why)} |" for uid, why in table.items()]
        parts.append("")
    parts.append("## Transfer syntaxes\n\nEach of these for every SOP class above.\n")
    parts.append("| transfer syntax | UID |\n| --- | --- |")
    parts += [f"| {UID(uid).name} | {uid} |" for uid in TRANSFER_SYNTAXES]
    return "\n".join(parts) + "\n"


def _name(uid: Any) -> str:
    """The standard's name; a class that is younger than the dictionary has its UID alone."""
    return "(newer than the dictionary)" if uid.name == str(uid) else str(uid.name)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
