"""What a finished study's folder says of itself: written last, so that a folder with a true manifest is whole."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FORMAT = 1
FILE_NAME = "manifest.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """One study on disk.

    Args:
        plan: digest of what it was made from: another cohort, seed or version has another.
        study_uid: Study Instance UID.
        patient_id: Patient ID.
        lesions: metastases of the patient at that time.
        instances: DICOM files.
        files: SHA-256 by path, relative to the study's folder.
    """

    plan: str
    study_uid: str
    patient_id: str
    lesions: int
    instances: int
    files: dict[str, str]

    def save(self, folder: Path) -> None:
        """Write it into the study's folder."""
        write_json(folder / FILE_NAME, {"format": FORMAT, **asdict(self)})


def whole(folder: Path, *, plan: str) -> Manifest | None:
    """The manifest of a study that was finished from the same plan and whose files are all as they were; else None."""
    try:
        content = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT or content.get("plan") != plan:
            return None
        found = Manifest(**content)
        return found if digests(folder) == found.files else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # unreadable is unfinished: the study is made again


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a study's folder but the manifest, by relative path in order."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / FILE_NAME)
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in paths}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a document that is whole or absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
