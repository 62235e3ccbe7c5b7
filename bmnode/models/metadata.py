"""`configs/metadata.json`, the model card and the evaluation report: read and held against each other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from bmnode.domain.models import BundleFacts, BundleFault, BundleId, EvaluationReport
from bmnode.errors import BundleRefusedError
from bmnode.models.inference_config import read_object

_Part = TypeVar("_Part")

FACTS = "bmnode"
"""The key of MONAI's metadata under which bmnode's own part stands."""
_TEXTS = ("name", "version", "task", "description", "authors", "copyright", "monai_version", "pytorch_version")
CARD_HEADINGS = ("## Intended use", "## Training data", "## Evaluation", "## Limits")
CARD_SENTENCE = "RESEARCH USE ONLY"


@dataclass(frozen=True, kw_only=True, slots=True)
class Metadata:
    """What the metadata say.

    Args:
        task, description, authors: in words, as given.
        channels: of each input of `network_data_format`, by the input's name.
    """

    id: BundleId
    task: str
    description: str
    authors: str
    channels: Mapping[str, int]
    facts: BundleFacts

    @classmethod
    def from_file(cls, path: Path) -> Metadata:
        """Raises BundleRefusedError where a key is missing, of another type, or unknown in bmnode's part."""
        content = read_object(path, name="metadata.json", fault=BundleFault.METADATA)
        texts = {key: content.get(key) for key in _TEXTS}
        for key, text in texts.items():
            if not isinstance(text, str) or not text.strip():
                raise _invalid(f"{key!r} is missing or no text")
        facts = _parsed(BundleFacts, content.get(FACTS), name=f"metadata.json, {FACTS!r}", fault=BundleFault.METADATA)
        try:
            id = BundleId(name=str(texts["name"]), version=str(texts["version"]))  # noqa: A001 - the field's own name
        except ValueError as error:
            raise _invalid(str(error)) from error
        return cls(
            id=id,
            task=str(texts["task"]),
            description=str(texts["description"]),
            authors=str(texts["authors"]),
            channels=_channels(content.get("network_data_format")),
            facts=facts,
        )


def read_evaluation(path: Path) -> EvaluationReport:
    """The evaluation report. Raises BundleRefusedError where it is none."""
    content = read_object(path, name="evaluation.json", fault=BundleFault.EVALUATION)
    return _parsed(EvaluationReport, content, name="evaluation.json", fault=BundleFault.EVALUATION)


def check_card(path: Path) -> None:
    """Raises BundleRefusedError where the model card leaves out what a reader must know."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleRefusedError(f"the model card cannot be read: {error}", fault=BundleFault.CARD) from error
    lines = {line.strip() for line in text.splitlines()}
    missing = [heading for heading in CARD_HEADINGS if heading not in lines]
    if CARD_SENTENCE not in text:
        missing.append(CARD_SENTENCE)
    if missing:
        raise BundleRefusedError(f"the model card has no {', '.join(missing)}", fault=BundleFault.CARD_INCOMPLETE)


def _channels(formats: object) -> Mapping[str, int]:
    inputs = formats.get("inputs") if isinstance(formats, dict) else None
    if not isinstance(inputs, dict) or not inputs:
        raise _invalid("network_data_format names no inputs")
    counts: dict[str, int] = {}
    for name, described in inputs.items():
        count = described.get("num_channels") if isinstance(described, dict) else None
        if not isinstance(count, int) or isinstance(count, bool):
            raise _invalid(f"network_data_format: the input {name!r} states no num_channels")
        counts[name] = count
    return counts


def _parsed(kind: type[_Part], content: object, *, name: str, fault: BundleFault) -> _Part:
    try:
        return TypeAdapter(kind).validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleRefusedError(f"{name}: {where}: {first['msg']}", fault=fault) from error


def _invalid(message: str) -> BundleRefusedError:
    return BundleRefusedError(f"metadata.json: {message}", fault=BundleFault.METADATA)
