"""The documentation is true: generated pages are fresh, links lead somewhere, and nothing is left out."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bmnode.cli import reference
from bmnode.cli.application import command
from bmnode.config.sources import parse_settings
from bmnode.config.template import describe
from bmnode.domain.models import BundleFault
from bmnode.domain.states import DeliveryState, JobEvent, JobState, StudyState
from bmnode.domain.study import Branch, Reason
from bmnode.errors import IngestError
from bmnode.scp.policy import Rejection
from operators.simulation.cohort.reference import page as cohort_page
from operators.simulation.cohort.specification import parse

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("orthanc-config/*.md")])
KNOWN_PEERS = ("pacs", "workstation", "orthanc")

_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)]*)?\)")
_CALL = re.compile(r"\bbmnode ((?:--\w+(?: \S+)? )?[a-z][a-z-]*)(?: ([a-z][a-z-]*))?")
_CODE = re.compile(r"`([^`\n]+)`|^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_TOML = re.compile(r"^ *```toml\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def _ids(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


@pytest.fixture(params=PAGES, ids=_ids(PAGES))
def page(request: pytest.FixtureRequest) -> Path:
    """One page of the documentation."""
    found: Path = request.param
    return found


@pytest.mark.parametrize("name", reference.pages())
def test_generated_page_is_fresh(name: str) -> None:
    """What the code says of itself is what the page says: run `python -m bmnode.cli.reference` after a change."""
    assert (DOCS / "reference" / name).read_text(encoding="utf-8") == reference.pages()[name]


def test_cohort_reference_is_fresh() -> None:
    """Every key of a cohort file: run `python -m operators.simulation.cohort.reference` after a change."""
    assert (DOCS / "reference" / "cohort-file.md").read_text(encoding="utf-8") == cohort_page()


def test_every_command_is_explained_with_an_example() -> None:
    """No command is left for the administrator to guess: help, example, and JSON with its keys."""
    for path, found in reference.commands():
        assert found.help, path
        assert found.epilog, path
        assert found.epilog.startswith("Example: bmnode "), path
        assert path.removeprefix("bmnode ") in found.epilog, path
        if path != "bmnode serve":
            assert any("--json" in item.opts for item in found.params), path
            assert "JSON" in found.help, path


def test_every_option_is_explained() -> None:
    """Every option and argument has its sentence."""
    for path, found in reference.commands():
        for item in found.params:
            assert getattr(item, "help", None) or item.name == "help", f"{path} {item.name}"


def test_every_setting_is_in_the_reference() -> None:
    """Every key of every section stands in its table."""
    text = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    for section in describe():
        body = text.split(f"## {section.header}\n")[1].split("\n## ")[0]
        for setting in section.settings:
            assert f"| `{setting.key}` |" in body, f"{section.header} {setting.key}"


def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that exists."""
    for target, _ in _LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_commands_in_the_text_exist(page: Path) -> None:
    """A command that a page tells the reader to type is one that there is."""
    names = {path.removeprefix("bmnode ") for path, _ in reference.commands()}
    groups = set(command().commands)
    for inline, block in _CODE.findall(page.read_text(encoding="utf-8")):
        for first, second in _CALL.findall(inline or block):
            word = first.split()[-1]
            assert word in groups, f"bmnode {word}"
            if word not in names and second:
                assert f"{word} {second}" in names, f"bmnode {word} {second}"


def test_settings_in_the_text_are_accepted(page: Path) -> None:
    """A piece of configuration, or a cohort, can be copied from a page into the file."""
    for snippet in _TOML.findall(page.read_text(encoding="utf-8")):
        content = tomllib.loads(snippet)
        if "cohort" in content:
            parse(snippet, origin=page.name)
            continue
        given = content.get("peers", {})
        missing = [
            f'[peers.{name}]\nae_title = "{name.upper()}"\nhost = "h"\nport = 1\n'
            for name in KNOWN_PEERS
            if name not in given
        ]
        parse_settings("\n".join([snippet, *missing]), file=None)


def test_every_reason_of_a_refusal_is_explained() -> None:
    """Whatever reason a report names, the administrator finds what it means and what to do."""
    text = (DOCS / "how-to" / "read-a-refusal.md").read_text(encoding="utf-8")
    assert [reason for reason in Reason if f"| `{reason}` |" not in text] == []


def test_every_fault_of_a_bundle_is_explained() -> None:
    """Whoever brings a model in finds why it was refused, and what to do."""
    text = (DOCS / "how-to" / "bring-in-a-model.md").read_text(encoding="utf-8")
    assert [fault for fault in BundleFault if f"| `{fault}` |" not in text] == []


def test_every_storage_status_is_in_the_conformance_statement() -> None:
    """A sender's administrator finds every status that the node can answer."""
    text = (DOCS / "reference" / "conformance.md").read_text(encoding="utf-8")
    errors: list[type[IngestError]] = [IngestError, *IngestError.__subclasses__()]
    for error in errors:
        assert f"| 0x{error.dimse_status:04X} |" in text, error.__name__


@pytest.mark.parametrize("states", [StudyState, JobState, DeliveryState, Branch])
def test_every_state_is_in_the_reference(states: type[StudyState | JobState | DeliveryState | Branch]) -> None:
    """A word that a command shows is a word that a page explains."""
    text = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    assert [state for state in states if str(state) not in text] == []


def test_every_audit_event_is_explained() -> None:
    """Every line that the code can write into the trail stands in the table."""
    text = (DOCS / "reference" / "audit-events.md").read_text(encoding="utf-8")
    assert sorted(event for event in _audit_events() if f"| `{event}` |" not in text) == []


def test_every_reason_to_reject_an_association_is_explained() -> None:
    """Whoever reads the trail finds what keeps a sender out."""
    text = (DOCS / "reference" / "audit-events.md").read_text(encoding="utf-8")
    assert [reason for reason in Rejection if f"| `{reason}` |" not in text] == []


def _audit_events() -> set[str]:
    """The names that are passed to the trail, or to a helper that passes them on."""
    found: set[str] = set()
    for path in sorted((ROOT / "bmnode").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                found |= set(_event_of(node))
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in {"_AUDITED", "(APPLIED, REFUSED)"}:
                found |= set(_texts(node.value))
    return found


def _event_of(call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func).split(".")[-1]
    if name in {"record", "_tell", "_audit", "end"}:
        for argument in call.args:
            yield from _texts(argument)
    if name in {"record_arrival", "Refusal", "_refuse"}:
        yield from (text for keyword in call.keywords if keyword.arg == "event" for text in _texts(keyword.value))


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.JoinedStr):
        if ast.unparse(node) == "f'job_{event}'":
            yield from (f"job_{event}" for event in JobEvent)
        return
    for part in ast.walk(node):
        if (
            isinstance(part, ast.Constant)
            and isinstance(part.value, str)
            and re.fullmatch(r"[a-z]+(_[a-z]+)+", part.value)
        ):
            yield part.value
